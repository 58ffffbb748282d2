"""The tie-out over real rows: clean when all agrees, and each way of going wrong is seen."""

from __future__ import annotations

from decimal import Decimal

import pytest
from world import Feed, World

from paybill_common.service import Runtime
from paybill_contracts.events import InvoiceIssued, PayFinalised
from reporting.domain.tie_out import TieOut
from reporting.store.week import read_tie_out

pytestmark = pytest.mark.integration


async def tied(runtime: Runtime, world: World) -> TieOut:
    async with runtime.api_database.transaction(now=runtime.clock.now(), agencies=[world.agency], read_only=True) as tx:
        return await read_tie_out(tx, agency_id=world.agency, week_ending=world.week)


async def test_an_open_week_is_held_in_drafts(runtime: Runtime, feed: Feed) -> None:
    world = World().monday()
    await feed(world.facts)
    found = await tied(runtime, world)
    assert found.clean
    assert found.balanced
    assert found.paid_minutes == 0
    assert found.held_minutes == found.approved_minutes > 0


async def test_a_closed_week_ties_out(runtime: Runtime, feed: Feed) -> None:
    world = World().monday().thursday()
    await feed(world.facts)
    found = await tied(runtime, world)
    assert found.clean, (found.lines, found.documents)
    assert found.balanced
    held = sum(line.minutes for n in world.of("held") for line in world.lines(n))
    assert (found.held_minutes, found.bill_held_minutes) == (held, held)


async def test_a_penny_less_on_a_payslip_is_seen(runtime: Runtime, feed: Feed) -> None:
    world = World(size=1).monday().thursday()
    for index, fact in enumerate(world.facts):
        if isinstance(fact.data, PayFinalised):
            first = fact.data.charges[0]
            short = first.model_copy(update={"pay_gbp": first.pay_gbp - Decimal("0.01")})
            data = fact.data.model_copy(update={"charges": (short, *fact.data.charges[1:])})
            world.facts[index] = type(fact)(data, fact.sequence, fact.at)
    await feed(world.facts)
    found = await tied(runtime, world)
    assert found.unexplained_pence == 1
    assert [line.side for line in found.lines] == ["pay"]


async def test_recorded_rounding_is_explained(runtime: Runtime, feed: Feed) -> None:
    world = World(size=1).monday().thursday()
    penny = Decimal("0.01")
    for index, fact in enumerate(world.facts):
        if isinstance(fact.data, PayFinalised):
            first = fact.data.charges[0]
            moved = first.model_copy(update={"pay_gbp": first.pay_gbp + penny, "rounding_gbp": penny})
            data = fact.data.model_copy(update={"charges": (moved, *fact.data.charges[1:])})
            world.facts[index] = type(fact)(data, fact.sequence, fact.at)
    await feed(world.facts)
    assert (await tied(runtime, world)).clean


async def test_a_line_left_off_an_invoice_is_seen(runtime: Runtime, feed: Feed) -> None:
    world = World(size=1).monday().thursday()
    for index, fact in enumerate(world.facts):
        if isinstance(fact.data, InvoiceIssued) and fact.data.charges:
            data = fact.data.model_copy(update={"charges": fact.data.charges[:1]})
            world.facts[index] = type(fact)(data, fact.sequence, fact.at)
    await feed(world.facts)
    found = await tied(runtime, world)
    assert found.unexplained_minutes > 0
    assert found.unexplained_pence > 0
    assert [document.why for document in found.documents] == ["its sums do not agree"]


async def test_an_unbalanced_ledger_is_seen(runtime: Runtime, feed: Feed) -> None:
    world = World(size=1).monday().thursday()
    for index, fact in enumerate(world.facts):
        if isinstance(fact.data, InvoiceIssued):
            world.facts[index] = type(fact)(
                fact.data.model_copy(update={"ledger_balanced": False}), fact.sequence, fact.at
            )
    await feed(world.facts)
    assert not (await tied(runtime, world)).clean


async def test_cleared_and_forgotten_is_not_explained(runtime: Runtime, feed: Feed) -> None:
    world = World(size=1)
    world.people()
    world.submit(0)
    world.approve(0)
    world.clear(0)
    await feed(world.facts)
    found = await tied(runtime, world)
    assert found.unexplained_minutes == 2 * found.approved_minutes > 0


async def test_what_was_credited_for_good_is_held_with_that_reason(runtime: Runtime, feed: Feed) -> None:
    """Not ready, as if the next run would bill it: the equation holds with the minutes on the held side."""
    world = World(size=1).monday().thursday()
    world.credit(0, [0])
    world.write_off(0)
    await feed(world.facts)
    found = await tied(runtime, world)
    assert (found.clean, found.balanced) == (True, True)
    assert (found.billed_minutes, found.bill_held_minutes) == (0, found.billable_minutes)


async def test_a_credit_note_for_one_line_is_explained(runtime: Runtime, feed: Feed) -> None:
    world = World(size=1).monday().thursday()
    world.credit(0, [0])
    note = world.facts[-1]
    one = note.data.charges[:1]  # type: ignore[attr-defined]
    net = one[0].net_gbp
    data = note.data.model_copy(update={"charges": one, "net_gbp": net, "vat_gbp": Decimal(0), "gross_gbp": net})
    world.facts[-1] = type(note)(data, note.sequence, note.at)
    await feed(world.facts)
    found = await tied(runtime, world)
    assert found.clean, found
    assert found.bill_held_minutes == -one[0].minutes


async def test_an_amended_week_after_the_run_waits_and_then_nets(runtime: Runtime, feed: Feed) -> None:
    world = World(size=1).monday().thursday()
    world.approve(0, version=2, extra_minutes=60, amends=1)
    world.clear(0, version=2)
    await feed(world.facts)
    waiting = await tied(runtime, world)
    assert waiting.unexplained_minutes == 120, "an hour of pay and of charge that nobody has answered for"
    first = next(fact.data for fact in world.facts if isinstance(fact.data, PayFinalised))
    assert isinstance(first, PayFinalised)
    back = tuple(
        charge.model_copy(update={"minutes": -charge.minutes, "pay_gbp": -charge.pay_gbp, "reverses": True})
        for charge in first.charges
    )
    again = tuple(
        first.charges[0].model_copy(
            update={
                "charge_line_id": line.charge_line_id,
                "version": 2,
                "minutes": line.minutes,
                "pay_gbp": line.pay_gbp,
            }
        )
        for line in world.lines(0, 2, 60)
    )
    world.facts.clear()
    later = {"payslip_id": world.id("payslip", "next"), "charges": (*back, *again), "pay_run_id": world.id("next-run")}
    world.tell(first.model_copy(update=later), hours=240)
    await feed(world.facts)
    found = await tied(runtime, world)
    assert found.paid_minutes == found.approved_minutes
    assert [line for line in found.lines if line.side == "pay"] == []
    assert found.unexplained_minutes == 60, "billing has not answered yet"
