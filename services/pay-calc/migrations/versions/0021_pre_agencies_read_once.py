"""Row-level security reads the agencies of the transaction once a statement, not once a row."""

from __future__ import annotations

from alembic import op

from paybill_common.tables import read_agencies_once

revision = "0021"
down_revision = "0020"

TABLES = (
    "worker",
    "pay_profile",
    "payee",
    "employer",
    "pay_calendar",
    "timesheet_version",
    "clearance",
    "week_cut_off",
    "pay_run",
    "pay_run_worker",
    "payslip",
    "paid_charge",
    "year_to_date",
    "year_to_date_nic",
    "self_bill",
    "payment_file",
    "payment",
    "label",
    "pay_run_replay",
    "attachment_order",
    "attachment_amount",
    "statutory_record",
    "statutory_week",
    "net_deduction",
    "placement_sds",
    "employer_year",
    "pension_record",
    "holiday_record",
    "holiday_week",
    "leave_entry",
    "nil_week",
    "minimum_wage_acknowledgement",
    "connected_employer",
    "connected_earnings",
    "working_week",
)


def upgrade() -> None:
    read_agencies_once(op, TABLES)


def downgrade() -> None:
    """Both policies let the same rows through."""
