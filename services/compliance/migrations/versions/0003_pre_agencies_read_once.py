"""Row-level security reads the agencies of the transaction once a statement, not once a row."""

from __future__ import annotations

from alembic import op

from paybill_common.tables import read_agencies_once

revision = "0003"
down_revision = "0002"

TABLES = (
    "worker",
    "requirement",
    "client_requirement",
    "document",
    "umbrella",
    "decision",
    "audit_entry",
    "audit_head",
    "label",
)


def upgrade() -> None:
    read_agencies_once(op, TABLES)


def downgrade() -> None:
    """Both policies let the same rows through."""
