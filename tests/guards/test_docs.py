"""What the documentation says of the product is so: its links lead somewhere, its words are ours."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from copilot.cli import app

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(
    path for path in (*ROOT.glob("*.md"), *DOCS.rglob("*.md")) if "runbooks" not in path.parts
)
_LINK = re.compile(r"\]\((?!https?://|#)([^)\s#]+)(?:#[^)\s]*)?\)")
_MESSAGE = re.compile(r"^### (`{1,2})(.+)\1$", re.MULTILINE)
_COMMAND = re.compile(r"(?<!-n )incident-copilot ([a-z]+(?: [a-z]+)?)")
_OPTION = re.compile(r"(?<!-n )incident-copilot ([a-z]+)[^`|\n]*?(--[a-z-]+)")


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_leads_to_a_file(page: Path) -> None:
    linked = _LINK.findall(page.read_text())

    assert [to for to in linked if not (page.parent / to).exists()] == []


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

    assert [name for name in _COMMAND.findall(text) if name.split()[0] not in commands] == []
    assert [
        (name, option)
        for name, option in _OPTION.findall(text)
        if option not in commands[name] | {"--help"}
    ] == []


def test_every_message_that_is_explained_is_one_of_ours() -> None:
    explained = [
        said for _, said in _MESSAGE.findall((DOCS / "how-to/troubleshooting.md").read_text())
    ]

    assert len(explained) > 20
    assert [said for said in explained if not any(said in text for text in texts())] == []


@cache
def commands_of() -> dict[str, set[str]]:
    """Every command, with its options and those of its own commands."""
    group = get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    return {name: set(_options(command)) for name, command in group.commands.items()}


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
