"""The leave ledger, leave that workers take, and its payment in lieu on leaving."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from paybill_common.tables import secure

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    _records()
    op.create_table(
        "leave_entry",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("worker_id", sa.Uuid(), nullable=False),
        sa.Column("entry_on", sa.Date(), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("exact", sa.BigInteger(), nullable=False),
        sa.Column("worked_minutes", sa.Integer(), nullable=False),
        sa.Column("absent_days", sa.Integer(), nullable=False),
        sa.Column("record_id", sa.Uuid(), nullable=True),
        sa.Column("payslip_id", sa.Uuid(), nullable=True),
        sa.Column("amount_pence", sa.BigInteger(), nullable=True),
        sa.Column("how", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('accrued', 'absence_accrued', 'carried_in', 'taken', 'paid_in_lieu', 'lapsed')",
            name=op.f("ck_leave_entry_kind"),
        ),
        sa.CheckConstraint(
            "kind IN ('carried_in', 'lapsed') OR payslip_id IS NOT NULL", name=op.f("ck_leave_entry_by_a_payslip")
        ),
        sa.ForeignKeyConstraint(
            ["agency_id", "payslip_id"],
            ["payslip.agency_id", "payslip.payslip_id"],
            name=op.f("fk_leave_entry_agency_id_payslip_id"),
        ),
        sa.PrimaryKeyConstraint("agency_id", "source_id", "kind", "subject", name=op.f("pk_leave_entry")),
        comment="The leave ledger, minutes: rows are only ever added. source: the payslip, or the id that a person's entry has. "
        "exact: minutes x 10,000 without rounding. worked_minutes, absent_days: what it stands on. how: by what rule or rate.",
    )
    op.create_index("ix_leave_entry_worker", "leave_entry", ["agency_id", "worker_id", "entry_on"], unique=False)
    secure(op, ("holiday_record", "holiday_week", "leave_entry"))
    op.execute("REVOKE UPDATE, DELETE ON leave_entry FROM paybill_api, paybill_worker")


def _records() -> None:
    op.create_table(
        "holiday_record",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("record_id", sa.Uuid(), nullable=False),
        sa.Column("worker_id", sa.Uuid(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("first_on", sa.Date(), nullable=False),
        sa.Column("last_on", sa.Date(), nullable=False),
        sa.Column("days", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("in_advance", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("contract_week_pence", sa.BigInteger(), nullable=True),
        sa.Column("contract_week_minutes", sa.Integer(), nullable=True),
        sa.Column("contract_ref", sa.Text(), nullable=True),
        sa.Column("recovery_ref", sa.Text(), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=False),
        sa.Column("decided_on", sa.Date(), nullable=False),
        sa.Column("evidence_ref", sa.Text(), nullable=False),
        sa.Column("cancelled", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.CheckConstraint("kind IN ('taken', 'in_lieu')", name=op.f("ck_holiday_record_kind")),
        sa.CheckConstraint("first_on <= last_on", name=op.f("ck_holiday_record_order")),
        sa.CheckConstraint(
            "num_nulls(contract_week_pence, contract_week_minutes, contract_ref) IN (0, 3)",
            name=op.f("ck_holiday_record_contract_week_whole"),
        ),
        sa.PrimaryKeyConstraint("agency_id", "record_id", name=op.f("pk_holiday_record")),
        sa.UniqueConstraint("agency_id", "external_id", name=op.f("uq_holiday_record_agency_id_external_id")),
        comment="Leave that a worker takes, or its payment in lieu on leaving; days: minutes by day.",
    )
    op.create_index("ix_holiday_record_worker", "holiday_record", ["agency_id", "worker_id"], unique=False)
    op.create_table(
        "holiday_week",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("record_id", sa.Uuid(), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("worker_id", sa.Uuid(), nullable=False),
        sa.Column("week_ending", sa.Date(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("payslip_id", sa.Uuid(), nullable=True),
        sa.Column("days", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.CheckConstraint("state IN ('open', 'settled')", name=op.f("ck_holiday_week_state")),
        sa.CheckConstraint(
            "(state = 'settled') = (payslip_id IS NOT NULL)", name=op.f("ck_holiday_week_settled_by_a_payslip")
        ),
        sa.ForeignKeyConstraint(
            ["agency_id", "record_id"],
            ["holiday_record.agency_id", "holiday_record.record_id"],
            name=op.f("fk_holiday_week_agency_id_record_id"),
        ),
        sa.PrimaryKeyConstraint("agency_id", "record_id", "first_day", name=op.f("pk_holiday_week")),
        comment="Days of one record that one payslip pays. open: may be paid; settled: in a finalised payslip.",
    )
    op.create_index(
        "ix_holiday_week_open",
        "holiday_week",
        ["agency_id", "worker_id"],
        unique=False,
        postgresql_where=sa.text("state = 'open'"),
    )


def downgrade() -> None:
    op.drop_table("leave_entry")
    op.drop_table("holiday_week")
    op.drop_table("holiday_record")
