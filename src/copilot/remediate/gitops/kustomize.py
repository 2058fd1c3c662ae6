"""What a Kustomize root makes of the files of a repository, and where each part comes from. Pure.

As much of Kustomize as can be judged without running it: resources, bases, components, namespace,
prefix and suffix, patches of every form, images, replicas, literals of a ConfigMap generator. What
is not understood is named on the object, and an edit of it is refused then.

https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from copilot.domain.errors import Invalid
from copilot.remediate.gitops.merge import Item, Path, at, merge_key, merged
from copilot.remediate.gitops.text import documents
from copilot.remediate.tree import Fields, Tree

NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
MAX_DEPTH = 12

_NOT_UNDERSTOOD = ("helmCharts", "generators", "transformers", "replacements", "vars")
_CLUSTER_WIDE = frozenset(
    {
        *("Namespace", "Node", "PersistentVolume", "StorageClass", "ClusterRole"),
        *("ClusterRoleBinding", "CustomResourceDefinition", "PriorityClass"),
        *("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"),
    }
)

_SIMPLE = re.compile(r"\^?(?:[\w-]|\.\*|\.|\|)*\$?")

Files = Mapping[str, str]
"""Path in the repository, and text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A document of a file, or of a text within one (`inline` leads to it), and where in it the
    object, or the part of it, begins."""

    file: str
    document: int = 0
    inline: Path | None = None
    start: Path = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """A patch that applies to an object: `tree` is laid over it, or stands at `path` alone."""

    spot: Spot
    tree: Tree
    path: Path = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """What one kustomization does to one object, in this order."""

    file: str
    patches: tuple[Patch, ...]
    replicas: str
    """The name in `replicas` that sets its number; empty for none."""
    before_images: Fields
    """The object before `images`, which are found by the image as it was."""
    images: tuple[str, ...]
    """The names in `images`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """An object as a root makes it."""

    fields: Fields
    spot: Spot
    layers: tuple[Layer, ...] = ()
    """Innermost first."""
    names: tuple[str, ...] = ()
    """What it was called on the way: a patch may use any of them."""
    against: str = ""
    """Why it cannot be edited, empty for it can."""

    @property
    def kind(self) -> str:
        return str(self.fields.get("kind", ""))

    @property
    def name(self) -> str:
        return _text(at(self.fields, ("metadata", "name")))

    @property
    def namespace(self) -> str:
        return _text(at(self.fields, ("metadata", "namespace")))


def kustomization_in(files: Files | frozenset[str], folder: str) -> str | None:
    """The folder's kustomization file."""
    return next((p for n in NAMES if (p := posixpath.join(folder, n)) in files), None)


def resolved(folder: str, reference: str) -> str | None:
    """Where a reference leads; None where it is no path within the repository."""
    if "://" in reference or reference.startswith("/") or "?" in reference:
        return None
    path = posixpath.normpath(posixpath.join(folder, reference))
    return None if path.startswith("..") else ("" if path == "." else path)


def references(text: str) -> Iterator[str]:
    """What a kustomization refers to: files and folders, as they are written."""
    fields = _only(text)
    for name in ("resources", "bases", "components", "patchesStrategicMerge"):
        yield from (r for r in _list(fields, name) if isinstance(r, str) and "\n" not in r)
    for name in ("patches", "patchesJson6902"):
        for entry in _list(fields, name):
            path = at(entry, ("path",))
            if isinstance(path, str):
                yield path


def plain(files: Files, file: str) -> list[Made]:
    """The objects that stand in a file.

    Raises:
        Invalid: it is no YAML.
    """
    return [
        Made(fields=document, spot=Spot(file=file, document=i), names=(_name_of(document),))
        for i, document in enumerate(documents(files[file]))
        if isinstance(document, dict) and document.get("kind")
    ]


def built(files: Files, file: str, earlier: list[Made] | None = None, depth: int = 0) -> list[Made]:
    """The objects that a kustomization makes, a component on top of `earlier` ones.

    Raises:
        Invalid: something it needs cannot be read or is not there.
    """
    if depth > MAX_DEPTH:
        raise Invalid(f"{file} refers to itself, or too deep")
    folder, fields = posixpath.dirname(file), _only(files[file])
    found = list(earlier or ())
    for reference in (*_list(fields, "resources"), *_list(fields, "bases")):
        found += _resource(files, file, folder, reference, depth)
    found += list(_generated(fields, file))
    for reference in _list(fields, "components"):
        path = resolved(folder, _text(reference))
        component = kustomization_in(dict(files), path) if path is not None else None
        if component is None:
            raise Invalid(f"{file} refers to {reference!r}, which is not in the repository")
        found = built(files, component, found, depth + 1)
    patches = list(_patches(files, file, folder, fields))
    not_understood = [name for name in _NOT_UNDERSTOOD if name in fields]
    against = f"{file} uses {', '.join(not_understood)}" if not_understood else ""
    return [_through(made, file, fields, patches, against) for made in found]


def _resource(files: Files, file: str, folder: str, reference: Tree, depth: int) -> list[Made]:
    path = resolved(folder, _text(reference))
    if path is None:
        return []  # elsewhere: what it makes is not ours to edit
    if path in files:
        return plain(files, path)
    inner = kustomization_in(dict(files), path)
    if inner is None:
        raise Invalid(f"{file} refers to {reference!r}, which is not in the repository")
    return built(files, inner, None, depth + 1)


def _through(made: Made, file: str, fields: Fields, patches: list[_Rule], against: str) -> Made:
    tree: Tree = made.fields
    used: list[Patch] = []
    for rule in patches:
        if rule.fits(made, tree):
            used += rule.patches_of(tree)
            tree = rule.laid_over(tree)
            against = against or rule.against
    names = made.names
    tree = _renamed(tree, fields)
    if _name_of(tree) not in names:
        names = (*names, _name_of(tree))
    counted = next(
        (n for r in _list(fields, "replicas") if (n := _text(at(r, ("name",)))) in names), ""
    )
    if counted and at(tree, ("spec", "replicas")) is not None:
        count = at(fields, ("replicas", Item("name", counted), "count"))
        tree = merged(tree, {"spec": {"replicas": count}})
    else:
        counted = ""
    images = _list(fields, "images")
    layer = Layer(
        file=file,
        patches=tuple(used),
        replicas=counted,
        before_images=tree if isinstance(tree, dict) else {},
        images=tuple(_text(at(entry, ("name",))) for entry in images),
    )
    after = _with_images(tree, images)
    return replace(
        made,
        fields=after if isinstance(after, dict) else {},
        layers=(*made.layers, layer),
        names=names,
        against=made.against or against,
    )


def _renamed(tree: Tree, fields: Fields) -> Tree:
    name = f"{_text(fields.get('namePrefix'))}{_name_of(tree)}{_text(fields.get('nameSuffix'))}"
    metadata: Fields = {"name": name}
    namespace = _text(fields.get("namespace"))
    if namespace and at(tree, ("kind",)) not in _CLUSTER_WIDE:
        metadata["namespace"] = namespace
    if at(tree, ("kind",)) == "Namespace":
        metadata["name"] = namespace or _name_of(tree)
    return merged(tree, {"metadata": metadata})


# ----------------------------------------------------------------- patches


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """A patch of a kustomization with the objects it is for."""

    spot: Spot
    tree: Tree
    target: Fields
    against: str = ""

    def fits(self, made: Made, tree: Tree) -> bool:
        kind, name = _text(self.target.get("kind")), _text(self.target.get("name"))
        wanted = _text(self.target.get("namespace"))
        here = _text(at(tree, ("metadata", "namespace")))
        return (
            (not kind or _matches(kind, made.kind))
            and (not name or any(_matches(name, known) for known in made.names))
            and (not wanted or _matches(wanted, here) or not here)
            and self._selects(tree)
        )

    def _selects(self, tree: Tree) -> bool:
        for part in filter(None, _text(self.target.get("labelSelector")).split(",")):
            key, _, value = part.partition("=")
            if at(tree, ("metadata", "labels", key.strip())) != value.strip("= "):
                return False
        return True

    def patches_of(self, tree: Tree) -> Iterator[Patch]:
        """What to look in for where a value comes from."""
        if isinstance(self.tree, dict):
            yield Patch(spot=self.spot, tree=self.tree)
            return
        for i, operation in enumerate(self.tree if isinstance(self.tree, list) else []):
            value = at(operation, ("value",))
            if at(operation, ("op",)) in ("add", "replace"):
                yield Patch(
                    spot=replace(self.spot, start=(*self.spot.start, i, "value")),
                    tree=value,
                    path=_pointed(tree, _text(at(operation, ("path",)))),
                )
            tree = _operated(tree, operation)

    def laid_over(self, tree: Tree) -> Tree:
        if isinstance(self.tree, dict):
            over = {k: v for k, v in self.tree.items() if k not in ("apiVersion", "kind")}
            metadata = over.pop("metadata", None)
            extra = (
                {k: v for k, v in metadata.items() if k not in ("name", "namespace")}
                if (isinstance(metadata, dict))
                else {}
            )
            return merged(tree, {**over, "metadata": extra})
        for operation in self.tree if isinstance(self.tree, list) else []:
            tree = _operated(tree, operation)
        return tree


def _patches(files: Files, file: str, folder: str, fields: Fields) -> Iterator[_Rule]:
    for i, entry in enumerate(_list(fields, "patchesStrategicMerge")):
        if isinstance(entry, str) and "\n" in entry:
            yield from _rules(entry, Spot(file=file, inline=("patchesStrategicMerge", i)), None)
        else:
            yield from _from_file(files, file, folder, entry, None)
    for name in ("patches", "patchesJson6902"):
        for i, entry in enumerate(_list(fields, name)):
            target = at(entry, ("target",))
            wanted = target if isinstance(target, dict) else None
            inline = at(entry, ("patch",))
            if isinstance(inline, str):
                yield from _rules(inline, Spot(file=file, inline=(name, i, "patch")), wanted)
            else:
                yield from _from_file(files, file, folder, at(entry, ("path",)), wanted)


def _from_file(
    files: Files, file: str, folder: str, reference: Tree, target: Fields | None
) -> Iterator[_Rule]:
    path = resolved(folder, _text(reference))
    if path is None or path not in files:
        raise Invalid(f"{file} refers to {reference!r}, which is not in the repository")
    yield from _rules(files[path], Spot(file=path), target)


def _rules(text: str, spot: Spot, target: Fields | None) -> Iterator[_Rule]:
    for i, tree in enumerate(documents(text)):
        if tree is None:
            continue
        here = replace(spot, document=i)
        own = {"kind": _text(at(tree, ("kind",))), "name": _name_of(tree)}
        wanted: Fields = own if target is None else target  # type: ignore[assignment]  # dict is invariant
        odd = _odd(tree, wanted)
        yield _Rule(spot=here, tree=tree, target=wanted, against=odd)


def _odd(tree: Tree, target: Fields) -> str:
    operations = tree if isinstance(tree, list) else []
    if any(at(o, ("op",)) not in ("add", "replace", "remove", "test") for o in operations):
        return "a JSON patch moves or copies values"
    is_odd = re.search(r"[!()]", _text(target.get("labelSelector"))) is not None
    if is_odd or "annotationSelector" in target or not _is_simple(_text(target.get("name"))):
        return "a patch chooses its targets in a way that is not understood"
    return ""


def _operated(tree: Tree, operation: Tree) -> Tree:
    """The tree after one operation of a JSON patch."""
    parts = [
        p.replace("~1", "/").replace("~0", "~") for p in _text(at(operation, ("path",))).split("/")
    ]
    return _operate(tree, parts[1:], _text(at(operation, ("op",))), at(operation, ("value",)))


def _operate(tree: Tree, parts: list[str], op: str, value: Tree) -> Tree:
    if not parts or op not in ("add", "replace", "remove"):
        return tree
    part, rest = parts[0], parts[1:]
    if isinstance(tree, list):
        if part == "-" and op == "add" and not rest:
            return [*tree, value]
        if not part.isdecimal() or int(part) > len(tree):
            raise Invalid("a JSON patch leads to no item")
        i = int(part)
        if rest:
            return [*tree[:i], _operate(tree[i], rest, op, value), *tree[i + 1 :]]
        kept = tree[i:] if op == "add" else tree[i + 1 :]
        return [*tree[:i], *([] if op == "remove" else [value]), *kept]
    fields = tree if isinstance(tree, dict) else {}
    if rest:
        return {**fields, part: _operate(fields.get(part), rest, op, value)}
    if op == "remove":
        return {k: v for k, v in fields.items() if k != part}
    return {**fields, part: value}


def _pointed(tree: Tree, pointer: str) -> Path:
    """The path that a JSON pointer names in this tree, with items by their names."""
    path: Path = ()
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(tree, list) and name.isdecimal() and int(name) < len(tree):
            item, key = tree[int(name)], merge_key(path, tree)
            known = item.get(key) if isinstance(item, dict) and key else None
            is_named = key is not None and isinstance(known, str | int)
            path = (*path, Item(key, known) if is_named else int(name))  # type: ignore[arg-type]  # is_named says so
            tree = item
        else:
            path = (*path, name)
            tree = tree.get(name) if isinstance(tree, dict) else None
    return path


# ----------------------------------------------------------------- images and generators


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image reference in its parts; tag and digest may be empty."""

    name: str
    tag: str
    digest: str

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.name}{tag}{f'@{self.digest}' if self.digest else ''}"


def image(text: str) -> Image:
    """The parts of an image reference."""
    rest, _, digest = text.partition("@")
    head, slash, last = rest.rpartition("/")
    last, _, tag = last.partition(":")
    return Image(name=f"{head}{slash}{last}", tag=tag, digest=digest)


def _with_images(tree: Tree, entries: list[Tree]) -> Tree:
    if not entries or at(tree, ("spec", "template", "spec")) is None:
        return tree
    for name in ("containers", "initContainers"):
        listed = at(tree, ("spec", "template", "spec", name))
        for container in listed if isinstance(listed, list) else []:
            before = _text(at(container, ("image",)))
            after = _with_image(before, entries)
            if after != before:
                change: Tree = [{"name": at(container, ("name",)), "image": after}]
                tree = merged(tree, {"spec": {"template": {"spec": {name: change}}}})
    return tree


def _with_image(text: str, entries: list[Tree]) -> str:
    now = image(text)
    for entry in entries:
        if at(entry, ("name",)) == now.name:
            name, tag, digest = (
                _plain(at(entry, (key,))) for key in ("newName", "newTag", "digest")
            )
            if tag or digest:
                now = replace(now, tag=tag, digest=digest)
            now = replace(now, name=name or now.name)
            break
    return str(now)


def _generated(fields: Fields, file: str) -> Iterator[Made]:
    for i, entry in enumerate(_list(fields, "configMapGenerator")):
        data: Fields = {}
        for literal in _list(entry, "literals"):
            key, _, value = _text(literal).partition("=")
            data[key] = _unquoted(value)
        is_fixed = any(
            at(options, ("disableNameSuffixHash",)) is True
            for options in (at(entry, ("options",)), fields.get("generatorOptions"))
        )
        name = _text(at(entry, ("name",)))
        against = ""
        if not is_fixed:
            against = (
                f"{file} generates it with a hash in its name: another value makes another object"
            )
        elif _list(entry, "files") or _list(entry, "envs") or at(entry, ("behavior",)):
            against = f"{file} generates it from more than literals"
        yield Made(
            fields={
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": name, "namespace": _text(at(entry, ("namespace",)))},
                "data": data,
            },
            spot=Spot(file=file, start=("configMapGenerator", i, "literals")),
            names=(name,),
            against=against,
        )


def literal_place(files: Files, spot: Spot, key: str) -> tuple[int, str] | None:
    """Where a generator's literal of this key stands, and the literal."""
    listed = at(_only(files[spot.file]), spot.start)
    for i, literal in enumerate(listed if isinstance(listed, list) else []):
        if _text(literal).partition("=")[0] == key:
            return i, _text(literal)
    return None


def _unquoted(value: str) -> str:
    is_quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
    return value[1:-1] if is_quoted else value


# ----------------------------------------------------------------- small readers


def _only(text: str) -> Fields:
    found = [d for d in documents(text) if d is not None]
    if len(found) > 1 or (found and not isinstance(found[0], dict)):
        raise Invalid("a kustomization is one document with fields")
    only = found[0] if found else {}
    return only if isinstance(only, dict) else {}


def _list(tree: Tree, name: str) -> list[Tree]:
    listed = tree.get(name) if isinstance(tree, dict) else None
    return listed if isinstance(listed, list) else []


def _text(value: Tree) -> str:
    return value if isinstance(value, str) else ""


def _plain(value: Tree) -> str:
    """A tag that YAML takes for a number is a tag all the same."""
    return "" if value is None or isinstance(value, dict | list) else str(value)


def _name_of(tree: Tree) -> str:
    return _text(at(tree, ("metadata", "name")))


def _is_simple(pattern: str) -> bool:
    """Whether `_matches` understands it. A regular expression is a program, and this one comes
    from whoever may write to the repository."""
    return len(pattern) <= 300 and pattern.count("*") <= 2 and bool(_SIMPLE.fullmatch(pattern))


def _matches(pattern: str, text: str) -> bool:
    """Names with `|` between and `.*` in them; Kustomize matches the whole, too. What is not
    understood may match, and is said to be not understood then."""
    if not _is_simple(pattern):
        return True
    return any(
        re.fullmatch(".*".join(map(re.escape, one.split(".*"))), text)
        for one in pattern.removeprefix("^").removesuffix("$").split("|")
    )
