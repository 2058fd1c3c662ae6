"""Edits of YAML as text: what was wanted is said, and every other line is the same byte for byte."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from copilot.domain.errors import Invalid
from copilot.remediate.gitops.merge import Edit, Item, Path, applied
from copilot.remediate.gitops.text import documents, edited
from copilot.remediate.tree import Fields, Tree

FILE = """\
# top
apiVersion: apps/v1
kind: Deployment
metadata: {name: oom-demo, labels: {app: oom-demo}}
spec:
  replicas: 2   # two
  template:
    spec:
      containers:
      - name: app   # the app
        image: "docker.io/x:1"
        env:
          - name: A
            value: 'b'
          - {name: B, value: c}
        resources:
          # sized by hand
          limits:
            memory: 64Mi # enough

          requests: {memory: 16Mi, cpu: 10m}

# tail
---
kind: ConfigMap
data:
  text: |
    x=1
    y=2
  plain: on the line
"""
APP: Path = ("spec", "template", "spec", "containers", Item("name", "app"))


def changed_lines(before: str, after: str) -> list[str]:
    lines = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), n=0
    )
    return [line.rstrip("\r\n") for line in lines if line[:2] not in ("--", "++", "@@")]


def setting(path: Path, value: Any) -> Edit:
    return Edit(path=path, value=value)


def removing(*path: Any) -> Edit:
    return Edit(path=path, value=None, is_removal=True)


@pytest.mark.parametrize(
    ("document", "edit", "lines"),
    [
        pytest.param(
            0,
            setting((*APP, "resources", "limits", "memory"), "128Mi"),
            ["-            memory: 64Mi # enough", "+            memory: 128Mi # enough"],
            id="a plain value keeps its comment",
        ),
        pytest.param(
            0,
            setting((*APP, "image"), "docker.io/x:2"),
            ['-        image: "docker.io/x:1"', '+        image: "docker.io/x:2"'],
            id="double quotes stay",
        ),
        pytest.param(
            0,
            setting((*APP, "env", Item("name", "A"), "value"), "it's"),
            ["-            value: 'b'", "+            value: 'it''s'"],
            id="single quotes stay, and what is in them is doubled",
        ),
        pytest.param(
            0,
            setting(("spec", "replicas"), 3),
            ["-  replicas: 2   # two", "+  replicas: 3   # two"],
            id="a number, and the spaces before its comment",
        ),
        pytest.param(
            0,
            setting((*APP, "resources", "limits", "cpu"), "1"),
            ['+            cpu: "1"'],
            id="a new key comes last, quoted where a reader would take it for a number",
        ),
        pytest.param(
            0,
            setting((*APP, "resources", "requests", "memory"), "32Mi"),
            [
                "-          requests: {memory: 16Mi, cpu: 10m}",
                "+          requests: {memory: 32Mi, cpu: 10m}",
            ],
            id="within braces",
        ),
        pytest.param(
            0,
            setting((*APP, "env", Item("name", "C")), {"name": "C", "value": "8080"}),
            ["+          - name: C", '+            value: "8080"'],
            id="a new item, indented like the others",
        ),
        pytest.param(
            0,
            removing(*APP, "env", Item("name", "A")),
            ["-          - name: A", "-            value: 'b'"],
            id="an item goes with its lines",
        ),
        pytest.param(
            0,
            removing(*APP, "name"),
            [
                "-      - name: app   # the app",
                '-        image: "docker.io/x:1"',
                '+      - image: "docker.io/x:1"',
            ],
            id="the first key of an item leaves its dash to the next",
        ),
        pytest.param(
            1,
            setting(("data", "text"), "x=1\ny=3\n"),
            ["-    y=2", "+    y=3"],
            id="one line of a literal block",
        ),
        pytest.param(
            1,
            setting(("data", "new"), "a: b"),
            ['+  new: "a: b"'],
            id="what YAML would take for a mapping is quoted",
        ),
    ],
)
def test_only_the_lines_that_change_are_written(
    document: int, edit: Edit, lines: list[str]
) -> None:
    after = edited(FILE, document, (edit,))

    assert changed_lines(FILE, after) == lines


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("ending", [True, False])
def test_line_ends_stay_as_they_are(newline: str, ending: bool) -> None:
    text = "a:\n  b: 1\n  c: 2\n"
    text = (text if ending else text.rstrip("\n")).replace("\n", newline)

    grown = edited(text, 0, (setting(("a", "d"), {"e": "f"}),))
    shrunk = edited(text, 0, (removing("a", "c"),))

    assert grown == text.rstrip("\r\n") + f"{newline}  d:{newline}    e: f" + newline * ending
    assert shrunk == f"a:{newline}  b: 1" + newline * ending


@pytest.mark.parametrize(
    ("text", "path", "reason"),
    [
        pytest.param("a: &x {b: 1}\nc: *x\n", ("c", "b"), "shared", id="an alias"),
        pytest.param("a: &x {b: 1}\nc: *x\n", ("a", "b"), "shared", id="what an alias shows"),
        pytest.param("a: &x 1\nb: 2\n", ("a",), "anchor", id="an anchor nobody uses"),
        pytest.param(
            "base: &b {x: 1}\na:\n  <<: *b\n  y: 2\n", ("a", "x"), "merge key", id="a merge key"
        ),
        pytest.param("a: 1\na: 2\n", ("a",), "2 times", id="a key that is there twice"),
        pytest.param("a: {{ .Values.x }}\n", ("a",), "YAML", id="a template"),
    ],
)
def test_what_would_change_more_than_was_asked_is_refused_with_why(
    text: str, path: Path, reason: str
) -> None:
    with pytest.raises(Invalid, match=reason):
        edited(text, 0, (setting(path, 3),))


def test_a_file_that_stands_for_a_billion_values_is_not_read() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]

    with pytest.raises(Invalid, match="too many"):
        documents("\n".join(lines))


@pytest.mark.parametrize("value", ["yes", "no", "on", "y", "1e3", "0x1f", "1:30", "~", "null", ""])
def test_a_text_that_some_reader_takes_for_something_else_is_quoted(value: str) -> None:
    after = edited("a: b\n", 0, (setting(("a",), value),))

    assert after == f'a: "{value}"\n'


# ----------------------------------------------------------------- any file

KEYS = st.text("abcdefgh-.", min_size=1, max_size=5).filter(lambda k: k.strip("-.") == k)
SCALARS = (
    st.integers(-99, 99)
    | st.booleans()
    | st.sampled_from(["64Mi", "a b", "x: y", "# no", "8080", "it's", 'say "so"', "- dash", "é ✓"])
    | st.text("ab :#'\"\\{}[],&*!|>%@`-\n", max_size=8)
)
TREES: st.SearchStrategy[Tree] = st.recursive(
    SCALARS,
    lambda inner: (
        st.dictionaries(KEYS, inner, min_size=1, max_size=4)
        | st.lists(inner, min_size=1, max_size=3)
    ),
    max_leaves=12,
)
FILES: st.SearchStrategy[Fields] = st.dictionaries(KEYS, TREES, min_size=1, max_size=4)


def places(tree: Any, path: Path = ()) -> list[Path]:
    """Every place in it, itself left out."""
    children: Iterable[tuple[str | int, Any]] = ()
    if isinstance(tree, dict):
        children = tree.items()
    elif isinstance(tree, list):
        children = enumerate(tree)
    found = [] if not path else [path]
    for step, child in children:
        found += places(child, (*path, step))
    return found


def is_leaf(tree: Any, path: Path) -> bool:
    for step in path:
        tree = tree[step]
    return not isinstance(tree, dict | list)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_value_of_any_file_can_be_changed_and_no_other_line_moves(data: st.DataObject) -> None:
    tree = data.draw(FILES)
    flow = data.draw(st.sampled_from([None, False]))
    text = yaml.safe_dump(tree, default_flow_style=flow, sort_keys=False, width=10_000)
    newline = data.draw(st.sampled_from(["\n", "\r\n"]))
    text = f"# what it is for\n{text}# the end\n".replace("\n", newline)
    path = data.draw(st.sampled_from([p for p in places(tree) if is_leaf(tree, p)]))
    edit = setting(path, data.draw(SCALARS))

    after = edited(text, 0, (edit,))

    assert yaml.safe_load(after) == applied(tree, (edit,))
    kept = [line for line in text.split(newline) if line in after.split(newline)]
    assert len(after.split(newline)) <= len(text.split(newline))
    assert len(text.split(newline)) - len(kept) <= text_lines_of(text, tree, path)
    assert after.startswith(f"# what it is for{newline}")
    assert after.endswith(f"# the end{newline}")


def text_lines_of(text: str, tree: Any, path: Path) -> int:
    """How many lines the value may stand on."""
    for step in path:
        tree = tree[step]
    return 1 + 2 * str(tree).count("\n")


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_key_can_be_added_and_taken_away_again(data: st.DataObject) -> None:
    tree = data.draw(FILES)
    text = yaml.safe_dump(tree, default_flow_style=False, sort_keys=False, width=10_000)
    inside: Path = ()
    folders = [p for p in places(tree) if isinstance(at_path(tree, p), dict)]
    if folders:
        inside = data.draw(st.sampled_from(folders))
    path = (*inside, "zz-new")

    grown = edited(text, 0, (setting(path, data.draw(TREES)),))
    back = edited(grown, 0, (removing(*path),))

    assert changed_lines(text, grown)
    assert all(line.startswith("+") for line in changed_lines(text, grown))
    assert back == text


def at_path(tree: Any, path: Path) -> Any:
    for step in path:
        tree = tree[step]
    return tree
