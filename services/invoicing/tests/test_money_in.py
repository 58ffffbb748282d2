"""Credit notes on demand, receipts, the database's own checks, parties in bulk, and agencies kept apart."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from invoicing.app import SPEC
from invoicing.store import documents
from paybill_common.ids import new_id
from paybill_contracts.events import BillHeld, CreditNoteIssued, InvoicePaid

from .conftest import ISSUER, Service, World, supplier, terms  # type: ignore[import-not-found]

pytestmark = pytest.mark.integration


async def an_invoice(service: Service, world: World, **options: Any) -> dict[str, Any]:
    """One invoice of two lines: 635.25 and 0.04 net, 127.05 VAT."""
    await service.set_up(world)
    lines = [world.line(1, 1, minutes=2250, charge_rate="16.9400"), world.line(1, 2, minutes=7, charge_rate="0.3700")]
    approved = [world.approved(1, lines=lines)]
    await service.take(*approved, world.cleared(1), world.cut_off(approved))
    await service.issue(world)
    (invoice,) = (await service.call("GET", world, "invoices"))["items"]
    return dict(invoice)


async def credit(service: Service, world: World, invoice: dict[str, Any], status: int = 200, **body: Any) -> Any:
    path = f"invoices/{invoice['document_id']}/credit"
    return await service.call("POST", world, path, status=status, json={"reason_code": "rate_error", **body})


async def balance(service: Service, world: World, invoice: dict[str, Any]) -> Decimal:
    return Decimal((await service.call("GET", world, f"invoices/{invoice['document_id']}"))["balance_gbp"])


async def test_a_whole_credit_takes_back_net_and_vat_and_is_not_given_twice(service: Service, world: World) -> None:
    invoice = await an_invoice(service, world)
    note = await credit(service, world, invoice)
    assert (note["net_gbp"], note["vat_gbp"], note["gross_gbp"]) == ("-635.29", "-127.05", "-762.34")
    assert await balance(service, world, invoice) == 0
    assert (await credit(service, world, invoice, status=409))["code"] == "nothing_to_credit"
    (event,) = await service.emitted(world, CreditNoteIssued)
    assert (event.reason_code, sum(charge.net_gbp for charge in event.charges)) == ("rate_error", Decimal("-635.29"))
    await service.call("GET", world, f"credit-notes/{note['document_id']}/pdf")
    held = (await service.emitted(world, BillHeld))[-1]
    assert [(reason.code, reason.blocks) for reason in held.reasons] == [("credited", ("bill",))]
    assert (await service.issue(world, supplementary=True))["ordinal"] == 1, "written off is not billed again"
    await service.tie_out_is_clean(world)


async def test_a_credit_note_is_found_by_the_id_it_has_elsewhere(service: Service, world: World) -> None:
    invoice = await an_invoice(service, world)
    note = await credit(service, world, invoice, lines=[2], external_id="CN-77")
    await credit(service, world, invoice, status=409, lines=[1], external_id="CN-77")
    await credit(service, world, invoice, lines=[1])
    (found,) = (await service.call("GET", world, "credit-notes?external_id=CN-77"))["items"]
    assert (found["document_id"], found["external_id"]) == (note["document_id"], "CN-77")
    assert (await service.call("GET", world, "credit-notes?external_id=CN-78"))["items"] == []


async def test_credits_by_line_end_at_the_invoices_own_vat(service: Service, world: World) -> None:
    invoice = await an_invoice(service, world)
    first = await credit(service, world, invoice, lines=[2])
    assert (first["net_gbp"], first["vat_gbp"]) == ("-0.04", "0.00")
    refused = await credit(service, world, invoice, status=422, lines=[1, 2])
    assert refused["code"] == "lines_do_not_stand"
    second = await credit(service, world, invoice, lines=[1])
    assert (second["net_gbp"], second["vat_gbp"]) == ("-635.25", "-127.05")
    assert await balance(service, world, invoice) == 0
    (held,) = [one for one in await service.emitted(world, BillHeld) if one.reasons[0].code == "credited"]
    assert held.charge_gbp == Decimal("635.29"), "told once, with the last line"
    await service.tie_out_is_clean(world)


async def test_a_credit_with_rebill_is_billed_again_by_the_next_run(service: Service, world: World) -> None:
    invoice = await an_invoice(service, world)
    before = len(await service.emitted(world, BillHeld))
    await credit(service, world, invoice, rebill=True)
    assert len(await service.emitted(world, BillHeld)) == before
    await service.set_up(world, group_by="worker")
    run = await service.issue(world, supplementary=True)
    assert (run["ordinal"], run["invoices"], run["net_gbp"]) == (2, 1, "635.29")
    await service.tie_out_is_clean(world)


async def test_receipts_settle_the_oldest_first_and_tell_the_balance(service: Service, world: World) -> None:
    invoice = await an_invoice(service, world)
    body = {
        "receipt_id": str(new_id()),
        "client_id": str(world.id("client", 1)),
        "received_on": "2026-04-20",
        "amount_gbp": "700.00",
    }
    first = await service.call("POST", world, "receipts", json=body)
    assert (first["unallocated_gbp"], len(first["allocations"])) == ("0.00", 1)
    assert await service.call("POST", world, "receipts", json=body) == first, "the same receipt again changes nothing"
    changed = await service.call("POST", world, "receipts", json=body | {"amount_gbp": "1.00"}, status=409)
    assert changed["code"] == "receipt_differs"
    too_much = {"document_id": invoice["document_id"], "amount_gbp": "62.35"}
    more = {**body, "receipt_id": None, "amount_gbp": "100.00"}
    refused = await service.call("POST", world, "receipts", json=more | {"allocations": [too_much]}, status=422)
    assert refused["code"] == "more_than_balance"
    rest = await service.call("POST", world, "receipts", json=more)
    assert rest["unallocated_gbp"] == "37.66"
    events = await service.emitted(world, InvoicePaid)
    assert [(event.amount_gbp, event.balance_gbp) for event in events] == [
        (Decimal("700.00"), Decimal("62.34")),
        (Decimal("62.34"), Decimal("0.00")),
    ]
    accounts = (await service.call("GET", world, "ledger/trial-balance"))["accounts"]
    assert {one["account"]: one["balance_gbp"] for one in accounts} == {
        "bank": "800.00",
        "debtors": "-37.66",
        "sales": "-635.29",
        "vat_output": "-127.05",
    }
    assert (await service.call("GET", world, "invoices?open=true"))["items"] == []


async def test_the_database_refuses_entries_that_do_not_balance(service: Service, world: World) -> None:
    invoice = await an_invoice(service, world)
    runtime = service.runtime
    entry = {
        "agency_id": world.agency,
        "entry_id": new_id(),
        "source_kind": "invoice",
        "source_id": invoice["document_id"],
        "account": "bank",
        "amount_gbp": Decimal("0.01"),
        "posted_on": runtime.clock.now().date(),
        "posted_at": runtime.clock.now(),
        "client_id": None,
        "payee_id": None,
    }
    with pytest.raises(DBAPIError, match=r"differ by 0\.01"):
        async with runtime.worker_database.transaction(now=runtime.clock.now()) as tx:
            await documents.insert_entries(tx, [entry])


@pytest.mark.parametrize("table", ["ledger_entry", "document_line", "receipt"])
async def test_no_role_changes_what_is_posted(service: Service, world: World, table: str) -> None:
    runtime = service.runtime
    with pytest.raises(DBAPIError, match="permission denied"):
        async with runtime.api_database.transaction(now=runtime.clock.now(), agencies=[world.agency]) as tx:
            await tx.execute(f"DELETE FROM {table}")


async def test_terms_in_bulk_are_judged_line_by_line(service: Service, world: World) -> None:
    approved = [world.approved(n, client=n) for n in (1, 2)]
    await service.take(*approved, world.cleared(1), world.cleared(2))
    good = {"client_id": str(world.id("client", 1)), "external_id": "C1", **terms(1)}
    items = [
        good,
        {**good, "client_id": str(world.id("client", 2)), "payment_days": 999, "external_id": "C2"},
        {**good, "client_id": str(world.id("client", 3))},
    ]
    found = await service.call("POST", world, "client-terms/batch", json={"items": items})
    assert [(one["status"], one["column"]) for one in found["receipts"]] == [
        ("accepted", None),
        ("refused", "payment_days"),
        ("refused", "external_id"),
    ]
    assert (await service.call("POST", world, "client-terms/batch", json={"items": [good]}))["duplicate"] == 1
    ready = (await service.call("GET", world, "bill-states?state=ready"))["items"]
    assert [one["client_id"] for one in ready] == [str(world.id("client", 1))]
    listed = (await service.call("GET", world, "client-terms?external_id=C1"))["items"]
    assert [one["client_id"] for one in listed] == [good["client_id"]]
    await service.call("POST", world, "suppliers/batch", json={"items": [{"payee_id": str(new_id()), **supplier()}]})


async def test_the_reverse_charge_needs_the_clients_vat_number(service: Service, world: World) -> None:
    body = terms(vat_number=None, vat_treatment="reverse_charge")
    await service.call("PUT", world, f"client-terms/{new_id()}", json=body, status=422)


async def test_lists_page_by_cursor(service: Service, world: World) -> None:
    await service.set_up(world, clients=5)
    approved = [world.approved(n, client=n) for n in range(1, 6)]
    await service.take(*approved, *(world.cleared(n) for n in range(1, 6)), world.cut_off(approved))
    await service.issue(world)
    numbers: list[str] = []
    cursor = ""
    while True:
        page = await service.call("GET", world, f"invoices?limit=2{cursor}")
        numbers += [one["number"] for one in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert numbers == [f"INV-{n:06d}" for n in range(1, 6)]
    await service.call("GET", world, "invoices?cursor=nonsense", status=422)


async def test_another_agency_sees_and_changes_nothing(service: Service, world: World) -> None:
    invoice = await an_invoice(service, world)
    other = World()
    await service.call("PUT", other, "issuer", json=ISSUER)
    for path in (
        f"invoices/{invoice['document_id']}",
        f"invoices/{invoice['document_id']}/pdf",
        f"invoice-runs/{invoice['invoice_run_id']}",
        f"client-terms/{world.id('client', 1)}",
    ):
        await service.call("GET", other, path, status=404)
    for path in ("invoices", "client-terms", "ledger/entries", "bill-states", "receipts"):
        assert (await service.call("GET", other, path))["items"] == []
    assert (await service.call("GET", other, "ledger/trial-balance"))["accounts"] == []
    await credit(service, other, invoice, status=404)
    allocation = {"document_id": invoice["document_id"], "amount_gbp": "1.00"}
    receipt = {"client_id": invoice["client_id"], "received_on": "2026-04-20", "amount_gbp": "1.00"}
    await service.call("POST", other, "receipts", json=receipt | {"allocations": [allocation]}, status=422)
    assert await balance(service, world, invoice) == Decimal("762.34")


async def test_every_endpoint_refuses_a_token_of_another_agency(service: Service, world: World) -> None:
    from paybill_common.service import build_app

    schema = build_app(service.runtime).openapi()
    headers = service.keys.headers(new_id())
    paths = [path for path in schema["paths"] if "{agency_id}" in path]
    assert len(paths) > 20
    for path in paths:
        concrete = path.replace("{agency_id}", str(world.agency))
        for name in ("document_id", "client_id", "payee_id", "invoice_run_id", "receipt_id"):
            concrete = concrete.replace(f"{{{name}}}", str(new_id()))
        for method in schema["paths"][path]:
            response = await service.client.request(method, concrete, headers=headers, json={})
            assert response.status_code in (403, 422), (method, path, response.status_code)
            assert response.json()["code"] in ("agency_not_yours", "invalid_request"), (method, path)


def test_the_subscription_names_every_event_of_its_topics() -> None:
    from invoicing.subscriptions import SUBSCRIPTION
    from paybill_contracts.base import event_classes

    expected = {cls for cls in event_classes().values() if cls.TOPIC in SUBSCRIPTION.topics}
    assert SUBSCRIPTION.handles | SUBSCRIPTION.ignores == expected
    assert not SUBSCRIPTION.handles & SUBSCRIPTION.ignores
    assert SPEC.name == SUBSCRIPTION.consumer
