"""Container images from scratch: a static busybox, its links, and what a row of the table adds.

No builder and no registry is needed. The same input gives the same bytes, so digests are stable.
https://github.com/opencontainers/image-spec/blob/main/image-layout.md
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from lab import host
from lab.binaries import program
from lab.commands import output

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"

_FOLDERS = {"bin": 0o755, "etc": 0o755, "home": 0o755, "proc": 0o755, "sys": 0o755, "dev": 0o755}
_FOLDERS |= {"root": 0o700, "tmp": 0o1777, "var": 0o755}
_ETC = {
    "etc/passwd": b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
    "etc/group": b"root:x:0:\nnobody:x:65534:\n",
}


@dataclass(frozen=True, kw_only=True)
class Image:
    """One row: what it is called, what is in it beside busybox, what it runs."""

    name: str
    """Within a registry: `busybox:1.35`."""
    programs: Mapping[str, str] = field(default_factory=dict)
    """Where in the image: which of our own programs."""
    files: Mapping[str, bytes] = field(default_factory=dict)
    """Where in the image: its content, executable."""
    entrypoint: Sequence[str] = ()
    command: Sequence[str] = ()
    is_bare: bool = False
    """Without busybox: no shell, nothing."""


IMAGES = (
    Image(name="pause:1", programs={"pause": "pause"}, entrypoint=("/pause",), is_bare=True),
    Image(name="busybox:1.35", command=("/bin/sh",)),
    Image(name="oom-demo:1", programs={"bin/memhog": "memhog"}, command=("/bin/sh",)),
    Image(name="shop:1", programs={"bin/shop": "shop"}, command=("/bin/shop",)),
)
PRELOADED = "docker.io/lab/"
"""Under this name the node has all of them, as if somebody had pulled them."""
PAUSE = f"{PRELOADED}pause:1"


@dataclass(frozen=True)
class Built:
    """An image as its blobs."""

    layers: tuple[bytes, ...]
    config: bytes

    @cached_property
    def manifest(self) -> bytes:
        return _json(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": _descriptor(CONFIG, self.config),
                "layers": [_descriptor(LAYER, layer) for layer in self.layers],
            }
        )

    @property
    def blobs(self) -> dict[str, bytes]:
        """By digest."""
        return {digest(blob): blob for blob in (self.manifest, self.config, *self.layers)}


class Builder:
    """Builds images of the table; the layer of busybox is made once and shared."""

    def build(self, image: Image) -> Built:
        own = {
            **{path: program(name).read_bytes() for path, name in image.programs.items()},
            **image.files,
        }
        layers = [] if image.is_bare else [self._busybox]
        if own:
            layers.append(_layer({path: (0o755, content) for path, content in own.items()}))
        config = {
            "created": "2026-01-01T00:00:00Z",
            "architecture": "amd64",
            "os": "linux",
            "config": {
                "Env": ["PATH=/bin"],
                "WorkingDir": "/",
                "Entrypoint": list(image.entrypoint),
                "Cmd": list(image.command),
            },
            "rootfs": {"type": "layers", "diff_ids": [digest(layer) for layer in layers]},
        }
        return Built(layers=tuple(layers), config=_json(config))

    def write(self, image: Image, name: str, to: Path) -> None:
        """An OCI layout as a tar, which says what it is called; `ctr images import` takes it."""
        built = self.build(image)
        named = {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": name}
        index = {
            "schemaVersion": 2,
            "manifests": [{**_descriptor(MANIFEST, built.manifest), "annotations": named}],
        }
        files = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": _json(index)}
        files |= {f"blobs/{key.replace(':', '/')}": blob for key, blob in built.blobs.items()}
        to.write_bytes(_layer({path: (0o644, content) for path, content in files.items()}))

    @cached_property
    def _busybox(self) -> bytes:
        program = host.busybox()
        names = output(["busybox", "--list"]).split()
        links = {f"bin/{name}": "busybox" for name in names if name != "busybox"}
        files = {path: (0o644, content) for path, content in _ETC.items()}
        return _layer({"bin/busybox": (0o755, program), **files}, links=links, folders=_FOLDERS)


def digest(blob: bytes) -> str:
    """As registries name it."""
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"


def _descriptor(media_type: str, blob: bytes) -> dict[str, str | int]:
    return {"mediaType": media_type, "digest": digest(blob), "size": len(blob)}


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _layer(
    files: Mapping[str, tuple[int, bytes]],
    *,
    links: Mapping[str, str] | None = None,
    folders: Mapping[str, int] | None = None,
) -> bytes:
    """A tar; times and owners are zero."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for path, mode in (folders or {}).items():
            folder = tarfile.TarInfo(path)
            folder.type, folder.mode = tarfile.DIRTYPE, mode
            tar.addfile(folder)
        for path, (mode, content) in files.items():
            file = tarfile.TarInfo(path)
            file.mode, file.size = mode, len(content)
            tar.addfile(file, io.BytesIO(content))
        for path, target in (links or {}).items():
            link = tarfile.TarInfo(path)
            link.type, link.linkname = tarfile.SYMTYPE, target
            tar.addfile(link)
    return buffer.getvalue()
