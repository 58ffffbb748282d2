"""Who is signed in. Times are real: a session's life is not business time."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

from paybill_common.db import Tx

SESSION_HOURS = 12
SIGN_IN_MINUTES = 10


@dataclass(frozen=True)
class Session:
    """A signed-in person. `flash` is what the last command said, shown once."""

    token_sha256: str
    subject: str
    name: str
    csrf: str
    flash: str | None


@dataclass(frozen=True)
class SignIn:
    """A sign-in on its way through the issuer."""

    nonce: str
    verifier: str
    next_path: str


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


async def open_session(tx: Tx, *, subject: str, name: str) -> str:
    """Start a session and return its secret token; only the digest is stored. Expired ones are swept."""
    token = secrets.token_urlsafe(32)
    await tx.execute("DELETE FROM web_session WHERE expires_at < clock_timestamp()")
    await tx.execute(
        "INSERT INTO web_session (token_sha256, subject, name, csrf, expires_at) VALUES (:token, :subject, :name, :csrf,"
        " clock_timestamp() + make_interval(hours => :hours))",
        token=digest(token),
        subject=subject,
        name=name,
        csrf=secrets.token_urlsafe(24),
        hours=SESSION_HOURS,
    )
    return token


async def find_session(tx: Tx, token: str) -> Session | None:
    result = await tx.execute(
        "SELECT token_sha256, subject, name, csrf, flash FROM web_session"
        " WHERE token_sha256 = :token AND expires_at > clock_timestamp()",
        token=digest(token),
    )
    row = result.first()
    return Session(row.token_sha256, row.subject, row.name, row.csrf, row.flash) if row else None


async def close_session(tx: Tx, token: str) -> None:
    await tx.execute("DELETE FROM web_session WHERE token_sha256 = :token", token=digest(token))


async def set_flash(tx: Tx, token_sha256: str, flash: str | None) -> None:
    """Remember what to say on the next page; JSON text."""
    await tx.execute(
        "UPDATE web_session SET flash = :flash WHERE token_sha256 = :token", flash=flash, token=token_sha256
    )


async def start_sign_in(tx: Tx, *, state: str, sign_in: SignIn) -> None:
    await tx.execute("DELETE FROM web_sign_in WHERE expires_at < clock_timestamp()")
    await tx.execute(
        "INSERT INTO web_sign_in (state, nonce, verifier, next_path, expires_at) VALUES (:state, :nonce, :verifier,"
        " :next, clock_timestamp() + make_interval(mins => :minutes))",
        state=state,
        nonce=sign_in.nonce,
        verifier=sign_in.verifier,
        next=sign_in.next_path,
        minutes=SIGN_IN_MINUTES,
    )


async def take_sign_in(tx: Tx, state: str) -> SignIn | None:
    """The sign-in of this state, once."""
    result = await tx.execute(
        "DELETE FROM web_sign_in WHERE state = :state AND expires_at > clock_timestamp()"
        " RETURNING nonce, verifier, next_path",
        state=state,
    )
    row = result.first()
    return SignIn(row.nonce, row.verifier, row.next_path) if row else None
