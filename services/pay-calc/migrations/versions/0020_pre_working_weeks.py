"""Working weeks that contracts fix, and the leave that they give in the ledger."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from paybill_common.tables import secure

revision = "0020"
down_revision = "0019"

_KINDS = "'accrued', 'absence_accrued', 'entitled', 'carried_in', 'taken', 'paid_in_lieu', 'lapsed'"


def upgrade() -> None:
    op.create_table(
        "working_week",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("worker_id", sa.Uuid(), nullable=False),
        sa.Column("from_on", sa.Date(), nullable=False),
        sa.Column("days_a_week", sa.Numeric(2, 1), nullable=False),
        sa.Column("week_minutes", sa.Integer(), nullable=False),
        sa.Column("employed_from", sa.Date(), nullable=True),
        sa.Column("leave_year_from", sa.Date(), nullable=True),
        sa.Column("contract_ref", sa.Text(), nullable=False),
        sa.Column("withdrawn", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.CheckConstraint("days_a_week BETWEEN 0 AND 7", name=op.f("ck_working_week_days")),
        sa.CheckConstraint(
            "week_minutes BETWEEN 0 AND days_a_week * 1440 AND (week_minutes = 0) = (days_a_week = 0)",
            name=op.f("ck_working_week_whole"),
        ),
        sa.PrimaryKeyConstraint("agency_id", "worker_id", "from_on", name=op.f("pk_working_week")),
        comment="A working week that a worker's contract fixes from a day on; noughts: the hours are regular no more.",
    )
    secure(op, ("working_week",))
    op.drop_constraint(op.f("ck_leave_entry_kind"), "leave_entry")
    op.create_check_constraint(op.f("ck_leave_entry_kind"), "leave_entry", f"kind IN ({_KINDS})")


def downgrade() -> None:
    """The ledger only grows, so its new kind stays allowed."""
    op.drop_table("working_week")
