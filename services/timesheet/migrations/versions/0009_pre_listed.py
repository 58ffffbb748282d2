"""What the last e-mail to an approver listed. An approver asked before is taken to have been told of nothing, and is told once more."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column(
        "approval_request",
        sa.Column(
            "listed",
            JSONB(),
            nullable=False,
            server_default=sa.text("'{}'"),
            comment="By id, the sequence that each timesheet of the last e-mail had",
        ),
    )
