"""Document numbers: a prefix of the agency and a serial without gaps."""

from __future__ import annotations

from typing import Literal

Series = Literal["invoice", "credit_note", "self_bill"]


def document_number(prefix: str, serial: int) -> str:
    """`INV-000042`; from a million on the number grows longer."""
    return f"{prefix}-{serial:06d}"
