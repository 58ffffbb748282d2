"""Timesheets of workers who did not work."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.drop_constraint(op.f("ck_timesheet_status_known"), "timesheet", type_="check")
    op.create_check_constraint(
        op.f("ck_timesheet_status_known"),
        "timesheet",
        "status IN ('expected', 'not_worked', 'submitted', 'rejected', 'approved')",
    )
