"""Which errors are only a matter of time: they back off and are never a dead letter."""

from __future__ import annotations

import asyncpg
import pytest
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from paybill_common.db import is_transient

AWAY = (
    asyncpg.CannotConnectNowError("the database system is starting up"),
    asyncpg.CrashShutdownError("terminating connection because of a crash"),
    asyncpg.TooManyConnectionsError("sorry, too many clients already"),
    asyncpg.SerializationError("could not serialize access"),
    asyncpg.DeadlockDetectedError("deadlock detected"),
    asyncpg.LockNotAvailableError("canceling statement due to lock timeout"),
)
WRONG = (asyncpg.UniqueViolationError("twice"), asyncpg.UndefinedTableError("no table"), asyncpg.DataError("no number"))


def wrapped(error: Exception) -> DBAPIError:
    """As SQLAlchemy hands on what a statement met; what connecting met comes as it is."""
    return DBAPIError("SELECT 1", {}, error)


@pytest.mark.parametrize("error", AWAY, ids=lambda error: type(error).__name__)
def test_a_database_that_is_away_or_lost_a_lock_is_transient(error: Exception) -> None:
    assert is_transient(error)
    assert is_transient(wrapped(error))


@pytest.mark.parametrize("error", WRONG, ids=lambda error: type(error).__name__)
def test_a_statement_that_can_never_work_is_not(error: Exception) -> None:
    assert not is_transient(error)
    assert not is_transient(wrapped(error))


def test_networks_and_connections_are_and_programming_errors_are_not() -> None:
    for error in (TimeoutError(), ConnectionResetError(), OSError(), OperationalError("s", {}, Exception("gone"))):
        assert is_transient(error)
    assert is_transient(DBAPIError("s", {}, Exception("gone"), connection_invalidated=True))
    for error in (ValueError("no"), KeyError("no"), IntegrityError("s", {}, Exception("twice"))):
        assert not is_transient(error)
