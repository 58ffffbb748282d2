"""How much of a payslip's gross is pay for leave, which no timesheet carries, and the worker's leave with that payslip."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column(
        "payslip",
        sa.Column(
            "holiday_taken_pay_gbp", sa.Numeric(precision=14, scale=2), server_default=sa.text("0"), nullable=False
        ),
    )
    op.add_column("payslip", sa.Column("leave_earned_minutes", sa.Integer(), nullable=True))
    op.add_column("payslip", sa.Column("leave_taken_minutes", sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column("payslip", "leave_taken_minutes")
    op.drop_column("payslip", "leave_earned_minutes")
    op.drop_column("payslip", "holiday_taken_pay_gbp")
