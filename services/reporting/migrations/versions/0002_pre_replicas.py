"""Replicas of the service, and why a dead letter was discarded."""

from alembic import op

from paybill_common.tables import add_replicas_and_reasons

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    add_replicas_and_reasons(op)
