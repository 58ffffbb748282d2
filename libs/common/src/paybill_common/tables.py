"""The runtime's own tables, present in every service's database, and the row-level security of tenant tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    false,
    func,
    inspect,
    text,
)

RUNTIME_TABLES = (
    "inbox",
    "outbox",
    "dead_letter",
    "parked_key",
    "parked_event",
    "consumer_state",
    "idempotency_key",
    "replica",
)
"""Tables that only the runtime touches; they are kept from the API role by grants, not by row-level security."""

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


def service_metadata() -> MetaData:
    """A MetaData with the house's constraint names and the runtime's tables; a service adds its own tables to it."""
    metadata = MetaData(naming_convention=NAMING)
    now = func.clock_timestamp()
    Table(
        "inbox",
        metadata,
        Column("consumer", Text, primary_key=True),
        Column("event_id", Uuid, primary_key=True),
        Column("received_at", DateTime(timezone=True), nullable=False, server_default=now),
    )
    Table(
        "outbox",
        metadata,
        Column("id", BigInteger, Identity(always=True), primary_key=True),
        Column("event_id", Uuid, nullable=False, unique=True),
        Column("agency_id", Uuid, nullable=False),
        Column("topic", Text, nullable=False),
        Column("key", Text, nullable=False),
        Column("shard", SmallInteger, nullable=False, server_default=text("0")),
        Column("payload", Text),
        Column("headers", Text, nullable=False, server_default=text("'{}'")),
        Column("created_at", DateTime(timezone=True), nullable=False, server_default=now),
        Column("published_at", DateTime(timezone=True)),
        Index("ix_outbox_unpublished", "shard", "id", postgresql_where=text("published_at IS NULL")),
        Index("ix_outbox_topic_key", "topic", "key"),
    )
    Table(
        "dead_letter",
        metadata,
        Column("id", BigInteger, Identity(always=True), primary_key=True),
        Column("consumer", Text, nullable=False),
        Column("event_id", Uuid, nullable=False),
        Column("agency_id", Uuid),
        Column("event_type", Text, nullable=False),
        Column("topic", Text, nullable=False),
        Column("partition", Integer, nullable=False),
        Column("offset", BigInteger, nullable=False),
        Column("key", Text, nullable=False),
        Column("payload", LargeBinary),
        Column("headers", Text, nullable=False),
        Column("error_class", Text, nullable=False),
        Column("error", Text, nullable=False),
        Column("attempts", Integer, nullable=False, server_default=text("1")),
        Column("dead_at", DateTime(timezone=True), nullable=False, server_default=now),
        Column("resolved_at", DateTime(timezone=True)),
        Column("resolution", Text),
        Column("resolved_by", Text),
        Column("reason", Text),
        UniqueConstraint("consumer", "event_id"),
        Index("ix_dead_letter_open", "consumer", "id", postgresql_where=text("resolved_at IS NULL")),
    )
    Table(
        "parked_key",
        metadata,
        Column("consumer", Text, primary_key=True),
        Column("key", Text, primary_key=True),
        Column("dead_letter_id", BigInteger, nullable=False),
        Column("parked_at", DateTime(timezone=True), nullable=False, server_default=now),
    )
    Table(
        "parked_event",
        metadata,
        Column("id", BigInteger, Identity(always=True), primary_key=True),
        Column("consumer", Text, nullable=False),
        Column("key", Text, nullable=False),
        Column("event_id", Uuid, nullable=False),
        Column("agency_id", Uuid),
        Column("topic", Text, nullable=False),
        Column("partition", Integer, nullable=False),
        Column("offset", BigInteger, nullable=False),
        Column("payload", LargeBinary),
        Column("headers", Text, nullable=False),
        Column("parked_at", DateTime(timezone=True), nullable=False, server_default=now),
        UniqueConstraint("consumer", "event_id"),
        Index("ix_parked_event_key", "consumer", "key", "id"),
    )
    Table(
        "consumer_state",
        metadata,
        Column("consumer", Text, primary_key=True),
        Column("dead_letters_in_a_row", Integer, nullable=False, server_default=text("0")),
        Column("stopped", Boolean, nullable=False, server_default=false()),
        Column("stopped_at", DateTime(timezone=True)),
    )
    Table("replica", metadata, *_replica_columns())
    Table(
        "idempotency_key",
        metadata,
        Column("caller", Text, primary_key=True),
        Column("key", Text, primary_key=True),
        Column("request_hash", Text, nullable=False),
        Column("status", Integer, nullable=False),
        Column("body", LargeBinary, nullable=False),
        Column("created_at", DateTime(timezone=True), nullable=False, server_default=now),
    )
    Table(
        "label",
        metadata,
        Column("kind", Text, primary_key=True),
        Column("entry_id", Uuid, primary_key=True),
        Column("agency_id", Uuid, nullable=False, index=True),
        Column("display_name", Text, nullable=False),
        Column("reference", Text),
        Column("sequence", BigInteger, nullable=False),
    )
    return metadata


def _replica_columns() -> list[Column[Any]]:
    return [
        Column("replica", Text, primary_key=True, comment="Host, process and start: unique to one run of one process"),
        Column("started_at", DateTime(timezone=True), nullable=False),
        Column("seen_at", DateTime(timezone=True), nullable=False, comment="Its last sign of life, on the real clock"),
        Column("moved_at", DateTime(timezone=True), comment="When its consumer last came back from a poll"),
        Column("partitions", Integer, nullable=False),
        Column("lag", BigInteger, comment="Events of its own partitions not yet handled; null: not known"),
    ]


_OWN_AGENCIES = "agency_id = ANY ((SELECT paybill_agencies())::uuid[])"
"""As a subquery the list is read once a statement; without it Postgres parses the setting again for every row."""


def secure(op: Any, tables: Iterable[str]) -> None:
    """In a migration: force row-level security on these tenant tables (each has an `agency_id`).

    The API role sees and writes the agencies of its transaction alone; the worker role has a policy of its own.
    """
    op.execute(
        "CREATE OR REPLACE FUNCTION paybill_agencies() RETURNS uuid[] LANGUAGE sql STABLE AS "
        "$$ SELECT string_to_array(nullif(current_setting('paybill.agencies', true), ''), ',')::uuid[] $$"
    )
    for table in tables:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY {table}_api ON {table} TO paybill_api USING ({_OWN_AGENCIES}) WITH CHECK ({_OWN_AGENCIES})"
        )
        op.execute(f"CREATE POLICY {table}_worker ON {table} TO paybill_worker USING (true) WITH CHECK (true)")
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO paybill_api, paybill_worker")


def read_agencies_once(op: Any, tables: Iterable[str]) -> None:
    """In a migration: give tenant tables that were secured before it the policy that `secure` writes now."""
    for table in tables:
        op.execute(f"ALTER POLICY {table}_api ON {table} USING ({_OWN_AGENCIES}) WITH CHECK ({_OWN_AGENCIES})")


def grant_runtime(op: Any) -> None:
    """In a migration: what each role may do with those of the runtime's tables that exist at that revision.

    The API role can append to the outbox, and reads the stored answers of the caller of its transaction alone.
    """
    existing = inspect(op.get_bind()).get_table_names()
    for table in RUNTIME_TABLES:
        if table in existing:
            op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO paybill_worker")
    op.execute("GRANT INSERT ON outbox TO paybill_api")
    op.execute("GRANT SELECT, INSERT, DELETE ON idempotency_key TO paybill_api")
    op.execute("ALTER TABLE idempotency_key ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE idempotency_key FORCE ROW LEVEL SECURITY")
    caller = "caller = nullif(current_setting('paybill.caller', true), '')"
    op.execute(
        f"CREATE POLICY idempotency_key_api ON idempotency_key TO paybill_api USING ({caller}) WITH CHECK ({caller})"
    )
    op.execute(
        "CREATE POLICY idempotency_key_worker ON idempotency_key TO paybill_worker USING (true) WITH CHECK (true)"
    )
    op.execute("GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO paybill_api, paybill_worker")


def add_replicas_and_reasons(op: Any) -> None:
    """In the second revision of every service: replicas of a service, and why a dead letter was discarded."""
    op.add_column("dead_letter", Column("reason", Text))
    op.create_table("replica", *_replica_columns())
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON replica TO paybill_worker")
