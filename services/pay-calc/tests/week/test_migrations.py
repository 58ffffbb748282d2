"""The migrations give exactly the tables that the code names, and row-level security covers every tenant table."""

from __future__ import annotations

from typing import Any

import pytest

from pay_calc.app import SPEC
from pay_calc.store.tables import TENANT_TABLES, metadata
from paybill_common.migrations import differences
from paybill_common.tables import RUNTIME_TABLES

pytestmark = pytest.mark.integration


def test_models_and_migrations_agree(migrated: Any) -> None:
    import threading

    urls, found = migrated(SPEC), []
    thread = threading.Thread(target=lambda: found.append(differences(SPEC.migrations, urls.owner, metadata)))
    thread.start()
    thread.join()
    assert found == [[]]


def test_every_table_is_a_tenants_or_the_runtimes() -> None:
    assert set(metadata.tables) == {*TENANT_TABLES, *RUNTIME_TABLES, "label"}
    for name in TENANT_TABLES:
        assert not metadata.tables[name].c["agency_id"].nullable
