"""Keys, certificates and kubeconfigs of one instance. They open nothing but that instance."""

from __future__ import annotations

import json
import secrets
from pathlib import Path

from lab.commands import output
from lab.instance import NODE_IP, Instance

NODE = "lab"
USERS = {
    "admin": ("admin", "system:masters"),
    "controller-manager": ("system:kube-controller-manager", ""),
    "scheduler": ("system:kube-scheduler", ""),
    "node": (f"system:node:{NODE}", "system:nodes"),
    "proxy": ("system:kube-proxy", ""),
    "dns": ("lab:dns", "system:masters"),  # it reads; a role of its own would be three more calls
}
"""Our name of it: its name and its group in the cluster."""


def write(instance: Instance, door: int) -> None:
    """Everything anew, also a kubeconfig for the host, which leads through the door on loopback."""
    folder = instance.config
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    tokens = {user: secrets.token_hex(16) for user in USERS}
    rows = [
        f"{tokens[user]},{name},{user}" + (f',"{group}"' if group else "")
        for user, (name, group) in USERS.items()
    ]
    (folder / "tokens.csv").write_text("\n".join(rows) + "\n")
    for user, token in tokens.items():
        text = _kubeconfig(instance, f"https://{NODE_IP}:6443", user, token)
        instance.kubeconfig_of(user).write_text(text)
    outside = _kubeconfig(instance, f"https://localhost:{door}", "admin", tokens["admin"])
    instance.kubeconfig.write_text(outside)
    instance.kubeconfig.chmod(0o600)
    _service_account_key(folder)
    _kubelet_client(folder)


def authority(instance: Instance) -> Path:
    """The API server signs for itself here when it starts."""
    return instance.state / "apiserver" / "apiserver.crt"


def _kubeconfig(instance: Instance, server: str, user: str, token: str) -> str:
    """JSON, which is YAML. The context is called as the instance."""
    cluster = {"server": server, "certificate-authority": str(authority(instance))}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": instance.name,
        "clusters": [{"name": instance.name, "cluster": cluster}],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": instance.name, "context": {"cluster": instance.name, "user": user}}],
    }
    return json.dumps(config, indent=2) + "\n"


def _service_account_key(folder: Path) -> None:
    _openssl(folder, "genrsa -out sa.key 2048")
    _openssl(folder, "rsa -in sa.key -pubout -out sa.pub")


def _kubelet_client(folder: Path) -> None:
    """With it the API server gets logs and runs commands; the kubelet trusts its authority."""
    _openssl(
        folder,
        "req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=lab-client-ca"
        " -keyout ca.key -out ca.crt",
    )
    _openssl(
        folder,
        "req -newkey rsa:2048 -nodes -subj /O=system:masters/CN=kube-apiserver-kubelet-client"
        " -keyout kubelet-client.key -out kubelet-client.csr",
    )
    _openssl(
        folder,
        "x509 -req -in kubelet-client.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 3650"
        " -out kubelet-client.crt",
    )


def _openssl(folder: Path, arguments: str) -> None:
    output(["openssl", *arguments.split()], cwd=folder)
