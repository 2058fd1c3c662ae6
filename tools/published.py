#!/usr/bin/env python3
"""Cuts the calls that we make out of GitHub's published OpenAPI description, for the tests.

    npm pack @octokit/openapi && tar xzf octokit-openapi-*.tgz
    tools/published.py package > tests/fixtures/published/github.json

The whole description has 13 MB. Kept of each call is what a request must be: its parameters and its
body, references resolved, without prose and examples.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

Json = dict[str, Any]

REPOSITORY = "/repos/{owner}/{repo}"
CALLS = (
    ("get", REPOSITORY),
    ("get", f"{REPOSITORY}/git/ref/{{ref}}"),
    ("get", f"{REPOSITORY}/git/commits/{{commit_sha}}"),
    ("get", f"{REPOSITORY}/git/trees/{{tree_sha}}"),
    ("get", f"{REPOSITORY}/git/blobs/{{file_sha}}"),
    ("post", f"{REPOSITORY}/git/trees"),
    ("post", f"{REPOSITORY}/git/commits"),
    ("post", f"{REPOSITORY}/git/refs"),
    ("get", f"{REPOSITORY}/pulls"),
    ("get", f"{REPOSITORY}/pulls/{{pull_number}}"),
    ("post", f"{REPOSITORY}/pulls"),
)
PROSE = frozenset({"description", "example", "examples", "externalDocs", "summary", "title"})


def main() -> int:
    """Prints the excerpt."""
    package = Path(sys.argv[1])
    named: Json = json.loads((package / "package.json").read_text())
    whole: Json = json.loads((package / "generated" / "api.github.com.json").read_text())
    excerpt = {
        "source": f"{named['name']} {named['version']}, generated/api.github.com.json",
        "license": (package / "LICENSE").read_text().strip(),
        "calls": [call(whole, method, path) for method, path in CALLS],
    }
    json.dump(excerpt, sys.stdout, indent=1, sort_keys=True, ensure_ascii=False)
    print()
    return 0


def call(whole: Json, method: str, path: str) -> Json:
    """One call: where it goes, and what it takes."""
    operation = whole["paths"][path][method]
    parameters = [resolved(whole, one) for one in operation.get("parameters", ())]
    body = operation.get("requestBody")
    kept: Json = {"method": method.upper(), "path": path, "parameters": parameters}
    if body:
        kept["body"] = resolved(whole, body["content"]["application/json"]["schema"])
    return kept


def resolved(whole: Json, tree: Any) -> Any:
    """The same without references and prose. A property may be called `title`."""
    if isinstance(tree, list):
        return [resolved(whole, item) for item in tree]
    if not isinstance(tree, dict):
        return tree
    if "$ref" in tree:
        found: Any = whole
        for part in tree["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        return resolved(whole, found)
    kept = {key: resolved(whole, value) for key, value in tree.items() if key not in PROSE}
    if "properties" in tree:
        kept["properties"] = {k: resolved(whole, v) for k, v in tree["properties"].items()}
    return kept


if __name__ == "__main__":
    sys.exit(main())
