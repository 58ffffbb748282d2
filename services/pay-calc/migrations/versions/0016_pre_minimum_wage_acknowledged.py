"""Who put a name to a payslip that fails the minimum wage test, or cannot be tested, before its pay run closed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from paybill_common.tables import secure

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.create_table(
        "minimum_wage_acknowledgement",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("payslip_id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("worker_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("shortfall_pence", sa.BigInteger(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("acknowledged_by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "code IN ('below_minimum_wage', 'minimum_wage_not_tested')",
            name=op.f("ck_minimum_wage_acknowledgement_code"),
        ),
        sa.CheckConstraint(
            "(code = 'below_minimum_wage') = (shortfall_pence > 0) AND shortfall_pence >= 0",
            name=op.f("ck_minimum_wage_acknowledgement_shortfall"),
        ),
        sa.ForeignKeyConstraint(
            ["agency_id", "payslip_id"],
            ["payslip.agency_id", "payslip.payslip_id"],
            name=op.f("fk_minimum_wage_acknowledgement_agency_id_payslip_id"),
        ),
        sa.PrimaryKeyConstraint("agency_id", "payslip_id", "revision", name=op.f("pk_minimum_wage_acknowledgement")),
        comment="Rows are only ever added: a payslip's revision and its finding as the person saw it. recorded_by: whose token it was.",
    )
    secure(op, ("minimum_wage_acknowledgement",))
    op.execute("REVOKE UPDATE, DELETE ON minimum_wage_acknowledgement FROM paybill_api, paybill_worker")


def downgrade() -> None:
    op.drop_table("minimum_wage_acknowledgement")
