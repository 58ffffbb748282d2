"""How HMRC verified a CIS subcontractor, and what a self-bill pays after its deductions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("payee", sa.Column("cis_utr", sa.Text(), nullable=True))
    op.add_column("payee", sa.Column("cis_rate_pct", sa.Integer(), nullable=True))
    op.add_column("payee", sa.Column("cis_verification_number", sa.Text(), nullable=True))
    op.add_column("payee", sa.Column("cis_verified_on", sa.Date(), nullable=True))
    op.create_check_constraint(op.f("ck_payee_cis_rate"), "payee", "cis_rate_pct IN (0, 20, 30)")
    op.create_check_constraint(
        op.f("ck_payee_cis_whole"),
        "payee",
        "(cis_rate_pct IS NULL) = (cis_verified_on IS NULL) AND (cis_rate_pct IS NULL) = (cis_verification_number IS NULL)",
    )
    op.add_column("self_bill", sa.Column("payable_gbp", sa.Numeric(14, 2), nullable=True))
    op.create_index(
        "ix_payslip_cis",
        "payslip",
        ["agency_id", "payee_id", "payday_on"],
        postgresql_where=sa.text("pay_basis = 'cis' AND state = 'finalised'"),
    )
