"""What if, on a page: what its form asks of pay-calc, and the answer beside the week's charge and margin. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol
from uuid import UUID

from paybill_common.money import from_pence, line_pence, to_pence
from reporting.domain import words

_TIME = re.compile(r"(-?)(\d{1,3})(?::([0-5]\d))?")
_TEXTS = {"tax_code": "tax code", "ni_letter": "NI letter", "tax_year": "tax year"}
_RATES = {"uplift_pct": "pay rate changed by {} %", "uplift_gbp": "pay rate changed by £{}", "rate_gbp": "pay rate £{}"}
_PENSIONS = {"net_pay": "net pay", "ras": "relief at source", "salary_sacrifice": "salary sacrifice"}
_WORDS = {
    **{name: text[0].upper() + text[1:] for name, text in _TEXTS.items()},
    "student_loan_plan": "Student loan",
    "postgrad_loan": "Postgraduate loan",
    "pension": "Pension",
    "levy_payer": "Apprenticeship Levy",
    "rates": "Pay rate",
    "hours": "Hours",
}
FIGURES = (
    ("gross_gbp", "Gross pay"),
    ("expenses_gbp", "Expenses"),
    ("tax_gbp", "Income tax"),
    ("employee_nic_gbp", "Employee NIC"),
    ("student_loan_gbp", "Student loans"),
    ("postgrad_loan_gbp", "Postgraduate loans"),
    ("employee_pension_gbp", "Employee pension"),
    ("sacrifice_gbp", "Salary sacrifice"),
    ("other_deductions_gbp", "Other deductions"),
    ("net_gbp", "Net pay"),
    ("employer_nic_gbp", "Employer NIC"),
    ("employer_pension_gbp", "Employer pension"),
    ("levy_gbp", "Apprenticeship Levy"),
    ("cost_gbp", "Cost"),
)
"""The figures of a slip that are shown, in the order of a payslip."""


class BadField(ValueError):
    """A field of the form that cannot be sent on; `field` is its label."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


def changes_of(form: Mapping[str, str]) -> dict[str, Any]:
    """The `changes` that pay-calc takes; empty when the form names none. BadField for hours or a pension that cannot be read."""
    changes: dict[str, Any] = {name: form[name] for name in _TEXTS if form.get(name)}
    if form.get("loan"):
        changes["student_loan_plan"] = None if form["loan"] == "none" else form["loan"]
    for name, key in (("postgrad", "postgrad_loan"), ("levy", "levy_payer")):
        if form.get(name):
            changes[key] = form[name] == "yes"
    if form.get("pension"):
        changes["pension"] = None if form["pension"] == "none" else _pension(form)
    elif any(form.get(name) for name in ("employee_pct", "employer_pct", "sacrifice")):
        raise BadField("Pension", "Choose how the pension is taken.")
    if form.get("rate"):
        how = form.get("rate_how") or "uplift_pct"
        changes["rates"] = [{how: _number(form["rate"]), **_code(form.get("rate_code"))}]
    if form.get("hours"):
        how = form.get("hours_how") or "scale_pct"
        value = _minutes(form["hours"]) if how == "add_minutes" else _number(form["hours"])
        changes["hours"] = [{how: value, **_code(form.get("hours_code"))}]
    return changes


def _pension(form: Mapping[str, str]) -> dict[str, str]:
    names = {"employee_pct": "employee_pct", "employer_pct": "employer_pct", "sacrifice": "sacrifice_gbp"}
    given = {key: _number(form[name]) for name, key in names.items() if form.get(name)}
    return {"basis": form["pension"], **given}


def _code(code: str | None) -> dict[str, str]:
    return {"rate_code": code} if code else {}


def _number(text: str) -> str:
    """The number as it was written, without pound signs, per cent signs and commas; pay-calc refuses what is none."""
    return re.sub(r"[£%,\s]", "", text).replace("−", "-")


def _minutes(text: str) -> int:
    found = _TIME.fullmatch(text.strip().replace("−", "-"))
    if found is None:
        raise BadField("Hours", "Write hours to add as 1:30, or -0:45 to take off.")
    minutes = int(found[2]) * 60 + int(found[3] or 0)
    return -minutes if found[1] else minutes


def said_of(changes: Mapping[str, Any]) -> list[str]:
    """The changes in words, one each."""
    said = [f"{text} {changes[name]}" for name, text in _TEXTS.items() if name in changes]
    if "student_loan_plan" in changes:
        plan = changes["student_loan_plan"]
        said.append("no student loan" if plan is None else f"student loan plan {plan}")
    for name, text in (("postgrad_loan", "a postgraduate loan"), ("levy_payer", "Apprenticeship Levy")):
        if name in changes:
            said.append(text if changes[name] else f"no {text.removeprefix('a ')}")
    if "pension" in changes:
        said.append(_pension_said(changes["pension"]))
    for rate in changes.get("rates", ()):
        said += [text.format(rate[how]) + _of(rate) for how, text in _RATES.items() if how in rate]
    for hours in changes.get("hours", ()):
        if "add_minutes" in hours:
            size = abs(hours["add_minutes"])
            less_or_more = "less" if hours["add_minutes"] < 0 else "more"
            said.append(f"{size // 60}:{size % 60:02d} hours {less_or_more} a worker{_of(hours)}")
        else:
            said.append(f"hours at {hours['scale_pct']} %{_of(hours)}")
    return said


def _of(change: Mapping[str, Any]) -> str:
    return f" on rate code {change['rate_code']}" if change.get("rate_code") else ""


def _pension_said(terms: Mapping[str, str] | None) -> str:
    if terms is None:
        return "no pension"
    parts = [
        f"{terms[name]} % {who}"
        for name, who in (("employee_pct", "worker"), ("employer_pct", "agency"))
        if name in terms
    ]
    parts += [f"£{terms['sacrifice_gbp']} given up"] if "sacrifice_gbp" in terms else []
    return ", ".join([f"pension by {_PENSIONS.get(terms['basis'], terms['basis'])}", *parts])


def label_of(pointer: str) -> str:
    """The label of the field that a pointer such as `#/changes/rates/0/rate_gbp` means."""
    parts = pointer.split("/")
    return _WORDS.get(parts[2], parts[2].replace("_", " ")) if len(parts) > 2 else "The form"


@dataclass(frozen=True, slots=True)
class Move:
    """An amount before and after, pounds; None where it is not known."""

    label: str
    before: Decimal | None
    after: Decimal | None
    total: bool = False

    @property
    def difference(self) -> Decimal | None:
        return None if self.before is None or self.after is None else self.after - self.before


@dataclass(frozen=True, slots=True)
class SlipMove:
    """One slip of pay-calc's answer. `before` and `after` are figures by name, empty when there are none; `why` says what stands in
    the way."""

    payslip_id: UUID
    worker: str
    reference: str
    pay_basis: str
    state: str
    outcome: str
    why: str
    minutes_before: int | None
    minutes_after: int | None
    before: Mapping[str, Decimal]
    after: Mapping[str, Decimal]

    def move(self, name: str) -> Move:
        return Move(name, self.before.get(name), self.after.get(name))


def slip_of(raw: Mapping[str, Any]) -> SlipMove:
    """A slip of the answer."""
    before, after, error = raw["before"], raw["after"], raw["error"]
    held = "; ".join(words.reason({"code": code}) for code in raw["held"])
    return SlipMove(
        payslip_id=UUID(raw["payslip_id"]),
        worker=raw["worker"] or raw["worker_reference"] or "Not named yet",
        reference=raw["worker_reference"] or "",
        pay_basis=raw["pay_basis"],
        state=raw["state"],
        outcome=raw["outcome"],
        why=held if error is None else error["message"],
        minutes_before=None if before is None else before["minutes"],
        minutes_after=None if after is None else after["minutes"],
        before=_figures(before),
        after=_figures(after),
    )


def _figures(sums: Mapping[str, Any] | None) -> dict[str, Decimal]:
    return {} if sums is None else {name: Decimal(value) for name, value in sums["figures"].items()}


class ChargeLine(Protocol):
    """An approved charge line of the read model."""

    @property
    def timesheet_id(self) -> UUID: ...
    @property
    def version(self) -> int: ...
    @property
    def charge_line_id(self) -> UUID: ...
    @property
    def client_id(self) -> UUID | None: ...
    @property
    def billable(self) -> bool: ...
    @property
    def rate_unit(self) -> str: ...
    @property
    def charge_rate(self) -> Decimal: ...
    @property
    def charge_gbp(self) -> Decimal: ...


class Charges:
    """How far other hours move what each client is charged: hours times the line's own charge rate, rounded as at approval."""

    def __init__(self) -> None:
        self.pence: defaultdict[UUID, int] = defaultdict(int)
        self.unknown = 0
        """Lines whose charge is not known here yet."""

    def add(self, quantities: Iterable[Mapping[str, Any]], lines: Iterable[ChargeLine]) -> None:
        """Add these lines' moves. `quantities` as pay-calc tells them: the line, and what its minutes or units become."""
        known = {(line.timesheet_id, line.version, line.charge_line_id): line for line in lines}
        for one in quantities:
            line = known.get((UUID(one["timesheet_id"]), one["version"], UUID(one["charge_line_id"])))
            if line is None or line.client_id is None:
                self.unknown += 1
            elif line.billable:
                after = (
                    line_pence(line.charge_rate, minutes=one["minutes"])
                    if line.rate_unit == "hour"
                    else line_pence(line.charge_rate, units=Decimal(one["units"] or 0))
                )
                self.pence[line.client_id] += after - to_pence(line.charge_gbp)


@dataclass(frozen=True, slots=True)
class ClientMove:
    """A client: its part of the slips that were worked both ways, and its whole charge and margin of the week before and after.

    Charge and margin are None for a client without costed timesheets in this week.
    """

    client_id: UUID
    name: str
    slips: int
    minutes_before: int
    minutes_after: int
    cost: Move
    charge: Move
    margin: Move


def clients_of(summary: Mapping[str, Any], week: Sequence[Any], charges: Charges) -> list[ClientMove]:
    """Each client of the answer, the margin that moves most first. `week`: the week's margin by client, as the margin page has it."""
    margins = {row.id: row for row in week}
    found = []
    for raw in summary["clients"]:
        client_id = UUID(raw["client_id"])
        row = margins.get(client_id)
        cost = Move("Cost", Decimal(raw["cost_before_gbp"]), Decimal(raw["cost_after_gbp"]))
        more = from_pence(charges.pence.get(client_id, 0))
        charge = None if row is None else row.charge_gbp
        margin = None if row is None else row.margin_gbp
        found.append(
            ClientMove(
                client_id=client_id,
                name=raw["client"] or ("Not named yet" if row is None else row.name),
                slips=raw["slips"],
                minutes_before=raw["minutes_before"],
                minutes_after=raw["minutes_after"],
                cost=cost,
                charge=Move("Charge", charge, _plus(charge, more)),
                margin=Move("Margin", margin, _plus(margin, more - (cost.difference or Decimal(0)))),
            )
        )
    return sorted(found, key=lambda one: (-abs(one.margin.difference or Decimal(0)), one.name))


def _plus(amount: Decimal | None, more: Decimal) -> Decimal | None:
    return None if amount is None else amount + more


def totals_of(summary: Mapping[str, Any], week: Sequence[Any], charges: Charges) -> list[Move]:
    """The slips' figures that are not nought, then the whole week's charge and margin. Cost of no client, such as sick pay of a week
    without hours, is in no margin."""
    before, after = _figures(summary["before"]), _figures(summary["after"])
    nought = Decimal(0)
    moves = [
        Move(label, before.get(name, nought), after.get(name, nought), name in ("net_gbp", "cost_gbp"))
        for name, label in FIGURES
    ]
    shown = [move for move in moves if move.before or move.after or move.total]
    charge = sum((row.charge_gbp for row in week), nought)
    margin = sum((row.margin_gbp for row in week), nought)
    more = from_pence(sum(charges.pence.values()))
    cost = sum((Decimal(one["cost_after_gbp"]) - Decimal(one["cost_before_gbp"]) for one in summary["clients"]), nought)
    return [
        *shown,
        Move("Charge of the week", charge, charge + more),
        Move("Margin of the week", margin, margin + more - cost, total=True),
    ]
