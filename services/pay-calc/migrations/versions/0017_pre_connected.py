"""Connected employers, and what they tell each other of a person whom both pay."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from paybill_common.tables import secure

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.create_table(
        "connected_employer",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("other_agency_id", sa.Uuid(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.CheckConstraint("agency_id <> other_agency_id", name=op.f("ck_connected_employer_another_agency")),
        sa.PrimaryKeyConstraint("agency_id", "other_agency_id", name=op.f("pk_connected_employer")),
        comment="Agencies that carry on business in association; it counts when both name each other.",
    )
    op.create_table(
        "connected_earnings",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("worker_id", sa.Uuid(), nullable=False),
        sa.Column("payslip_id", sa.Uuid(), nullable=False),
        sa.Column("payday_on", sa.Date(), nullable=False),
        sa.Column("ni_letter", sa.Text(), nullable=False),
        sa.Column("director", sa.Boolean(), nullable=False),
        sa.Column("niable_pence", sa.BigInteger(), nullable=False),
        sa.Column("employee_nic_pence", sa.BigInteger(), nullable=False),
        sa.Column("employer_nic_pence", sa.BigInteger(), nullable=False),
        sa.Column("student_loan_pence", sa.BigInteger(), nullable=False),
        sa.Column("postgrad_loan_pence", sa.BigInteger(), nullable=False),
        sa.Column("student_loan_plan", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("agency_id", "worker_id", "payslip_id", name=op.f("pk_connected_earnings")),
        comment="What a connected agency's final payslip (payslip_id there) charged of the same person: told by its pay run, never changed.",
    )
    op.create_index("ix_connected_earnings_payslip", "connected_earnings", ["payslip_id"], unique=False)
    op.create_index(
        "ix_pay_profile_ni_number",
        "pay_profile",
        ["agency_id", "ni_number"],
        unique=False,
        postgresql_where=sa.text("ni_number IS NOT NULL"),
    )
    secure(op, ("connected_employer", "connected_earnings"))
    # Only pay runs tell, as the worker role; an agency reads what it was told.
    op.execute("REVOKE INSERT, UPDATE, DELETE ON connected_earnings FROM paybill_api")
    op.execute("REVOKE UPDATE, DELETE ON connected_earnings FROM paybill_worker")


def downgrade() -> None:
    op.drop_index("ix_pay_profile_ni_number", "pay_profile")
    op.drop_table("connected_earnings")
    op.drop_table("connected_employer")
