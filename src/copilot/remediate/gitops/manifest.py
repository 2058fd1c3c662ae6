"""Where in a repository an object is made, and the files with a change of it. Pure.

A change is accepted only if the object comes out exactly as wanted and every other object exactly
as before: what is built is compared, not what was written.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, replace

from copilot.domain.errors import Invalid, NotFound
from copilot.domain.objects import ObjectRef
from copilot.remediate.gitops import kustomize
from copilot.remediate.gitops.kustomize import (
    Files,
    Image,
    Layer,
    Made,
    Spot,
    built,
    image,
    kustomization_in,
    literal_place,
    plain,
    references,
    resolved,
)
from copilot.remediate.gitops.merge import (
    Edit,
    Item,
    Path,
    applied,
    at,
    difference,
    in_words,
    merged,
    same,
    same_quantity,
)
from copilot.remediate.gitops.text import documents, edited
from copilot.remediate.marks import PREFIX
from copilot.remediate.tree import Fields, Tree, decode, fields_at, items_at

_YAML = (".yaml", ".yml")
_REPLICAS: Path = ("spec", "replicas")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracked:
    """The repository as far as it was read, and the folder (or file) that makes this cluster."""

    paths: frozenset[str]
    """Every file there is."""
    files: dict[str, str]
    """Those that were read."""
    root: str
    unread: tuple[str, ...] = ()
    """Those that are no manifests by their size or coding; they count as empty."""


def wanted(repository: Tracked) -> frozenset[str]:
    """What must still be read to know what this cluster is made of; ask again with it."""
    found = {p for p in repository.paths if posixpath.basename(p) in kustomize.NAMES}
    for folder, text in _kustomizations(repository):
        for reference in _readable_references(text):
            path = resolved(folder, reference)
            if path in repository.paths:
                found.add(path)
    if kustomization_in(repository.paths, repository.root) is None:
        found |= set(_plain_files(repository))
    return frozenset(found - repository.files.keys())


def _kustomizations(repository: Tracked) -> Iterator[tuple[str, str]]:
    for path, text in repository.files.items():
        if posixpath.basename(path) in kustomize.NAMES:
            yield posixpath.dirname(path), text


def _readable_references(text: str) -> list[str]:
    try:
        return list(references(text))
    except Invalid:
        return []


def _plain_files(repository: Tracked) -> Iterator[str]:
    """YAML below the root that no kustomization and no chart has to do with."""
    root = repository.root
    taken = {posixpath.dirname(p) for p in repository.paths if _is_special(p)}
    for path in repository.paths:
        is_below = not root or path == root or path.startswith(f"{root}/")
        if is_below and path.endswith(_YAML) and not any(_is_under(path, t) for t in taken):
            yield path


def _is_special(path: str) -> bool:
    return posixpath.basename(path) in (*kustomize.NAMES, "Chart.yaml")


def _is_under(path: str, folder: str) -> bool:
    return not folder or path.startswith(f"{folder}/")


# ----------------------------------------------------------------- finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The object, and everything else its root makes."""

    made: Made
    root: str
    """The kustomization, or the file."""


def find(repository: Tracked, target: ObjectRef) -> Found:
    """Where the object is made.

    Raises:
        NotFound: nowhere below the root, with what may make it instead.
        Invalid: in several places, or in a way that cannot be edited.
    """
    found: list[Found] = []
    unreadable: list[str] = []
    for root in _roots(repository):
        try:
            is_plain = posixpath.basename(root) not in kustomize.NAMES
            if is_plain and target.name not in repository.files[root]:
                continue
            everything = _made_by(repository.files, root)
        except Invalid as error:
            unreadable.append(f"{root} ({error.message})")
            continue
        found += [Found(made=m, root=root) for m in everything if _is_it(m, target)]
    exact = [f for f in found if f.made.namespace == target.namespace] or found
    if not exact:
        raise NotFound(f"no manifest of {target} was found{_why_not(repository, unreadable)}")
    if len(exact) > 1:
        places = " and ".join(sorted({f.root for f in exact}))
        raise Invalid(f"{target} is made more than once, in {places}; say which with its path")
    if exact[0].made.against:
        raise Invalid(exact[0].made.against)
    return exact[0]


def _roots(repository: Tracked) -> list[str]:
    """The kustomizations below the root that no other one builds on, and the plain files."""
    chosen = kustomization_in(repository.paths, repository.root)
    if chosen is not None:
        return [chosen]
    used = set()
    for folder, text in _kustomizations(repository):
        for reference in _readable_references(text):
            path = resolved(folder, reference)
            used.add(path)
            used.add(kustomization_in(repository.paths, path) if path is not None else None)
    tops = [
        path
        for path in repository.paths
        if posixpath.basename(path) in kustomize.NAMES
        and _is_under(path, repository.root)
        and path not in used
    ]
    return sorted([*tops, *(p for p in _plain_files(repository) if p not in used)])


def _made_by(files: Files, root: str) -> list[Made]:
    is_kustomization = posixpath.basename(root) in kustomize.NAMES
    return built(files, root) if is_kustomization else plain(files, root)


def _is_it(made: Made, target: ObjectRef) -> bool:
    is_named = made.kind == target.kind and made.name == target.name
    return is_named and made.namespace in (target.namespace, "")


def _why_not(repository: Tracked, unreadable: list[str]) -> str:
    charts = sorted(p for p in repository.paths if posixpath.basename(p) == "Chart.yaml")
    if charts:
        return f"; {charts[0]} is a Helm chart, whose templates are not edited: set its values"
    unreadable = [*unreadable, *repository.unread]
    if unreadable:
        return f"; not readable: {', '.join(sorted(unreadable)[:3])[:300]}"
    return f" below {repository.root or 'the root'}"


# ----------------------------------------------------------------- changing


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """The files that are written anew, and what a reviewer should know."""

    files: dict[str, str]
    notes: tuple[str, ...]


def changed(repository: Tracked, target: ObjectRef, *, patch: str, rollback: str | None) -> Changed:
    """The files with what the patch does to the object.

    Raises:
        NotFound, Invalid: the object is not made here, or not so that it can be edited.
    """
    found = find(repository, target)
    before = found.made.fields
    edits = edits_of(before, decode(patch), decode(rollback) if rollback else {})
    if not edits:
        raise Invalid(f"the manifest of {target} in {found.made.spot.file} says that already")
    files = dict(repository.files)
    for edit in edits:
        _make(files, found.made, edit)
    _check(repository, found, files, applied(before, edits), target)
    written = {path: text for path, text in files.items() if text != repository.files[path]}
    for path, text in written.items():
        if any(map(_is_secret, documents(text))):
            raise Invalid(
                f"{path} holds a Secret, too, and a proposal keeps the whole file: give the Secret "
                "a file of its own"
            )
    return Changed(files=written, notes=tuple(_notes(repository, found, written)))


def _is_secret(tree: Tree) -> bool:
    """Whether a document of a file is, lists or generates a Secret with its values."""
    if not isinstance(tree, dict):
        return False
    inner = [*items_at(tree, "items"), *items_at(tree, "secretGenerator")]
    return tree.get("kind") == "Secret" or any("literals" in i or _is_secret(i) for i in inner)


def edits_of(before: Fields, patch: Fields, rollback: Fields) -> tuple[Edit, ...]:
    """What the patch changes of the manifest. A template that is replaced whole is compared with
    the one it replaces: both are the cluster's, with its defaults, and the manifest has none.

    Raises:
        Invalid: Git and the cluster say different things where the patch changes something.
    """
    template = fields_at(patch, "spec", "template")
    if template.get("$patch") == "replace":
        path: Path = ("spec", "template")
        now = fields_at(rollback, "spec", "template")
        strip: Fields = {"$patch": None}
        edits = tuple(difference(merged(now, strip), merged(template, strip), path))
    else:
        edits = tuple(difference(before, merged(before, _without_marks(patch))))
    for edit in edits:
        _refuse_drift(edit, before, rollback)
    return tuple(e for e in edits if at(before, e.path) is not None or not _is_idle(e))


def _is_idle(edit: Edit) -> bool:
    """Whether the edit says nothing of its own where nothing stands: it takes away, or it is the
    deprecated alias that the API server fills by itself."""
    return edit.is_removal or edit.path[-1] == "serviceAccount"


def _without_marks(patch: Fields) -> Fields:
    """Our own annotations say which patch is in; in Git the commit says that."""
    metadata = fields_at(patch, "metadata")
    annotations = {
        k: v for k, v in fields_at(metadata, "annotations").items() if not k.startswith(PREFIX)
    }
    kept = {k: v for k, v in metadata.items() if k not in ("annotations", "resourceVersion")}
    if annotations:
        kept = {**kept, "annotations": annotations}
    rest = {k: v for k, v in patch.items() if k != "metadata"}
    return {**rest, "metadata": kept} if kept else rest


def _refuse_drift(edit: Edit, before: Fields, rollback: Fields) -> None:
    in_git, in_cluster = at(before, edit.path), at(rollback, edit.path)
    if isinstance(in_git, dict | list) or isinstance(in_cluster, dict | list):
        return
    if in_git is None or in_cluster is None:
        return
    if not same_quantity(
        str(in_git), str(in_cluster)
    ):  # the API server writes the quantity 2 as "2"
        raise Invalid(
            f"{in_words(edit.path)} is {in_git} in Git and {in_cluster} in the cluster: it was "
            "changed past Git; let the reconciler bring them together first"
        )


def _make(files: dict[str, str], made: Made, edit: Edit) -> None:
    """Make one edit where its value comes from: in the outermost place that sets it, or, for a
    new value, its neighbours. A removal is made in every place that sets it."""
    is_new = at(made.fields, edit.path) is None
    for layer in reversed(made.layers):
        if edit.path == _REPLICAS and layer.replicas:
            at_count: Path = ("replicas", Item("name", layer.replicas), "count")
            _write(files, Spot(file=layer.file), Edit(path=at_count, value=edit.value))
            return
        name = _image_entry(layer, edit)
        if name and isinstance(edit.value, str):
            _set_image(files, layer, name, edit.value)
            return
        for patch in reversed(layer.patches):
            inner = edit.path[len(patch.path) :]
            if edit.path[: len(patch.path)] == patch.path and _says(patch.tree, inner, is_new):
                _write(files, patch.spot, replace(edit, path=inner))
                if not edit.is_removal:
                    return
    if made.spot.start:  # a generator's literals
        _set_literal(files, made.spot, edit)
        return
    source = documents(files[made.spot.file])[made.spot.document]
    if not edit.is_removal or at(source, edit.path) is not None:
        _write(files, made.spot, edit)


def _says(tree: Tree, path: Path, is_new: bool) -> bool:
    """Whether a patch sets the very value, or its neighbours where nothing sets it."""
    sets_neighbours = len(path) > 1 and at(tree, path[:-1]) is not None
    return at(tree, path) is not None or (is_new and sets_neighbours)


def _write(files: dict[str, str], spot: Spot, edit: Edit) -> None:
    placed = replace(edit, path=(*spot.start, *edit.path))
    text = files[spot.file]
    if spot.inline is None:
        files[spot.file] = edited(text, spot.document, (placed,))
        return
    inner = at(documents(text)[0], spot.inline)
    if not isinstance(inner, str):
        raise Invalid(f"{in_words(spot.inline)} is no text")
    value = edited(inner, spot.document, (placed,))
    files[spot.file] = edited(text, 0, (Edit(path=spot.inline, value=value),))


def _image_entry(layer: Layer, edit: Edit) -> str:
    """The entry of `images` that makes this image, empty for none."""
    if not edit.path or edit.path[-1] != "image" or not layer.images:
        return ""
    before = at(layer.before_images, edit.path)
    name = image(before).name if isinstance(before, str) else ""
    return name if name in layer.images else ""


def _set_image(files: dict[str, str], layer: Layer, name: str, value: str) -> None:
    wanted, spot, start = image(value), Spot(file=layer.file), ("images", Item("name", name))
    entry = at(documents(files[layer.file])[0], start)
    now = Image(
        name=str(at(entry, ("newName",)) or name),
        tag=str(at(entry, ("newTag",)) or ""),
        digest=str(at(entry, ("digest",)) or ""),
    )
    for key, old, new in (
        ("newName", now.name, wanted.name),
        ("digest", now.digest, wanted.digest),
        ("newTag", now.tag, wanted.tag),
    ):
        if old != new:
            edit = Edit(path=(*start, key), value=new or None, is_removal=not new)
            _write(files, spot, edit)


def _set_literal(files: dict[str, str], spot: Spot, edit: Edit) -> None:
    key = edit.path[1] if len(edit.path) == 2 and edit.path[0] == "data" else None
    place = literal_place(files, spot, key) if isinstance(key, str) else None
    if place is None or not isinstance(edit.value, str):
        raise Invalid(f"{in_words(edit.path)} is not one of the literals in {spot.file}")
    where, literal = place
    _write(files, spot, Edit(path=(where,), value=f"{literal.partition('=')[0]}={edit.value}"))


def _check(
    repository: Tracked, found: Found, files: dict[str, str], wanted_tree: Tree, target: ObjectRef
) -> None:
    """Build again: the object must be as wanted, and all others as they were.

    Raises:
        Invalid: they are not.
    """
    before = _made_by(repository.files, found.root)
    after = _made_by(files, found.root)
    if len(before) != len(after):
        raise Invalid(f"the edit would change how many objects {found.root} makes")
    for old, new in zip(before, after, strict=True):
        is_target = old.spot == found.made.spot and _is_it(old, target)
        expected = wanted_tree if is_target else old.fields
        if not same(new.fields, expected):
            what = (
                f"{target} would not come out as wanted"
                if is_target
                else (f"{old.kind} {old.name} would change with it: they share a place")
            )
            raise Invalid(f"{what}, in {found.root}")


def _notes(repository: Tracked, found: Found, written: dict[str, str]) -> Iterator[str]:
    """Who else is made of the same files."""
    for path in sorted(repository.paths):
        if posixpath.basename(path) not in kustomize.NAMES or path == found.root:
            continue
        if path in written or path in {layer.file for layer in found.made.layers}:
            continue
        touched = sorted(_closure(repository, path) & written.keys())
        if touched:
            yield f"{touched[0]} is also used by {posixpath.dirname(path) or 'the root'}"


def _closure(repository: Tracked, kustomization: str) -> set[str]:
    """Every file a kustomization is made of."""
    found: set[str] = set()
    waiting = [kustomization]
    while waiting:
        path = waiting.pop()
        if path in found or path not in repository.files:
            continue
        found.add(path)
        if posixpath.basename(path) in kustomize.NAMES:
            folder = posixpath.dirname(path)
            for reference in _readable_references(repository.files[path]):
                target = resolved(folder, reference)
                inner = kustomization_in(repository.paths, target) if target is not None else None
                waiting += [p for p in (target, inner) if p]
    return found
