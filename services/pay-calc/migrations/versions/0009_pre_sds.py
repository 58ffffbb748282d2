"""The status determination of limited companies' placements and timesheets."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from paybill_common.tables import secure

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("timesheet_version", sa.Column("sds", sa.Text(), nullable=True))
    op.create_table(
        "placement_sds",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("placement_id", sa.Uuid(), nullable=False),
        sa.Column("worker_id", sa.Uuid(), nullable=False),
        sa.Column("sds", sa.Text(), nullable=True),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("agency_id", "placement_id", name=op.f("pk_placement_sds")),
        comment="What was decided of a limited company's placement, as it stands now; it overrides what a timesheet carried.",
    )
    secure(op, ("placement_sds",))


def downgrade() -> None:
    op.drop_table("placement_sds")
    op.drop_column("timesheet_version", "sds")
