"""The runtime's tables and one toy table."""

from alembic import op

from paybill_common.tables import grant_runtime, secure, service_metadata

revision = "0001"
down_revision = None


def upgrade() -> None:
    service_metadata().create_all(op.get_bind())
    op.execute(
        "CREATE TABLE toy (worker_id uuid PRIMARY KEY, agency_id uuid NOT NULL, minutes int NOT NULL, story text NOT NULL)"
    )
    secure(op, ["toy", "label"])
    grant_runtime(op)
