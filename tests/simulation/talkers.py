"""The same week, told by people who write into every field for free text there is: nothing of it may reach the bus."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from tests.simulation.story import WEEK, Step, Story

WRITTEN = "marigold"
"""In every text that these people write; the rest of the text names the door it went through."""


class Talkers(Story):
    """Every text door of the four services, used once at least."""

    async def set_up(self) -> None:
        await super().set_up()
        call, client = self.world.call, self.clients[0]
        consultant = self.world.new_id()
        await call(
            *("timesheet", "PUT", f"/consultants/{consultant}"),
            {"name": "Consultant 001 Example", "email": "marigold.consultant@example.com"},
        )
        approver = {"approver_name": "Marigold Approver", "approver_email": "marigold.approver@example.com"}
        await call("timesheet", "PUT", f"/clients/{client}", {"name": "Client 000 Example", **approver})
        for number, worker in enumerate(self.workers):
            body = {"name": f"Worker {number:05} Testcase", "email": f"marigold.worker{number}@example.com"}
            await call("timesheet", "PUT", f"/workers/{worker}", body)
        for placement in self.placements:
            known = await call("timesheet", "GET", f"/placements/{placement}")
            kept = ("worker_id", "client_id", "name", "starts_on", "rate_card_id", "pay_basis", "payee_id")
            body = {name: known[name] for name in kept} | {"consultant_id": str(consultant)}
            body |= {"approver_name": "Marigold Deputy", "approver_email": "marigold.deputy@example.com"}
            await call("timesheet", "PUT", f"/placements/{placement}", body)
        await self._records_of_pay()
        await self._parties()
        body = {"title": "Right to work, says marigold-title", "blocks": ["pay", "bill"]}
        await call("compliance", "PUT", "/requirements/right_to_work", body)

    async def _records_of_pay(self) -> None:
        """An attachment order, sickness, family leave and an advance, each with every reference that it may carry."""
        put, worker = self.world.call, {"worker_id": str(self.workers[0])}
        average = {"average_weekly_earnings_gbp": "400.00", "average_ref": "marigold-average"}
        order = {"kind": "DEO", "reference": "marigold-order", "issued_on": "2026-02-02", "starts_on": "2026-03-01",
                 "normal_gbp": "8.00", "protected_gbp": "30.00", "document_ref": "marigold-order-file"}  # fmt: skip
        sick = {"first_on": "2026-03-16", "last_on": "2026-03-20", "qualifying_weekdays": [1, 2, 3, 4, 5],
                "evidence_ref": "marigold-fit-note", **average}  # fmt: skip
        decision = {"decided_by": "Marigold Decider", "decided_on": "2026-03-20", "evidence_ref": "marigold-birth"}
        leave = {"kind": "SMP", "event_on": "2026-05-10", "starts_on": "2026-04-06", "weeks": 2, "decision": decision}
        advance = {"kind": "agreed", "reference": "marigold-advance", "arose_on": "2026-03-02",
                   "starts_on": "2026-03-30", "instalment_gbp": "1.00", "total_gbp": "2.00",
                   "consent_ref": "marigold-consent", "consent_on": "2026-03-01"}  # fmt: skip
        for door, body in (
            ("attachment-orders", order),
            ("absences", sick),
            ("family-leaves", leave | average),
            ("net-deductions", advance),
        ):
            await put("pay-calc", "PUT", f"/{door}/{self.world.new_id()}", body | worker)

    async def _parties(self) -> None:
        call = self.world.call
        employer = {"legal_name": "Marigold Employer Ltd", "address": ["4 Marigold Mews"], "account_name": "MARIGOLD"}
        bank = {"sort_code": "00-00-03", "account_number": "00000003"}
        await call("pay-calc", "PUT", "/employer", employer | bank)
        issuer = {"legal_name": "Marigold Issuer Ltd", "address": ["5 Marigold Mews"], "phone": "07700 900123 marigold"}
        issuer |= {"email": "marigold.issuer@example.com", "vat_number": "GB999999973", "bank_name": "Marigold Bank"}
        await call("invoicing", "PUT", "/issuer", issuer | bank | {"account_name": "MARIGOLD"})
        terms = {"legal_name": "Marigold Client Ltd", "address": ["6 Marigold Mews"], "attention": "marigold-attention"}
        terms |= {"email": "marigold.client@example.com", "customer_reference": "marigold-customer"}
        for client in self.clients:
            await call("invoicing", "PUT", f"/client-terms/{client}", terms)

    def _life_of(self, placement: UUID) -> list[Step]:
        """Everybody is rejected once, and amended once, with reasons."""
        sheet, start = self.timesheets[placement], self.starts[placement]

        def act(what: str, body: Any = None) -> Step:
            expected = (200, 201, 409) if what == "amend" else (200, 201)
            return lambda: self.world.call("timesheet", "POST", f"/timesheets/{sheet}/{what}", body, expect=expected)

        def enter() -> Any:
            return self.world.call("timesheet", "PUT", f"/timesheets/{sheet}/entries", {"entries": self._hours(start)})

        evidence = {"kind": "client", "name": "Marigold Signatory", "note": "marigold-evidence"}
        return [
            *(enter, act("submit"), act("reject", {"reason": "marigold-reject"}), act("reopen"), enter, act("submit")),
            act("approve", {"evidence": evidence}),
            act("amend", {"entries": self._hours(start), "reason": "marigold-amend"}),
        ]

    async def _document(self, worker: UUID) -> None:
        """The first worker's is missing, so that there is a hold to release; the others' have a file."""
        if worker == self.workers[0]:
            return
        document = self.world.new_id()
        body = {"document_id": str(document), "worker_id": str(worker), "requirement": "right_to_work"}
        await self.world.call("compliance", "POST", "/documents", body | {"valid_from": "2025-01-01"})
        answer = await self.world.nodes["compliance"].client.put(
            f"/v1/agencies/{self.world.agency}/documents/{document}/file",
            files={"file": ("marigold-passport.pdf", b"%PDF-1.4 marigold", "application/pdf")},
            headers=self.world.keys.headers(self.world.agency) | {"Idempotency-Key": str(self.world.new_id())},
        )
        assert answer.status_code == 201, answer.text

    async def close(self) -> None:
        """A hold is released, both runs are accepted, an invoice is credited and money comes in: each with words."""
        call = self.world.call
        held = (await call("compliance", "GET", "/holds"))["items"]
        mine = [hold["timesheet_id"] for hold in held if hold["worker_id"] == str(self.workers[0])]
        assert mine, "the worker without a document is held"
        for timesheet in mine:
            await call("compliance", "POST", f"/holds/{timesheet}/release", {"reason": "marigold-release"})
        await self.world.settle()
        await call("timesheet", "POST", f"/weeks/{WEEK}/cut-off")
        await self.world.settle()
        accepted = {"week_ending": WEEK, "accept_difference": {"by": "Marigold Manager", "reason": "marigold-accept"}}
        await call("pay-calc", "POST", "/pay-runs", accepted)
        await self.world.settle()
        await call("invoicing", "POST", "/invoice-runs", accepted)
        invoice = (await call("invoicing", "GET", "/invoices"))["items"][0]
        credit = {"reason_code": "other", "reason": "marigold-credit"}
        await call("invoicing", "POST", f"/invoices/{invoice['document_id']}/credit", credit)
        receipt = {"receipt_id": str(self.world.new_id()), "client_id": invoice["client_id"], "amount_gbp": "1.00"}
        receipt |= {"received_on": "2026-04-07", "reference": "marigold-receipt"}
        await call("invoicing", "POST", "/receipts", receipt)
        await self.world.settle()
