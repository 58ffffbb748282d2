"""The runtime's tables and what the witness saw."""

from alembic import op

from paybill_common.tables import grant_runtime, secure, service_metadata

revision = "0001"
down_revision = None


def upgrade() -> None:
    service_metadata().create_all(op.get_bind())
    op.execute(
        "CREATE TABLE witnessed (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, agency_id uuid NOT NULL,"
        " event_id uuid NOT NULL, topic text NOT NULL, key text NOT NULL)"
    )
    op.execute("CREATE INDEX ix_witnessed_agency ON witnessed (agency_id)")
    secure(op, ["witnessed", "label"])
    grant_runtime(op)
