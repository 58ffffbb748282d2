"""Alembic's entry: the service's models and the house's way of running."""

from __future__ import annotations

from pay_calc.store.tables import metadata
from paybill_common.migrations import run_env

run_env(metadata)
