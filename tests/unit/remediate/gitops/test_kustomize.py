"""What we make of a kustomization is what Kustomize makes of it.

Each folder of the fixtures holds a repository, and in `built.yaml` what `kubectl kustomize` (5.5.0)
printed for its `overlays/prod`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from copilot.domain.errors import Invalid
from copilot.remediate.gitops.kustomize import Image, built, image, resolved

FOLDERS = sorted((Path(__file__).parents[3] / "fixtures" / "kustomize").iterdir())
ROOT = "overlays/prod/kustomization.yaml"


def files_in(folder: Path) -> dict[str, str]:
    paths = [path for path in folder.rglob("*.yaml") if path.name != "built.yaml"]
    return {str(path.relative_to(folder)): path.read_text() for path in paths}


def in_order(tree: Any) -> Any:
    """With lists of named things by name: where Kustomize puts a merged item is its own affair."""
    if isinstance(tree, dict):
        return {key: in_order(value) for key, value in tree.items() if value != ""}
    if isinstance(tree, list) and all(isinstance(item, dict) and "name" in item for item in tree):
        return sorted(map(in_order, tree), key=lambda item: str(item["name"]))
    return [in_order(item) for item in tree] if isinstance(tree, list) else tree


def by_name(objects: list[Any]) -> dict[tuple[str, str], Any]:
    return {(o["kind"], o["metadata"]["name"]): in_order(o) for o in objects}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_what_is_built_is_what_kustomize_builds(folder: Path) -> None:
    ours = [dict(made.fields) for made in built(files_in(folder), ROOT)]

    theirs = list(yaml.safe_load_all((folder / "built.yaml").read_text()))
    assert by_name(ours) == by_name(theirs)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("shop", Image(name="shop", tag="", digest="")),
        ("registry:5000/shop", Image(name="registry:5000/shop", tag="", digest="")),
        ("registry:5000/shop:1", Image(name="registry:5000/shop", tag="1", digest="")),
        ("a/b:1@sha256:ff", Image(name="a/b", tag="1", digest="sha256:ff")),
    ],
)
def test_an_image_is_told_apart_from_its_tag_and_its_registrys_port(
    text: str, parts: Image
) -> None:
    assert image(text) == parts
    assert str(parts) == text


@pytest.mark.parametrize(
    "reference", ["/etc/passwd", "https://x.example/y", "../../../x", "a?ref=b"]
)
def test_a_reference_out_of_the_repository_leads_nowhere(reference: str) -> None:
    assert resolved("overlays/prod", reference) is None


def test_kustomizations_that_refer_to_each_other_are_refused() -> None:
    files = {
        "a/kustomization.yaml": "resources: [../b]\n",
        "b/kustomization.yaml": "resources: [../a]\n",
    }

    with pytest.raises(Invalid, match="itself"):
        built(files, "a/kustomization.yaml")
