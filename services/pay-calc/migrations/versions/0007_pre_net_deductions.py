"""Advances, overpayments and agreed deductions that are taken from net pay."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from paybill_common.tables import secure

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "net_deduction",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("deduction_id", sa.Uuid(), nullable=False),
        sa.Column("worker_id", sa.Uuid(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("arose_on", sa.Date(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("instalment_pence", sa.BigInteger(), nullable=False),
        sa.Column("total_pence", sa.BigInteger(), nullable=True),
        sa.Column("consent_ref", sa.Text(), nullable=True),
        sa.Column("consent_on", sa.Date(), nullable=True),
        sa.Column("taken_pence", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('advance', 'overpayment', 'agreed', 'agreed_for_others')", name=op.f("ck_net_deduction_kind")
        ),
        sa.CheckConstraint(
            "kind NOT IN ('agreed', 'agreed_for_others') OR (consent_ref IS NOT NULL AND consent_on <= arose_on)",
            name=op.f("ck_net_deduction_consent"),
        ),
        sa.CheckConstraint(
            "least(instalment_pence, total_pence, taken_pence) >= 0", name=op.f("ck_net_deduction_not_negative")
        ),
        sa.PrimaryKeyConstraint("agency_id", "deduction_id", name=op.f("pk_net_deduction")),
        sa.UniqueConstraint(
            "agency_id", "worker_id", "reference", name=op.f("uq_net_deduction_agency_id_worker_id_reference")
        ),
        sa.UniqueConstraint("agency_id", "external_id", name=op.f("uq_net_deduction_agency_id_external_id")),
        comment="taken is what finalised payslips took; total null: an instalment each week until it ends.",
    )
    secure(op, ("net_deduction",))


def downgrade() -> None:
    op.drop_table("net_deduction")
