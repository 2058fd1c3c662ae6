"""Who a kubeconfig says we are: for plain HTTP to an API server in tests."""

from __future__ import annotations

import base64
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Obj = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Where the server is and how to get in."""

    server: str
    headers: dict[str, str]
    tls: ssl.SSLContext


def access(path: Path, context: str | None = None) -> Access:
    """Of a context, the current one by default: by a token or a client certificate."""
    config = yaml.safe_load(path.read_text())
    chosen = _named(config, "contexts", context or config["current-context"])["context"]
    cluster = _named(config, "clusters", chosen["cluster"])["cluster"]
    user = _named(config, "users", chosen["user"])["user"]
    authority = _content(cluster, "certificate-authority")
    tls = ssl.create_default_context(cadata=authority.decode() if authority else None)
    headers = {}
    if token := user.get("token"):
        headers["Authorization"] = f"Bearer {token}"
    elif certificate := _content(user, "client-certificate"):
        with tempfile.NamedTemporaryFile() as pem:
            pem.write(certificate + b"\n" + (_content(user, "client-key") or b""))
            pem.flush()
            tls.load_cert_chain(pem.name)
    else:
        raise ValueError(f"{path}: the tests need a token or a client certificate in it")
    return Access(server=cluster["server"], headers=headers, tls=tls)


def _content(entry: Obj, name: str) -> bytes | None:
    """In the file itself, or in one that it names."""
    if inline := entry.get(f"{name}-data"):
        return base64.b64decode(inline)
    return Path(entry[name]).read_bytes() if name in entry else None


def _named(config: Obj, kind: str, name: str) -> Obj:
    return next(entry for entry in config[kind] if entry["name"] == name)
