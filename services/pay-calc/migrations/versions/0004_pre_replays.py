"""What the nightly replay of each closed pay run found, and how far it is."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from paybill_common.tables import secure

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "pay_run_replay",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("pay_run_id", sa.Uuid(), nullable=False),
        sa.Column("night", sa.Date()),
        sa.Column("state", sa.Text()),
        sa.Column("result", postgresql.JSONB()),
        sa.Column("checked_at", sa.DateTime(timezone=True)),
        sa.Column("progress_night", sa.Date()),
        sa.Column("progress", postgresql.JSONB()),
        sa.CheckConstraint("state IN ('agrees', 'differs', 'not_available')", name=op.f("ck_pay_run_replay_state")),
        sa.CheckConstraint(
            "(state IS NULL) = (night IS NULL OR result IS NULL OR checked_at IS NULL)",
            name=op.f("ck_pay_run_replay_result_whole"),
        ),
        sa.CheckConstraint(
            "(progress IS NULL) = (progress_night IS NULL)", name=op.f("ck_pay_run_replay_progress_whole")
        ),
        sa.ForeignKeyConstraint(
            ["agency_id", "pay_run_id"],
            ["pay_run.agency_id", "pay_run.pay_run_id"],
            name=op.f("fk_pay_run_replay_agency_id_pay_run_id"),
        ),
        sa.PrimaryKeyConstraint("agency_id", "pay_run_id", name=op.f("pk_pay_run_replay")),
        comment="What the last nightly replay of a closed run found; progress: how far the replay of a later night is.",
    )
    secure(op, ("pay_run_replay",))


def downgrade() -> None:
    op.drop_table("pay_run_replay")
