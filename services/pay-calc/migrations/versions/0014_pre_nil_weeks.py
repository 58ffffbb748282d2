"""Workers' applications for the tax of a week without pay."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from paybill_common.tables import secure

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.create_table(
        "nil_week",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("worker_id", sa.Uuid(), nullable=False),
        sa.Column("week_ending", sa.Date(), nullable=False),
        sa.Column("applied_on", sa.Date(), nullable=False),
        sa.Column("document_ref", sa.Text(), nullable=True),
        sa.Column("withdrawn", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.CheckConstraint("extract(isodow FROM week_ending) = 7", name=op.f("ck_nil_week_ends_on_sunday")),
        sa.PrimaryKeyConstraint("agency_id", "worker_id", "week_ending", name=op.f("pk_nil_week")),
        comment="A worker's application for the tax that a week without pay gives back: no payslip is made for such a week without it.",
    )
    secure(op, ("nil_week",))


def downgrade() -> None:
    op.drop_table("nil_week")
