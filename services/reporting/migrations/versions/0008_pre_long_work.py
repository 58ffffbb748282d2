"""Commands that outlast a request: who asked for what and when, and what was heard of it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from paybill_common.tables import secure

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "long_work",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("work_id", sa.Uuid(), nullable=False),
        sa.Column("command", sa.Text(), nullable=False),
        sa.Column("week_ending", sa.Date(), nullable=True),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("runs_before", sa.Integer(), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("goes_on", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("failure", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.CheckConstraint("failure IS NULL OR ended_at IS NOT NULL", name=op.f("ck_long_work_failed_is_over")),
        sa.PrimaryKeyConstraint("agency_id", "work_id", name=op.f("pk_long_work")),
    )
    op.create_index("ix_long_work_began", "long_work", ["agency_id", "began_at"])
    secure(op, ("long_work",))


def downgrade() -> None:
    op.drop_table("long_work")
