"""Alembic's entry point: the house's environment with invoicing's tables."""

from invoicing.store.tables import metadata
from paybill_common.migrations import run_env

run_env(metadata)
