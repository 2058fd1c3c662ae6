"""No credential is stored, and ordinary text stays readable."""

import json
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copilot.domain.secrets import MASK, mask, mask_bytes, mask_value
from copilot.ingest.normalise import told_apart


def masked_lines(lines: list[str]) -> list[str]:
    """As a batch has them."""
    return told_apart(lines, [0] * len(lines))[0]


JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P"

CANARIES = [
    ("password=hunter2 user=bob", "password=*** user=bob"),
    ("DB_PASSWORD: hunter2", "DB_PASSWORD: ***"),
    ("Passwd := hunter2;", "Passwd := ***;"),
    ('{"password":"hunter2","user":"bob"}', '{"password":"***","user":"bob"}'),
    ('{"password" : "hun\\"ter2", "a": 1}', '{"password" : "***", "a": 1}'),
    (r"{\"password\":\"hunter2\",\"user\":\"bob\"}", r"{\"password\":\"***\",\"user\":\"bob\"}"),
    ("{'api_key': 'hunter2'}", "{'api_key': '***'}"),
    ("map[password:hunter2 user:bob]", "map[password:*** user:bob]"),
    ("<password>hunter2</password>", "<password>***</password>"),
    ("x-api-key: hunter2abc99", "x-api-key: ***"),
    ("aws_secret_access_key = hunter2/AbC+x", "aws_secret_access_key = ***"),
    ("client_secret=hunter2&grant=x", "client_secret=***&grant=x"),
    ("GET /x?access_token=hunter2&y=1", "GET /x?access_token=***&y=1"),
    ('PASSWORD = "hunter2 and more" tail', 'PASSWORD = "***" tail'),
    ("password=$ecretHunter2!", "password=***"),
    ("postgres://app:hunter2@db:5432/x?a=b", "postgres://app:***@db:5432/x?a=b"),
    ("redis://:hunter2@cache:6379", "redis://:***@cache:6379"),
    ("amqp://u:hun@ter2@mq/vhost", "amqp://u:***@mq/vhost"),
    ("Server=db;Uid=a;Pwd=hunter2;Database=x", "Server=db;Uid=a;Pwd=***;Database=x"),
    ("AccountKey=hunter2+/==;Suffix=core", "AccountKey=***;Suffix=core"),
    ("app:hunter2@tcp(127.0.0.1:3306)/db", "app:***@tcp(127.0.0.1:3306)/db"),
    ("https://x/y?sv=1&sig=hunter2%3D&z=1", "https://x/y?sv=1&sig=***&z=1"),
    ("Authorization: Bearer hunter2", "Authorization: Bearer ***"),
    ("authorization=Basic dXNlcjpodW50ZXIy", "authorization=Basic ***"),
    ('"Authorization":["Bearer hunter2"]', '"Authorization":["Bearer ***"]'),
    ("sent bearer abcDEF123456 to peer", "sent bearer *** to peer"),
    ('{"password":123456,"a":1}', '{"password":"***","a":1}'),
    ("Cookie: sid=hunter2; theme=dark", "Cookie: ***"),
    ("--token hunter2 --verbose", "--token *** --verbose"),
    ("mysql --password hunter2", "mysql --password ***"),
    (f"got {JWT} from", "got *** from"),
    ("key AKIAIOSFODNN7EXAMPLE used", "key AKIA*** used"),
    ("ghp_abcdefghijklmnopqrst012345 x", "ghp_*** x"),
    ("xoxb-123456789012-abcdefghijkl", "xoxb-***"),
    ("sk-proj-abcdefghijklmnopqrstuv1234", "sk-proj-***"),
    (
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEabc\n-----END RSA PRIVATE KEY----- ok",
        "-----BEGIN RSA PRIVATE KEY-----***-----END RSA PRIVATE KEY----- ok",
    ),
    ("-----BEGIN PRIVATE KEY-----\\nMIIEabc", "-----BEGIN PRIVATE KEY-----***"),
]

ORDINARY = [
    "token: expired",
    "Unexpected token: }",
    "Unexpected token < in JSON at position 0",
    "invalid password: must be 8 characters",
    "password: incorrect",
    "FATAL:  password authentication failed for user app",
    "max_tokens=4096 token_count: 12 tokens: 17",
    "usage tokens=512 prompt_tokens=500",
    'secretName: db-creds, "secretKeyRef":{"name":"x"}',
    'MountVolume.SetUp failed for volume "x" : secret "db-creds" not found',
    "failed to get secret: not found",
    "bearer of bad news",
    "Bearer authentication failed",
    "authorization: denied",
    '{"authorization":{"mode":"rbac"}}',
    "authorization: 403 Forbidden",
    "PWD=/srv/app",
    "password=null token=none",
    'password="${DB_PASSWORD}" token=$TOKEN',
    "password=*** already",
    "--token flag is required",
    "http://host:8080/users/@me",
    "mail bob@example.com at 12:30",
    "key=abc monkey: 5",
    "primary key: id",
    "eyJ is how they begin",
    "AKIA is a prefix",
    "task-1 disk-2 risk-averse",
    "secret: 3 keys",
    "tokenizer: fast",
    "password_file=/run/secrets/x",
    "cookie: expired",
    "the passwords of users",
]


@pytest.mark.parametrize(("text", "masked"), CANARIES)
def test_a_secret_is_masked_and_the_rest_stays(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert mask(text) == text


@pytest.mark.parametrize(("text", "masked"), CANARIES)
def test_masking_twice_changes_nothing_more(text: str, masked: str) -> None:
    assert mask(mask(text)) == masked


@pytest.mark.parametrize("around", ["{}", "1{}", "a1{}1a", "12 {} 7f3a", "café {}", "{}\nmore"])
@pytest.mark.parametrize("change", [str, str.upper, lambda text: text.replace("hunter", "1f2e")])
def test_a_column_is_masked_like_each_line_alone(around: str, change: Callable[[str], str]) -> None:
    texts = [text for text, _ in CANARIES if "PRIVATE" not in text] + ORDINARY
    lines = [around.format("\0").replace("\0", change(text)) for text in texts]

    assert masked_lines(lines) == [mask(line) for line in lines]


def test_a_secret_is_found_in_a_line_whose_like_was_harmless() -> None:
    """`key=12` is a count, `key=123456` is a key: both have one shape."""
    lines = ["api_key=12", "api_key=123456", "api_key=12"]

    assert masked_lines(lines) == ["api_key=12", "api_key=***", "api_key=12"]


def test_a_column_without_secrets_comes_back_as_it_was() -> None:
    lines = ["cache grew", "served in 3 ms"]

    assert masked_lines(lines) == lines


def test_a_private_key_that_is_logged_line_by_line_is_masked_to_its_end() -> None:
    lines = [
        "loading",
        "-----BEGIN EC PRIVATE KEY-----",
        "MHcCAQEEIIhunter2hunter2hunter2hunter2",
        "another program says hello",
        "AwEHoUQDQgAEhunter2hunter2==",
        "-----END EC PRIVATE KEY-----",
        "deadbeefdeadbeefdeadbeef",
    ]

    masked = masked_lines(lines)

    assert "hunter2" not in "".join(masked)
    assert masked[3] == "another program says hello"
    assert masked[6] == lines[6]


@settings(max_examples=300)
@given(
    secret=st.text(
        st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Z"]), min_size=9, max_size=40
    ).map(lambda text: f"Hx7{text}"),
    name=st.sampled_from(["password", "api_key", "accessToken", "client-secret", "DB_PASSWD"]),
    before=st.text(max_size=30),
)
def test_a_json_string_under_a_secret_name_never_passes(
    secret: str, name: str, before: str
) -> None:
    line = json.dumps({"before": before, name: secret, "after": "stays"}, ensure_ascii=False)
    nested = json.dumps({"log": line}, ensure_ascii=False)

    masked, masked_nested = json.loads(mask(line)), json.loads(mask(nested))

    assert masked[name] == MASK
    assert masked["after"] == "stays"
    assert secret not in masked_nested["log"]


@settings(max_examples=200)
@given(st.text())
def test_masking_never_fails_and_agrees_with_the_column(text: str) -> None:
    assert masked_lines([text]) == [mask(text)]


@pytest.mark.parametrize(
    ("name", "value", "masked"),
    [
        ("DB_PASSWORD", "hunter2", MASK),
        ("api-key", "x", MASK),
        ("authorization", "Basic x", MASK),
        ("PASSWORD_FILE", "/run/x", "/run/x"),
        ("DATABASE_URL", "postgres://u:hunter2@db/x", "postgres://u:***@db/x"),
        ("LEVEL", "debug", "debug"),
        ("TOKEN", "", ""),
    ],
)
def test_a_named_value_is_hidden_where_its_name_says_so(name: str, value: str, masked: str) -> None:
    assert mask_value(name, value) == masked


def test_binary_data_is_kept_unless_it_mentions_a_secret() -> None:
    assert mask_bytes(b"\x00\x01plain") == b"\x00\x01plain"
    assert b"hunter2" not in mask_bytes(b"\x00\xa8password\xa7hunter2")
    assert mask_bytes(b"password=hunter2 caf\xe9") == b"password=*** caf\xe9"


@pytest.mark.parametrize(
    "unit",
    [
        "password", 'password="', "password:", 'password\\"', "://", "a://b:", "eyJ", "eyJaaaaaaa.",
        "Bearer ", "authorization: ", "-----BEGIN PRIVATE KEY-----", "--token ", "<password>",
        "sk-", "cookie: a=", "a:b@", "&sig=", "xoxb-1", "\\", "'password':'",
    ],
)  # fmt: skip
def test_a_hostile_text_takes_time_in_proportion_to_its_length(unit: str) -> None:
    text = unit * (200_000 // len(unit))
    started = time.process_time()

    mask(text)

    assert time.process_time() - started < 3
