"""Postgres: one `Database` per role and process, one `Tx` per transaction. Nobody else commits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import TextClause, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from paybill_common import envelope, telemetry
from paybill_common.ids import new_id
from paybill_common.outbox import OutboxRow, insert_outbox
from paybill_contracts import EventData

log = structlog.get_logger()
READY_S = 5.0
_TRANSIENT_SQLSTATES = ("08", "40", "53", "55P03", "57P", "25P03", "58")


@lru_cache(maxsize=2_000)
def _statement(sql: str) -> TextClause:
    """The statement of a text, parsed once: what SQLAlchemy works out for it is kept on it."""
    return text(sql)


class Tx:
    """An open transaction: the connection to work with, business `now`, and the events to emit with it.

    `emit` only collects; the rows are written once, just before the commit, after the aggregate's locks are held.
    """

    def __init__(self, connection: AsyncConnection, *, now: datetime, source: str) -> None:
        self.connection = connection
        self.now = now
        self.source = source
        self.outgoing: list[OutboxRow] = []

    async def execute(self, sql: str, **params: Any) -> Any:
        """Run one SQL statement with named parameters and return SQLAlchemy's result."""
        return await self.connection.execute(_statement(sql), params)

    def emit(self, data: EventData, *, sequence: int, cause: envelope.AnyEvent | None = None) -> UUID:
        """Put an event in the outbox of this transaction. Its id is made here, once, and never changes.

        `sequence` is the aggregate's version. `cause` is the event this one answers; its trace goes on, whichever
        events shared its batch.
        """
        event_id = new_id()
        current = telemetry.current_traceparent()
        payload = envelope.encode(
            data,
            event_id=event_id,
            source=self.source,
            sequence=sequence,
            time=self.now,
            traceparent=telemetry.carry_on(cause.traceparent if cause else None, current),
            correlation_id=cause.correlation_id if cause else telemetry.correlation_id(current, event_id),
            causation_id=str(cause.id) if cause else None,
        )
        self.outgoing.append(OutboxRow(event_id, data.agency_id, data.TOPIC, data.partition_key(), payload, ()))
        return event_id

    def erase(self, *, agency_id: UUID, topic: str, key: str, sequence: int) -> UUID:
        """Emit a tombstone for this key of a compacted topic: the label behind it is erased everywhere."""
        event_id = new_id()
        headers = (
            ("ce_id", str(event_id)),
            ("ce_agency", str(agency_id)),
            ("ce_sequence", str(sequence)),
            ("ce_time", self.now.isoformat()),
        )
        self.outgoing.append(OutboxRow(event_id, agency_id, topic, key, None, headers))
        return event_id

    async def flush(self) -> None:
        """Write the collected events to the outbox."""
        rows, self.outgoing = self.outgoing, []
        if rows:
            await insert_outbox(self.connection, rows)


class Database:
    """A pool of connections as one role. `source` names the service on every event it emits."""

    def __init__(self, url: str, *, source: str, pool_size: int = 10, statement_timeout_ms: int = 60_000) -> None:
        self.source = source
        self.engine: AsyncEngine = create_async_engine(
            url,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=30,
            pool_pre_ping=False,
            hide_parameters=True,
            connect_args={
                "timeout": 10,
                "command_timeout": statement_timeout_ms / 1000,
                "server_settings": {
                    "application_name": f"paybill-{source}",
                    "statement_timeout": str(statement_timeout_ms),
                    "idle_in_transaction_session_timeout": "60000",
                    "timezone": "UTC",
                },
            },
        )
        self._at_once = self.engine.execution_options(isolation_level="AUTOCOMMIT")

    async def finds(self, sql: str, **params: Any) -> bool:
        """Whether a query finds a row: one statement without a transaction, for what is asked often and mostly finds none."""
        async with self._at_once.connect() as connection:
            return (await connection.execute(_statement(sql), params)).first() is not None

    @asynccontextmanager
    async def transaction(
        self, *, now: datetime, agencies: Sequence[UUID] | None = None, read_only: bool = False
    ) -> AsyncIterator[Tx]:
        """One transaction: committed at the end with its outbox rows, rolled back on any error.

        `agencies` limits the API role to those tenants; the worker role passes None.
        """
        async with self.engine.begin() as connection:
            tx = Tx(connection, now=now, source=self.source)
            if agencies is not None:
                allowed = ",".join(str(agency) for agency in agencies)
                await tx.execute("SELECT set_config('paybill.agencies', :agencies, true)", agencies=allowed)
            if read_only:
                await tx.execute("SET TRANSACTION READ ONLY")
            yield tx
            await tx.flush()

    async def ready(self) -> bool:
        """The database answers within five seconds. Why it does not, a missing role or network, makes no difference."""
        try:
            async with asyncio.timeout(READY_S), self.engine.connect() as connection:
                await connection.execute(text("SELECT 1"))
        except Exception as error:
            log.warning("database.not_ready", error=error)
            return False
        return True

    async def close(self) -> None:
        await self.engine.dispose()


def is_transient(error: BaseException) -> bool:
    """The database or the bus is away, or a lock or serialisation was lost: the same work may succeed later."""
    if isinstance(error, (TimeoutError, ConnectionError, OSError)):
        return True
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    # What the server says while somebody connects, the driver raises as it is.
    cause = error.orig if isinstance(error, DBAPIError) else error
    sqlstate = str(getattr(cause, "sqlstate", "") or "")
    if sqlstate:
        return sqlstate.startswith(_TRANSIENT_SQLSTATES)
    return isinstance(error, (OperationalError, InterfaceError))
