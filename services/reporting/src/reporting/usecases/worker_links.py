"""Links by which a worker opens their own page: signed, for two weeks, with no login and no row of ours."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from uuid import UUID

from paybill_common.sealed import NotOurs, NotWhole, key_of, seal, unseal

LINK_SECONDS = 14 * 24 * 3600
_LAYOUT = struct.Struct(">B16s16sQ")
_FORMAT = 1
_PURPOSE = b"paybill: a worker's own page, format 1"


class BadLink(Exception):
    """A link that is not ours, or that has expired; the message is for the worker."""


class NoKey(Exception):
    """This instance has no key to sign with."""


@dataclass(frozen=True)
class WorkerLink:
    """Whose page a link opens: one worker's of one agency."""

    agency_id: UUID
    worker_id: UUID


class WorkerLinks:
    """Signs and reads links. The key is made of the instance's signing key: every replica has it, and nobody keeps one more secret."""

    def __init__(self, signing_key_pem: str | None) -> None:
        self._key = None if signing_key_pem is None else key_of(signing_key_pem, _PURPOSE)

    def sign(self, link: WorkerLink, *, expires_s: int) -> str:
        """A link's token, valid until `expires_s` (seconds since 1970, real time). Raises NoKey."""
        if self._key is None:
            raise NoKey
        return seal(self._key, _LAYOUT.pack(_FORMAT, link.agency_id.bytes, link.worker_id.bytes, expires_s))

    def read(self, token: str, *, now_s: int) -> WorkerLink:
        """Whose page a token opens. Raises BadLink saying why it is refused."""
        if self._key is None:
            raise BadLink("This page is not available here. Ask your agency.")
        try:
            body = unseal(self._key, token, size=_LAYOUT.size)
        except NotWhole:
            raise BadLink("The link is not complete. Copy the whole address from the message.") from None
        except NotOurs:
            raise BadLink("The link is not one of ours. Open the one from the newest message.") from None
        _, agency, worker, expires_s = _LAYOUT.unpack(body)
        if now_s > expires_s:
            raise BadLink("The link has expired. Ask your agency to send a new one.")
        return WorkerLink(UUID(bytes=agency), UUID(bytes=worker))
