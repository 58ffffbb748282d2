"""Fixtures of the simulation: six migrated databases, shared by all seeds of a process; each seed has its own agency."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from paybill_common.migrations import upgrade
from paybill_common.service import ServiceSpec
from paybill_stack.bootstrap import SERVICES, DatabaseUrls
from paybill_stack.stack import Stack
from paybill_stack.testing import fresh_databases, unique_prefix
from tests.simulation.witness import Witness
from tests.simulation.world import Company


def apart(work: Callable[[], object]) -> None:
    """Run something that starts an event loop of its own."""
    failed: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]


@pytest.fixture(scope="session")
def simulated(stack: Stack) -> Iterator[Callable[[ServiceSpec], DatabaseUrls]]:
    """Databases of the five services and of the witness, migrated on first use."""
    own, witness = (
        fresh_databases(stack, unique_prefix("sim")),
        fresh_databases(stack, unique_prefix("wit"), services=["compliance"]),
    )
    urls: dict[str, DatabaseUrls] = {}
    apart(lambda: urls.update(own.__enter__()))
    apart(lambda: urls.update(witness=witness.__enter__()["compliance"]))
    done: set[str] = set()

    def migrate(spec: ServiceSpec) -> DatabaseUrls:
        if spec.name not in done:
            apart(lambda: upgrade(spec.migrations, urls[spec.name].owner))
            done.add(spec.name)
        return urls[spec.name]

    assert set(SERVICES) < set(urls)
    yield migrate
    apart(lambda: own.__exit__(None, None, None))
    apart(lambda: witness.__exit__(None, None, None))


@pytest.fixture(scope="session")
async def stage(
    simulated: Callable[[ServiceSpec], DatabaseUrls], keys: Any, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Company, Witness]]:
    """The company and the witness that every seed of this process uses."""
    witness = Witness(refuse_one_in=23)
    folder = tmp_path_factory.mktemp("simulation")
    company = Company(migrated=simulated, keys=keys, folder=folder, extra=(witness.spec(),))
    yield company, witness
    await company.close()
