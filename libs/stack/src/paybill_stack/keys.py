"""Signing keys for tokens and the secrets of client programs, made once per instance, readable by the owner only."""

import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from paybill_stack import StackError
from paybill_stack.settings import write_private

ALGORITHM = "ES256"
_PERSON = "person:"


@dataclass(frozen=True)
class Client:
    """A program that gets tokens with client credentials: what it may do, and for which agencies ("*": all)."""

    client_id: str
    scopes: tuple[str, ...] = ("*",)
    agencies: tuple[str, ...] = ("*",)
    name: str = ""


@dataclass(frozen=True)
class Person:
    """Someone who signs in at reporting with a link; the code in it is kept in the secrets file under `person:<subject>`."""

    subject: str
    name: str
    scopes: tuple[str, ...] = ("*",)
    agencies: tuple[str, ...] = ("*",)


# The command line's own client; `paybill import` and the demo week sign in as it. What it prepares, the second one releases.
DEFAULT_CLIENTS = (
    Client("paybill-cli", name="Command line"),
    Client("paybill-release", ("read", "pay:read", "pay:release"), name="Payment release"),
)
DEFAULT_PEOPLE = (Person("pat", "Pat Payroll (demo)"), Person("robin", "Robin Release (demo)"))


@dataclass(frozen=True)
class KeyFiles:
    """Where an instance's keys are.

    `signing_key`: private PEM (EC P-256), for the issuer only. `link_key`: a secret that links to approvers are signed with, for
    timesheet only. `jwks`: the public key set. `clients`: for the issuer, a JSON
    object `{"clients": [{"client_id", "secret_sha256", "name", "scopes", "agencies"}], "people": [{"subject", "name",
    "sign_in_code_sha256", "scopes", "agencies"}]}`. `secrets`: for programs on this machine, a JSON object of client id to secret.
    """

    folder: Path

    @property
    def signing_key(self) -> Path:
        return self.folder / "signing-key.pem"

    @property
    def link_key(self) -> Path:
        return self.folder / "link-key.txt"

    @property
    def jwks(self) -> Path:
        return self.folder / "jwks.json"

    @property
    def clients(self) -> Path:
        return self.folder / "clients.json"

    @property
    def secrets(self) -> Path:
        return self.folder / "secrets.json"

    def client_secret(self, client_id: str) -> str:
        """The secret of a client.

        Raises:
            StackError: no such client, or no keys yet.
        """
        known: dict[str, str] = json.loads(self.secrets.read_text(encoding="utf-8")) if self.secrets.exists() else {}
        if client_id not in known:
            raise StackError(f"{self.secrets} holds no secret of client {client_id!r}; run `paybill stack up` first")
        return known[client_id]

    def sign_in_code(self, subject: str) -> str:
        """The code of a person's sign-in link. Raises StackError as `client_secret` does."""
        return self.client_secret(f"{_PERSON}{subject}")


def ensure_keys(
    folder: Path, clients: Sequence[Client] = DEFAULT_CLIENTS, people: Sequence[Person] = DEFAULT_PEOPLE
) -> KeyFiles:
    """Make what is missing; existing keys and secrets stay. The clients file always says what `clients` says."""
    files = KeyFiles(folder)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not files.signing_key.exists() or not files.jwks.exists():
        _make_signing_key(files)
    ensure_link_key(files)
    known: dict[str, str] = json.loads(files.secrets.read_text(encoding="utf-8")) if files.secrets.exists() else {}
    wanted = [client.client_id for client in clients] + [f"{_PERSON}{person.subject}" for person in people]
    held = {name: known.get(name) or secrets.token_urlsafe(32) for name in wanted}
    write_private(files.secrets, json.dumps(known | held, indent=2) + "\n")
    listed = [
        {
            "client_id": client.client_id,
            "secret_sha256": _sha256(held[client.client_id]),
            "name": client.name or client.client_id,
            "scopes": list(client.scopes),
            "agencies": list(client.agencies),
        }
        for client in clients
    ]
    signing_in = [
        {
            "subject": person.subject,
            "name": person.name,
            "sign_in_code_sha256": _sha256(held[f"{_PERSON}{person.subject}"]),
            "scopes": list(person.scopes),
            "agencies": list(person.agencies),
        }
        for person in people
    ]
    write_private(files.clients, json.dumps({"clients": listed, "people": signing_in}, indent=2) + "\n")
    return files


def ensure_link_key(files: KeyFiles) -> None:
    """Make the secret that approval links are signed with; an existing one stays."""
    if not files.link_key.exists():
        write_private(files.link_key, secrets.token_hex(32) + "\n")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _make_signing_key(files: KeyFiles) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public: dict[str, str] = json.loads(
        jwt.algorithms.ECAlgorithm(jwt.algorithms.ECAlgorithm.SHA256).to_jwk(private.public_key())
    )
    identity = hashlib.sha256(json.dumps(public, sort_keys=True).encode()).hexdigest()[:16]
    entry = public | {"kid": identity, "use": "sig", "alg": ALGORITHM}
    write_private(files.jwks, json.dumps({"keys": [entry]}, indent=2) + "\n")
    write_private(files.signing_key, pem.decode())
