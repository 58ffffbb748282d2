"""A week's invoices, end to end on a real Postgres."""

from __future__ import annotations

import asyncio
import json
import random
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from invoicing.api import driver
from invoicing.api.driver import drive_run, resume_stalled
from invoicing.app import SPEC
from invoicing.store.tables import metadata
from invoicing.usecases import invoice_run
from paybill_common.migrations import differences
from paybill_common.service import Runtime
from paybill_contracts.events import BillHeld, BillReady, CreditNoteIssued, InvoiceIssued, InvoiceRunClosed

from .conftest import WEEK, Service, World, terms  # type: ignore[import-not-found]

pytestmark = pytest.mark.integration


async def a_week(service: Service, world: World, *, timesheets: int = 3, clients: int = 1, **changes: Any) -> list[Any]:
    """Approved, cleared and cut off: one timesheet a worker, spread over the clients."""
    await service.set_up(world, clients=clients, **changes)
    approved = [world.approved(n, client=(n - 1) % clients + 1) for n in range(1, timesheets + 1)]
    await service.take(*approved, *(world.cleared(n) for n in range(1, timesheets + 1)), world.cut_off(approved))
    return approved


async def test_the_models_are_what_the_migration_makes(migrated: Any) -> None:
    urls = migrated(SPEC)
    found = await asyncio.to_thread(differences, SPEC.migrations, urls.owner, metadata)
    assert found == []


async def test_an_approved_and_cleared_week_becomes_one_invoice_a_client(service: Service, world: World) -> None:
    await a_week(service, world, timesheets=4, clients=2)
    run = await service.issue(world)
    assert (run["status"], run["invoices"], run["net_gbp"], run["vat_gbp"]) == ("closed", 2, "3200.00", "640.00")
    invoices = (await service.call("GET", world, "invoices"))["items"]
    assert [one["number"] for one in invoices] == ["INV-000001", "INV-000002"]
    assert {(one["net_gbp"], one["vat_gbp"], one["gross_gbp"]) for one in invoices} == {
        ("1600.00", "320.00", "1920.00")
    }
    events = await service.emitted(world, InvoiceIssued)
    assert [event.number for event in events] == ["INV-000001", "INV-000002"]
    assert all(event.ledger_balanced and len(event.charges) == 2 for event in events)
    (closed,) = await service.emitted(world, InvoiceRunClosed)
    assert (closed.invoices, closed.billed_minutes, closed.held_minutes) == (2, 4 * 2400, 0)
    await service.tie_out_is_clean(world)


async def test_the_preview_foretells_the_run_and_totals_before_and_after(service: Service, world: World) -> None:
    await a_week(service, world, timesheets=3, clients=2)
    before = await service.call("GET", world, f"invoice-runs/preview?week_ending={WEEK}")
    run = await service.issue(world)
    after = await service.call("GET", world, f"invoice-runs/preview?week_ending={WEEK}")
    assert before["can_issue"]
    assert (before["this_run"]["net_gbp"], before["this_run"]["vat_gbp"]) == (run["net_gbp"], run["vat_gbp"])
    assert before["billed_after"] == after["billed_before"]
    assert after["this_run"]["documents"] == 0


async def test_an_invoice_says_what_the_law_asks_for(service: Service, world: World) -> None:
    await service.set_up(world)
    approved = [
        world.approved(
            1,
            lines=[
                world.line(1, 1, minutes=2250, charge_rate="16.9400"),
                world.line(1, 2, minutes=7, charge_rate="0.3700"),
            ],
        )
    ]
    await service.take(
        *approved,
        world.cleared(1),
        world.cut_off(approved),
        world.label("worker", 1, "Worker 00001 Testcase", "W00001"),
        world.label("placement", 1, "Warehouse operative"),
    )
    await service.issue(world)
    (listed,) = (await service.call("GET", world, "invoices"))["items"]
    found = await service.call("GET", world, f"invoices/{listed['document_id']}")
    assert found["supplier"]["vat_number"] == "GB 000 0000 00"
    assert found["customer"]["legal_name"] == "Northgate Testing 1 Ltd"
    assert (found["issued_on"], found["tax_point_on"], found["due_on"]) == ("2026-04-07", "2026-04-07", "2026-05-07")
    assert (found["net_gbp"], found["vat_percent"]) == ("635.29", "20.00")
    assert found["vat_gbp"] == "127.05", "127.058 is rounded down"
    assert [(line["worker_name"], line["job_title"]) for line in found["lines"]] == [
        ("Worker 00001 Testcase", "Warehouse operative")
    ] * 2
    pdf = await service.call("GET", world, f"invoices/{listed['document_id']}/pdf")
    again = await service.call("GET", world, f"invoices/{listed['document_id']}/pdf")
    assert pdf.content.startswith(b"%PDF")
    assert pdf.content == again.content


@pytest.mark.parametrize(
    ("treatment", "vat"), [("standard", "160.00"), ("zero", "0.00"), ("exempt", "0.00"), ("reverse_charge", "0.00")]
)
async def test_each_vat_treatment_charges_and_prints(service: Service, world: World, treatment: str, vat: str) -> None:
    await a_week(service, world, timesheets=1, vat_treatment=treatment)
    await service.issue(world)
    (invoice,) = (await service.call("GET", world, "invoices"))["items"]
    assert (invoice["vat_treatment"], invoice["vat_gbp"]) == (treatment, vat)
    assert invoice["reverse_charge_vat_gbp"] == ("160.00" if treatment == "reverse_charge" else None)
    await service.call("GET", world, f"invoices/{invoice['document_id']}/pdf")
    await service.tie_out_is_clean(world)


@pytest.mark.parametrize(("group_by", "documents"), [("client", 1), ("site", 2), ("worker", 3)])
async def test_invoices_are_grouped_as_the_client_wants(
    service: Service, world: World, group_by: str, documents: int
) -> None:
    await service.set_up(world, group_by=group_by)
    approved = [world.approved(1, site=1), world.approved(2, site=1), world.approved(3, site=2)]
    await service.take(*approved, *(world.cleared(n) for n in (1, 2, 3)), world.cut_off(approved))
    assert (await service.issue(world))["invoices"] == documents
    await service.tie_out_is_clean(world)


async def test_a_run_waits_for_the_cut_off_and_for_equal_totals(service: Service, world: World) -> None:
    await service.call("PUT", world, f"client-terms/{world.id('client', 1)}", json=terms())
    approved = [world.approved(1), world.approved(2)]
    await service.take(approved[0], world.cleared(1))
    assert (await service.issue(world, status=409))["code"] == "missing_issuer"
    await service.set_up(world)
    assert (await service.issue(world, status=409))["code"] == "week_not_cut_off"
    await service.take(world.cut_off(approved))
    refused = await service.issue(world, status=409)
    assert refused["code"] == "totals_differ"
    assert {error["code"] for error in refused["errors"]} == {"timesheets", "billable_minutes", "charge_gbp"}
    assert (await service.rows("SELECT 1 FROM document WHERE agency_id = :a", a=world.agency)) == []
    run = await service.issue(world, accept_difference={"by": "Casey Tester", "reason": "one sheet is on paper"})
    assert (run["accepted_by"], run["invoices"]) == ("Casey Tester", 1)
    (closed,) = await service.emitted(world, InvoiceRunClosed)
    assert closed.difference_accepted


async def test_only_billable_lines_are_billed_and_a_pay_only_week_needs_no_invoice(
    service: Service, world: World
) -> None:
    await service.set_up(world, clients=2)
    approved = [
        world.approved(1, lines=[world.line(1, 1), world.line(1, 2, billable=False)]),
        world.approved(2, client=2, lines=[world.line(2, 1, billable=False)]),
    ]
    await service.take(*approved, world.cleared(1), world.cleared(2), world.cut_off(approved))
    run = await service.issue(world)
    assert (run["invoices"], run["net_gbp"], run["billed_minutes"]) == (1, "800.00", 2400)
    await service.tie_out_is_clean(world)


async def test_holds_say_why_and_lift_by_themselves(service: Service, world: World) -> None:
    approved = [world.approved(1), world.approved(2)]
    await service.take(*approved, world.cut_off(approved))
    waiting = (await service.call("GET", world, "bill-states?state=held"))["items"]
    assert [[reason["code"] for reason in one["reasons"]] for one in waiting] == [["awaiting_clearance"]] * 2
    assert not await service.emitted(world, BillHeld), "a wait for the decision is kept, and told with the decision"
    await service.take(world.cleared(1), world.held(2))
    reasons = [{reason.code for reason in event.reasons} for event in await service.emitted(world, BillHeld)]
    assert {frozenset(codes) for codes in reasons} == {
        frozenset({"missing_client_terms"}),
        frozenset({"missing_document", "missing_client_terms"}),
    }
    await service.set_up(world, po_required=True)
    held = (await service.call("GET", world, "bill-states?state=held"))["items"]
    assert {reason["code"] for one in held for reason in one["reasons"]} == {
        "missing_purchase_order",
        "missing_document",
    }
    await service.set_up(world, po_required=True, purchase_order="PO-1")
    assert [event.timesheet_id for event in await service.emitted(world, BillReady)] == [world.id("timesheet", 1)]
    run = await service.issue(world)
    assert (run["invoices"], run["held_minutes"]) == (1, 2400)
    await service.take(world.cleared(2, sequence=2))
    assert len(await service.emitted(world, BillReady)) == 2
    assert (await service.issue(world))["invoice_run_id"] == run["invoice_run_id"], "a closed run stays as it is"
    more = await service.issue(world, supplementary=True)
    assert (more["ordinal"], more["invoices"]) == (2, 1)
    assert (await service.issue(world, supplementary=True))["ordinal"] == 2, "nothing is left"
    await service.tie_out_is_clean(world)


async def test_a_hold_that_does_not_block_billing_is_ready(service: Service, world: World) -> None:
    await service.set_up(world)
    await service.take(world.approved(1), world.held(1, blocks=("pay",)))
    assert [event.version for event in await service.emitted(world, BillReady)] == [1]


async def test_redelivery_and_late_old_versions_change_nothing(service: Service, world: World) -> None:
    await service.set_up(world)
    first, second = world.approved(1), world.approved(1, version=2, lines=[world.line(1, version=2, minutes=1200)])
    events = [second, first, world.cleared(1, version=2), world.cut_off([second])]
    await service.take(*events)
    before = len(await service.rows("SELECT 1 FROM outbox WHERE agency_id = :a", a=world.agency))
    for event in reversed(events):
        await service.take(event)
    await service.take(*events)
    assert len(await service.rows("SELECT 1 FROM outbox WHERE agency_id = :a", a=world.agency)) == before
    run = await service.issue(world)
    assert run["net_gbp"] == "400.00"
    await service.tie_out_is_clean(world)


async def test_an_amendment_before_billing_bills_the_new_version_alone(service: Service, world: World) -> None:
    await a_week(service, world, timesheets=1)
    amended = world.approved(1, version=2, lines=[world.line(1, version=2, minutes=1800)])
    await service.take(amended, world.cut_off([amended], sequence=2))
    assert (await service.issue(world))["invoices"] == 0, "the new version is not cleared yet"
    await service.take(world.cleared(1, version=2))
    run = await service.issue(world, supplementary=True)
    assert (run["net_gbp"], run["credit_notes"]) == ("600.00", 0)
    await service.tie_out_is_clean(world)


async def test_an_amendment_after_billing_reverses_and_bills_on_the_next_invoice(
    service: Service, world: World
) -> None:
    await a_week(service, world, timesheets=2)
    await service.issue(world)
    amended = world.approved(1, version=2, lines=[world.line(1, version=2, minutes=3000)])
    await service.take(amended, world.cleared(1, version=2))
    next_week = WEEK + timedelta(days=7)
    await service.take(world.cut_off([], week=next_week))
    run = await service.issue(world, week=next_week)
    assert (run["invoices"], run["credit_notes"], run["net_gbp"], run["billed_minutes"]) == (1, 0, "200.00", 600)
    (_, invoice) = (await service.call("GET", world, "invoices"))["items"]
    detail = await service.call("GET", world, f"invoices/{invoice['document_id']}")
    assert [(line["kind"], line["version"], line["net_gbp"]) for line in detail["lines"]] == [
        ("reversal", 1, "-800.00"),
        ("charge", 2, "1000.00"),
    ]
    assert invoice["vat_gbp"] == "40.00"
    await service.call("GET", world, f"invoices/{invoice['document_id']}/pdf")
    await service.tie_out_is_clean(world)


async def test_an_amendment_to_less_is_a_credit_note(service: Service, world: World) -> None:
    await a_week(service, world, timesheets=1)
    await service.issue(world)
    (invoice,) = (await service.call("GET", world, "invoices"))["items"]
    await service.take(
        world.approved(1, version=2, lines=[world.line(1, version=2, minutes=600)]), world.cleared(1, version=2)
    )
    run = await service.issue(world, supplementary=True, accept_difference={"by": "Casey Tester", "reason": "amended"})
    assert (run["invoices"], run["credit_notes"], run["net_gbp"], run["vat_gbp"]) == (0, 1, "-600.00", "-120.00")
    (event,) = await service.emitted(world, CreditNoteIssued)
    assert (event.number, event.gross_gbp, event.reason_code) == ("CN-000001", Decimal("-720.00"), "timesheet_amended")
    assert str(event.credits_document_id) == invoice["document_id"]
    again = await service.call("GET", world, f"invoices/{invoice['document_id']}")
    assert (again["credited_gbp"], again["balance_gbp"]) == ("720.00", "240.00")
    await service.call("GET", world, f"credit-notes/{event.document_id}/pdf")
    await service.tie_out_is_clean(world)


async def test_a_voided_week_credits_everything(service: Service, world: World) -> None:
    await a_week(service, world, timesheets=1)
    await service.issue(world)
    await service.take(world.approved(1, version=2, lines=[]), world.cleared(1, version=2))
    accept = {"by": "Casey Tester", "reason": "voided"}
    run = await service.issue(world, supplementary=True, accept_difference=accept)
    assert (run["credit_notes"], run["net_gbp"], run["vat_gbp"]) == (1, "-800.00", "-160.00")
    await service.tie_out_is_clean(world)


class Killed(BaseException):
    """The process dies here."""


class KillAt:
    """Dies at the n-th time a point is reached."""

    def __init__(self, point: str, time: int) -> None:
        self.point, self.left = point, time

    def reach(self, point: str) -> None:
        if point == self.point:
            self.left -= 1
            if self.left == 0:
                raise Killed(point)


@pytest.mark.parametrize("point", ["invoice_run.before_commit", "invoice_run.after_client"])
@pytest.mark.parametrize("time", [1, 2, 3, 4])
async def test_a_kill_in_the_middle_leaves_no_gap_and_no_double(
    service: Service, world: World, point: str, time: int
) -> None:
    await a_week(service, world, timesheets=6, clients=3)
    run_id = await _open(service.runtime, world)
    with pytest.raises(Killed):
        await _drive(service.runtime, world, run_id, KillAt(point, time))
    run = await service.issue(world)
    assert (run["status"], run["invoices"], run["net_gbp"]) == ("closed", 3, "4800.00")
    await _gapless(service, world, 3)
    assert len(await service.emitted(world, InvoiceIssued)) == 3
    assert len(await service.emitted(world, InvoiceRunClosed)) == 1
    assert (await service.issue(world)) == run
    await service.tie_out_is_clean(world)


async def test_two_connections_issuing_at_once_number_without_gaps(service: Service, world: World) -> None:
    await a_week(service, world, timesheets=12, clients=6)
    runs = await asyncio.gather(*(service.issue(world) for _ in range(3)))
    assert {run["invoice_run_id"] for run in runs} == {runs[0]["invoice_run_id"]}
    assert runs[0]["invoices"] == 6
    await _gapless(service, world, 6)
    assert len(await service.emitted(world, InvoiceRunClosed)) == 1
    await service.tie_out_is_clean(world)


async def test_runs_of_two_weeks_at_once_share_one_gapless_series(service: Service, world: World) -> None:
    await service.set_up(world, clients=6)
    later = WEEK + timedelta(days=7)
    first = [world.approved(n, client=n) for n in range(1, 4)]
    second = [world.approved(n, client=n, week=later) for n in range(4, 7)]
    await service.take(*first, *second, *(world.cleared(n) for n in range(1, 7)))
    await service.take(world.cut_off(first), world.cut_off(second, week=later))
    await asyncio.gather(service.issue(world), service.issue(world, week=later))
    await _gapless(service, world, 6)
    await service.tie_out_is_clean(world)


async def test_the_same_idempotency_key_gives_the_first_answer(service: Service, world: World) -> None:
    await a_week(service, world, timesheets=1)
    headers = {"Idempotency-Key": f"run-{world.agency}"}
    first = await service.call("POST", world, "invoice-runs", json={"week_ending": str(WEEK)}, headers=headers)
    again = await service.call("POST", world, "invoice-runs", json={"week_ending": str(WEEK)}, headers=headers)
    assert first == again
    other = {"week_ending": str(WEEK + timedelta(days=7))}
    refused = await service.call("POST", world, "invoice-runs", json=other, headers=headers, status=409)
    assert refused["code"] == "idempotency_key_reused"


async def test_a_run_that_its_caller_left_is_finished_and_tells_how_far_it_is(service: Service, world: World) -> None:
    await a_week(service, world, clients=3, timesheets=6)
    run_id = await _open(service.runtime, world)
    with pytest.raises(Killed):
        await _drive(service.runtime, world, run_id, KillAt("invoice_run.after_client", 2))
    half = await service.call("GET", world, f"invoice-runs/{run_id}")
    assert (half["status"], half["clients_done"], half["clients"]) == ("open", 2, 3)
    assert datetime.fromisoformat(half["began_at"]) < datetime.fromisoformat(half["progressed_at"])
    runtime = service.runtime
    assert await resume_stalled(runtime.worker_database, runtime.clock) == 0, "it moved a moment ago"
    assert await resume_stalled(runtime.worker_database, runtime.clock, after_s=0) == 1
    whole = await service.call("GET", world, f"invoice-runs/{run_id}")
    assert (whole["status"], whole["clients_done"]) == ("closed", 3)
    assert whole["progressed_at"] > half["progressed_at"]
    assert await resume_stalled(runtime.worker_database, runtime.clock, after_s=0) == 0
    await _gapless(service, world, whole["invoices"])


async def test_a_run_that_fails_keeps_no_other_waiting(
    service: Service, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await a_week(service, world, clients=1, timesheets=1)
    run_id = await _open(service.runtime, world)
    runtime = service.runtime
    async with runtime.worker_database.transaction(now=runtime.clock.now(), read_only=True) as tx:
        found = await driver.stalled(tx, after_s=0)
    broken = (world.agency, uuid4())

    async def one_is_broken(_tx: Any, *, after_s: int) -> Any:
        return [broken, *found]

    monkeypatch.setattr(driver, "stalled", one_is_broken)
    assert await resume_stalled(runtime.worker_database, runtime.clock, after_s=0) == 1
    assert (await service.call("GET", world, f"invoice-runs/{run_id}"))["status"] == "closed"


async def test_a_worker_with_parked_events_is_left_out_and_listed(service: Service, world: World) -> None:
    await a_week(service, world, timesheets=2)
    worker = world.id("worker", 2)
    async with service.runtime.worker_database.transaction(now=service.runtime.clock.now()) as tx:
        await tx.execute(
            "INSERT INTO parked_key (consumer, key, dead_letter_id) VALUES ('invoicing', :key, 1)", key=str(worker)
        )
    preview = await service.call("GET", world, f"invoice-runs/preview?week_ending={WEEK}")
    run = await service.issue(world)
    assert preview["left_out_workers"] == run["left_out_workers"] == [str(worker)]
    assert run["net_gbp"] == "800.00"


async def test_runs_are_paged_and_found_by_the_id_they_have_elsewhere(service: Service, world: World) -> None:
    await a_week(service, world, timesheets=1)
    first = await service.issue(world, external_id="R-1")
    later = WEEK + timedelta(days=7)
    await service.take(world.cut_off([], week=later))
    second = await service.issue(world, week=later)
    assert (first["external_id"], second["external_id"]) == ("R-1", None)
    assert (await service.issue(world, external_id="R-2"))["external_id"] == "R-1", "a run that is there keeps its own"
    page = await service.call("GET", world, "invoice-runs?limit=1")
    assert [one["invoice_run_id"] for one in page["items"]] == [second["invoice_run_id"]]
    rest = await service.call("GET", world, f"invoice-runs?limit=1&cursor={page['next_cursor']}")
    assert [one["invoice_run_id"] for one in rest["items"]] == [first["invoice_run_id"]]
    assert rest["next_cursor"] is None
    (found,) = (await service.call("GET", world, "invoice-runs?external_id=R-1"))["items"]
    assert found["invoice_run_id"] == first["invoice_run_id"]
    for bad in ("bad", "WyJhIiwgImIiXQ", "WyIyMDI2LTA0LTA1IiwgIjk5OTk5Il0"):
        refused = await service.call("GET", world, f"invoice-runs?cursor={bad}", status=422)
        assert refused["code"] == "bad_cursor"


async def _open(runtime: Runtime, world: World) -> Any:
    async with runtime.api_database.transaction(now=runtime.clock.now(), agencies=[world.agency]) as tx:
        run = await invoice_run.open_run(tx, agency_id=world.agency, week_ending=WEEK, opened_by="tester")
        return run.invoice_run_id


async def _drive(runtime: Runtime, world: World, run_id: Any, faults: KillAt) -> None:
    await drive_run(
        database=runtime.api_database, clock=runtime.clock, agency_id=world.agency, invoice_run_id=run_id, faults=faults
    )


async def _gapless(service: Service, world: World, count: int) -> None:
    found = await service.rows(
        "SELECT serial FROM document WHERE agency_id = :a AND kind = 'invoice' ORDER BY serial", a=world.agency
    )
    assert [row.serial for row in found] == list(range(1, count + 1))


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**9), batches=st.integers(1, 6), set_up_after=st.integers(0, 6))
async def test_facts_in_any_order_end_in_the_same_state_and_invoice(
    service: Service, seed: int, batches: int, set_up_after: int
) -> None:
    world, order = World(), random.Random(seed)
    amended = world.approved(1, version=2, lines=[world.line(1, version=2, minutes=3000)])
    other = world.approved(2)
    events = [
        world.approved(1),
        world.cleared(1, sequence=1),
        amended,
        world.held(1, version=2, sequence=2),
        world.cleared(1, version=2, sequence=3),
        other,
        world.cleared(2, sequence=1),
        world.held(2, sequence=2),
        world.cut_off([world.approved(1), other]),
        world.cut_off([amended, other], sequence=2),
    ]
    events += order.sample(events, 3)
    order.shuffle(events)
    cuts = sorted(order.sample(range(1, len(events)), batches - 1))
    for index, (start, end) in enumerate(zip([0, *cuts], [*cuts, len(events)], strict=True)):
        if index == set_up_after:
            await service.set_up(world)
        await service.take(*events[start:end])
    if set_up_after >= batches:
        await service.set_up(world)
    states = (await service.call("GET", world, "bill-states"))["items"]
    assert {(one["timesheet_id"], one["version"], one["state"]) for one in states} == {
        (str(world.id("timesheet", 1)), 2, "ready"),
        (str(world.id("timesheet", 2)), 1, "held"),
    }
    last: dict[Any, Any] = {}
    found = await service.rows(
        "SELECT payload FROM outbox WHERE agency_id = :a AND topic = 'paybill.bill' ORDER BY id", a=world.agency
    )
    for row in found:
        event = json.loads(row.payload)
        assert event["sequence"] > last.get(event["subject"], {"sequence": 0})["sequence"]
        last[event["subject"]] = event
    assert {event["type"] for event in last.values()} == {"paybill.bill.ready.v1", "paybill.bill.held.v1"}
    run = await service.issue(world)
    assert (run["net_gbp"], run["held_minutes"]) == ("1000.00", 2400)
    await service.tie_out_is_clean(world)


async def test_terms_and_timesheets_that_cross_leave_nothing_held(service: Service) -> None:
    for _ in range(8):
        world = World()
        await asyncio.gather(
            service.take(*(world.approved(n) for n in range(1, 30)), *(world.cleared(n) for n in range(1, 30))),
            service.call("PUT", world, f"client-terms/{world.id('client', 1)}", json=terms()),
        )
        assert (await service.call("GET", world, "bill-states?state=held"))["items"] == []


async def test_amendments_that_cross_a_run_are_billed_right_in_the_end(service: Service, world: World) -> None:
    await a_week(service, world, timesheets=12, clients=4)
    amended = [
        world.approved(n, client=(n - 1) % 4 + 1, version=2, lines=[world.line(n, version=2, minutes=60 * n)])
        for n in range(1, 13)
    ]
    accept = {"by": "Casey Tester", "reason": "amended meanwhile"}
    await asyncio.gather(
        service.issue(world, accept_difference=accept),
        *(service.take(event, world.cleared(n, version=2)) for n, event in enumerate(amended, start=1)),
    )
    await service.issue(world, supplementary=True, accept_difference=accept)
    (row,) = await service.rows(
        "SELECT sum(net_gbp) AS net_gbp FROM document WHERE agency_id = :a AND kind <> 'self_bill'", a=world.agency
    )
    assert row.net_gbp == sum(event.data.charge_gbp for event in amended)
    await service.tie_out_is_clean(world)
