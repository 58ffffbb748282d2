"""The checks can fail: each way of breaking the runtime is caught by the simulation within a few seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from paybill_common.consumer import Consumer
from paybill_common.ids import new_id
from paybill_common.relay import Relay
from tests.simulation.run import run_seed
from tests.simulation.witness import Witness
from tests.simulation.world import Company, DidNotSettle

SEEDS_MAX = 12
pytestmark = pytest.mark.simulation


def commit_offsets_before_the_transaction(patch: pytest.MonkeyPatch) -> None:
    process = Consumer._process

    async def early(self: Consumer, records: Sequence[Any]) -> Any:
        await self._commit_offsets(records)
        return await process(self, records)

    patch.setattr(Consumer, "_process", early)


def drop_the_inbox(patch: pytest.MonkeyPatch) -> None:
    async def everything_is_new(_self: Consumer, _tx: Any, ids: Sequence[Any]) -> set[Any]:
        return set(ids)

    patch.setattr(Consumer, "_take_new", everything_is_new)


def skip_parking(patch: pytest.MonkeyPatch) -> None:
    async def nobody_parks(_self: Consumer, _tx: Any, events: list[Any], _result: Any) -> list[Any]:
        return events

    patch.setattr(Consumer, "_park_followers", nobody_parks)


def publish_twice_under_a_new_id(patch: pytest.MonkeyPatch) -> None:
    publish = Relay._publish

    async def twice(self: Relay, rows: Sequence[Any]) -> None:
        await publish(self, rows)
        again = [
            replace(row, payload=row.payload.replace(str(row.event_id), str(new_id()), 1))
            for row in rows[:1]
            if row.payload and not row.topic.endswith(".dead")
        ]
        await publish(self, again)

    patch.setattr(Relay, "_publish", twice)


def mark_published_without_publishing(patch: pytest.MonkeyPatch) -> None:
    publish = Relay._publish

    async def some(self: Relay, rows: Sequence[Any]) -> None:
        await publish(self, rows[1:] if len(rows) > 3 else rows)

    patch.setattr(Relay, "_publish", some)


def publish_in_another_order(patch: pytest.MonkeyPatch) -> None:
    publish = Relay._publish

    async def backwards(self: Relay, rows: Sequence[Any]) -> None:
        await publish(self, rows[::-1])

    patch.setattr(Relay, "_publish", backwards)


MUTATIONS: list[tuple[Callable[[pytest.MonkeyPatch], None], str]] = [
    (commit_offsets_before_the_transaction, "was lost"),
    (drop_the_inbox, "times"),
    (skip_parking, "out of order"),
    (publish_twice_under_a_new_id, "never written"),
    (mark_published_without_publishing, "was lost"),
    (publish_in_another_order, "out of order"),
]


@pytest.mark.parametrize(("mutate", "caught_by"), MUTATIONS, ids=lambda value: getattr(value, "__name__", ""))
async def test_a_broken_runtime_is_caught(
    stage: tuple[Company, Witness],
    monkeypatch: pytest.MonkeyPatch,
    mutate: Callable[[pytest.MonkeyPatch], None],
    caught_by: str,
) -> None:
    company, witness = stage
    mutate(monkeypatch)
    said: list[str] = []
    for seed in range(1, SEEDS_MAX + 1):
        try:
            outcome = await run_seed(seed, company=company, witness=witness, salt=mutate.__name__)
        except (AssertionError, DidNotSettle) as error:  # a mutant may break the story itself before the checks
            said.append(str(error))
            continue
        said += outcome.breaches
        if any(caught_by in breach for breach in outcome.breaches):
            return
    pytest.fail(f"{mutate.__name__} was not caught in {SEEDS_MAX} seeds; said: {said[:5]}")
