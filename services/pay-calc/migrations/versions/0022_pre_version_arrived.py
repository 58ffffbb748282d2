"""When a version arrived on the real clock: one that waits too long for its decision is told as held."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    op.add_column(
        "timesheet_version",
        sa.Column(
            "arrived_at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.text("now()"),
            comment="Real clock",
        ),
    )
