"""Recorded absences and family leaves, and the weeks of statutory pay that follow from them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from paybill_common.tables import secure

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "statutory_record",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("record_id", sa.Uuid(), nullable=False),
        sa.Column("worker_id", sa.Uuid(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("first_on", sa.Date(), nullable=False),
        sa.Column("last_on", sa.Date(), nullable=False),
        sa.Column("cancelled", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("average_pence", sa.BigInteger(), nullable=False),
        sa.Column("average_divisor", sa.Integer(), nullable=False),
        sa.Column("average_method", sa.Text(), nullable=False),
        sa.Column("terms", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('SSP', 'SMP', 'SAP', 'SPP', 'ShPP', 'SPBP', 'SNCP')", name=op.f("ck_statutory_record_kind")
        ),
        sa.CheckConstraint("first_on <= last_on", name=op.f("ck_statutory_record_order")),
        sa.CheckConstraint("average_pence >= 0 AND average_divisor > 0", name=op.f("ck_statutory_record_average")),
        sa.PrimaryKeyConstraint("agency_id", "record_id", name=op.f("pk_statutory_record")),
        sa.UniqueConstraint("agency_id", "external_id", name=op.f("uq_statutory_record_agency_id_external_id")),
        comment="An absence (SSP) or a leave that a person decided on. average_pence / average_divisor: the average week.",
    )
    op.create_index("ix_statutory_record_worker", "statutory_record", ["agency_id", "worker_id"], unique=False)
    op.create_table(
        "statutory_week",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("record_id", sa.Uuid(), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("worker_id", sa.Uuid(), nullable=False),
        sa.Column("week_ending", sa.Date(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("payslip_id", sa.Uuid(), nullable=True),
        sa.Column("terms", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.CheckConstraint("state IN ('open', 'settled')", name=op.f("ck_statutory_week_state")),
        sa.CheckConstraint(
            "(state = 'settled') = (payslip_id IS NOT NULL)", name=op.f("ck_statutory_week_settled_by_a_payslip")
        ),
        sa.ForeignKeyConstraint(
            ["agency_id", "record_id"],
            ["statutory_record.agency_id", "statutory_record.record_id"],
            name=op.f("fk_statutory_week_agency_id_record_id"),
        ),
        sa.PrimaryKeyConstraint("agency_id", "record_id", "first_day", name=op.f("pk_statutory_week")),
        comment="Days of one record that one payslip pays. open: may be paid; settled: in a finalised payslip.",
    )
    op.create_index(
        "ix_statutory_week_open",
        "statutory_week",
        ["agency_id", "worker_id"],
        unique=False,
        postgresql_where=sa.text("state = 'open'"),
    )
    secure(op, ("statutory_record", "statutory_week"))


def downgrade() -> None:
    op.drop_table("statutory_week")
    op.drop_table("statutory_record")
