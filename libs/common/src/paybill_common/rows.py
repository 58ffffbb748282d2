"""Many rows as one statement's parameter: a JSON document for `jsonb_to_recordset`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import to_json


def rows_json(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as JSON text: ids, instants, days and amounts as strings that Postgres reads back exactly."""
    return to_json(rows).decode()
