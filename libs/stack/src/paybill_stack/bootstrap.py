"""Databases and login roles, made on any Postgres that the superuser's address leads to. Running it twice changes nothing.

Per service one database and three logins: the owner (migrations), the API and the worker. API and worker belong to the
cluster-wide groups `paybill_api` and `paybill_worker`, to which migrations grant; neither is a superuser nor exempt from row-level
security. Nobody but a database's own logins may connect to it.
"""

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote, urlsplit

import asyncpg

from paybill_stack import StackError

SERVICES = ("timesheet", "pay-calc", "invoicing", "compliance", "reporting")
API_GROUP = "paybill_api"
WORKER_GROUP = "paybill_worker"
DEFAULT_PREFIX = "paybill"
Role = Literal["owner", "api", "worker"]
ROLES: tuple[Role, ...] = ("owner", "api", "worker")
_PREFIX = re.compile(r"[a-z][a-z0-9_]{0,39}")
_LOCK_KEY = 7_218_001  # one bootstrap at a time on a server
_LOGIN = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS NOREPLICATION"


@dataclass(frozen=True)
class DatabaseUrls:
    """Addresses of one database for SQLAlchemy (`postgresql+asyncpg://…`), one a login role."""

    owner: str
    api: str
    worker: str

    def dsn(self, role: Role) -> str:
        """The same address for plain asyncpg."""
        url: str = getattr(self, role)
        return url.replace("postgresql+asyncpg://", "postgresql://", 1)


def database_name(service: str, prefix: str = DEFAULT_PREFIX) -> str:
    """`paybill_pay_calc` for "pay-calc" (or "pay_calc").

    Raises:
        StackError: the service or the prefix is not one of ours.
    """
    if service.replace("_", "-") not in SERVICES:
        raise StackError(f"there is no service {service!r}; the services are {', '.join(SERVICES)}")
    if not _PREFIX.fullmatch(prefix):
        raise StackError(
            f"database prefix {prefix!r} is not allowed: lower-case letters, digits and underscores, at most 40"
        )
    return f"{prefix}_{service.replace('-', '_')}"


def role_password(secret: str, role: str) -> str:
    """The password of a login role, derived from the instance's secret so that it need not be kept anywhere."""
    return hmac.new(secret.encode(), role.encode(), hashlib.sha256).hexdigest()


def database_urls(admin_dsn: str, secret: str, service: str, prefix: str = DEFAULT_PREFIX) -> DatabaseUrls:
    """The three addresses of a service's database on the server of `admin_dsn`."""
    name = database_name(service, prefix)
    server = urlsplit(admin_dsn)
    place = f"{server.hostname or ''}:{server.port or 5432}"

    def url(role: Role) -> str:
        login = f"{name}_{role}"
        return f"postgresql+asyncpg://{quote(login)}:{role_password(secret, login)}@{place}/{name}"

    return DatabaseUrls(owner=url("owner"), api=url("api"), worker=url("worker"))


async def create_databases(
    admin_dsn: str, secret: str, prefix: str = DEFAULT_PREFIX, services: Sequence[str] = SERVICES
) -> None:
    """Make the groups, and for each service its logins and database, where they are missing; passwords are set anew.

    Args:
        admin_dsn: address of a superuser, asyncpg style.
        secret: the instance's secret, from which passwords are derived.
        prefix: first part of database and role names; tests use their own.
        services: for which services.
    """
    connection = await asyncpg.connect(admin_dsn, timeout=30)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK_KEY)
        roles = {row["rolname"] for row in await connection.fetch("SELECT rolname FROM pg_roles")}
        databases = {row["datname"] for row in await connection.fetch("SELECT datname FROM pg_database")}
        for group in (API_GROUP, WORKER_GROUP):
            if group not in roles:
                await connection.execute(f"CREATE ROLE {group} NOLOGIN NOSUPERUSER NOBYPASSRLS")
        for service in services:
            name = database_name(service, prefix)
            await _create_logins(connection, name, secret, roles)
            if name not in databases:
                await connection.execute(f"CREATE DATABASE {name} OWNER {name}_owner")
            await connection.execute(
                f"REVOKE CONNECT, TEMPORARY ON DATABASE {name} FROM PUBLIC;"
                f"GRANT CONNECT ON DATABASE {name} TO {name}_owner, {name}_api, {name}_worker"
            )
    finally:
        await connection.close(timeout=10)


async def drop_databases(admin_dsn: str, prefix: str) -> None:
    """Remove the databases and logins of a test's prefix, disconnecting whoever uses them.

    Raises:
        StackError: `prefix` is the product's own.
    """
    if prefix == DEFAULT_PREFIX:
        raise StackError(f"databases of prefix {prefix!r} are not dropped by this function; it is for tests")
    connection = await asyncpg.connect(admin_dsn, timeout=30)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK_KEY)
        for service in SERVICES:
            name = database_name(service, prefix)
            await connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            for role in ROLES:
                await connection.execute(f"DROP ROLE IF EXISTS {name}_{role}")
    finally:
        await connection.close(timeout=10)


async def _create_logins(
    connection: "asyncpg.Connection[asyncpg.Record]", name: str, secret: str, known: set[str]
) -> None:
    groups = {"owner": "", "api": API_GROUP, "worker": WORKER_GROUP}
    for role in ROLES:
        login = f"{name}_{role}"
        verb = "ALTER" if login in known else "CREATE"
        await connection.execute(f"{verb} ROLE {login} {_LOGIN} PASSWORD '{role_password(secret, login)}'")
        if groups[role]:
            await connection.execute(f"GRANT {groups[role]} TO {login}")
