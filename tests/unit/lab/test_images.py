"""Images from scratch."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

from lab.images import Builder, Image, digest

IMAGE = Image(name="app:1", files={"bin/app": b"#!/bin/sh\n"}, command=("/bin/app",), is_bare=True)


def test_the_same_image_has_the_same_digest_every_time() -> None:
    assert digest(Builder().build(IMAGE).manifest) == digest(Builder().build(IMAGE).manifest)


def test_an_archive_is_a_layout_whose_every_blob_is_what_it_is_called(tmp_path: Path) -> None:
    Builder().write(IMAGE, "docker.io/lab/app:1", tmp_path / "app.tar")

    with tarfile.open(tmp_path / "app.tar") as tar:
        files = {name: tar.extractfile(name) for name in tar.getnames()}
        contents = {name: file.read() for name, file in files.items() if file}
    (manifest,) = json.loads(contents["index.json"])["manifests"]
    blobs = {name: blob for name, blob in contents.items() if name.startswith("blobs/")}

    assert manifest["annotations"]["io.containerd.image.name"] == "docker.io/lab/app:1"
    assert f"blobs/{manifest['digest'].replace(':', '/')}" in blobs
    assert all(name == f"blobs/{digest(blob).replace(':', '/')}" for name, blob in blobs.items())


def test_what_is_added_can_be_run() -> None:
    (layer,) = Builder().build(IMAGE).layers

    assert b"#!/bin/sh\n" in layer
    assert b"0000755" in layer
