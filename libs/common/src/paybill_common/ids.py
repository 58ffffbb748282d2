"""Identifiers: time-ordered for new records, derived for records that must come out the same when made again."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from operator import attrgetter
from uuid import UUID, uuid5

import uuid_utils

_NAMESPACE = UUID("5f0f3b0e-7a0e-5c57-9d55-9a1b6f0c1a11")


def _uuid7() -> UUID:
    return UUID(int=uuid_utils.uuid7().int)


_source: ContextVar[Callable[[], UUID]] = ContextVar("paybill_id_source", default=_uuid7)


def new_id() -> UUID:
    """A new time-ordered id (UUIDv7); from the seed inside a simulation."""
    return _source.get()()


def use_id_source(source: Callable[[], UUID]) -> None:
    """Make `new_id` draw from `source` in this context: simulations use it so that a seed reproduces."""
    _source.set(source)


in_order = attrgetter("int")
"""Sort ids by this: the order of UUIDs and of Postgres, without a call of Python for every comparison."""


def pair_in_order(pair: tuple[UUID, UUID]) -> tuple[int, int]:
    """Sort (agency, record) by this: the order of the pairs themselves, sooner."""
    return pair[0].int, pair[1].int


def derived_id(*parts: object) -> UUID:
    """The id that these parts always give (UUIDv5): making the same thing twice makes the same id."""
    return uuid5(_NAMESPACE, "\x1f".join(str(part) for part in parts))
