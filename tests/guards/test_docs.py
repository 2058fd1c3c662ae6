"""What the documentation says of the product is so: its links lead somewhere, its words are ours."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import typer
from pydantic import AliasChoices
from typer.main import get_command

import copilot
from copilot.cli import app
from copilot.roles.figures import Figures
from copilot.settings import Settings

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(
    path
    for path in (*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *ROOT.glob("lab/**/*.md"))
    if "runbooks" not in path.parts
)
MANIFESTS = sorted(
    path
    for folder in ("deploy", "fluentbit", "otel", "demo")
    for path in (ROOT / folder).rglob("*.yaml")
)
TEXTS = [*PAGES, *MANIFESTS, ROOT / "Makefile", ROOT / "Dockerfile"]
"""What people read before, or instead of, the code."""
_LINK = re.compile(r"\]\((?!https?://|#)([^)\s#]+)(?:#[^)\s]*)?\)")
_ANCHOR = re.compile(r"\]\((?!https?://)([^)\s#]*)#([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_MESSAGE = re.compile(r"^### (`{1,2})(.+)\1$", re.MULTILINE)
_COMMAND = re.compile(r"(?<!-n )(?<!deploy/)incident-copilot ([a-z]+(?: [a-z]+(?:-[a-z]+)*)?)")
_OPTIONS = re.compile(r"(?<!-n )(?<!deploy/)incident-copilot ([a-z]+)([^`|#\n]*)")
_MADE = re.compile(r"(?:`|^|&& |\$\()make (?:-s )?([a-z][a-z-]*)", re.MULTILINE)
_TARGET = re.compile(r"^([a-z][a-z-]*):", re.MULTILINE)
_SETTING = re.compile(r"\b(?:COPILOT|TIDB|OPENAI|OTEL_EXPORTER_OTLP)_[A-Z_]*")
_PATH = re.compile(
    r"(?<![\w./-])((?:bench|db|deploy|demo|docs|fluentbit|lab|otel|requirements|src|tests|tools)"
    r"/[\w./*-]*\.(?:go|in|json|lock|md|py|sql|txt|yaml))\b"
)
_VERSION = re.compile(r"(?:incident-copilot:|newTag: |incident_copilot-)(\d+\.\d+\.\d+)")
_METRIC = re.compile(r"\bcopilot_[a-z_]+")
_LOGGED = re.compile(r"`([a-z_]+\.[a-z_]+)`")
_FILE = re.compile(r"\.(?:db|json|lock|md|py|yaml)$")
NOT_OURS = {"OTEL_EXPORTER_OTLP_PROTOCOL"}
"""Settings of an application's SDK."""


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_leads_to_a_file(page: Path) -> None:
    linked = _LINK.findall(page.read_text())

    assert [to for to in linked if not (page.parent / to).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_into_a_page_leads_to_a_heading(page: Path) -> None:
    anchors = [
        (page.parent / to if to else page, part) for to, part in _ANCHOR.findall(page.read_text())
    ]

    assert [part for to, part in anchors if part not in anchors_of(to)] == []


@pytest.mark.parametrize("text", TEXTS, ids=named)
def test_every_file_of_ours_that_is_named_is_there(text: Path) -> None:
    paths = set(_PATH.findall(text.read_text()))

    assert {path for path in paths if not any(ROOT.glob(path))} == set()


@pytest.mark.parametrize("text", TEXTS, ids=named)
def test_every_make_target_that_is_named_is_one(text: Path) -> None:
    targets = set(_TARGET.findall((ROOT / "Makefile").read_text()))

    assert set(_MADE.findall(text.read_text())) - targets == set()


@pytest.mark.parametrize("text", TEXTS, ids=named)
def test_every_setting_that_is_named_is_one(text: Path) -> None:
    assert unknown_settings(text.read_text()) == set()


def test_every_setting_that_the_code_names_is_one() -> None:
    code = "\n".join(path.read_text() for path in (ROOT / "src/copilot").rglob("*.py"))

    assert unknown_settings(code) == set()


@pytest.mark.parametrize("text", TEXTS, ids=named)
def test_every_version_of_ours_that_is_named_is_the_present_one(text: Path) -> None:
    assert set(_VERSION.findall(text.read_text())) <= {copilot.__version__}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_metric_that_a_page_names_is_told(page: Path) -> None:
    told = set(re.findall(r"^# TYPE (\S+)", Figures().text(), re.MULTILINE))

    assert set(_METRIC.findall(page.read_text())) - told == set()


@pytest.mark.parametrize("page", sorted(DOCS.glob("how-to/*.md")), ids=named)
def test_every_line_of_the_log_that_a_page_explains_is_written(page: Path) -> None:
    events = {name for name in _LOGGED.findall(page.read_text()) if not _FILE.search(name)}

    assert events - set(texts()) == set()


def test_the_table_of_faults_is_of_the_scenarios_that_there_are() -> None:
    kinds = {
        path.parent.name: re.findall(r"^kind: (\w+)", path.read_text(), re.MULTILINE)[0]
        for path in (ROOT / "lab/scenarios").glob("*/expect.yaml")
    }
    table = (DOCS / "faults.md").read_text()
    listed = set(re.findall(r"^\| ([a-z0-9-]+) \|", table, re.MULTILINE))
    n = [str(list(kinds.values()).count(one)) for one in ("fault", "quiet")]

    told = re.findall(r"(\d+) faults and (\d+) quiet scenes", table + changelog())

    assert told == [tuple(n)] * 2
    assert kinds.keys() - listed == set()


def test_what_people_are_told_to_look_for_stands_on_the_screens() -> None:
    page = (DOCS / "how-to/handle-an-incident.md").read_text()
    screens = "\n".join(
        path.read_text()
        for folder in ("components", "lib")
        for path in (ROOT / "ui" / folder).rglob("*.ts*")
        if ".test." not in path.name
    )

    shown = set(re.findall(r"\*\*([^*]+)\*\*", page))

    assert len(shown) > 15
    assert {name for name in shown if name not in screens} == set()


def test_the_architecture_has_the_layers_that_are_kept() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    kept = contracts["contracts"][0]["layers"]

    said = re.search(r"^`.+?`\. Imports go down only", architecture(), re.MULTILINE)

    assert said is not None
    assert re.findall(r"`([^`]+)`", said.group()) == [one for one in kept if one != "__main__"]


def test_the_architecture_says_of_every_room_what_is_in_it() -> None:
    rooms = {path.stem for path in (ROOT / "src/copilot").iterdir()}
    told = "\n".join(line for line in architecture().splitlines() if line.startswith("| `"))

    untold = {room for room in rooms if not re.search(rf"`{room}(?:/|\.py)`", told)}

    assert untold <= {"__init__", "__main__", "__pycache__", "py", "ui_dist"}


def test_every_decision_has_a_number_of_its_own() -> None:
    decisions = sorted((ROOT / "docs/adr").glob("*.md"))

    numbers = [int(decision.name[:4]) for decision in decisions]
    titles = [decision.read_text().split(".", 1)[0] for decision in decisions]

    assert numbers == list(range(1, len(decisions) + 1))
    assert titles == [f"# {number}" for number in numbers]


def test_the_index_leads_to_every_page() -> None:
    linked = {(DOCS / to).resolve() for to in _LINK.findall((DOCS / "README.md").read_text())}
    pages = {*DOCS.glob("*.md"), *DOCS.glob("how-to/*.md")} - {DOCS / "README.md"}

    assert pages - linked == set()


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_command_and_option_that_a_page_names_is_there(page: Path) -> None:
    if page.name == "CHANGELOG.md":
        return
    commands, text = commands_of(), page.read_text()

    assert [name for name in _COMMAND.findall(text) if not is_command(name)] == []
    assert [
        (name, option)
        for name, rest in _OPTIONS.findall(text)
        for option in re.findall(r"(?<!\S)--[a-z][a-z-]*", rest)
        if option not in commands[name] | {"--help"}
    ] == []


def test_every_message_that_is_explained_is_one_of_ours() -> None:
    explained = [
        said for _, said in _MESSAGE.findall((DOCS / "how-to/troubleshooting.md").read_text())
    ]

    assert len(explained) > 20
    assert [said for said in explained if not any(said in text for text in texts())] == []


def changelog() -> str:
    return (ROOT / "CHANGELOG.md").read_text()


def architecture() -> str:
    return (ROOT / "ARCHITECTURE.md").read_text()


def anchors_of(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = _HEADING.findall(page.read_text())
    return {
        re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings
    }


@cache
def settings() -> frozenset[str]:
    """Every name by which a setting is given."""
    found = set()
    for name, info in Settings.model_fields.items():
        alias = info.validation_alias
        choices = alias.choices if isinstance(alias, AliasChoices) else [f"COPILOT_{name.upper()}"]
        found |= set(map(str, choices))
    return frozenset(found)


def unknown_settings(text: str) -> set[str]:
    """What looks like a setting and is none; `COPILOT_RETENTION_` stands for all that begin so."""
    said = set(_SETTING.findall(text)) - settings() - NOT_OURS
    return {name for name in said if not (name.endswith("_") and begins_one(name))}


def begins_one(name: str) -> bool:
    return any(one.startswith(name) for one in settings())


def is_command(said: str) -> bool:
    """`token create` as well as `restore`; what follows a command without own ones is its matter."""
    name, _, inner = said.partition(" ")
    command = group().commands.get(name)
    own = getattr(command, "commands", {})
    return command is not None and (not inner or not own or inner in own)


def group() -> typer.core.TyperGroup:
    found = get_command(app)
    assert isinstance(found, typer.core.TyperGroup)
    return found


@cache
def commands_of() -> dict[str, set[str]]:
    """Every command, with its options and those of its own commands."""
    return {name: set(_options(command)) for name, command in group().commands.items()}


def _options(command: object) -> Iterator[str]:
    for parameter in getattr(command, "params", ()):
        yield from parameter.opts
        yield from parameter.secondary_opts
    for inner in getattr(command, "commands", {}).values():
        yield from _options(inner)


@cache
def texts() -> tuple[str, ...]:
    """Every text in the product's code, with `…` for what is filled in."""
    found = []
    for path in (ROOT / "src/copilot").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                found.append(re.sub("…+", "…", "".join(map(_part, node.values))))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return tuple(found)


def _part(value: ast.expr) -> str:
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else "…"
