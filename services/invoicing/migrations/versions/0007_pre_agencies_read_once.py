"""Row-level security reads the agencies of the transaction once a statement, not once a row."""

from __future__ import annotations

from alembic import op

from paybill_common.tables import read_agencies_once

revision = "0007"
down_revision = "0006"

TABLES = (
    "issuer",
    "client_terms",
    "supplier",
    "timesheet",
    "charge",
    "clearance",
    "week_control",
    "number_counter",
    "invoice_run",
    "invoice_run_client",
    "document",
    "document_line",
    "ledger_entry",
    "receipt",
    "receipt_allocation",
    "pay_run",
    "self_bill_pay",
    "self_bill_charge",
    "label",
)


def upgrade() -> None:
    read_agencies_once(op, TABLES)


def downgrade() -> None:
    """Both policies let the same rows through."""
