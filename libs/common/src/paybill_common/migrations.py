"""Alembic, one history a service: `NNNN_pre_*` runs before the code is deployed, `NNNN_post_*` after."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import structlog
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, pool, text
from sqlalchemy.ext.asyncio import create_async_engine

from paybill_common.db import READY_S, Database

log = structlog.get_logger()
LOCK_TIMEOUT = "10s"


def migrations_folder(package_file: str) -> Path:
    """The migrations of a service: inside an installed package, or beside `src` in the source tree."""
    packaged = Path(package_file).parent / "_migrations"
    return packaged if packaged.is_dir() else Path(package_file).parents[2] / "migrations"


def config(migrations: Path, url: str | None = None) -> Config:
    configuration = Config()
    configuration.set_main_option("script_location", str(migrations))
    configuration.set_main_option("path_separator", "os")
    if url:
        configuration.attributes["url"] = url
    return configuration


def upgrade(migrations: Path, owner_url: str) -> None:
    """Bring a database to the newest revision, as its owner."""
    command.upgrade(config(migrations, owner_url), "head")


def differences(migrations: Path, owner_url: str, metadata: MetaData) -> list[Any]:
    """What the models have that the migrated database lacks, or the other way round. Empty when they agree."""

    async def compare() -> list[Any]:
        engine = create_async_engine(owner_url, poolclass=pool.NullPool)
        async with engine.connect() as connection:
            found = await connection.run_sync(
                lambda sync: compare_metadata(MigrationContext.configure(sync, opts={"compare_type": True}), metadata)
            )
        await engine.dispose()
        return list(found)

    return asyncio.run(compare())


async def at_head(database: Database, migrations: Path) -> bool:
    """The database has every revision that this code knows.

    A database that is further on is fine: revisions run before the code that needs them, beside the code that does not.
    """
    scripts = ScriptDirectory.from_config(config(migrations))
    head = str(scripts.get_current_head())
    try:
        async with asyncio.timeout(READY_S), database.engine.connect() as connection:
            row = (await connection.execute(text("SELECT version_num FROM alembic_version"))).first()
    except Exception as error:
        log.warning("migrations.unknown", error=error)
        return False
    if row is None:
        return False
    known = {revision.revision for revision in scripts.walk_revisions()}
    return row.version_num == head or (row.version_num not in known and _number(row.version_num) > _number(head))


def _number(revision: str) -> int:
    """The NNNN at the start of a revision's name; -1 when there is none."""
    digits = re.match(r"\d+", revision)
    return int(digits.group()) if digits else -1


def run_env(metadata: MetaData) -> None:
    """The body of every service's `migrations/env.py`."""
    from alembic import context

    url = context.config.attributes.get("url") or context.config.get_main_option("sqlalchemy.url")

    def run(connection: Any) -> None:
        connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
        connection.commit()
        context.configure(connection=connection, target_metadata=metadata, compare_type=True)
        with context.begin_transaction():
            context.run_migrations()
            connection.execute(text("GRANT SELECT ON alembic_version TO paybill_api, paybill_worker"))

    async def online() -> None:
        engine = create_async_engine(str(url), poolclass=pool.NullPool)
        async with engine.connect() as connection:
            await connection.run_sync(run)
            await connection.commit()
        await engine.dispose()

    asyncio.run(online())


__all__ = ["at_head", "config", "differences", "migrations_folder", "run_env", "upgrade"]
