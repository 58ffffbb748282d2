"""The trace of a timesheet's approval, so that the invoice links to it."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    comment = "Of the event that approved this version; an invoice links to it"
    op.add_column("timesheet", sa.Column("traceparent", sa.Text(), nullable=True, comment=comment))
