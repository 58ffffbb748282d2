"""The other four services as pages see them: small answers in their published shapes."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from pypdf import PdfWriter
from world import World

URLS = {name: f"http://{name}.test" for name in ("timesheet", "pay-calc", "invoicing", "compliance")}
Answerer = Callable[[httpx.Request], tuple[int, Any]]


def step(label: str, shown: str, *children: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A step of an explanation as pay-calc answers it."""
    return {
        "figure": None, "rule_id": "paye.due", "engine_version": "1.2.0", "parameter_version": "2026-27.2", "label": label,
        "operation": "sum", "formula": "of these", "inputs": {}, "sign": 1, "unit": "pounds", "unrounded": None, "rounding": None,
        "rounding_words": None, "rounding_source": None, "result": shown.replace("£", ""), "shown": shown, "quiet": False,
        "source": "HMRC, tax table routines", "children": list(children),
    } | more  # fmt: skip


def explanation() -> dict[str, Any]:
    """An explanation with a pay line, a tax line that rounds, and what the employer bears."""
    rounds = {"unrounded": "71.6049", "rounding": "tax_floor_penny", "rounding_words": "Tax goes down to the penny."}
    zero = step("Zero", "£0.00", quiet=True)
    due = step("Tax to date", "£71.60", step("Pay that is taxed", "£358.00"), zero, operation="product", **rounds)
    pay = step("Basic pay, Driver", "£512.40", figure="pay", operation="given", source="Approved timesheets")
    tax = step("Income tax", "£71.60", due, figure="tax", sign=-1, operation="smallest")
    bears = step("Employer National Insurance", "£62.46", figure="employer_nic", operation="given")
    told = [
        ("net", "Net pay", "£440.80"), ("pay", "Basic pay, Driver", "£512.40"), ("tax", "Income tax", "£71.60"),
        ("employer_nic", "Employer National Insurance", "£62.46"),
    ]  # fmt: skip
    return {
        "tree": step("Net pay", "£440.80", pay, tax, figure="net", sign=0),
        "employer": [bears],
        "figures": [
            {
                "figure": figure,
                "label": label,
                "shown": shown,
                "summary": f"{label} is {shown}, in short.",
                "words": label,
            }
            for figure, label, shown in told
        ],
        "worked_by": {"engine": "1.2.0", "parameters": "2026-27.2"},
        "made_by": None,
        "agrees": True,
        "note": None,
        "change_reason": "8.00 fewer hours than the week before.",
        "inputs": {},
    }


def pay_run(world: World, **more: Any) -> dict[str, Any]:
    """A closing pay run as pay-calc answers it: 1,250 of 3,000 workers in 50 seconds of real time."""
    return {
        "pay_run_id": world.id("pay-run", world.week), "week_ending": world.week, "state": "closing", "opened_by": "pat",
        "opened_at": "2026-04-06T14:00:00+00:00", "began_at": ago(51), "progressed_at": ago(1), "workers_total": 3000,
        "workers_done": 1250, "payslips": 0, "self_bills": 0, "gross_gbp": "0.00", "net_gbp": "0.00", "paid_minutes": 0,
        "held_minutes": 0, "accepted_by": None, "accepted_reason": None,
    } | more  # fmt: skip


def invoice_run(world: World, **more: Any) -> dict[str, Any]:
    """An open invoice run as invoicing answers it: 12 of 40 clients in four minutes of real time."""
    return {
        "invoice_run_id": world.id("invoice-run", world.week), "week_ending": world.week, "ordinal": 1, "status": "open",
        "opened_by": "paybill-cli", "opened_at": "2026-04-06T14:10:00+00:00", "began_at": ago(241), "progressed_at": ago(1),
        "clients": 40, "clients_done": 12, "invoices": 13, "credit_notes": 1, "net_gbp": "18220.00", "vat_gbp": "3644.00",
        "billed_minutes": 93600, "held_minutes": 0, "left_out_workers": [], "accepted_by": None, "accepted_reason": None,
    } | more  # fmt: skip


def ago(seconds: int) -> str:
    """A real instant, as owners write it."""
    return (datetime.now(tz=UTC) - timedelta(seconds=seconds)).isoformat()


class Owners:
    """A transport that answers like the owning services and keeps what it was asked. `away` names services that are down,
    `answers` what a path answers instead of its usual."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.asked: list[httpx.Request] = []
        self.away: set[str] = set()
        self.refuse: dict[str, tuple[int, dict[str, Any]]] = {}
        document = {"worker_id": world.worker_of(5), "requirement": "right_to_work", "expires_on": "2026-04-30"}
        self.expiring: list[dict[str, Any]] = [document]
        seen = {"recorded_at": "2026-04-06T11:05:00+00:00", "recorded_by": "cora", "file_name": "passport page.png"}
        self.documents: list[dict[str, Any]] = [
            {"document_id": world.id("kept"), "valid_from": "2026-01-01"} | document | seen,
            {
                "document_id": world.id("kept", 2),
                "requirement": "dbs",
                "valid_from": "2024-01-01",
                "expires_on": "2026-03-01",
            }
            | seen
            | {"file_name": None},
        ]
        self.answers: dict[str, Callable[[httpx.Request], Any]] = {}
        self.explanation: dict[str, Any] = explanation()
        self.replays: dict[str, Any] = {
            "state": "agrees", "due_at": "2026-04-07T02:00:00Z", "checked_at": "2026-04-07T02:00:07Z", "runs": 3, "agrees": 2,
            "differs": 0, "not_available": 0, "waiting": 1, "items": [],
        }  # fmt: skip
        self.pay_runs: list[dict[str, Any]] = [pay_run(world)]
        self.invoice_runs: list[dict[str, Any]] = [invoice_run(world)]
        self.stopped: set[str] = set()
        """Services whose consumer has stopped."""
        self.letter: dict[str, Any] = {}
        """What is different about the one dead letter."""
        self.acknowledged: dict[str, Any] | None = None
        """Who put a name to the pay that is below the minimum wage or could not be tested, once somebody has."""

    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self._answer)

    def sent(self, method: str = "POST") -> list[httpx.Request]:
        return [request for request in self.asked if request.method == method]

    def _answer(self, request: httpx.Request) -> httpx.Response:
        service = request.url.host.removesuffix(".test")
        self.asked.append(request)
        if service in self.away:
            raise httpx.ConnectError("refused", request=request)
        path = re.sub(r"^/v1/agencies/[0-9a-f-]{36}", "", request.url.path)
        if path in self.refuse:
            status, body = self.refuse[path]
            return httpx.Response(status, json=body, headers={"content-type": "application/problem+json"})
        if path in self.answers:
            return httpx.Response(200, json=json.loads(json.dumps(self.answers[path](request), default=str)))
        if path.endswith("/file"):
            return httpx.Response(200, content=_PNG, headers={"content-type": "image/png"})
        if path.endswith("/pdf"):
            return httpx.Response(200, content=_PDF, headers={"content-type": "application/pdf"})
        return httpx.Response(200, json=json.loads(json.dumps(self._json(service, path, request), default=str)))

    def minimum_wage(self) -> dict[str, Any]:
        """One payslip below the minimum wage and one not tested, as pay-calc answers them with a run."""
        found = (
            ("below_minimum_wage", "2.10 below the minimum wage"),
            (
                "minimum_wage_not_tested",
                "no birth date, and the pay is below the adult rate",
            ),
        )
        items = [
            {
                "worker_id": self.world.worker_of(n), "worker": None, "payslip_id": self.world.payslip_id(n), "revision": 2,
                "code": code, "detail": detail, "shortfall_gbp": "0.00" if n else "2.10", "acknowledged": self.acknowledged,
            }
            for n, (code, detail) in enumerate(found)
        ]  # fmt: skip
        waits = (
            {"unacknowledged": 2, "seen": "5ee4a11"}
            if self.acknowledged is None
            else {"unacknowledged": 0, "seen": None}
        )
        return {"below": 1, "not_tested": 1, "shortfall_gbp": "2.10", "items": items} | waits

    def _json(self, service: str, path: str, request: httpx.Request) -> Any:
        world = self.world
        worker = world.worker_of(5)
        if path == "/v1/ops/replays":
            return self.replays
        if path == "/v1/ops/consumer":
            dead = 1 if service == "pay-calc" else 0
            return {
                "consumer": service,
                "stopped": service in self.stopped,
                "lag": {"invoicing": 12, "compliance": None}.get(service, 0),
                "replicas": [
                    {
                        "replica": f"{service}-1",
                        "live": True,
                        "seen_s_ago": 2,
                        "moved_s_ago": 1,
                        "partitions": 24,
                        "lag": 0,
                    },
                    {
                        "replica": f"{service}-2",
                        "live": False,
                        "seen_s_ago": 95,
                        "moved_s_ago": 95,
                        "partitions": 24,
                        "lag": 7,
                    },
                ],
                "outbox_unpublished": 0,
                "dead_letters_open": dead,
                "parked": 2 * dead,
            }
        if path == "/v1/ops/dead-letters":
            return [
                {
                    "id": 7,
                    "consumer": service,
                    "event_id": world.id("dead"),
                    "agency_id": world.agency,
                    "event_type": "paybill.timesheet.approved.v1",
                    "topic": "paybill.timesheet",
                    "partition": 3,
                    "offset": 1041,
                    "key": str(worker),
                    "payload": json.dumps({"type": "paybill.timesheet.approved.v1", "data": {"version": 1}}),
                    "error_class": "PermanentError",
                    "error": "Payday 2031-04-11 is outside the known tax years; add its rates first.",
                    "attempts": 1,
                    "dead_at": "2026-04-06T14:12:00+00:00",
                    "waiting": 2,
                    **self.letter,
                }
            ]
        if path == "/pay-runs/preview":
            own = {"timesheets": 28, "payable_minutes": 68000, "payable_units": "0", "pay_gbp": "14001.00"}
            finding = {"worker_id": worker, "timesheet_id": world.timesheet_id(5), "minutes": 2340, "pay_gbp": "512.40"}
            minimum_wage = self.minimum_wage()
            named = {item["code"]: {"count": 1, "items": [item]} for item in minimum_wage.pop("items")}
            return {
                "week_ending": world.week,
                "period_to": "2026-04-06",
                "payday_on": "2026-04-10",
                "state": "open",
                "own": own,
                "control": own,
                "matches": True,
                "payslips": 24,
                "gross_gbp": "12450.10",
                "net_gbp": "9963.20",
                "minimum_wage": minimum_wage,
                "findings": {
                    **named,
                    "missing_pay_profile": {"count": 1, "items": [{**finding, "code": "missing_pay_profile"}]},
                    "over_60_hours": {"count": 1, "items": [{**finding, "detail": "63 hours in the week"}]},
                    "negative_pay": {"count": 0, "items": []},
                },
            }
        if path == "/invoice-runs/preview":
            money = {"documents": 6, "net_gbp": "18220.00", "vat_gbp": "3644.00", "gross_gbp": "21864.00"}
            nothing = {"documents": 0, "net_gbp": "0.00", "vat_gbp": "0.00", "gross_gbp": "0.00"}
            planned = {"kind": "invoice", "lines": 4, "minutes": 9360, "net_gbp": "3036.67", "gross_gbp": "3644.00"}
            return {
                "week_ending": world.week,
                "can_issue": True,
                "blocked_by": [],
                "left_out_workers": [worker],
                "billed_before": nothing,
                "this_run": money,
                "billed_after": money,
                "documents": [{"client_id": world.id("client", n), **planned} for n in range(6)],
                "held_by_reason": [
                    {"code": "missing_document", "timesheets": 4, "minutes": 9500, "charge_gbp": "2841.11"}
                ],
            }
        if path == "/payment-files":
            return {
                "items": [
                    {
                        "payment_file_id": world.id("payment-file", world.week),
                        "serial": 1,
                        "state": "prepared",
                        "prepared_by": "someone-else",
                        "prepared_by_name": "Sam Second",
                        "prepared_at": "2026-04-09T12:00:00+00:00",
                        "released_by_name": None,
                        "released_at": None,
                        "payments": 17,
                        "total_gbp": "9963.20",
                        "funds_on": "2026-04-10",
                    }
                ],
                "next_cursor": None,
            }
        if path in ("/pay-runs", "/invoice-runs") and request.method == "GET":
            runs = self.pay_runs if path == "/pay-runs" else self.invoice_runs
            wanted = request.url.params.get("week_ending")
            return {"items": [run for run in runs if wanted in (None, str(run["week_ending"]))], "next_cursor": None}
        if path.startswith("/pay-runs/") and request.method == "GET":
            left = {
                "worker_id": worker,
                "outcome": "nothing_payable",
                "reason": None,
                "held_timesheets": 1,
                "held_minutes": 2340,
            }
            run = {"pay_run_id": path.rsplit("/", 1)[-1], "state": "closed", "left_out": [left]}
            return run | {"minimum_wage": self.minimum_wage()}
        if path.endswith("/explanation"):
            return self.explanation
        if path.startswith("/workers/"):
            return {
                "worker_id": path.rsplit("/", 1)[-1],
                "documents": self.documents,
                "holds": [],
                "entry_blocked_by": [],
            }
        if path.endswith("/approval-requests") and request.method == "GET":
            who = {"approver_email": "pat@example.com", "approver_name": "Pat Approver", "timesheets": 3}
            silent = who | {"approval_request_id": world.id("asked", 1), "new": 0, "times_asked": 2}
            news = who | {
                "approval_request_id": world.id("asked", 2),
                "new": 3,
                "times_asked": 0,
                "last_asked_at": None,
            }
            items = [silent | {"last_asked_at": "2026-04-06T11:05:00+00:00"}, news | {"approver_name": "Ann New"}]
            return {"items": items, "next_cursor": None, "without_approver": 2}
        if path == "/expiring":
            return {"items": self.expiring, "next_cursor": None}
        if path == "/pay-calendar":
            return {"frequency": "weekly", "payday_days_after": 9, "late_pay": None, "is_default": False}
        if path.startswith("/timesheets/") and request.method == "GET":
            entry = {"worked_on": "2026-03-30", "start": "08:00", "finish": "16:30", "break_minutes": 30}
            proof = {
                "evidence_id": world.id("evidence"),
                "version": 1,
                "decision": "approved",
                "kind": "client",
                "decided_at": "2026-04-06T11:05:00+00:00",
                "by_subject": "approval-link",
                "by_name": "Sam Supervisor",
                "ip": "192.0.2.7",
                "user_agent": "Test browser",
                "note": "Looks right",
                "seen": {"entries": [entry], "expenses": []},
                "seen_sha256": "0" * 64,
            }
            return {"entries": [entry], "evidence": [proof]}
        return {
            "payslips": 24,
            "sent": 4,
            "chased": 4,
            "chased_before": 2,
            "payments": 17,
            "payment_file_id": worker,
            "invoices": 6,
            "handled": 3,
            "dead_letter_id": None,
            "error": None,
        }


_PNG = b"\x89PNG\r\n\x1a\n"


def _pdf() -> bytes:
    out = io.BytesIO()
    writer = PdfWriter()
    writer.add_blank_page(width=595, height=842)
    writer.write(out)
    return out.getvalue()


_PDF = _pdf()
