"""Alembic's environment of timesheet."""

from paybill_common.migrations import run_env
from timesheet.store.tables import metadata

run_env(metadata)
