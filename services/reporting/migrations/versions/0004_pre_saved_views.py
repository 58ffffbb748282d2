"""The lists that people named and come back to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from paybill_common.tables import secure

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "saved_view",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("agency_id", "subject", "name", name=op.f("pk_saved_view")),
    )
    secure(op, ("saved_view",))


def downgrade() -> None:
    op.drop_table("saved_view")
