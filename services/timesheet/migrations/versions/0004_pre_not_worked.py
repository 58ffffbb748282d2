"""The answer "did not work this week"."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("timesheet", sa.Column("not_worked_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("timesheet", sa.Column("not_worked_by", sa.Text(), nullable=True))
    op.drop_constraint(op.f("ck_timesheet_status_known"), "timesheet", type_="check")
    op.create_check_constraint(
        op.f("ck_timesheet_status_known"),
        "timesheet",
        "status IN ('draft', 'submitted', 'approved', 'rejected', 'amended', 'not_worked')",
    )
    op.create_check_constraint(
        op.f("ck_timesheet_not_worked_by_somebody"),
        "timesheet",
        "(status = 'not_worked') = (not_worked_at IS NOT NULL) AND (not_worked_at IS NULL) = (not_worked_by IS NULL)",
    )
