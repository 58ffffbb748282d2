"""The migrated schema is the one that the tables describe."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from paybill_common.migrations import differences
from paybill_common.service import ServiceSpec
from paybill_common.tables import RUNTIME_TABLES
from paybill_stack.bootstrap import DatabaseUrls
from reporting.app import SPEC
from reporting.store.tables import EDGE_TABLES, TENANT_TABLES, metadata

pytestmark = pytest.mark.integration


def test_models_and_migrations_agree(migrated: Callable[[ServiceSpec], DatabaseUrls]) -> None:
    assert differences(SPEC.migrations, migrated(SPEC).owner, metadata) == []


def test_every_table_is_a_tenants_or_the_edges_or_the_runtimes() -> None:
    assert set(metadata.tables) == {*TENANT_TABLES, *EDGE_TABLES, *RUNTIME_TABLES}
    assert all("agency_id" in metadata.tables[table].c for table in TENANT_TABLES)
