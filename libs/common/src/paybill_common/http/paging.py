"""Cursor paging: a page of items and the opaque cursor of the next one."""

from __future__ import annotations

import base64
import json
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel

from paybill_common.http.problems import Problem

T = TypeVar("T")

Limit = Annotated[int, Query(ge=1, le=500, description="Most items on a page")]
Cursor = Annotated[str | None, Query(max_length=400, description="`next_cursor` of the page before")]


class Page(BaseModel, Generic[T]):
    """One page. `next_cursor` is null on the last."""

    items: list[T]
    next_cursor: str | None = None


def encode_cursor(*parts: Any) -> str:
    """An opaque cursor of these sort values."""
    return base64.urlsafe_b64encode(json.dumps([str(part) for part in parts]).encode()).decode().rstrip("=")


def decode_cursor(cursor: str | None, *, parts: int) -> list[str] | None:
    """The sort values of a cursor, or None for the first page. A cursor that is not ours is refused."""
    if cursor is None:
        return None
    try:
        decoded = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if isinstance(decoded, list) and len(decoded) == parts and all(isinstance(part, str) for part in decoded):
            return decoded
    except (ValueError, UnicodeDecodeError):
        pass
    raise Problem(422, "bad_cursor", "The cursor is not one that this list gave.", pointer="query:/cursor")
