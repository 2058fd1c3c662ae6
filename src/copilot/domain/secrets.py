"""Secrets in text are replaced by `***` before anything is stored.

Two things are wanted at once: no credential passes, and ordinary text stays readable. So each
pattern needs a context (a name such as `password=`, a scheme, a known token prefix), and values
that are plainly prose (`token: expired`) or placeholders (`$TOKEN`, `null`) are left alone.

Every pattern is linear in the length of the text: the text is hostile. Most text cannot hold any
secret, whatever its values are: that is decided once for all texts of a shape (`suspects_in`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

MASK = "***"
_CONTROL = bytes(set(range(32)) - set(b"\t\r\n"))
WITHHELD = b"(withheld: binary data that may hold a secret)"

_NAMES = (
    r"passw(?:or)?d|passphrase|pwd|secret|token|credentials?"
    r"|(?:api|access|secret|private|account|shared|signing|encryption|master)[_\-. ]?key"
)
_NAME = re.compile(rf"(?P<name>{_NAMES})(?=\\{{0,8}}[\"']?\s{{0,3}}[=:])")
"""On text in lower case: many times faster than ignoring case."""
_VALUE = re.compile(
    r"""
    (?P<end>\\{0,8}["']?)
    (?P<sep>\s{0,3}(?:=>|:=|==?|:)\s{0,3})
    (?: (?P<open>")(?P<plain>(?:[^"\\]++|\\.)*+)(?:"|\\?\Z)
      | (?P<esc>\\{1,8})"(?P<escaped>(?:(?!(?<!\\)(?P=esc)").)*+)(?:(?P=esc)"|\Z)
      | '(?P<single>[^']*+)(?:'|\Z)
      | (?P<bare>[^\s,;&"'<>()\[\]{}|\\]++)
    )
    """,
    re.VERBOSE | re.DOTALL,
)
_FLAG = re.compile(
    rf"(?P<name>(?<!\S)--?[\w-]{{0,40}}?(?:{_NAMES}))\s{{1,3}}(?P<bare>[^\s,;\"'|&-][^\s,;\"'|&]*+)",
    re.IGNORECASE,
)
_ELEMENT = re.compile(rf"(<[\w:.-]{{0,60}}?(?:{_NAMES})>)([^<]++)", re.IGNORECASE)
_AUTHORIZATION = re.compile(
    r"(?P<name>authorization[\"'\\]{0,9}\s{0,3}[:=]\s{0,3}\[?[\"'\\]{0,9})"
    r"(?P<scheme>(?:bearer|basic|token|digest|apikey|aws4-hmac-sha256|negotiate)\s{1,3})?"
    r"(?P<bare>[^\s\"'\\,()\[\]{}<>]++)",
    re.IGNORECASE,
)
_BEARER = re.compile(r"(\bbearer\s{1,3})([A-Za-z0-9._~+/=-]{8,}+)", re.IGNORECASE)
_COOKIE = re.compile(
    r"(\b(?:set-)?cookie[\"'\\]{0,9}\s{0,3}:\s{0,3}[\"'\\]{0,9})([\w.-]{1,80}=[^\"'\\\r\n]++)",
    re.IGNORECASE,
)
_USERINFO = re.compile(r"(://[^\s/:@\"'<>]{0,256}:)[^\s/\"'?#<>]{1,1024}@")
_DSN = re.compile(r"(?<![\w.-])([\w.-]{1,64}:)[^\s:@/\"']{1,256}(?=@tcp\()")
_SIGNATURE = re.compile(r"((?<=[?&])(?:sig|signature|x-amz-signature)=)[^\s&\"']++", re.IGNORECASE)
_JWT = re.compile(r"(?<![\w-])eyJ[\w-]{6,}+\.[\w-]{6,}+(?:\.[\w-]*+)?")
_AWS_ID = re.compile(r"(?<![A-Za-z0-9])(AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])")
_PREFIXED = re.compile(
    r"(?<![\w-])(gh[pousr]_|github_pat_|glpat-|xox[abeprs]-|sk-(?:proj-|ant-)?|[sr]k_(?:live|test)_"
    r"|npm_|hf_|AIza|ya29\.|dop_v1_|hvs\.|SG\.|xapp-)(?=[\w.-]*[0-9])[\w.-]{20,}+"
)
_PRIVATE_KEY = re.compile(
    r"(-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----).*?(-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----|\Z)",
    re.DOTALL,
)
_KEY_BEGIN = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----")
_KEY_END = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----")
_KEY_LINE = re.compile(r"\A[A-Za-z0-9+/=]{16,}+\Z")
_SECRET_NAME = re.compile(rf"(?:{_NAMES}|authorization|(?:set-)?cookie)\Z", re.IGNORECASE)

_NOTHING = frozenset({"null", "none", "nil", "undefined", "true", "false"})
_PLACEHOLDER = re.compile(
    r"\$[A-Z_][A-Z0-9_]*|\$\{[^}]*\}|\$\([^)]*\)|%[sdvq]|%\(\w+\)s|<[\w .-]+>|\{\{.*\}\}|\{\w*\}"
    r"|\*+|[xX.-]{3,}"
)
# fmt: off
_PROSE = frozenset([
    "empty", "yes", "no", "unset", "missing", "required", "invalid", "incorrect", "expired",
    "wrong", "redacted", "masked", "hidden", "unknown", "denied", "failed", "error", "not",
    "is", "are", "was", "has", "must", "and", "or", "for", "from", "in", "of", "to", "the",
    "a", "an", "file", "flag", "option", "argument",
])
# fmt: on


@dataclass(frozen=True, slots=True)
class Pattern:
    """One kind of secret and how it is replaced."""

    hints: tuple[str, ...]
    """One of them stands in a text, in lower case, that is worth trying."""
    sign: re.Pattern[str]
    """Found in the shape of each text that the pattern changes. A shape has other digits, and where
    small letters a to f touch digits, digits in their place: a sign builds on neither."""
    replace: Callable[[str], str]


def suspects_in(shape: str) -> tuple[Pattern, ...]:
    """All patterns that can find anything in any text of this shape (see `copilot.ingest.shapes`).

    The same shape, the same answer: work it out once.
    """
    return tuple(p for p in PATTERNS if p.sign.search(shape) or p.sign.search(shape.lower()))


def mask_with(text: str, suspects: Sequence[Pattern]) -> str:
    """The text with the secrets replaced that these patterns find."""
    lowered = text.lower()
    for pattern in suspects:
        if any(hint in lowered for hint in pattern.hints):
            text = pattern.replace(text)
    return text


def mask_key_lines(lines: Sequence[str], masked: list[str]) -> None:
    """Replaces the lines of private keys that are logged line by line, down to the key's last.

    `masked` are the same lines, masked one by one.
    """
    is_inside = False
    for index, line in enumerate(lines):
        if is_inside and _KEY_END.search(line):
            is_inside = False
        elif is_inside and _KEY_LINE.match(line.strip()):
            masked[index] = MASK
        elif leaves_key_open(line):
            is_inside = True


def leaves_key_open(text: str) -> bool:
    """Whether a private key begins in the text and does not end there: lines after it are its."""
    begin = text.rfind("-----BEGIN ")
    is_key = begin >= 0 and _KEY_BEGIN.match(text, begin) is not None
    return is_key and text.find("-----END ", begin) < 0


def mask(text: str) -> str:
    """The text with every secret in it replaced; the same object where there is none."""
    return mask_with(text, PATTERNS)


def mask_value(name: str, value: str) -> str:
    """A named value: hidden whole where the name says that it is a secret, else masked."""
    if _SECRET_NAME.search(name) and value and not _is_placeholder(value):
        return MASK
    return mask(value)


def masked_fields(
    fields: dict[str, object], masked: Callable[[str, str], str] = mask_value
) -> dict[str, object]:
    """An object's JSON with each text as `masked` gives it by its name: an environment variable is
    judged by its own, everything else by its key."""
    named, held = fields.get("name"), fields.get("value")
    shown = {key: _masked_tree(key, value, masked) for key, value in fields.items()}
    if isinstance(named, str) and isinstance(held, str):
        shown["name"], shown["value"] = named, masked(named, held)
    return shown


def _masked_tree(name: str, value: object, masked: Callable[[str, str], str]) -> object:
    if isinstance(value, str):
        return masked(name, value)
    if isinstance(value, list):
        return [_masked_tree("" if isinstance(i, str) else name, i, masked) for i in value]
    if isinstance(value, dict):
        return masked_fields(value, masked)
    return value


def mask_bytes(body: bytes) -> bytes:
    """Bytes that could not be decoded, fit to be kept.

    Text is masked. In binary data names and values lie apart in ways that no pattern sees, so it
    is withheld where it mentions anything secret.
    """
    text = body.decode("latin-1")
    is_text = len(body.translate(None, _CONTROL)) == len(body)
    if is_text:
        return mask(text).encode("latin-1")
    lowered = text.lower()
    is_suspect = any(hint in lowered for pattern in PATTERNS for hint in pattern.hints)
    return WITHHELD if is_suspect else body


def _is_placeholder(value: str) -> bool:
    return value.lower() in _NOTHING or _PLACEHOLDER.fullmatch(value) is not None


def _is_prose(name: str, value: str, rest: str) -> bool:
    """True where `name: value` without quotes reads like a sentence, not like a setting."""
    word = value.strip(".!?:")
    if word.lower() in _PROSE:
        return True
    is_word = word.isalpha() and (value.islower() or value.istitle())
    if name.startswith(("passw", "pwd", "passphrase")):
        return len(value) < 4 or (is_word and rest[:1] == " ")
    return len(value) < 8 or (is_word and len(value) < 20)


def _is_harmless(name: str, separator: str, value: str, rest: str) -> bool:
    if _is_placeholder(value):
        return True
    if name == "pwd" and value[:1] in "/~.":
        return True  # the working directory
    if not name.startswith(("passw", "pwd")) and value.isdigit() and len(value) < 6:
        return True  # a count
    return ":" in separator and separator[-1].isspace() and _is_prose(name, value, rest)


def _mask_keyed(text: str) -> str:
    """Masks the values of `name=value`, `name: value` and `"name": "value"`."""
    lowered = text.lower()
    if len(lowered) != len(text):  # some letters have a longer small form
        lowered = text.encode().lower().decode()
    parts: list[str] = []
    done = 0
    for name in _NAME.finditer(lowered):
        value = _VALUE.match(text, name.end()) if name.start() >= done else None
        if value is None:
            continue
        parts += text[done : name.end()], _masked_value(name["name"], value)
        done = value.end()
    return "".join([*parts, text[done:]]) if parts else text


def _masked_value(name: str, match: re.Match[str]) -> str:
    """What stands behind a name: `=hunter2` becomes `=***`, in the quotes that it had."""
    before = f"{match['end']}{match['sep']}"
    bare = match["bare"]
    if bare is not None:
        rest = match.string[match.end() : match.end() + 2]
        if _is_harmless(name, match["sep"], bare, rest):
            return match[0]
        return f"{before}{match['end']}{MASK}{match['end']}"  # a number in JSON becomes text
    if match["single"] is not None:
        value, quote = match["single"], "'"
    elif match["escaped"] is not None:
        value, quote = match["escaped"], match["esc"] + '"'
    else:
        value, quote = match["plain"], '"'
    if not value or _is_placeholder(value):
        return match[0]
    return f"{before}{quote}{MASK}{quote}"


def _replace_flag(match: re.Match[str]) -> str:
    rest = match.string[match.end() : match.end() + 2]
    value = match["bare"]
    is_word = value.isalpha() and value.islower()
    if _is_placeholder(value) or value in _PROSE or (is_word and rest[:1] == " "):
        return match[0]
    return match[0].removesuffix(value) + MASK


def _replace_authorization(match: re.Match[str]) -> str:
    scheme, value = match["scheme"] or "", match["bare"]
    if not scheme and (len(value) < 6 or _is_placeholder(value) or value.strip(".").isalpha()):
        return match[0]
    return f"{match['name']}{scheme}{MASK}"


def _replace_bearer(match: re.Match[str]) -> str:
    is_token = len(match[2]) >= 20 or any(char.isdigit() for char in match[2])
    return match[1] + MASK if is_token else match[0]


_NAME_AT_END = r"(?:passw(?:or)?d|passphrase|pwd|secret|token|redentials?|key)"

PATTERNS: tuple[Pattern, ...] = (
    Pattern(
        ("private key-----",),
        re.compile("private key-----", re.IGNORECASE),
        lambda text: _PRIVATE_KEY.sub(rf"\1{MASK}\2", text),
    ),
    Pattern(("eyj",), re.compile("yJ"), lambda text: _JWT.sub(MASK, text)),
    Pattern(
        ("akia", "asia"),
        re.compile("AKIA|ASIA"),
        lambda text: _AWS_ID.sub(rf"\1{MASK}", text),
    ),
    Pattern(
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "xox", "sk-", "k_live_")
        + ("k_test_", "npm_", "hf_", "aiza", "ya29.", "dop_v1_", "hvs.", "sg.", "xapp-"),
        re.compile(
            r"gh[pousr]_|github_pat_|glpat-|xox[abeprs]-|sk-|k_(?:live|test)_|npm_|hf_|AIz|y0\."
            r"|op_v0_|hvs\.|SG\.|xapp-"
        ),
        lambda text: _PREFIXED.sub(rf"\1{MASK}", text),
    ),
    Pattern(
        ("authorization",),
        re.compile(r"uthorization[\"'\\]{0,9}\s{0,3}[:=]", re.IGNORECASE),
        lambda text: _AUTHORIZATION.sub(_replace_authorization, text),
    ),
    Pattern(
        ("bearer",),
        re.compile(r"bearer\s", re.IGNORECASE),
        lambda text: _BEARER.sub(_replace_bearer, text),
    ),
    Pattern(
        ("cookie",),
        re.compile(r"cookie[\"'\\]{0,9}\s{0,3}:", re.IGNORECASE),
        lambda text: _COOKIE.sub(rf"\1{MASK}", text),
    ),
    Pattern(
        ("://",),
        re.compile(r"://[^\s/]{0,1300}@"),
        lambda text: _USERINFO.sub(rf"\1{MASK}@", text),
    ),
    Pattern(("@tcp(",), re.compile(r"@tcp\("), lambda text: _DSN.sub(rf"\1{MASK}", text)),
    Pattern(
        ("sig=", "signature="),
        re.compile(r"[?&](?:sig|signature|x-amz-signature)=", re.IGNORECASE),
        lambda text: _SIGNATURE.sub(rf"\1{MASK}", text),
    ),
    Pattern(
        ("pass", "pwd", "secret", "token", "credential", "key"),
        re.compile(
            rf"{_NAME_AT_END}(?:\\{{0,8}}[\"']?\s{{0,3}}[=:]|>)|-[\w-]{{0,60}}{_NAME_AT_END}\s",
            re.IGNORECASE,
        ),
        lambda text: _ELEMENT.sub(rf"\1{MASK}", _FLAG.sub(_replace_flag, _mask_keyed(text))),
    ),
)
"""The headers come before the names in general: `Authorization: Bearer` has its own shape."""
