"""The bill of materials of the image, as CycloneDX: packages of Python, of the screens, of the base.

It runs inside the build, over what is shipped, so it lists what is there and not what was asked
for. The same image gives the same bytes.
https://cyclonedx.org/docs/1.6/json/
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import re
import subprocess
import uuid
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, PackageMetadata, distributions
from pathlib import Path
from typing import Any
from urllib.parse import quote

NAME = "sbom.cdx.json"
PRODUCT = "incident-copilot"

Component = dict[str, Any]


def printed(*, sites: Iterable[Path], debian: Iterable[str], npm: Path) -> str:
    """The document; `sites` hold the packages of Python, `debian` names those of the base, `npm` is
    the lock file of the screens."""
    found = {normal(d): d for d in distributions(path=[str(site) for site in sites])}
    product = of_python(found.pop(PRODUCT))
    components = [
        *(of_python(distribution) for _, distribution in sorted(found.items())),
        *of_npm(json.loads(npm.read_text())),
        *of_debian(debian),
        interpreter(),
    ]
    content = {
        "metadata": {
            "timestamp": timestamp(),
            "component": {**product, "type": "application"},
        },
        "components": components,
    }
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(content, sort_keys=True))
    head = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
    }
    return json.dumps({**head, **content}, indent=1, ensure_ascii=False) + "\n"


def of_python(distribution: Distribution) -> Component:
    name, version = normal(distribution), distribution.version
    return component(name, version, f"pkg:pypi/{name}@{version}", licence(distribution.metadata))


def of_npm(lock: dict[str, Any]) -> Iterator[Component]:
    """What the screens are made with at run time; what only builds them is not shipped."""
    seen = set()
    for path, package in sorted(lock["packages"].items()):
        name = path.rpartition("node_modules/")[2]
        if not path or package.keys() & {"dev", "devOptional", "optional"}:
            continue
        purl = f"pkg:npm/{quote(name, safe='/')}@{package['version']}"
        if purl not in seen:
            seen.add(purl)
            yield component(name, package["version"], purl, package.get("license", ""))


def of_debian(packages: Iterable[str]) -> Iterator[Component]:
    system = platform.freedesktop_os_release()
    for package in packages:
        shown = "${Package} ${Version} ${Architecture}"
        query = ["dpkg-query", "--show", f"--showformat={shown}", package]
        said = subprocess.run(query, capture_output=True, text=True, check=True).stdout
        name, version, architecture = said.split()
        distro = f"{system['ID']}-{system.get('VERSION_ID', '')}"
        purl = f"pkg:deb/{system['ID']}/{name}@{quote(version)}?arch={architecture}&distro={distro}"
        yield component(name, version, purl)


def interpreter() -> Component:
    """Said of its own, as many bases have one that no package manager knows."""
    version = platform.python_version()
    found = component("python", version, f"pkg:generic/python@{version}", "PSF-2.0")
    return {**found, "cpe": f"cpe:2.3:a:python:python:{version}:*:*:*:*:*:*:*"}


def component(name: str, version: str, purl: str, licence: str = "") -> Component:
    made = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
    if not licence:
        return made
    # Whatever is no SPDX identifier or expression is a name; the schema refuses a wrong id.
    is_spdx = re.fullmatch(r"[A-Za-z0-9.+-]+( (AND|OR|WITH) [A-Za-z0-9.+-]+)+", licence)
    return {
        **made,
        "licenses": [{"expression": licence} if is_spdx else {"license": {"name": licence}}],
    }


def licence(metadata: PackageMetadata) -> str:
    """As the package states it: an expression, a line, or the last words of a classifier."""
    said = _first(metadata, "License-Expression") or _first(metadata, "License")
    if said and "\n" not in said:
        return said
    classifiers = metadata.get_all("Classifier") or []
    named = [c.rpartition(" :: ")[2] for c in classifiers if c.startswith("License :: ")]
    return named[0] if named else ""


def _first(metadata: PackageMetadata, field: str) -> str:
    """Empty where it has none."""
    found: list[str] = metadata.get_all(field) or [""]
    return found[0]


def normal(distribution: Distribution) -> str:
    """The name as the index writes it."""
    return re.sub(r"[-_.]+", "-", distribution.metadata["Name"]).lower()


def timestamp() -> str:
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH", "0"))
    return datetime.datetime.fromtimestamp(epoch, datetime.UTC).isoformat()
