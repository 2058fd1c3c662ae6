"""A registry that serves the lab's images, and fails in the ways registries fail.

The read side of the OCI distribution specification, over plain HTTP:
    public/NAME   anybody may pull
    private/NAME  only who shows the pull secret's user and password (401)
    members/NAME  the same by a token, as the large registries do it
    busy/NAME     429 with Retry-After
    anything else, and unknown tags: 404
https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pull
https://distribution.github.io/distribution/spec/auth/token/
"""

from __future__ import annotations

import argparse
import base64
import json
import re
import secrets
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from lab.images import IMAGES, MANIFEST, Builder, Built

USER, PASSWORD = "lab", "lab-pull-secret"
"""Of the pull secret; they open nothing else."""

_PATH = re.compile(
    r"/v2/(?P<realm>public|private|members|busy)/(?P<name>[a-z0-9-]+)"
    r"/(?P<kind>manifests|blobs|tags)/(?P<ref>[\w.:-]+)"
)
_CODES = {401: "UNAUTHORIZED", 404: "MANIFEST_UNKNOWN", 405: "UNSUPPORTED", 429: "TOOMANYREQUESTS"}
_BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


class Registry(ThreadingHTTPServer):
    """Serves these images; `images` maps `name:tag` to what was built."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], images: Mapping[str, Built]) -> None:
        self.blobs = {key: blob for built in images.values() for key, blob in built.blobs.items()}
        self.token = secrets.token_hex(16)
        self.manifests: dict[tuple[str, str], bytes] = {}
        for full_name, built in images.items():
            name, _, tag = full_name.partition(":")
            self.manifests[name, tag] = built.manifest
        super().__init__(address, _Handler)

    def tags(self, name: str) -> list[str]:
        return sorted(tag for known, tag in self.manifests if known == name)


class _Handler(BaseHTTPRequestHandler):
    server: Registry
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path in ("/v2", "/v2/"):
            self._answer(200, b"{}", "application/json")
            return
        shown = self.headers.get("Authorization", "")
        asked = _PATH.fullmatch(path)
        if path == "/token":  # who says no name gets one too, that opens nothing
            token = self.server.token if shown == _BASIC else "anonymous"
            self._answer(200, json.dumps({"token": token}).encode(), "application/json")
        elif asked is None:
            self._refuse(404)
        elif asked["realm"] == "busy":
            self._refuse(429, {"Retry-After": "30"})
        elif asked["realm"] == "private" and shown != _BASIC:
            self._refuse(401, {"WWW-Authenticate": 'Basic realm="lab"'})
        elif asked["realm"] == "members" and shown != f"Bearer {self.server.token}":
            self._refuse(401, {"WWW-Authenticate": self._bearer(asked["name"], bool(shown))})
        else:
            self._serve(asked["name"], asked["kind"], asked["ref"])

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        """Clients try OAuth first, and GET where it is not known."""
        self.close_connection = True
        self._refuse(405)

    def _serve(self, name: str, kind: str, ref: str) -> None:
        if kind == "tags" and ref == "list" and (tags := self.server.tags(name)):
            listed = json.dumps({"name": name, "tags": tags}).encode()
            self._answer(200, listed, "application/json")
            return
        by_tag = self.server.manifests.get((name, ref)) if kind == "manifests" else None
        blob = by_tag if by_tag is not None else self.server.blobs.get(ref)
        if blob is None or not self.server.tags(name):
            self._refuse(404)
        else:
            is_manifest = kind == "manifests"
            self._answer(200, blob, MANIFEST if is_manifest else "application/octet-stream")

    def _bearer(self, name: str, was_shown: bool) -> str:
        host = self.headers.get("Host", "")
        scope = f'service="lab",scope="repository:members/{name}:pull"'
        reason = ',error="insufficient_scope"' if was_shown else ""
        return f'Bearer realm="http://{host}/token",{scope}{reason}'

    def _refuse(self, status: int, headers: Mapping[str, str] | None = None) -> None:
        told = {"errors": [{"code": _CODES[status], "message": _CODES[status].lower()}]}
        self._answer(status, json.dumps(told).encode(), "application/json", headers)

    def _answer(
        self, status: int, body: bytes, kind: str, headers: Mapping[str, str] | None = None
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", required=True)
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    builder = Builder()
    images = {image.name: builder.build(image) for image in IMAGES}
    with Registry((arguments.address, arguments.port), images) as registry:
        registry.serve_forever()


if __name__ == "__main__":
    main()
