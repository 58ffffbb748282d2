"""Row-level security reads the agencies of the transaction once a statement, not once a row."""

from __future__ import annotations

from alembic import op

from paybill_common.tables import read_agencies_once

revision = "0009"
down_revision = "0008"

TABLES = (
    "agency",
    "party",
    "timesheet",
    "charge_line",
    "payslip",
    "payslip_share",
    "paid_line",
    "pay_hold_state",
    "pay_hold",
    "pay_run",
    "payment",
    "document",
    "billed_line",
    "receipt",
    "invoice_run",
    "week_cut_off",
    "alert",
    "story",
    "pulse",
    "label",
    "saved_view",
    "long_work",
)


def upgrade() -> None:
    read_agencies_once(op, TABLES)


def downgrade() -> None:
    """Both policies let the same rows through."""
