"""The runtime's tests use a toy service, in databases of its own: other services' tests may share the process."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from paybill_common.migrations import upgrade
from paybill_common.service import ServiceSpec
from paybill_stack.bootstrap import DatabaseUrls
from paybill_stack.stack import Stack
from paybill_stack.testing import fresh_databases, unique_prefix

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def migrated(stack: Stack) -> Iterator[Callable[[ServiceSpec], DatabaseUrls]]:
    """Migrate the toy's database, once."""
    import threading

    def apart(work: Callable[[], object]) -> None:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()

    context = fresh_databases(stack, unique_prefix("toy"), services=["compliance"])
    urls: dict[str, DatabaseUrls] = {}
    apart(lambda: urls.update(context.__enter__()))
    done: list[str] = []

    def migrate(spec: ServiceSpec) -> DatabaseUrls:
        if not done:
            apart(lambda: upgrade(spec.migrations, urls["compliance"].owner))
            done.append(spec.name)
        return urls["compliance"]

    yield migrate
    apart(lambda: context.__exit__(None, None, None))
