"""Alembic's environment of compliance."""

from compliance.store.tables import metadata
from paybill_common.migrations import run_env

run_env(metadata)
