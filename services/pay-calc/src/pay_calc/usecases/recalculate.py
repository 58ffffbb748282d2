"""Work the drafts of touched workers again, once each, and tell what changed. The caller holds the workers' locks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any
from uuid import UUID

from pay_calc.domain.decide import Agency, Slip, Worker, decide, totals_of
from pay_calc.domain.engine import ENGINE_VERSION
from pay_calc.domain.engine.parameters import tax_year_of
from pay_calc.domain.engine.trace import Trace
from pay_calc.domain.pay_dates import WEEK
from pay_calc.domain.slips import CIS_FIGURES, Charge, SlipInput, SlipResult, calculate
from pay_calc.domain.subcontractors import Subcontractor
from pay_calc.rates import attachment_book, minimum_wage_book, year_book
from pay_calc.store import facts, slips
from pay_calc.store.facts import Key
from paybill_common.db import Tx
from paybill_common.envelope import AnyEvent
from paybill_common.ids import derived_id
from paybill_common.money import from_pence
from paybill_contracts.pay import PayCalculated, PayHeld

Causes = Mapping[Key, AnyEvent]

# Amounts of ordinary weeks repeat; encoders are made once.
gbp = lru_cache(maxsize=65536)(from_pence)
_dumps = json.JSONEncoder(separators=(",", ":")).encode


def work(inp: SlipInput, trace: Trace | None = None) -> SlipResult:
    """A slip by this release's statutory figures."""
    return calculate(
        inp, years=year_book(), minimum_wage=minimum_wage_book(), attachments=attachment_book(), trace=trace
    )


def payslip_id_of(*, agency_id: UUID, worker_id: UUID, period_to: date, pay_basis: str, payee_id: UUID | None) -> UUID:
    """The id that this worker's slip of this period, basis and payee always has."""
    return derived_id("payslip", agency_id, worker_id, period_to, pay_basis, payee_id or "")


@dataclass(slots=True)
class Drafted:
    """A slip beside the id and revision it is stored under."""

    payslip_id: UUID
    revision: int
    slip: Slip


async def recalculate(tx: Tx, *, keys: Sequence[Key], causes: Causes | None = None) -> dict[Key, list[Drafted]]:
    """Decide and store the drafts of these workers; emit `pay.calculated` and `pay.held` where a result changed."""
    found = await facts.load(tx, keys)
    known = await slips.known_drafts(tx, keys)
    rows: list[slips.Row] = []
    drafted: dict[Key, list[Drafted]] = {}
    for key in keys:
        worker, agency = found.workers[key], found.agencies[key[0]]
        drafted[key] = _worker(tx, worker, agency, known.get(key, {}), rows, (causes or {}).get(key))
    await slips.upsert_drafts(tx, rows)
    return drafted


async def decide_now(tx: Tx, *, keys: Sequence[Key]) -> list[tuple[UUID, Slip]]:
    """What would be drafted for these workers from the facts of now; nothing is stored."""
    found = await facts.load(tx, keys)
    return [pair for key in keys for pair in _decided(found.workers[key], found.agencies[key[0]])]


def _decided(worker: Worker, agency: Agency) -> list[tuple[UUID, Slip]]:
    if not (worker.versions or worker.statutory or worker.pension_refund is not None or worker.nil_weeks):
        return []
    return [
        (
            payslip_id_of(
                agency_id=worker.agency_id,
                worker_id=worker.worker_id,
                period_to=slip.period_to,
                pay_basis=slip.pay_basis,
                payee_id=slip.payee_id,
            ),
            slip,
        )
        for slip in decide(worker, agency, work, tax_year_of, year_book())
    ]


def _worker(
    tx: Tx,
    worker: Worker,
    agency: Agency,
    known: Mapping[UUID, slips.Known],
    rows: list[slips.Row],
    cause: AnyEvent | None,
) -> list[Drafted]:
    drafted: list[Drafted] = []
    fresh = _decided(worker, agency)
    kept = {payslip_id for payslip_id, _ in fresh}
    gone = [
        (draft.payslip_id, Slip(draft.period_to, draft.pay_basis, draft.payee_id, draft.payday_on))
        for draft in known.values()
        if draft.payslip_id not in kept and (draft.fingerprint or draft.held_fingerprint)
    ]
    for payslip_id, slip in gone + fresh:
        row = _compare(tx, worker, payslip_id, slip, known.get(payslip_id), cause)
        if row is not None:
            rows.append(row)
        old = known.get(payslip_id)
        revision = row.revision if row is not None else old.revision if old is not None else 0
        drafted.append(Drafted(payslip_id, revision, slip))
    return drafted


def _compare(
    tx: Tx, worker: Worker, payslip_id: UUID, slip: Slip, old: slips.Known | None, cause: AnyEvent | None
) -> slips.Row | None:
    """The row to store and the events to tell, or None when nothing changed."""
    result_json = None if slip.result is None else _dumps(_stored_result(slip))
    held_json = "[]" if not slip.held else _dumps(_stored_held(slip))
    fingerprint = slips.NONE if result_json is None else _print(f"{slip.payday_on}{result_json}")
    held_fingerprint = slips.NONE if not slip.held else _print(held_json)
    was, was_held, revision = (
        (old.fingerprint, old.held_fingerprint, old.revision) if old is not None else (slips.NONE, slips.NONE, 0)
    )
    if old is not None and was == fingerprint and was_held == held_fingerprint:
        return None
    if old is None and fingerprint == slips.NONE and held_fingerprint == slips.NONE:
        return None
    if was != fingerprint:
        revision += 1
        figures = figures_of(
            agency_id=worker.agency_id, worker_id=worker.worker_id, payslip_id=payslip_id, revision=revision, slip=slip
        )
        tx.emit(PayCalculated.model_validate(figures), sequence=revision, cause=cause)
    if was_held != held_fingerprint:
        revision += 1
        tx.emit(held_event(worker, payslip_id, slip), sequence=revision, cause=cause)
    result = slip.result
    return slips.Row(
        agency_id=worker.agency_id,
        payslip_id=payslip_id,
        worker_id=worker.worker_id,
        period_from=slip.period_to - WEEK,
        period_to=slip.period_to,
        payday_on=slip.payday_on,
        pay_basis=slip.pay_basis,
        payee_id=slip.payee_id,
        revision=revision,
        fingerprint=fingerprint,
        held_fingerprint=held_fingerprint,
        gross_gbp=gbp(0 if result is None else result.figures["gross_pence"] + result.figures["expenses_pence"]),
        net_gbp=gbp(0 if result is None else result.figures["net_pence"]),
        cost_gbp=gbp(0 if result is None else result.figures["cost_pence"]),
        minutes=0 if result is None else result.minutes,
        worked_minutes=0 if result is None else result.worked_minutes,
        charges=0 if slip.inp is None else len(slip.inp.charges),
        nmw=None if result is None else result.nmw,
        result=result_json,
        held=held_json,
        held_minutes=totals_of(slip.held)[1],
    )


def _print(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _stored_result(slip: Slip) -> dict[str, Any]:
    """The result with, for each charge, which line it is: what the payslip page shows."""
    assert slip.inp is not None
    assert slip.result is not None
    stored = slip.result.as_json()
    stored["charges"] = [
        [charge.charge_line_id, charge.timesheet_id, charge.version, charge.minutes, share, moved, charge.reverses]
        for charge, (share, moved) in zip(slip.inp.charges, slip.result.shares, strict=True)
    ]
    return stored


def _stored_held(slip: Slip) -> list[dict[str, Any]]:
    return [
        {
            "timesheet_id": str(version.timesheet_id),
            "version": version.version,
            "week_ending": version.week_ending.isoformat(),
            "minutes": version.minutes,
            "pay_pence": version.pay_pence,
            "reasons": [dict(reason) for reason in reasons],
        }
        for version, reasons in slip.held
    ]


def held_event(worker: Worker, payslip_id: UUID, slip: Slip) -> PayHeld:
    """Who waits, and why."""
    return PayHeld.model_validate(
        {
            "agency_id": worker.agency_id,
            "worker_id": worker.worker_id,
            "payslip_id": payslip_id,
            "period_to": slip.period_to,
            "held": [
                {
                    "timesheet_id": version.timesheet_id,
                    "version": version.version,
                    "minutes": version.minutes,
                    "pay_gbp": gbp(version.pay_pence),
                    "reasons": [{"blocks": ("pay",), **reason} for reason in reasons],
                }
                for version, reasons in slip.held
            ],
        }
    )


def figures_of(*, agency_id: UUID, worker_id: UUID, payslip_id: UUID, revision: int, slip: Slip) -> dict[str, Any]:
    """The fields of `pay.calculated` and `pay.finalised`.

    Gross on the bus holds receipted expenses, which the payslip prints below the line: so charges, holiday pay, statutory pay and pay for
    leave taken sum to it. A salary sacrifice is a deduction there, and only the pension beyond it the employer's.
    """
    result = slip.result
    figures = result.figures if result is not None else _NOTHING
    sacrifice = figures["sacrifice_pence"]
    return {
        "agency_id": agency_id,
        "worker_id": worker_id,
        "payslip_id": payslip_id,
        "revision": revision,
        "pay_basis": slip.pay_basis,
        "payee_id": slip.payee_id,
        "frequency": "weekly",
        "period_from": slip.period_to - WEEK,
        "period_to": slip.period_to,
        "payday_on": slip.payday_on,
        "tax_year": None if result is None else result.tax_year,
        "tax_period": None if result is None else result.tax_period,
        "gross_gbp": gbp(figures["gross_pence"] + figures["expenses_pence"]),
        "holiday_pay_gbp": gbp(figures["holiday_pence"]),
        "tax_gbp": gbp(figures["tax_pence"]),
        "employee_nic_gbp": gbp(figures["employee_nic_pence"]),
        "employer_nic_gbp": gbp(figures["employer_nic_pence"]),
        "other_deductions_gbp": gbp(
            sacrifice
            + figures["student_loan_pence"]
            + figures["postgrad_loan_pence"]
            + figures["employee_pension_pence"]
            + figures["other_deductions_pence"]
        ),
        "employer_pension_gbp": gbp(figures["employer_pension_pence"] - sacrifice),
        "levy_gbp": gbp(figures["levy_pence"]),
        "net_gbp": gbp(figures["net_pence"]),
        "cost_gbp": gbp(figures["cost_pence"]),
        "engine_version": ENGINE_VERSION if result is None else result.engine_version,
        "parameter_version": "none" if result is None else result.parameter_version,
        "statutory_pay_gbp": gbp(0 if result is None else pence_of("statutory", result)),
        "holiday_taken_pay_gbp": gbp(0 if result is None else pence_of("holiday", result)),
        **_leave_figures(result),
        "cis": None if slip.inp is None or slip.inp.subcontractor is None else _cis_of(figures, slip.inp.subcontractor),
        "charges": () if slip.inp is None or result is None else _pay_charges(slip.inp.charges, result.shares),
    }


def _cis_of(figures: Mapping[str, int], subcontractor: Subcontractor) -> dict[str, Any]:
    labour, materials, deduction = (gbp(figures[name]) for name in CIS_FIGURES)
    return {
        "labour_gbp": labour,
        "materials_gbp": materials,
        "rate_pct": subcontractor.rate_bp // 100,
        "deduction_gbp": deduction,
    }


def pence_of(kind: str, result: SlipResult) -> int:
    """The part of gross that is of this kind: statutory pay, or pay for leave."""
    return sum(line["amount_pence"] for line in result.lines if line["kind"] == kind)


def _leave_figures(result: SlipResult | None) -> dict[str, int]:
    """The worker's leave with this slip, where there is any."""
    if result is None or result.leave is None:
        return {}
    return {
        "leave_earned_minutes": result.leave["earned_minutes"],
        "leave_taken_minutes": result.leave["taken_minutes"],
    }


def _pay_charges(charges: Sequence[Charge], shares: Sequence[tuple[int, int]]) -> list[dict[str, Any]]:
    return [
        {
            "charge_line_id": charge.charge_line_id,
            "timesheet_id": charge.timesheet_id,
            "version": charge.version,
            "minutes": charge.minutes,
            "pay_gbp": gbp(share),
            "rounding_gbp": gbp(moved),
            "reverses": charge.reverses,
        }
        for charge, (share, moved) in zip(charges, shares, strict=True)
    ]


_NOTHING = dict.fromkeys(
    (
        "gross_pence",
        "expenses_pence",
        "sacrifice_pence",
        "holiday_pence",
        "tax_pence",
        "employee_nic_pence",
        "employer_nic_pence",
        "student_loan_pence",
        "postgrad_loan_pence",
        "employee_pension_pence",
        "employer_pension_pence",
        "other_deductions_pence",
        "levy_pence",
        "net_pence",
        "cost_pence",
    ),
    0,
)
