"""When an invoice run began and last moved, on the real clock: its rate can be told, and one that stands still is found."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    for name in ("began_at", "progressed_at"):
        op.add_column("invoice_run", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
        op.alter_column("invoice_run", name, server_default=sa.text("clock_timestamp()"))
