"""How much of a payslip's gross is statutory pay, which no timesheet carries."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column(
        "payslip",
        sa.Column("statutory_pay_gbp", sa.Numeric(precision=14, scale=2), server_default=sa.text("0"), nullable=False),
    )


def downgrade() -> None:
    op.drop_column("payslip", "statutory_pay_gbp")
