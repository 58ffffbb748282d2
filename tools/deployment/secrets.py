"""Passwords, signing keys and client secrets, made on the spot and kept out of git."""

from __future__ import annotations

import os
from pathlib import Path
from secrets import token_hex
from typing import Any

import yaml

from paybill_stack.bootstrap import ROLES, database_name
from paybill_stack.keys import KeyFiles, ensure_keys, ensure_link_key
from tools.deployment import NAMESPACE, SERVICES
from tools.deployment.env_example import COMPOSE_SECRETS

COMPOSE_KEYS = Path("var") / "compose" / "keys"


def write_compose_secrets(root: Path) -> str:
    """Make `.env` and the key files of compose; what exists is kept. Returns what to say to the person."""
    target = root / ".env"
    known = read_env(target)
    text = "".join(f"{name}={value}\n" for name, value in compose_env(known).items())
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    files = KeyFiles(root / COMPOSE_KEYS)
    if not files.clients.exists():  # later the file is the operator's own
        ensure_keys(files.folder)
    ensure_link_key(files)
    # The folder is closed to others; a container mounts the single files and reads them as its own user.
    files.folder.chmod(0o700)
    for path in (files.jwks, files.signing_key, files.link_key, files.clients):
        path.chmod(0o644)
    return f"{target.name} and {COMPOSE_KEYS} are ready; client secrets are in {COMPOSE_KEYS / files.secrets.name}"


def read_env(path: Path) -> dict[str, str]:
    """The assignments of an env file; empty when there is none."""
    if not path.exists():
        return {}
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name: value for name, _, value in pairs}


def compose_env(known: dict[str, str]) -> dict[str, str]:
    """Every variable that compose needs, kept where it is known; and whatever else the file said."""
    return known | {name: known.get(name) or token_hex(24) for name in COMPOSE_SECRETS}


def kubernetes_secrets(folder: Path) -> str:
    """Secret manifests with new passwords and the keys of `folder`, which are made when missing.

    Apply them once: a second run has other passwords, which CloudNativePG then sets too.
    """
    files = KeyFiles(folder)
    if not files.clients.exists():
        ensure_keys(folder, people=())  # in a cluster people sign in by OpenID Connect
    ensure_link_key(files)
    return "---\n".join(yaml.safe_dump(secret, sort_keys=False) for secret in secret_documents(files))


def secret_documents(files: KeyFiles) -> list[dict[str, Any]]:
    """One basic-auth Secret a database login, the public keys, what only the token issuer may read, and what only timesheet may."""
    logins = [
        _secret(
            f"{service.name}-db-{role}",
            {"username": f"{database_name(service.name)}_{role}", "password": token_hex(24)},
            kind="kubernetes.io/basic-auth",
        )
        for service in SERVICES
        for role in ROLES
    ]
    issuer = {path.name: path.read_text(encoding="utf-8") for path in (files.signing_key, files.clients)}
    return [
        *logins,
        _secret("paybill-jwks", {"jwks.json": files.jwks.read_text("utf-8")}),
        _secret("paybill-issuer", issuer),
        _secret("paybill-links", {files.link_key.name: files.link_key.read_text("utf-8")}),
    ]


def _secret(name: str, data: dict[str, str], kind: str = "Opaque") -> dict[str, Any]:
    labels = {"app.kubernetes.io/part-of": "paybill", "cnpg.io/reload": "true"}
    metadata = {"name": name, "namespace": NAMESPACE, "labels": labels}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": kind, "stringData": data}
