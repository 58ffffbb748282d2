"""The CIS deduction of a subcontractor's slip, and what a self-bill pays after its deductions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_MONEY = sa.Numeric(precision=14, scale=2)


def upgrade() -> None:
    for name in ("cis_gbp", "cis_labour_gbp"):
        op.add_column("payslip", sa.Column(name, _MONEY, server_default=sa.text("0"), nullable=False))
    op.add_column("payslip", sa.Column("cis_rate_pct", sa.Integer(), nullable=True))
    op.add_column("document", sa.Column("payable_gbp", _MONEY, nullable=True))
