"""Cells of an export that a spreadsheet opens as text, never as a formula."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

_RISKY = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
Cell = str | int | Decimal | date | datetime | bool | None


def safe_text(text: str) -> str:
    """The text, quoted when a spreadsheet would take it for a formula."""
    return f"'{text}" if text.startswith(_RISKY) else text


def csv_cell(value: Cell) -> str:
    """A cell of a CSV file: numbers and dates as they are (ISO), text made safe."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, Decimal)):
        return str(value)
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    return safe_text(value)
