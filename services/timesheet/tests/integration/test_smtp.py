"""E-mails really sent: to an SMTP server on loopback, encrypted, with a user and password, and with all that can go wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from pydantic import ValidationError

from paybill_common.config import Settings
from tests.kit import Certificate
from timesheet.usecases import mailing

pytestmark = pytest.mark.integration
WEEK = "2026-04-05"
USER, PASSWORD = "paybill", "p@ss word"  # made up, for a server of this test


@dataclass
class Server:
    """What an SMTP server was given, and what it answers: `refuse` is a status for RCPT, by address."""

    port: int = 0
    letters: list[EmailMessage] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    logins: list[tuple[str, str]] = field(default_factory=list)
    refuse: dict[str, str] = field(default_factory=dict)
    busy: bool = False

    async def handle_RCPT(self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _: Any) -> str:
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.busy:
            return "451 4.3.0 try again later"
        letter = message_from_bytes(envelope.content or b"", policy=policy.default)  # type: ignore[arg-type]
        assert isinstance(letter, EmailMessage)
        self.letters.append(letter)
        self.encrypted.append(session.ssl is not None)
        return "250 OK"

    def log_in(self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, given: Any) -> AuthResult:
        assert isinstance(given, LoginPassword)
        self.logins.append((given.login.decode(), given.password.decode()))
        return AuthResult(success=self.logins[-1] == (USER, PASSWORD))


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return Certificate.made_in(tmp_path_factory.mktemp("tls"))


@asynccontextmanager
async def serving(certificate: Certificate | None, *, implicit: bool = False) -> AsyncIterator[Server]:
    """A server on loopback; with a certificate it asks for STARTTLS (or TLS from the start) and for a password."""
    kept = Server()
    options: dict[str, Any] = {}
    if certificate is not None:
        options = {"authenticator": kept.log_in, "auth_required": True, "auth_require_tls": not implicit}
        if not implicit:
            options |= {"tls_context": certificate.context(), "require_starttls": True}
    loop = asyncio.get_running_loop()
    context = certificate.context() if certificate is not None and implicit else None
    server = await loop.create_server(lambda: SMTP(kept, **options), "127.0.0.1", 0, ssl=context)
    kept.port = server.sockets[0].getsockname()[1]
    try:
        yield kept
    finally:
        server.close()
        await server.wait_closed()


@pytest.fixture
async def asked(house: Any) -> AsyncIterator[Any]:
    """A house with one e-mail that waits: the client is asked to approve a timesheet."""

    async def no_mail() -> None:
        async with house.runtime.worker_database.transaction(now=house.runtime.clock.now()) as tx:
            await tx.execute("DELETE FROM mail")

    await no_mail()
    await house.submitted()
    assert (await house.post(f"/weeks/{WEEK}/approval-requests"))["sent"] == 1
    yield house
    await no_mail()


def settings_of(house: Any, url: str, **more: Any) -> Settings:
    return Settings(
        **(house.runtime.settings.model_dump() | {"smtp_url": url, "mail_from": "week@agency.example"} | more)
    )


async def send(house: Any, settings: Settings, deliver: Callable[..., None] | None = None) -> int:
    runtime = house.runtime
    given = deliver or mailing.deliverer(settings)
    return await mailing.send_pending(runtime.worker_database, runtime.clock, given, sender=settings.mail_from)


async def mails(house: Any) -> list[Any]:
    async with house.runtime.worker_database.transaction(now=house.runtime.clock.now()) as tx:
        return list(
            await tx.execute("SELECT *, retry_at = 'infinity' AS given_up FROM mail ORDER BY created_at, to_email")
        )


async def due(house: Any) -> None:
    """The pause before the next attempt is over."""
    async with house.runtime.worker_database.transaction(now=house.runtime.clock.now()) as tx:
        await tx.execute("UPDATE mail SET retry_at = clock_timestamp() WHERE retry_at < 'infinity'")


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
async def test_the_client_is_asked_by_encrypted_mail_with_our_password(
    asked: Any, certificate: Certificate, scheme: str
) -> None:
    async with serving(certificate, implicit=scheme == "smtps") as server:
        url = f"{scheme}://{USER}:p%40ss%20word@127.0.0.1:{server.port}"
        assert await send(asked, settings_of(asked, url, smtp_ca_file=certificate.file)) == 1
    (letter,) = server.letters
    assert (letter["To"], letter["From"]) == ("Pat Approver <pat@example.com>", "Paybill <week@agency.example>")
    assert letter["Message-ID"].endswith("@agency.example>")
    body = letter.get_body(("plain",))
    assert body is not None
    assert "http://service.test/approve/" in body.get_content()
    assert server.logins == [(USER, PASSWORD)]
    assert scheme == "smtps" or server.encrypted == [True]
    assert (await mails(asked))[0].sent_at is not None


async def test_a_server_that_is_busy_or_away_gets_it_later(asked: Any) -> None:
    """A 451 and a closed port: kept with the error and a pause; delivered once, when the server takes it."""
    async with serving(None) as server:
        settings = settings_of(asked, f"smtp://127.0.0.1:{server.port}", smtp_starttls="never")
        server.busy = True
        assert await send(asked, settings) == 0
        (row,) = await mails(asked)
        assert (row.sent_at, row.attempts, row.given_up, "451" in row.error) == (None, 1, False, True)
        server.busy = False
        assert await send(asked, settings) == 0, "its pause is not over"
        await due(asked)
    assert await send(asked, settings) == 0
    (row,) = await mails(asked)
    assert (row.attempts, "Refused" in row.error) == (2, True)
    async with serving(None) as server:
        await due(asked)
        settings = settings_of(asked, f"smtp://127.0.0.1:{server.port}", smtp_starttls="never")
        assert [await send(asked, settings), await send(asked, settings), len(server.letters)] == [1, 0, 1]


async def test_a_receiver_that_does_not_exist_is_given_up_and_others_get_theirs(asked: Any) -> None:
    await asked.post(f"/weeks/{WEEK}/chase")
    waiting = len(await mails(asked))
    assert waiting > 1
    async with serving(None) as server:
        server.refuse["pat@example.com"] = "550 5.1.1 no such user"
        settings = settings_of(asked, f"smtp://127.0.0.1:{server.port}", smtp_starttls="never")
        assert await send(asked, settings) == waiting - 1
    (left,) = [row for row in await mails(asked) if row.sent_at is None]
    assert (left.to_email, left.attempts, left.given_up) == ("pat@example.com", 1, True)


async def test_one_try_tells_that_the_server_is_away(asked: Any) -> None:
    """A batch does not wait fifty times for a server that is not there."""
    await asked.post(f"/weeks/{WEEK}/chase")
    async with serving(None) as server:
        settings = settings_of(asked, f"smtp://127.0.0.1:{server.port}", smtp_starttls="never")
    assert await send(asked, settings) == 0
    assert sum(row.attempts for row in await mails(asked)) == 1


async def test_nothing_is_said_to_a_server_that_cannot_prove_itself(asked: Any, certificate: Certificate) -> None:
    """No STARTTLS on offer, or a certificate of somebody unknown: neither the password nor the letter leaves."""
    async with serving(None) as plain:
        assert await send(asked, settings_of(asked, f"smtp://{USER}:x@127.0.0.1:{plain.port}")) == 0
    await due(asked)
    async with serving(certificate) as unknown:
        assert await send(asked, settings_of(asked, f"smtp://{USER}:x@127.0.0.1:{unknown.port}")) == 0
    assert plain.letters + unknown.letters == []
    assert plain.logins + unknown.logins == []
    assert "CERTIFICATE_VERIFY_FAILED" in (await mails(asked))[0].error


async def test_a_wrong_password_is_tried_once_a_batch(asked: Any, certificate: Certificate) -> None:
    """Fifty wrong tries would lock the account."""
    await asked.post(f"/weeks/{WEEK}/chase")
    async with serving(certificate) as server:
        settings = settings_of(asked, f"smtp://{USER}:wrong@127.0.0.1:{server.port}", smtp_ca_file=certificate.file)
        assert await send(asked, settings) == 0
    assert set(server.logins) == {(USER, "wrong")}
    assert sum(row.attempts for row in await mails(asked)) == 1


@pytest.mark.parametrize(
    ("url", "more", "why"),
    [
        ("mail.example.com:25", {}, "PAYBILL_SMTP_URL is smtp://"),
        ("smtp://user:secret@mail.example.com", {"smtp_starttls": "never"}, "in the clear"),
    ],
)
def test_a_setting_that_could_not_work_or_would_leak_stops_the_start(url: str, more: dict[str, str], why: str) -> None:
    databases = {"database_api_url": "postgresql://a", "database_worker_url": "postgresql://b", "kafka_bootstrap": "k"}
    with pytest.raises(ValidationError, match=why) as refused:
        Settings(**databases, smtp_url=url, **more)  # type: ignore[arg-type]
    assert "secret" not in str(refused.value)
