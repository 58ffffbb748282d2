"""What tests share besides fixtures: the demo's moment, a thread for a second event loop, and signed tokens."""

from __future__ import annotations

import ipaddress
import json
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from jwt.algorithms import ECAlgorithm

from paybill_common.auth import SCOPES, Principal, sign

DEMO_NOW = datetime(2026, 4, 7, 9, 0, tzinfo=UTC)
"""The Tuesday after the demo week."""


def in_thread(work: Callable[[], Any]) -> Any:
    """Run something that starts its own event loop, away from the test's."""
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.append((True, work()))
        except BaseException as error:
            outcome.append((False, error))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    ok, value = outcome[0]
    if not ok:
        raise value
    return value


class Keys:
    """A signing key of the test run, and tokens of it."""

    def __init__(self, folder: Path) -> None:
        private = ec.generate_private_key(ec.SECP256R1())
        self.pem = private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()
        jwk = json.loads(ECAlgorithm.to_jwk(private.public_key())) | {"kid": "test", "use": "sig", "alg": "ES256"}
        self.jwks_file = folder / "jwks.json"
        self.jwks_file.write_text(json.dumps({"keys": [jwk]}))
        self.signing_key_file = folder / "signing-key.pem"
        self.signing_key_file.write_text(self.pem)
        self.link_key_file = folder / "link-key.txt"
        self.link_key_file.write_text("a secret of the test run, long enough\n")

    def token(
        self,
        *agencies: UUID,
        scopes: frozenset[str] | set[str] = frozenset(SCOPES),
        subject: str = "tester",
        name: str = "Terry Tester",
        seconds: int = 900,
        every_agency: bool = False,
        worker_id: UUID | None = None,
    ) -> str:
        principal = Principal(subject, name, frozenset(scopes), frozenset(agencies), every_agency, worker_id)
        return sign(private_key_pem=self.pem, key_id="test", principal=principal, seconds=seconds)

    def headers(self, *agencies: UUID, **options: Any) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token(*agencies, **options)}"}


@dataclass(frozen=True)
class Certificate:
    """A certificate of 127.0.0.1 that signs itself: whoever is given it as a CA trusts its owner."""

    file: Path
    key: Path

    @classmethod
    def made_in(cls, folder: Path, name: str = "server") -> Certificate:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.now(UTC)
        address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        signed = (
            x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(address, critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(key, hashes.SHA256())
        )
        made = cls(folder / f"{name}.pem", folder / f"{name}.key")
        made.file.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        made.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return made

    def context(self) -> ssl.SSLContext:
        """What a server of this certificate uses."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.file, self.key)
        return context
