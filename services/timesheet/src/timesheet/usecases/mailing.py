"""Sending what was written: into the sink folder, or by SMTP when a server is set."""

from __future__ import annotations

import asyncio
import contextlib
import smtplib
from collections.abc import Callable
from email.message import EmailMessage
from email.utils import format_datetime, formataddr
from pathlib import Path
from urllib.parse import unquote, urlsplit

import structlog

from paybill_common.clock import Clock
from paybill_common.config import Settings
from paybill_common.db import Database
from timesheet.store import approvals
from timesheet.store.approvals import Mail

log = structlog.get_logger()
SENDER = formataddr(("Paybill", "timesheets@paybill.example"))
BATCH_MAX = 50
ATTEMPTS_MAX = 20
PAUSE_S = 1.0  # not money: seconds
SMTP_TIMEOUT_S = 10

Deliver = Callable[[EmailMessage, Mail], None]


async def send_forever(database: Database, clock: Clock, settings: Settings, stop: asyncio.Event) -> None:
    """Send e-mails as they are written, until told to stop. An e-mail that fails is tried again."""
    deliver = deliverer(settings)
    while not stop.is_set():
        sent = 0
        try:
            sent = await send_pending(database, clock, deliver)
        except Exception as error:
            log.warning("mail.retrying", error=error)
        if sent < BATCH_MAX:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), timeout=PAUSE_S)


async def send_pending(database: Database, clock: Clock, deliver: Deliver) -> int:
    """Send up to a batch of e-mails; gives how many left."""
    async with database.transaction(now=clock.now()) as tx:
        mails = await approvals.unsent_mail(tx, most=BATCH_MAX, attempts_max=ATTEMPTS_MAX)
        sent, failed = [], []
        for mail in mails:
            try:
                message = composed(mail, format_datetime(tx.now))
                await asyncio.to_thread(deliver, message, mail)
                sent.append(mail.mail_id)
            except (OSError, ValueError, smtplib.SMTPException) as error:
                log.warning("mail.failed", mail_id=str(mail.mail_id), kind=mail.kind, error=error)
                failed.append((mail.mail_id, repr(error)))
        if mails:
            await approvals.mark_mail(tx, sent=sent, failed=failed)
    return len(sent)


def deliverer(settings: Settings) -> Deliver:
    """SMTP when a server is set, else the sink folder."""
    if settings.smtp_url:
        return _smtp(settings.smtp_url)
    folder = settings.mail_dir or settings.files_dir / "mail"
    return lambda message, mail: _into(folder, message, mail)


def composed(mail: Mail, sent_at: str) -> EmailMessage:
    """The e-mail as a message. Its id is the row's, so that one sent twice is known by its receiver."""
    message = EmailMessage()
    message["Message-ID"] = f"<{mail.mail_id}@paybill.example>"
    message["Date"] = sent_at
    message["From"] = SENDER
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


def _smtp(url: str) -> Deliver:
    parts = urlsplit(url)
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise ValueError("PAYBILL_SMTP_URL is smtp://user:password@host:port or smtps://…")
    host = parts.hostname

    def deliver(message: EmailMessage, _mail: Mail) -> None:
        kind = smtplib.SMTP_SSL if parts.scheme == "smtps" else smtplib.SMTP
        with kind(host, parts.port or 0, timeout=SMTP_TIMEOUT_S) as server:
            if parts.scheme == "smtp" and server.has_extn("starttls"):
                server.starttls()
            if parts.username:
                server.login(unquote(parts.username), unquote(parts.password or ""))
            server.send_message(message)

    return deliver
