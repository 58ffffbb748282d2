"""Sending what was written: into the sink folder, or by SMTP when a server is set."""

from __future__ import annotations

import asyncio
import contextlib
import smtplib
import ssl
import time
from collections.abc import Callable
from email.message import EmailMessage
from email.utils import format_datetime, formataddr
from pathlib import Path
from urllib.parse import unquote, urlsplit
from uuid import UUID

import structlog

from paybill_common.clock import Clock
from paybill_common.config import Settings
from paybill_common.db import Database
from timesheet.store import approvals
from timesheet.store.approvals import Mail

log = structlog.get_logger()
BATCH_MAX = 50
BATCH_S = 20.0  # not money: seconds
ATTEMPTS_MAX = 120
"""With pauses of five seconds, doubling to a quarter of an hour: more than a day."""
PAUSE_S = 1.0  # not money: seconds
SMTP_TIMEOUT_S = 10

Deliver = Callable[[EmailMessage, Mail], None]


async def send_forever(database: Database, clock: Clock, settings: Settings, stop: asyncio.Event) -> None:
    """Send e-mails as they are written, until told to stop. An e-mail that fails is tried again."""
    deliver = deliverer(settings)
    while not stop.is_set():
        sent = 0
        try:
            sent = await send_pending(database, clock, deliver, sender=settings.mail_from)
        except Exception as error:
            log.warning("mail.retrying", error=error)
        if sent < BATCH_MAX:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), timeout=PAUSE_S)


async def send_pending(database: Database, clock: Clock, deliver: Deliver, *, sender: str) -> int:
    """Send up to a batch of e-mails; gives how many left.

    A server that is away, or refuses us, ends the batch; what one receiver or message causes does not. An answer that will
    not change (5xx) is final: that e-mail keeps its error and is not sent again.
    """
    started = time.monotonic()
    async with database.transaction(now=clock.now()) as tx:
        mails = await approvals.unsent_mail(tx, most=BATCH_MAX)
        sent: list[UUID] = []
        failed: list[approvals.Failed] = []
        for mail in mails:
            try:
                message = composed(mail, format_datetime(tx.now), sender=sender)
                await asyncio.to_thread(deliver, message, mail)
                sent.append(mail.mail_id)
            except (OSError, ValueError) as error:
                codes = _refused(error)
                final = isinstance(error, ValueError) or (codes != [] and min(codes) >= 500)
                log.warning("mail.failed", mail_id=str(mail.mail_id), kind=mail.kind, final=final, error=error)
                failed.append(approvals.Failed(mail.mail_id, repr(error), final))
                if not (final or codes):
                    break
            if time.monotonic() - started > BATCH_S:
                break
        if mails:
            await approvals.mark_mail(tx, sent=sent, failed=failed, attempts_max=ATTEMPTS_MAX)
    return len(sent)


def _refused(error: Exception) -> list[int]:
    """The server's codes about this one e-mail; none when the error is about the server or the way to it."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return [code for code, _text in error.recipients.values()]
    if isinstance(error, (smtplib.SMTPSenderRefused, smtplib.SMTPDataError)):
        return [error.smtp_code]
    return []


def deliverer(settings: Settings) -> Deliver:
    """SMTP when a server is set, else the sink folder."""
    if settings.smtp_url:
        return _smtp(settings, settings.smtp_url.get_secret_value())
    folder = settings.mail_dir or settings.files_dir / "mail"
    return lambda message, mail: _into(folder, message, mail)


def composed(mail: Mail, sent_at: str, *, sender: str) -> EmailMessage:
    """The e-mail as a message. `sender` is an address. Its id is the row's, so that one sent twice is known by its receiver."""
    message = EmailMessage()
    message["Message-ID"] = f"<{mail.mail_id}@{sender.rpartition('@')[2]}>"
    message["Date"] = sent_at
    message["From"] = formataddr(("Paybill", sender))
    message["To"] = formataddr((mail.to_name, mail.to_email))
    message["Subject"] = mail.subject
    message["Auto-Submitted"] = "auto-generated"
    message["X-Paybill-Kind"] = mail.kind
    message.set_content(mail.body_text, cte="quoted-printable")
    message.add_alternative(mail.body_html, subtype="html", cte="quoted-printable")
    return message


def _into(folder: Path, message: EmailMessage, mail: Mail) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{mail.kind}-{mail.mail_id}.eml"
    waiting = path.with_suffix(".part")
    waiting.write_bytes(message.as_bytes())
    waiting.replace(path)


def _smtp(settings: Settings, url: str) -> Deliver:
    parts = urlsplit(url)
    host, port = str(parts.hostname), parts.port or 0
    encrypted = parts.scheme == "smtps" or settings.smtp_starttls == "required"
    # The default context checks the certificate and the host's name; smtplib's own does neither.
    context = ssl.create_default_context(cafile=settings.smtp_ca_file) if encrypted else None

    def connect() -> smtplib.SMTP:
        if parts.scheme == "smtps":
            return smtplib.SMTP_SSL(host, port, timeout=SMTP_TIMEOUT_S, context=context)
        return smtplib.SMTP(host, port, timeout=SMTP_TIMEOUT_S)

    def deliver(message: EmailMessage, _mail: Mail) -> None:
        with connect() as server:
            if parts.scheme == "smtp" and context is not None:
                server.starttls(context=context)
            if parts.username:
                server.login(unquote(parts.username), unquote(parts.password or ""))
            server.send_message(message)

    return deliver
