"""What must hold after any story. The money invariants are those that the running reporting service shows."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from tests.simulation.world import World


async def runtime_breaches(world: World) -> list[str]:
    """Every event of every outbox was handled exactly once by the witness, in order within topic and key."""
    written: dict[str, tuple[str, str]] = {}
    order: dict[tuple[str, str], list[str]] = defaultdict(list)
    for node in world.nodes.values():
        async with node.runtime.worker_database.transaction(now=world.clock.now()) as tx:
            rows = await tx.execute(
                "SELECT event_id, topic, key, published_at FROM outbox WHERE agency_id = :a AND topic NOT LIKE '%.dead' ORDER BY id",
                a=world.agency,
            )
            for row in rows:
                written[str(row.event_id)] = (row.topic, row.key)
                order[(row.topic, row.key)].append(str(row.event_id))
                if row.published_at is None:
                    return [f"{node.name}: event {row.event_id} was never published"]
    seen: dict[tuple[str, str], list[str]] = defaultdict(list)
    counts: dict[str, int] = defaultdict(int)
    async with world.nodes["witness"].runtime.worker_database.transaction(now=world.clock.now()) as tx:
        for row in await tx.execute(
            "SELECT event_id, topic, key FROM witnessed WHERE agency_id = :a ORDER BY id", a=world.agency
        ):
            counts[str(row.event_id)] += 1
            seen[(row.topic, row.key)].append(str(row.event_id))
    breaches = [f"event {event} of {written[event]} was lost" for event in written if not counts[event]]
    breaches += [f"event {event} was handled {n} times" for event, n in counts.items() if n > 1]
    breaches += [f"event {event} was published but never written" for event in counts if event not in written]
    for where, events in order.items():
        if not breaches and seen[where] != events:
            breaches.append(f"events of {where} were handled out of order")
    return breaches


async def tie_out(world: World, week_ending: str) -> Any:
    """What reporting shows of the week."""
    return await world.call("reporting", "GET", f"/weeks/{week_ending}/tie-out")


async def money_breaches(world: World, tie: Any) -> list[str]:
    """The tie-out of reporting, and the books of invoicing."""
    breaches = []
    if tie["approved_minutes"] != tie["paid_minutes"] + tie["held_minutes"]:
        breaches.append(f"approved minutes are not paid plus held: {tie}")
    if tie["billable_minutes"] != tie["billed_minutes"] + tie["bill_held_minutes"]:
        breaches.append(f"billable minutes are not billed plus held: {tie}")
    for unit in ("pence", "minutes"):
        if tie[f"unexplained_{unit}"] != 0:
            breaches.append(f"{tie[f'unexplained_{unit}']} {unit} are unexplained: {tie}")
    balance: Any = await world.call("invoicing", "GET", "/ledger/trial-balance")
    if not _balanced(balance):
        breaches.append(f"the ledger does not balance: {balance}")
    return breaches


def _balanced(balance: Any) -> bool:
    from decimal import Decimal

    rows = balance["accounts"] if isinstance(balance, dict) and "accounts" in balance else balance["items"]
    return sum((Decimal(row["balance_gbp"]) for row in rows), Decimal(0)) == 0
