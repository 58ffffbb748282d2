"""Alembic's environment."""

from paybill_common.migrations import run_env
from reporting.store.tables import metadata

run_env(metadata)
