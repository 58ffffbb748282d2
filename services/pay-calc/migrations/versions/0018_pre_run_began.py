"""When a pay run began on the real clock, so that its rate can be told; runs from before do not know."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    op.add_column("pay_run", sa.Column("began_at", sa.DateTime(timezone=True), nullable=True))
    op.alter_column("pay_run", "began_at", server_default=sa.text("clock_timestamp()"))
