"""Sealed texts: bytes and their mark as one text for a link, which only the holder of the key can make and which has one spelling.

What the bytes say, and until when, is for whoever seals them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MARK_BYTES = 20


class NotWhole(Exception):
    """The text is cut, lengthened, or spelled otherwise than we spell it."""


class NotOurs(Exception):
    """The text was changed, or sealed with another key."""


def key_of(secret: str, purpose: bytes) -> bytes:
    """The key for one purpose, made of a secret that every replica has. Other purposes have other keys."""
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=purpose).derive(secret.strip().encode())


def seal(key: bytes, body: bytes) -> str:
    """These bytes and their mark, in characters that a link may hold."""
    return _text(body + _mark(key, body))


def unseal(key: bytes, text: str, *, size: int) -> bytes:
    """The bytes that were sealed; there are `size` of them. Raises NotWhole or NotOurs."""
    try:
        raw = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except (ValueError, binascii.Error):
        raise NotWhole from None
    if len(raw) != size + MARK_BYTES or _text(raw) != text:
        raise NotWhole
    body, mark = raw[:size], raw[size:]
    if not hmac.compare_digest(mark, _mark(key, body)):
        raise NotOurs
    return body


def _mark(key: bytes, body: bytes) -> bytes:
    return hmac.new(key, body, hashlib.sha256).digest()[:MARK_BYTES]


def _text(raw: bytes) -> str:
    """The one way to write these bytes: the last character carries bits that decoding ignores, so others would read the same."""
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
