"""Row-level security reads the agencies of the transaction once a statement, not once a row."""

from __future__ import annotations

from alembic import op

from paybill_common.tables import read_agencies_once

revision = "0008"
down_revision = "0007"

TABLES = (
    "agency",
    "counter",
    "client",
    "site",
    "consultant",
    "payee",
    "worker",
    "rate_card",
    "rate_card_version",
    "placement",
    "timesheet",
    "entry",
    "expense",
    "timesheet_version",
    "evidence",
    "approval_request",
    "import_row",
    "chase",
    "week_cut_off",
    "compliance_decision",
    "mail",
    "label",
)


def upgrade() -> None:
    read_agencies_once(op, TABLES)


def downgrade() -> None:
    """Both policies let the same rows through."""
