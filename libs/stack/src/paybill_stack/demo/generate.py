"""Writes the files that three agencies have on a Monday, the same bytes for the same seed. Whole numbers and Decimal only.

Every name says that it is a test; NI numbers have the prefix QQ, which is never issued; sort codes are 00-00-xx, phones from
the range kept for drama, e-mails at example.com, postcodes in the area ZZ, which does not exist.
"""

import csv
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from random import Random
from typing import Any, TypeVar
from uuid import UUID

from paybill_common.ids import derived_id
from paybill_stack import StackError
from paybill_stack.demo import broken
from paybill_stack.demo.cast import (
    AGENCIES,
    CASES,
    DAY_SHIFTS,
    DEFAULT_SEED,
    DEFAULT_TIMESHEETS,
    LATE_SHIFTS,
    LEAVE_BROUGHT_MINUTES,
    LEAVE_MINUTES,
    LOAN_EVERY,
    LOAN_PLANS,
    LONG_SHIFTS,
    MARKUP_PERCENT,
    MONDAY,
    NIGHT_SHIFTS,
    PAYDAY,
    PENSIONS,
    POSTGRAD_EVERY,
    RULES,
    SICK_FROM,
    SICK_TO,
    TAX_CODES,
    TIMESHEETS_MAX,
    TIMESHEETS_MIN,
    WEEK_ENDING,
    Agency,
    Case,
    Job,
    Rules,
)

T = TypeVar("T")
_PENNY = Decimal("0.01")
_RATE = Decimal("0.0001")
_GOOD_FRIDAY = 4
_RATE_CHANGE_DAYS = (2, 3)  # Wednesday 1 April, Thursday 2 April
_RATE_CHANGE_PERCENT = Decimal("103.5")
_PART_WEEK_EVERY = 17  # of so many placements one starts and one ends in the week


@dataclass(frozen=True)
class Client:
    reference: str
    number: int
    name: str
    rules: Rules
    markup_percent: Decimal
    by_clock: bool
    nights: bool
    weekends: bool
    group_by: str
    vat_treatment: str
    payment_days: int
    po_required: bool
    sites: int


@dataclass(frozen=True)
class Payee:
    reference: str
    number: int
    kind: str
    name: str
    cis_rate: int | None = None
    sds: str = ""
    """Of a limited company: what its one worker's clients determined."""


@dataclass(frozen=True)
class Worker:
    reference: str
    number: int
    birth_on: date
    tax_code: str
    tax_basis: str
    ni_letter: str
    apprentice: bool
    has_right_to_work: bool
    loan_plan: str = ""
    postgrad_loan: bool = False
    pension: tuple[str, str, str] | None = None
    sacrifice: str = ""
    director_since: date | None = None


@dataclass(frozen=True)
class Card:
    """What one client pays and is charged for one job on one basis; `reference` empty: the placement's own."""

    reference: str
    client: Client
    unit: str
    pay_rate: Decimal
    charge_rate: Decimal


@dataclass(frozen=True)
class Shift:
    """One line of an hours file; either clock times and a break in minutes, or minutes, or quarters of a day."""

    on: date
    start: str = ""
    finish: str = ""
    break_minutes: int = 0
    minutes: int = 0
    day_quarters: int = 0


@dataclass(frozen=True)
class Placement:
    reference: str
    worker: Worker
    client: Client
    site: int
    job_title: str
    consultant: str
    branch: str
    pay_basis: str
    payee: Payee | None
    card: Card
    starts_on: date
    last_on: date | None
    shifts: tuple[Shift, ...]


@dataclass
class AgencyWeek:
    """Everything of one agency, ready to be written."""

    agency: Agency
    agency_id: UUID
    clients: list[Client] = field(default_factory=list)
    payees: list[Payee] = field(default_factory=list)
    workers: list[Worker] = field(default_factory=list)
    placements: list[Placement] = field(default_factory=list)
    cards: dict[str, Card] = field(default_factory=dict)
    rate_changes: list[tuple[Card, date]] = field(default_factory=list)
    cases: list[tuple[Case, Worker]] = field(default_factory=list)
    leaves: dict[str, date] = field(default_factory=dict)


@dataclass
class AgencyPlan:
    """What will happen to an agency's timesheets, by placement, worker and client reference."""

    slug: str
    agency_id: str
    name: str
    reference: str
    timesheets: int
    workers: int
    clients: int
    rejected: list[str]
    amended: list[str]
    no_right_to_work: list[str]
    documents_arrive: list[str]
    silent_clients: list[str]
    link_clients: list[str]
    rate_changes: list[str]
    consultants: list[str]
    cases: dict[str, str]
    pay_records: list[dict[str, Any]]


@dataclass
class Plan:
    """The demo's script: what the files hold and what is done to them."""

    seed: int
    week_ending: str
    payday_on: str
    timesheets: int
    broken_lines: int
    broken_agency: str
    agencies: list[AgencyPlan]


def wanted_timesheets() -> int:
    """PAYBILL_DEMO_TIMESHEETS, or 3,000. Raises StackError when it is no sensible number."""
    text = os.environ.get("PAYBILL_DEMO_TIMESHEETS", "") or str(DEFAULT_TIMESHEETS)
    if not text.isdigit() or not TIMESHEETS_MIN <= int(text) <= TIMESHEETS_MAX:
        raise StackError(f"PAYBILL_DEMO_TIMESHEETS is {text!r}; a number from {TIMESHEETS_MIN} to {TIMESHEETS_MAX}")
    return int(text)


def agency_uuid(slug: str) -> UUID:
    """The id that follows from the agency's reference, as with `paybill agency`."""
    return derived_id("agency", next(agency.code for agency in AGENCIES if agency.slug == slug))


def generate(folder: Path, *, timesheets: int = DEFAULT_TIMESHEETS, seed: int = DEFAULT_SEED) -> Plan:
    """Write the week's files into `folder` and return the plan, which is also written as plan.json."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in [*folder.glob("*.csv*"), *folder.glob(".*.csv*")]:
        old.unlink()
    weeks: list[AgencyWeek] = []
    plans: list[AgencyPlan] = []
    numbers = {"worker": 0, "client": 0, "payee": 0}
    left = timesheets
    for position, agency in enumerate(AGENCIES):
        count = left if position == len(AGENCIES) - 1 else timesheets * agency.share // 100
        left -= count
        chance = Random(f"{seed}:{agency.slug}")  # noqa: S311 - made-up data, the same for a seed
        week = _agency_week(agency, agency_uuid(agency.slug), count, chance, numbers)
        weeks.append(week)
        plans.append(_plan(week, chance, position))
    for week, agency_plan in zip(weeks, plans, strict=True):
        _write_agency(folder, week, agency_plan)
    target = weeks[-1]
    lines = broken.lines(target.placements, other_agency_reference=weeks[0].placements[0].reference)
    _write(folder / f"{target.agency.slug}-hours-broken.csv", broken.HEADER, lines)
    plan = Plan(seed, WEEK_ENDING.isoformat(), PAYDAY.isoformat(), timesheets, len(lines), target.agency.slug, plans)
    (folder / "plan.json").write_text(json.dumps(asdict(plan), indent=2) + "\n", encoding="utf-8")
    return plan


# --- people and places --------------------------------------------------------------------------------------------------


def _agency_week(
    agency: Agency, agency_id: UUID, timesheets: int, chance: Random, numbers: dict[str, int]
) -> AgencyWeek:
    week = AgencyWeek(agency, agency_id)
    workers = timesheets - timesheets // 6
    for _ in range(max(6, timesheets * 6 // 100)):
        numbers["client"] += 1
        week.clients.append(_client(agency, numbers["client"], chance))
    for _ in range(max(2, timesheets // 250)):
        numbers["payee"] += 1
        week.payees.append(_payee(agency, numbers["payee"], "umbrella"))
    without = set(chance.sample(range(timesheets // 6, workers), _share(timesheets, 15)))
    for position in range(workers):
        numbers["worker"] += 1
        week.workers.append(_worker(agency, numbers["worker"], chance, has_document=position not in without))
    for position, worker in enumerate(week.workers):
        basis, payee = _basis(agency, week, chance, numbers, rest=workers - position)
        if payee is not None and payee.sds == "inside":
            worker = replace(worker, tax_code="BR", tax_basis="cumulative")
            week.workers[position] = worker
        doubled = position < timesheets // 6
        first = chance.choice(week.clients)
        second = chance.choice([client for client in week.clients if client is not first])
        for turn, client in enumerate((first, second) if doubled else (first,)):
            days = range(turn * 3, turn * 3 + 3) if doubled else range(7)
            week.placements.append(_placement(week, worker, client, basis, payee, days, chance))
    _rate_changes(week)
    _cases(week)
    return week


def _cases(week: AgencyWeek) -> None:
    """Give each case to the first worker whom it fits: on PAYE alone, with documents, and with enough pay for what is taken of it."""
    of: dict[int, list[int]] = {}
    for index, placement in enumerate(week.placements):
        of.setdefault(placement.worker.number, []).append(index)
    free = [
        worker
        for worker in week.workers
        if worker.ni_letter == "A"
        and worker.has_right_to_work
        and len(of[worker.number]) == 1
        and week.placements[of[worker.number][0]].pay_basis == "paye"
        and len(week.placements[of[worker.number][0]].shifts) >= 3
        and week.placements[of[worker.number][0]].last_on is None
    ]
    for case in CASES:
        if case.leave and week.agency.holiday != "accrued":
            continue
        fits = [worker for worker in free if not case.sick or _shifts_after(week.placements[of[worker.number][0]])]
        if case.sacrifice:
            fits.sort(key=lambda worker: (-week.placements[of[worker.number][0]].card.pay_rate, worker.number))
        if not fits:
            continue  # a very small week may have nobody for a case
        worker = fits[0]
        free.remove(worker)
        index = of[worker.number][0]
        placement = week.placements[index]
        changed = replace(
            worker,
            tax_code=case.tax_code or "1257L",
            tax_basis="cumulative",
            loan_plan=case.loan_plan,
            postgrad_loan=False,
            pension=case.pension,
            sacrifice=case.sacrifice,
            director_since=case.director_since,
        )
        shifts = _shifts_after(placement) if case.sick else placement.shifts
        if case.leave:
            week.leaves[worker.reference] = shifts[-1].on
            shifts = shifts[:-1]
        week.placements[index] = replace(placement, worker=changed, shifts=shifts)
        week.workers[week.workers.index(worker)] = changed
        week.cases.append((case, changed))


def _shifts_after(placement: Placement) -> tuple[Shift, ...]:
    """The shifts after the days of sickness."""
    return tuple(shift for shift in placement.shifts if shift.on > SICK_TO)


def _client(agency: Agency, number: int, chance: Random) -> Client:
    word = agency.client_words[number % len(agency.client_words)]
    vat = "standard"
    if number % 29 == 0:
        vat = "zero"
    if agency.slug == "construction" and number % 13 == 0:
        vat = "reverse_charge"
    return Client(
        reference=f"{agency.code}-C{number:04}",
        number=number,
        name=f"Client {number:04} Example {word} Ltd",
        rules=RULES[number % len(RULES)],
        markup_percent=chance.choice(MARKUP_PERCENT),
        by_clock=number % 4 != 0,
        nights=chance.randrange(10) < agency.nights_in_ten,
        weekends=chance.randrange(10) < agency.weekends_in_ten,
        group_by="worker" if number % 60 == 17 else "site" if number % 7 == 3 else "client",
        vat_treatment=vat,
        payment_days=chance.choice((7, 14, 14, 21, 30, 30, 45, 60)),
        po_required=number % 11 == 0,
        sites=1 + number % 3,
    )


def _payee(agency: Agency, number: int, kind: str) -> Payee:
    word = {"umbrella": "Umbrella", "limited": "Contracting", "cis": "Trade"}[kind]
    name = f"{word} {number:04} Example" + ("" if kind == "cis" else " Ltd")
    return Payee(f"{agency.code}-P{number:04}", number, kind, name)


def _worker(agency: Agency, number: int, chance: Random, *, has_document: bool) -> Worker:
    age = chance.randrange(18, 64)
    apprentice = number % 400 == 7
    if apprentice:
        age = 20
    elif number % 90 == 11:
        age = 70
    birth_on = date(2026 - age, 1, 1) - timedelta(days=chance.randrange(0, 300))
    letter = "A"
    if apprentice:
        letter = "H"
    elif age >= 68:
        letter = "C"
    elif birth_on > date(PAYDAY.year - 21, PAYDAY.month, PAYDAY.day):
        letter = "M"
    code, basis = _weighted(chance, [((code, basis), weight) for code, basis, weight in TAX_CODES])
    return Worker(
        f"{agency.code}-W{number:05}", number, birth_on, code, basis, letter, apprentice, has_document,
        loan_plan=LOAN_PLANS[number // LOAN_EVERY % len(LOAN_PLANS)] if number % LOAN_EVERY == 3 else "",
        postgrad_loan=number % POSTGRAD_EVERY == 3,
        pension=PENSIONS.get(number % 10) if 22 <= age < 66 else None,
    )  # fmt: skip


def _basis(
    agency: Agency, week: AgencyWeek, chance: Random, numbers: dict[str, int], *, rest: int
) -> tuple[str, Payee | None]:
    """How a worker is paid, drawn by the agency's mix. Its last workers (`rest` to go) make sure of a subcontractor at each CIS rate and,
    everywhere, of somebody inside IR35."""
    draw = chance.randrange(100)
    if rest == 1:
        return "limited", _company(agency, week, numbers, "inside")
    if agency.cis and rest in _CIS_OF_LAST:
        return "cis", _subcontractor(agency, week, numbers, _CIS_OF_LAST[rest])
    if draw < agency.umbrella:
        return "umbrella", chance.choice([payee for payee in week.payees if payee.kind == "umbrella"])
    if draw < agency.umbrella + agency.limited:
        return "limited", _company(agency, week, numbers, _SDS[numbers["payee"] % len(_SDS)])
    if draw < agency.umbrella + agency.limited + agency.cis:
        return "cis", _subcontractor(agency, week, numbers, _CIS_RATES[numbers["payee"] % len(_CIS_RATES)])
    return "paye", None


_SDS = ("outside", "inside", "outside", "not_required")
_CIS_RATES = (20, 20, 20, 30, 0)
_CIS_OF_LAST = {2: 20, 3: 30, 4: 0}


def _company(agency: Agency, week: AgencyWeek, numbers: dict[str, int], sds: str) -> Payee:
    numbers["payee"] += 1
    week.payees.append(replace(_payee(agency, numbers["payee"], "limited"), sds=sds))
    return week.payees[-1]


def _subcontractor(agency: Agency, week: AgencyWeek, numbers: dict[str, int], rate: int) -> Payee:
    numbers["payee"] += 1
    week.payees.append(replace(_payee(agency, numbers["payee"], "cis"), cis_rate=rate))
    return week.payees[-1]


def _placement(
    week: AgencyWeek,
    worker: Worker,
    client: Client,
    basis: str,
    payee: Payee | None,
    days: range,
    chance: Random,
) -> Placement:
    agency, number = week.agency, len(week.placements) + 1
    job = agency.jobs[number % len(agency.jobs)]
    starts_on = date(2025, 9, 1) + timedelta(days=7 * chance.randrange(28))
    last_on = None
    if len(days) == 7 and number % _PART_WEEK_EVERY == 5:
        starts_on = MONDAY + timedelta(days=2)
    elif len(days) == 7 and number % _PART_WEEK_EVERY == 6:
        last_on = MONDAY + timedelta(days=1)
    card = _card(week, client, job, basis, chance)
    open_days = [d for d in days if _open(MONDAY + timedelta(days=d), starts_on, last_on)]
    return Placement(
        reference=f"{agency.code}-{number:05}",
        worker=worker,
        client=client,
        site=number % client.sites,
        job_title=job.title,
        consultant=f"{agency.code}-K{1 + client.number % 6}",
        branch=agency.branches[client.number % len(agency.branches)],
        pay_basis=basis,
        payee=payee,
        card=card,
        starts_on=starts_on,
        last_on=last_on,
        shifts=_shifts(client, card.unit, open_days, chance, nights=client.nights and len(days) == 7),
    )


def _card(week: AgencyWeek, client: Client, job: Job, basis: str, chance: Random) -> Card:
    """The client's card for this job and basis, made when first needed; in construction each placement has its own rates."""
    own = week.agency.slug == "construction"
    title = job.title.lower().replace(" ", "-")
    reference = f"{client.reference}/{title}/{basis}"
    if not own and reference in week.cards:
        return week.cards[reference]
    pay = Decimal(chance.randrange(job.pay_from, job.pay_to + 1)).scaleb(-2)
    if basis != "paye":
        pay = (pay * Decimal("1.22")).quantize(_PENNY, ROUND_HALF_UP)
    unit = "hour"
    if own and basis == "limited" and client.number % 2:
        unit, pay = "day", Decimal(5 * (int(pay * 8) // 5))
    charge = (pay * (100 + client.markup_percent) * _PENNY).quantize(_RATE, ROUND_HALF_UP)
    card = Card("" if own else reference, client, unit, pay, charge)
    if not own:
        week.cards[reference] = card
    return card


def _open(on: date, starts_on: date, last_on: date | None) -> bool:
    return starts_on <= on and (last_on is None or on <= last_on)


def _shifts(client: Client, unit: str, days: Sequence[int], chance: Random, *, nights: bool) -> tuple[Shift, ...]:
    """Two to six shifts on the days given, all of one kind, so that nobody works two at once. Nobody with two placements
    works nights: the last one would run into the first day of the other placement."""
    weekend = client.weekends and chance.randrange(10) < 4
    wanted = [d for d in days if d < 5 or weekend]
    if len(days) == 7 and chance.randrange(10) < 7 and _GOOD_FRIDAY in wanted:
        wanted.remove(_GOOD_FRIDAY)
    most = chance.choice((3, 4, 4, 5, 5, 5, 6))
    chosen = sorted(chance.sample(wanted, min(len(wanted), most)))
    kinds = [DAY_SHIFTS, DAY_SHIFTS, LATE_SHIFTS]
    kinds += [NIGHT_SHIFTS, NIGHT_SHIFTS] if nights else [DAY_SHIFTS]
    kinds += [LONG_SHIFTS] if len(chosen) < 5 else []
    start, finish, pause = chance.choice(chance.choice(kinds))
    made = []
    for d in chosen:
        on = MONDAY + timedelta(days=d)
        if unit == "day":
            made.append(Shift(on, day_quarters=chance.choice((4, 4, 4, 4, 2))))
        elif client.by_clock:
            made.append(Shift(on, start, finish, pause))
        else:
            made.append(Shift(on, minutes=chance.choice((360, 450, 450, 465, 480, 480, 510, 540, 600))))
    return tuple(made)


def _rate_changes(week: AgencyWeek) -> None:
    """Two clients raise all their rates in the middle of the week: one industrial, one in healthcare."""
    position = next(n for n, agency in enumerate(AGENCIES) if agency.slug == week.agency.slug)
    if position >= len(_RATE_CHANGE_DAYS):
        return
    counts: dict[str, int] = {}
    for placement in week.placements:
        counts[placement.client.reference] = counts.get(placement.client.reference, 0) + 1
    busiest = max(counts, key=lambda reference: (counts[reference], reference))
    starts = MONDAY + timedelta(days=_RATE_CHANGE_DAYS[position])
    week.rate_changes = [
        (replace(card, pay_rate=_raised(card.pay_rate), charge_rate=_raised(card.charge_rate)), starts)
        for card in week.cards.values()
        if card.client.reference == busiest
    ]


def _raised(rate: Decimal) -> Decimal:
    return (rate * _RATE_CHANGE_PERCENT * _PENNY).quantize(_RATE, ROUND_HALF_UP)


# --- the plan -----------------------------------------------------------------------------------------------------------


def _plan(week: AgencyWeek, chance: Random, position: int) -> AgencyPlan:
    timesheets = len(week.placements)
    silent = chance.sample(week.clients, 1 + position % 2)
    talking = [client for client in week.clients if client not in silent]
    by_link = chance.sample(talking, min(4, len(talking)))
    missing = [placement for placement in week.placements if not placement.worker.has_right_to_work]
    free = [
        placement
        for placement in week.placements
        if placement.worker.has_right_to_work and placement.client not in silent and len(placement.shifts) > 1
    ]
    chosen = chance.sample(free, min(len(free), _share(timesheets, 20) + _share(timesheets, 10)))
    rejected, amended = chosen[: _share(timesheets, 20)], chosen[_share(timesheets, 20) :]
    lacking = [placement.worker.reference for placement in missing]
    return AgencyPlan(
        slug=week.agency.slug,
        agency_id=str(week.agency_id),
        name=week.agency.name,
        reference=week.agency.code,
        timesheets=timesheets,
        workers=len(week.workers),
        clients=len(week.clients),
        rejected=sorted(placement.reference for placement in rejected),
        amended=sorted(placement.reference for placement in amended),
        no_right_to_work=lacking,
        documents_arrive=lacking[: (len(lacking) + 1) // 2],
        silent_clients=sorted(client.reference for client in silent),
        link_clients=sorted(client.reference for client in by_link),
        rate_changes=sorted({card.client.reference for card, _ in week.rate_changes}),
        consultants=sorted({placement.consultant for placement in week.placements}),
        cases={case.name: worker.reference for case, worker in week.cases},
        pay_records=[record for case, worker in week.cases for record in _pay_records(case, worker, week.leaves)],
    )


def _pay_records(case: Case, worker: Worker, leaves: Mapping[str, date]) -> Iterable[dict[str, Any]]:
    """What pay-calc is told of a case beside the profile: the door, the worker and the body."""
    if case.sick:
        body: dict[str, Any] = {
            "first_on": SICK_FROM.isoformat(), "last_on": SICK_TO.isoformat(), "qualifying_weekdays": [1, 2, 3, 4, 5],
            "average_weekly_earnings_gbp": "480.00", "average_ref": "Payroll records to 20 March 2026",
            "evidence_ref": f"Self-certificate {worker.reference}",
        }  # fmt: skip
        yield {"door": "absences", "worker": worker.reference, "body": body}
    if case.order:
        body = {
            "kind": case.order, "reference": f"{case.order}-TEST-{worker.number:05}", "issued_on": "2026-02-02",
            "starts_on": "2026-03-01", "document_ref": f"Scan {worker.reference}",
        }  # fmt: skip
        if case.order == "DEO":
            body |= {"normal_gbp": "35.00", "protected_gbp": "160.00", "total_gbp": "1400.00"}
        else:
            body |= {"jurisdiction": "England", "total_gbp": "600.00"}
        yield {"door": "attachment-orders", "worker": worker.reference, "body": body}
    if case.advance:
        body = {
            "kind": "advance", "reference": f"Advance {worker.number:05}", "arose_on": "2026-03-27",
            "starts_on": "2026-03-27", "instalment_gbp": "25.00", "total_gbp": "100.00",
        }  # fmt: skip
        yield {"door": "net-deductions", "worker": worker.reference, "body": body}
    if case.leave:
        body = {
            "kind": "carried_in", "on": "2026-03-29", "minutes": LEAVE_BROUGHT_MINUTES, "reason": "Payroll records to 29 March 2026",
        }  # fmt: skip
        yield {"door": "holiday-entries", "worker": worker.reference, "body": body}
        body = {
            "days": [{"on": leaves[worker.reference].isoformat(), "minutes": LEAVE_MINUTES}], "decided_by": "Branch manager",
            "decided_on": "2026-03-20", "evidence_ref": f"Request {worker.reference}", "contract_week_gbp": "540.00",
            "contract_week_minutes": 2400, "contract_ref": f"Contract {worker.reference}",
        }  # fmt: skip
        yield {"door": "holiday-leaves", "worker": worker.reference, "body": body}


def _share(count: int, per_mille: int) -> int:
    """A share rounded half up, at least one."""
    return max(1, (2 * count * per_mille + 1_000) // 2_000)


def _weighted(chance: Random, choices: Sequence[tuple[T, int]]) -> T:
    draw = chance.randrange(sum(weight for _, weight in choices))
    for value, weight in choices:
        if draw < weight:
            return value
        draw -= weight
    raise AssertionError("a draw lies below the sum of the weights")


# --- files --------------------------------------------------------------------------------------------------------------


def _write_agency(folder: Path, week: AgencyWeek, plan: AgencyPlan) -> None:
    slug = week.agency.slug
    day: Callable[[date], str] = lambda on: on.strftime(week.agency.date_format)  # noqa: E731
    _write(folder / f"{slug}-clients.csv", _CLIENT_HEADER, [_client_line(client) for client in week.clients])
    _write(folder / f"{slug}-payees.csv", _PAYEE_HEADER, [_payee_line(payee) for payee in week.payees])
    _write(folder / f"{slug}-workers.csv", _WORKER_HEADER, [_worker_line(worker, day) for worker in week.workers])
    late = set(plan.documents_arrive)
    _write(
        folder / f"{slug}-documents-arrive.csv",
        _WORKER_HEADER,
        [_worker_line(worker, day, seen=True) for worker in week.workers if worker.reference in late],
    )
    _write(
        folder / f"{slug}-placements.csv",
        _PLACEMENT_HEADER,
        [_placement_line(p, day, week.agency.holiday) for p in week.placements],
    )
    if week.cards:
        rates = [_rate_line(card, date(2025, 9, 1), day) for card in week.cards.values()]
        _write(folder / f"{slug}-rates.csv", _RATES_HEADER, rates)
    if week.rate_changes:
        changes = [_rate_line(card, on, day) for card, on in week.rate_changes]
        _write(folder / f"{slug}-rates-change.csv", _RATES_HEADER, changes)
    lines = [line for number, p in enumerate(week.placements) for line in _hours_lines(p, day, number)]
    _write(folder / f"{slug}-hours.csv", HOURS_HEADER, lines)


_CLIENT_HEADER = (
    "Client ref", "Name", "Approver name", "Approver e-mail", "Legal name", "Billing address", "VAT number", "VAT treatment",
    "Group by", "Payment days", "PO required", "Invoice e-mail",
)  # fmt: skip
_PAYEE_HEADER = (
    "Payee ref", "Name", "Kind", "Umbrella status", "Legal name", "Address", "VAT number", "VAT treatment", "Company number",
    "Agreement reference", "Agreement from", "Agreement to", "E-mail", "Account name", "Sort code", "Account number",
    "CIS rate", "Verified on", "Verification number", "UTR", "Agency rules", "Agency rules decided by", "Agency rules decided on",
    "Agency rules evidence",
)  # fmt: skip
_WORKER_HEADER = (
    "Worker ref", "Forename", "Surname", "E-mail", "Phone", "Start date", "NI number", "Date of birth", "Gender", "Address",
    "Tax code", "Tax basis", "NI letter", "Apprentice", "Student loan plan", "Postgraduate loan", "Pension",
    "Employee pension percent", "Employer pension percent", "Salary sacrifice", "Director", "Director since",
    "Starter declaration", "Account name", "Sort code", "Account number",
    "Right to work from", "Right to work until",
)  # fmt: skip
_RATE_HEADER = (
    "Rate unit", "Pay rate", "Charge rate", "Overtime daily after", "Overtime weekly after", "Overtime multiplier",
    "Saturday multiplier", "Sunday multiplier", "Bank holiday multiplier", "Night from", "Night to", "Night multiplier",
    "Minimum call out",
)  # fmt: skip
_PLACEMENT_HEADER = (
    "Placement ref", "Worker ref", "Client ref", "Site", "Site name", "Job title", "Consultant", "Consultant name", "Branch",
    "Start date", "End date", "Pay basis", "Payee ref", "Payee name", "Holiday pay", "SDS", "PO number", "Rate card", *_RATE_HEADER,
)  # fmt: skip
_RATES_HEADER = ("Rate card", "Rates from", *_RATE_HEADER)
HOURS_HEADER = ("Placement ref", "Date", "Start", "Finish", "Break", "Hours", "Days", "Expense type", "Expense")


def _client_line(client: Client) -> list[object]:
    return [
        client.reference, client.name, f"Approver {client.number:04} Testcase", f"approver.{client.number:04}@example.com",
        client.name, f"{client.number} Example Park; Testham; ZZ2 {client.number % 9 + 1}ZZ", f"GB{client.number:09}",
        client.vat_treatment, client.group_by, client.payment_days, "yes" if client.po_required else "no",
        f"accounts.{client.number:04}@example.com",
    ]  # fmt: skip


def _payee_line(payee: Payee) -> list[object]:
    registered = payee.kind == "umbrella" or payee.number % 2 == 0
    return [
        payee.reference, payee.name, payee.kind, "approved" if payee.kind == "umbrella" else "", payee.name,
        f"{payee.number} Example Court; Testham; ZZ3 1ZZ", f"GB{900_000_000 + payee.number}" if registered else "",
        _supplier_vat(payee) if registered else "", "" if payee.kind == "cis" else f"ZZ{payee.number:06}",
        f"SBA-{payee.reference}", "2025-09-01", "2026-09-01",
        f"payee.{payee.number:04}@example.com", payee.name[:18], "00-00-02", f"{payee.number:08}",
        *_verification(payee),
    ]  # fmt: skip


def _supplier_vat(payee: Payee) -> str:
    """Some subcontractors supply a service, and so are under the domestic reverse charge; the others supply labour."""
    if payee.kind != "cis":
        return ""
    return "reverse_charge" if payee.number % 4 == 0 else "standard"


def _verification(payee: Payee) -> list[object]:
    """HMRC's answer, whose numbers begin with noughts as no real ones do, and the answer about control. An unmatched one has no UTR."""
    if payee.cis_rate is None:
        return [""] * 8
    matched = payee.cis_rate != 30
    number = f"V{payee.number:010}" + ("" if matched else "/A")
    verified = [payee.cis_rate, "2026-03-02", number, f"{payee.number:010}" if matched else ""]
    return [*verified, "not_controlled", "Status Desk (demo)", "2026-03-02", f"AR-{payee.reference}"]


def _worker_line(worker: Worker, day: Callable[[date], str], *, seen: bool = False) -> list[object]:
    document = [day(date(2025, 8, 1)), day(date(2027, 7, 31)) if worker.number % 3 == 0 else ""]
    number = f"{worker.number:06}"
    suffix = "ABCD"[worker.number % 4]
    return [
        worker.reference, f"Worker {worker.number:05}", "Testcase", f"worker.{worker.number:05}@example.com",
        f"07700 900{worker.number % 1000:03}", day(date(2025, 9, 1)), f"QQ {number[:2]} {number[2:4]} {number[4:]} {suffix}",
        day(worker.birth_on), "F" if worker.number % 2 else "M", f"{worker.number} Example Street; Testham; ZZ1 1ZZ",
        worker.tax_code, worker.tax_basis, worker.ni_letter, "yes" if worker.apprentice else "no", worker.loan_plan,
        "yes" if worker.postgrad_loan else "no", *(worker.pension or ("", "", "")), worker.sacrifice,
        "standard" if worker.director_since else "", day(worker.director_since) if worker.director_since else "", "B",
        f"W {worker.number:05} Testcase", "00-00-01", f"{worker.number:08}",
        *(document if seen or worker.has_right_to_work else ["", ""]),
    ]  # fmt: skip


def _placement_line(placement: Placement, day: Callable[[date], str], holiday: str) -> list[object]:
    client, payee = placement.client, placement.payee
    consultant = placement.consultant.rpartition("-K")[2]
    own = [] if placement.card.reference else _rates(placement.card)
    return [
        placement.reference, placement.worker.reference, client.reference, f"{client.reference}-S{placement.site + 1}",
        f"Site {placement.site + 1} of client {client.number:04}", placement.job_title, placement.consultant,
        f"Consultant {consultant} Testcase", placement.branch, day(placement.starts_on),
        day(placement.last_on) if placement.last_on else "", placement.pay_basis,
        payee.reference if payee else "", payee.name if payee else "",
        holiday if placement.pay_basis == "paye" else "none", payee.sds if payee else "",
        f"PO-{client.number:04}-{placement.site + 1}" if client.po_required or client.number % 5 == 0 else "",
        placement.card.reference, *own,
    ]  # fmt: skip


def _rate_line(card: Card, on: date, day: Callable[[date], str]) -> list[object]:
    return [card.reference, day(on), *_rates(card)]


def _rates(card: Card) -> list[object]:
    return [card.unit, card.pay_rate, card.charge_rate, *_premiums(card.client.rules, card.unit)]


def _premiums(rules: Rules, unit: str) -> list[str]:
    """The rate columns after the charge rate. A day rate has no overtime, night or call-out."""
    hourly = unit == "hour"
    night = rules.night_multiplier if hourly else ""
    return [
        rules.overtime_daily_after if hourly else "", rules.overtime_weekly_after if hourly else "",
        rules.overtime_multiplier if hourly else "", rules.saturday_multiplier, rules.sunday_multiplier,
        rules.bank_holiday_multiplier, "20:00" if night else "", "06:00" if night else "", night,
        rules.minimum_call_out if hourly else "",
    ]  # fmt: skip


def _hours_lines(placement: Placement, day: Callable[[date], str], number: int) -> Iterable[list[str]]:
    for shift in placement.shifts:
        line = [placement.reference, day(shift.on), "", "", "", "", "", "", ""]
        if shift.day_quarters:
            line[6] = f"{Decimal(shift.day_quarters) * 25 * _PENNY:f}"
        elif shift.minutes:
            hours, minutes = divmod(shift.minutes, 60)
            exact = f"{(Decimal(shift.minutes * 5) / 3).scaleb(-2).normalize():f}" if shift.minutes % 3 == 0 else ""
            line[5] = f"{hours}:{minutes:02}" if number % 2 or not exact else exact
        else:
            line[2], line[3] = _clock(shift.start, number), _clock(shift.finish, number)
            line[4] = (
                f"{shift.break_minutes} min" if number % 3 else f"0:{shift.break_minutes:02}".replace("0:60", "1:00")
            )
        yield line
    if placement.pay_basis == "cis" and number % 2 == 0:
        yield [
            placement.reference,
            day(placement.shifts[0].on),
            "",
            "",
            "",
            "",
            "",
            "materials",
            f"{35 + number % 40}.50",
        ]


def _clock(text: str, number: int) -> str:
    """The ways people write a time: 08:00, 0800, 8:00."""
    if number % 5 == 3:
        return text.replace(":", "")
    return text.lstrip("0") if number % 5 == 4 and not text.startswith("00") else text


def _write(path: Path, header: Sequence[str], lines: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as sink:
        writer = csv.writer(sink, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(lines)


def read_plan(folder: Path) -> Mapping[str, Any]:
    """The plan as it was written."""
    loaded: Mapping[str, Any] = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    return loaded
