"""Edits of YAML as text: only what changes is written anew, every other byte stays. Pure.

The parser tells where a value stands; comments, order, quoting, indentation and line ends are not
its business, so they are not touched. Each edit is checked by parsing what came of it: a text that
does not say exactly what was wanted is refused, never returned.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache

import yaml

from copilot.domain.errors import Invalid
from copilot.remediate.gitops.merge import Edit, Item, Path, Step, applied, in_words, same
from copilot.remediate.tree import Tree

MAX_NODES = 100_000
"""Of a file with its aliases written out: a few bytes can stand for a billion values."""

_LIKE_A_NUMBER = re.compile(r"[-+.]?\d[\d_.:]*([eE][-+]?\d+)?|0[xob][\da-fA-F_]+")
_ONE_LETTER_BOOLEANS = frozenset("yYnN")
_HEADER = re.compile(r"\|[-+]?")

Loader = yaml.SafeLoader | yaml.CSafeLoader
_READER: type[Loader] = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
"""Ten times as fast, where it is there."""

Node = yaml.Node
Mapping = yaml.MappingNode
Sequence = yaml.SequenceNode
Scalar = yaml.ScalarNode


@lru_cache(maxsize=512)
def documents(text: str) -> tuple[Tree, ...]:
    """The documents of a file, in order; an empty one is None. Nobody may change them: they are
    remembered, since a folder of manifests is read many times over.

    Raises:
        Invalid: it is no YAML, or unreasonably large written out.
    """
    return tuple(_value(node) for node in _composed(text, _READER))


def edited(text: str, document: int, edits: tuple[Edit, ...]) -> str:
    """The text with these edits made in one of its documents.

    Raises:
        Invalid: it cannot be said in this text without touching something else, with the reason.
    """
    before = documents(text)
    for edit in edits:
        text = _edited(text, document, edit)
    after = documents(text)
    wanted = list(before)
    wanted[document] = applied(before[document], edits)
    if len(after) != len(wanted) or not all(map(same, after, wanted)):
        places = ", ".join(in_words(edit.path) for edit in edits)
        raise Invalid(f"{places} cannot be changed in this file without changing more")
    return text


def _edited(text: str, document: int, edit: Edit) -> str:
    before = documents(text)
    wanted = applied(before[document], (edit,))
    root = _composed(text)[document]
    if root is None:
        raise Invalid("the document is empty")
    for candidate in _candidates(text, root, edit):
        try:
            after = documents(candidate)
        except Invalid:
            continue
        if len(after) == len(before) and same(after[document], wanted):
            return candidate
    raise Invalid(f"{in_words(edit.path)} cannot be changed in this file as it is written")


# ----------------------------------------------------------------- reading


def _composed(text: str, loader: type[Loader] = yaml.SafeLoader) -> list[Node | None]:
    """The nodes of each document; only those of the default loader know their places."""
    try:
        nodes: list[Node | None] = list(yaml.compose_all(text, Loader=loader))
        if sum(_weight(node, {}) for node in nodes if node) > MAX_NODES:
            raise Invalid("the file stands for too many values")
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise Invalid(f"not readable as YAML: {str(error)[:200]}") from None
    return nodes


def _weight(node: Node, known: dict[int, int]) -> int:
    """How many values it stands for, aliases written out. A value within itself is no tree."""
    if id(node) in known:
        if known[id(node)] < 0:
            raise Invalid("a value contains itself")
        return known[id(node)]
    known[id(node)] = -1
    weight = 1 + sum(_weight(child, known) for child in _children(node))
    known[id(node)] = min(weight, 10 * MAX_NODES)
    return known[id(node)]


def _children(node: Node) -> Iterator[Node]:
    if isinstance(node, Mapping):
        for key, value in node.value:
            yield key
            yield value
    elif isinstance(node, Sequence):
        yield from node.value


def _value(node: Node | None) -> Tree:
    if node is None:
        return None
    loader = yaml.SafeLoader("")
    try:
        value: Tree = loader.construct_document(node)
    except (yaml.YAMLError, RecursionError, ValueError, TypeError) as error:
        raise Invalid(f"not readable as YAML: {str(error)[:200]}") from None
    finally:
        loader.dispose()
    return value


# ----------------------------------------------------------------- finding the place


def _candidates(text: str, root: Node, edit: Edit) -> Iterator[str]:
    """Texts that may say it, the nicest first."""
    trail = [root]
    for at, step in enumerate(edit.path):
        _refuse_shared(text, root, trail[-1], edit.path[:at])
        child = _child(trail[-1], step, edit.path[:at])
        if child is None:
            if not edit.is_removal and not isinstance(step, int):
                missing = applied({}, (Edit(path=edit.path[at:], value=edit.value),))
                yield from _added(text, trail[-1], missing)
            return
        trail.append(child)
    _refuse_shared(text, root, trail[-1], edit.path)
    if edit.is_removal:
        yield from _removed(text, trail, edit.path[-1])
    else:
        yield from _replaced(text, trail[-1], edit.value)


def _child(node: Node, step: Step, path: Path) -> Node | None:
    if isinstance(step, int):
        within = isinstance(node, Sequence) and 0 <= step < len(node.value)
        return node.value[step] if within else None
    if isinstance(step, Item):
        if not isinstance(node, Sequence):
            return None
        found = [i for i in node.value if _is_item(i, step)]
        if len(found) > 1:
            raise Invalid(f"{in_words((*path, step))} is there {len(found)} times")
        return found[0] if found else None
    if not isinstance(node, Mapping):
        return None
    if any(key.tag == "tag:yaml.org,2002:merge" for key, _ in node.value):
        raise Invalid(f"{in_words(path)} is filled by a YAML merge key (<<), which others share")
    found = [value for key, value in node.value if key.value == step]
    if len(found) > 1:
        raise Invalid(f"{in_words((*path, step))} is there {len(found)} times")
    return found[0] if found else None


def _is_item(node: Node, step: Item) -> bool:
    return isinstance(node, Mapping) and any(
        key.value == step.key and _value(value) == step.value for key, value in node.value
    )


def _refuse_shared(text: str, root: Node, node: Node, path: Path) -> None:
    if _uses(root, node) > 1:
        raise Invalid(f"{in_words(path)} is shared by a YAML anchor; changing it changes more")
    if text[node.start_mark.index : node.start_mark.index + 1] in ("&", "!"):
        raise Invalid(f"{in_words(path)} carries a YAML anchor or tag")


def _uses(root: Node, wanted: Node) -> int:
    """How often the very node is used in the document."""
    count, seen, waiting = 0, set[int](), [root]
    while waiting:
        node = waiting.pop()
        count += node is wanted
        if id(node) not in seen:
            seen.add(id(node))
            waiting.extend(_children(node))
    return count


# ----------------------------------------------------------------- writing


def _replaced(text: str, node: Node, value: Tree) -> Iterator[str]:
    start, end = node.start_mark.index, _end(text, node)
    if isinstance(node, Scalar) and not isinstance(value, dict | list):
        if node.style == "|" and isinstance(value, str):
            yield from _literal(text, node, value)
        gap = " " if start == end and text[start - 1 : start] not in (" ", "\t") else ""
        for scalar in _scalars(value, node.style):
            yield text[:start] + gap + scalar + text[end:]
        return
    if isinstance(node, Scalar) or _is_flow(node) or not isinstance(value, dict | list):
        yield text[:start] + _flow(value) + text[end:]
        return
    column = node.start_mark.column
    lines = _block(value, _newline(text), " " * column)
    yield text[:start] + lines.lstrip(" ") + text[end:]


def _literal(text: str, node: Node, value: str) -> Iterator[str]:
    """A literal block with its header and indentation kept."""
    start, end = node.start_mark.index, _end(text, node)
    header, newline, body = text[start:end].partition(_newline(text))
    first = next((line for line in body.splitlines() if line.strip()), "")
    indent = first[: len(first) - len(first.lstrip(" "))]
    if not indent or not _HEADER.fullmatch(header.strip()):
        return
    lines = [f"{indent}{line}" if line else "" for line in value.rstrip("\n").split("\n")]
    yield text[:start] + header + newline + newline.join(lines) + text[end:]


def _added(text: str, node: Node, value: Tree) -> Iterator[str]:
    """With a key or an item that was not there, after the last one."""
    if isinstance(value, list):
        yield from _appended(text, node, value[0])
        return
    end, newline = _end(text, node), _newline(text)
    if isinstance(node, Mapping) and not _is_flow(node):
        column = node.value[0][0].start_mark.column
        at = _line_end(text, end)
        yield text[:at] + newline + _block(value, newline, " " * column) + text[at:]
    elif isinstance(node, Mapping):
        yield text[: end - 1] + _comma(node) + _flow(value)[1:-1] + text[end - 1 :]
    elif isinstance(node, Scalar) and node.tag == "tag:yaml.org,2002:null":
        yield text[: node.start_mark.index] + " " + _flow(value) + text[end:]
        yield text[: node.start_mark.index] + _flow(value) + text[end:]


def _appended(text: str, node: Node, item: Tree) -> Iterator[str]:
    end, newline = _end(text, node), _newline(text)
    if not isinstance(node, Sequence):
        return
    if _is_flow(node):
        yield text[: end - 1] + _comma(node) + _flow(item) + text[end - 1 :]
        return
    column = node.start_mark.column
    gap = _gap_after_dash(text, node)
    lines = _block(item, newline, " " * (column + 1 + gap))
    at = _line_end(text, end)
    yield text[:at] + newline + " " * column + "-" + lines[column + 1 :] + text[at:]


def _gap_after_dash(text: str, node: Sequence) -> int:
    """How many spaces stand between the dash and what follows it, one where that is odd."""
    first = node.value[0].start_mark
    gap = first.column - node.start_mark.column - 1
    return int(gap) if first.line == node.start_mark.line and gap > 0 else 1


def _comma(node: Node) -> str:
    return ", " if node.value else ""


def _removed(text: str, trail: list[Node], step: Step) -> Iterator[str]:
    parent, node = trail[-2], trail[-1]
    entries = _entries(parent)
    place = next(i for i, (_, value) in enumerate(entries) if value is node)
    start, end = entries[place][0].start_mark.index, _end(text, node)
    if len(entries) == 1:
        empty = "{}" if isinstance(parent, Mapping) else "[]"
        opened = parent.start_mark.index
        if _is_flow(parent):
            yield text[:opened] + empty + text[_end(text, parent) :]
            return
        before = text[:opened].rstrip(" \r\n")
        yield before + " " + empty + text[_end(text, parent) :]
        return
    if _is_flow(parent):
        if place:
            yield text[: _end(text, entries[place - 1][1])] + text[end:]
        else:
            yield text[:start] + text[entries[1][0].start_mark.index :]
        return
    opening = text.rfind("-", 0, start) if isinstance(parent, Sequence) else start
    line = text.rfind("\n", 0, opening) + 1
    if not text[line:opening].strip():
        after = _line_end(text, end)
        after = after + len(_newline(text)) if after < len(text) else after
        if after >= len(text) and line and not text.endswith("\n"):
            line -= len(_newline(text))  # it ended without a newline, and still does
        yield text[:line] + text[after:]
    elif place + 1 < len(entries):  # the first key after a dash: the next one takes its place
        yield text[:start] + text[entries[place + 1][0].start_mark.index :]


def _entries(node: Node) -> list[tuple[Node, Node]]:
    """Where each entry begins, and its value."""
    if isinstance(node, Mapping):
        return list(node.value)
    return [(item, item) for item in node.value]


def _end(text: str, node: Node) -> int:
    """Right after the last character of a value. A block ends with its last leaf: what the parser
    calls its end lies behind the comments that follow."""
    if isinstance(node, Mapping | Sequence) and not _is_flow(node):
        return _end(text, node.value[-1][1] if isinstance(node, Mapping) else node.value[-1])
    end: int = node.end_mark.index
    if isinstance(node, Scalar) and node.style in ("|", ">"):
        return len(text[:end].rstrip(" \r\n"))
    return end


def _is_flow(node: Node) -> bool:
    return bool(getattr(node, "flow_style", False))


def _line_end(text: str, at: int) -> int:
    """The end of the line, its comment included, its newline not."""
    end = text.find("\n", at)
    end = len(text) if end < 0 else end
    return end - 1 if text[end - 1 : end] == "\r" and end > at else end


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _scalars(value: str | float | bool | None, style: str | None) -> Iterator[str]:
    """Ways to write it, the one that is like what stood there first."""
    if not isinstance(value, str):
        yield json.dumps(value)
        return
    if style == "'" and value.isprintable():
        yield "'" + value.replace("'", "''") + "'"
    if style is None and _is_plain(value):
        yield value
    yield json.dumps(value, ensure_ascii=False)
    yield json.dumps(value)


def _is_plain(value: str) -> bool:
    """Whether every reader takes it for the same text without quotes, also within brackets."""
    if _LIKE_A_NUMBER.fullmatch(value) or value in _ONE_LETTER_BOOLEANS or not value.isprintable():
        return False
    try:
        return bool(yaml.safe_load(f"a: [{value}]\nb: {value}\n") == {"a": [value], "b": value})
    except yaml.YAMLError:
        return False


def _flow(value: Tree) -> str:
    if isinstance(value, dict):
        inside = ", ".join(f"{_key(key)}: {_flow(item)}" for key, item in value.items())
        return f"{{{inside}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_flow, value))}]"
    return next(_scalars(value, None))


def _block(value: Tree, newline: str, indent: str) -> str:
    return newline.join(f"{indent}{line}" for line in _block_lines(value))


def _block_lines(value: Tree) -> Iterator[str]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            if isinstance(item, dict | list) and item:
                yield f"{_key(key)}:"
                deeper = "" if isinstance(item, list) else "  "
                yield from (f"{deeper}{line}" for line in _block_lines(item))
            else:
                yield f"{_key(key)}: {_flow(item)}"
    elif isinstance(value, list) and value:
        for item in value:
            lines = _block_lines(item)
            yield f"- {next(lines)}"
            yield from (f"  {line}" for line in lines)
    else:
        yield _flow(value)


def _key(key: str) -> str:
    return key if _is_plain(key) else json.dumps(key, ensure_ascii=False)
