"""The week page, its tie-out, its margin, and the bureau's page of all agencies."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response

from paybill_common.clock import london_date
from paybill_common.money import to_pence
from reporting.api.web.context import newest_week, now, page, reading, redirect, visitor
from reporting.api.web.route import PageRoute
from reporting.api.weeks import sunday
from reporting.domain import pictures, show, words
from reporting.store import lists
from reporting.store import week as store
from reporting.usecases.week import Week, read_week

router = APIRouter(route_class=PageRoute, include_in_schema=False)
WeekPath = Annotated[date, Path(ge=date(2000, 1, 2), le=date(2100, 12, 26))]
By = Annotated[Literal["client", "consultant", "branch"], Query()]
QueueQuery = Annotated[
    Literal["expected", "submitted", "rejected", "held", "clearing", "waiting", "draft", "ready"] | None, Query()
]
LATE_MAX = 50
PAYDAY_DAYS = 5
"""A week is paid on the Friday after it."""


@dataclass(frozen=True)
class Step:
    tone: str
    words: str


@dataclass(frozen=True)
class Act:
    key: str
    href: str
    words: str


@dataclass(frozen=True)
class Queue:
    """One thing that waits: how much of it, since when, and what to press."""

    key: str
    words: str
    remedy: str
    tone: str
    timesheets: int
    pay_gbp: Decimal | None
    charge_gbp: Decimal | None
    longest: timedelta | None
    strip: str
    href: str
    action: str
    command: str = ""
    scope: str = ""
    live: str = ""
    more: tuple[str, str] | None = None
    """Words and address of what else can be seen or done."""


@router.get("/")
async def front(request: Request) -> Response:
    """To the one agency's week, or to all agencies."""
    who = await visitor(request)
    if len(who.agencies) == 1:
        return redirect(f"/agencies/{who.agencies[0].agency_id}")
    return redirect("/bureau")


@router.get("/agencies/{agency_id}")
async def agency_front(request: Request, agency_id: UUID) -> Response:
    """To the agency's newest week."""
    who = await visitor(request)
    who.agency(agency_id)
    async with reading(request, agency_id) as tx:
        week = await newest_week(tx, request, agency_id)
    return redirect(f"/agencies/{agency_id}/weeks/{week}")


@router.get("/agencies/{agency_id}/weeks/{week_ending}")
async def week_page(request: Request, agency_id: UUID, week_ending: WeekPath, by: By = "client") -> Response:
    """What is not paid or billed yet, why, and what to press."""
    who = await visitor(request)
    who.agency(agency_id)
    week = sunday(week_ending)
    async with reading(request, agency_id) as tx:
        found = await read_week(tx, agency_id=agency_id, week_ending=week)
        held = await store.blocks(tx, agency_id=agency_id, week_ending=week)
        ages = await store.ages(tx, agency_id=agency_id, week_ending=week)
        oldest = await store.oldest(tx, agency_id=agency_id, week_ending=week)
        margins = await store.margin(tx, agency_id=agency_id, week_ending=week, by=by, most=12)
    base = f"/agencies/{agency_id}/weeks/{week}"
    links = stage_links(base)
    return await page(
        request,
        who,
        "week.html",
        agency_id=agency_id,
        week_ending=week,
        found=found,
        steps=steps_of(found),
        actions=actions_of(found, base),
        stages=shown_stages(found, links),
        queues=_queues(found, held, ages, base, now(request)),
        by=by,
        margins=margin_rows(margins, by=by, base=base),
        last_week=any(row.before_charge_gbp for row in margins),
        oldest=oldest,
        waits_for=waits_for,
    )


def stage_links(base: str) -> dict[str, str]:
    """Where each stage's number leads: to what it is made of."""
    return {
        "submitted": f"{base}/timesheets",
        "approved": f"{base}/timesheets?status=approved",
        "cleared": f"{base}/timesheets?status=approved",
        "paid": f"{base}/timesheets?pay_state=paid",
        "billed": f"{base}/timesheets?bill_state=billed",
        "cash": f"{base}/invoices",
    }


@dataclass(frozen=True)
class ShownStage:
    """A stage of the funnel as it is drawn: its figures as text, its height as a picture."""

    key: str
    label: str
    amount: str
    under: str
    href: str
    picture: str


def shown_stages(found: Week, links: dict[str, str]) -> list[ShownStage]:
    """The funnel's stages, each linked to what it is made of."""
    stages = found.funnel
    drawn = pictures.funnel([max(0, to_pence(stage.amount_gbp)) for stage in stages])
    return [
        ShownStage(
            key=stage.key,
            label=stage.label,
            amount=show.money(stage.amount_gbp),
            under=(
                f"of {show.count(stage.timesheets)} invoices"
                if stage.key == "cash"
                else f"{show.count(stage.timesheets)} timesheets, {show.hours(stage.minutes)} h"
            ),
            href=links[stage.key],
            picture=picture,
        )
        for stage, picture in zip(stages, drawn, strict=True)
    ]


def steps_of(found: Week) -> list[Step]:
    """The steps of the week, and how far it is."""
    runs, invoiced = found.pay_runs, found.invoice_runs
    cut = found.cut_off
    return [
        Step("done", f"Cut off {show.moment(cut.cut_off_at)}") if cut else Step("waiting", "Not cut off yet"),
        Step("done", f"Pay run closed {show.moment(runs[0].closed_at)}") if runs else Step("waiting", "Pay run open"),
        _payment_step(found),
        Step("done", f"Invoices issued {show.moment(invoiced[0].closed_at)}")
        if invoiced
        else Step("waiting", "Invoices not issued"),
    ]


def _payment_step(found: Week) -> Step:
    instructed = f"{show.count(found.runs.payments)} payments instructed"
    if not found.runs.payments:
        return Step("waiting", "No payment file yet")
    if found.to_pay_gbp > 0:
        return Step("waiting", f"{instructed}, {show.pounds(found.to_pay_gbp)} to go")
    return Step("done", instructed)


def actions_of(found: Week, base: str) -> list[Act]:
    """What to press next; the first is the primary one."""
    acts: list[Act] = []
    if not found.totals.expected:
        return acts
    if not found.pay_runs:
        acts.append(Act("pay", f"{base}/pay", "Close pay run…"))
    elif found.to_pay_gbp > 0:
        acts.append(Act("pay", f"{base}/pay#file", "Prepare payment file…"))
    if found.totals.bill_ready:
        acts.append(Act("invoices", f"{base}/invoices#issue", "Issue invoices…"))
    return acts or [Act("invoices", f"{base}/invoices", "See the invoices")]


def waits_for(row: Any) -> words.State:
    """What a timesheet waits for, in one word."""
    if row.status != "approved":
        return words.STATUS[row.status]
    for state, known in ((row.pay_state, words.PAY_STATE), (row.bill_state, words.BILL_STATE)):
        if state in ("held", "clearing", "waiting"):
            return known[state]
    return words.PAY_STATE[row.pay_state]


def _queues(found: Week, held: list[Any], ages: list[Any], base: str, at: Any) -> list[Queue]:
    t = found.totals
    by_queue = {row.queue: row for row in ages}

    def queue(key: str, aged: str, **values: Any) -> Queue:
        row = by_queue.get(aged)
        strip = ""
        if row is not None:
            parts = [
                ("under 4 hours", row.fresh, "fresh"),
                ("under a day", row.today, "today"),
                ("under two days", row.yesterday, "yesterday"),
                ("longer", row.older, "older"),
            ]
            said = ", ".join(f"{number} {label}" for label, number, _ in parts if number)
            strip = pictures.strip(parts, title=f"{values['words']}: {said}")
        longest = at - row.oldest_at if row is not None and row.oldest_at else None
        return Queue(key=key, strip=strip, longest=longest, **values)

    queues = []
    if t.not_sent:
        queues.append(
            queue(
                "expected",
                "expected",
                words=words.QUEUE["expected"].word,
                remedy="The worker or client has not sent the hours."
                + (f" {t.not_worked} more did not work." if t.not_worked else ""),
                tone="waiting",
                timesheets=t.not_sent,
                pay_gbp=None,
                charge_gbp=None,
                href=f"{base}/timesheets?status=expected&sort=age",
                action="Chase",
                command="chase",
                scope="write",
                live="not_sent",
            )
        )
    if t.unapproved:
        queues.append(
            queue(
                "submitted",
                "submitted",
                words=words.QUEUE["submitted"].word,
                remedy="Send each approver one link, or approve with the agency's own evidence.",
                tone="waiting",
                timesheets=t.unapproved,
                pay_gbp=t.unapproved_pay_gbp,
                charge_gbp=t.unapproved_charge_gbp,
                href=f"{base}/timesheets?status=submitted&sort=age",
                action="Send links",
                command="approval-requests",
                scope="write",
                live="unapproved",
                more=("Who was asked, and reminders", f"{base}/approvers"),
            )
        )
    if t.rejected_open:
        queues.append(
            queue(
                "rejected",
                "rejected",
                words=words.QUEUE["rejected"].word,
                remedy="The hours must be corrected and sent again.",
                tone="blocked",
                timesheets=t.rejected_open,
                pay_gbp=None,
                charge_gbp=t.rejected_charge_gbp,
                href=f"{base}/timesheets?status=rejected&sort=age",
                action="Open",
                live="rejected_open",
            )
        )
    for index, group in enumerate(held):
        clearing = group.code == "awaiting_clearance"
        queues.append(
            queue(
                f"held-{index}",
                "clearing" if clearing else "held",
                words=words.reason({"code": group.code, "requirement": group.requirement}),
                remedy=words.remedy(group.code),
                tone="waiting" if clearing else "blocked",
                timesheets=group.timesheets,
                pay_gbp=group.pay_gbp,
                charge_gbp=group.charge_gbp,
                href=f"{base}/holds?reason={group.code}",
                action="Lift",
            )
        )
    if t.waiting:
        queues.append(
            queue(
                "waiting",
                "waiting",
                words=words.QUEUE["waiting"].word,
                remedy="Cleared, and pay or billing has not answered yet. If it lasts, look at system health.",
                tone="waiting",
                timesheets=t.waiting,
                pay_gbp=None,
                charge_gbp=None,
                href=f"{base}/timesheets?pay_state=waiting",
                action="Open",
                live="waiting",
            )
        )
    if t.drafted:
        queues.append(
            queue(
                "draft",
                "draft",
                words=words.QUEUE["draft"].word,
                remedy="Nothing is wrong: closing the pay run pays it.",
                tone="waiting",
                timesheets=t.drafted,
                pay_gbp=t.drafted_gbp,
                charge_gbp=None,
                href=f"{base}/timesheets?pay_state=draft",
                action="Pay run",
                live="drafted",
            )
        )
    if t.bill_ready:
        queues.append(
            queue(
                "ready",
                "ready",
                words=words.QUEUE["ready"].word,
                remedy="Nothing is wrong: issuing invoices bills it.",
                tone="waiting",
                timesheets=t.bill_ready,
                pay_gbp=None,
                charge_gbp=t.bill_ready_gbp,
                href=f"{base}/invoices#issue",
                action="Invoices",
                live="bill_ready",
            )
        )
    return queues


@dataclass(frozen=True)
class MarginRow:
    """A row of the margin table: the store's row, its bar, and where it leads."""

    row: Any
    bar: str
    href: str


def margin_rows(rows: list[Any], *, by: str, base: str) -> list[MarginRow]:
    """Margin by client, consultant or branch, largest first, each with its bar and last week's mark on it."""
    margins = [to_pence(row.margin_gbp) for row in rows]
    marks = [to_pence(row.before_margin_gbp) if row.before_charge_gbp else None for row in rows]
    top = max([1, *map(abs, margins), *(abs(mark) for mark in marks if mark is not None)])
    return [
        MarginRow(row, pictures.bar(margin, top=top, mark=mark), f"{base}/timesheets?{_only(row, by)}&sort=-margin")
        for row, margin, mark in zip(rows, margins, marks, strict=True)
    ]


def _only(row: Any, by: str) -> str:
    """The filter of the timesheets that a margin row is made of."""
    if row.id:
        return f"{by}_id={row.id}"
    return urlencode({"branch": row.branch}) if row.branch else "status=approved"


@router.get("/agencies/{agency_id}/weeks/{week_ending}/tie-out")
async def tie_out_page(request: Request, agency_id: UUID, week_ending: WeekPath) -> Response:
    """The tie-out, what differs, and how it is counted."""
    who = await visitor(request)
    who.agency(agency_id)
    week = sunday(week_ending)
    async with reading(request, agency_id) as tx:
        found = await read_week(tx, agency_id=agency_id, week_ending=week)
    return await page(request, who, "tie_out.html", agency_id=agency_id, week_ending=week, found=found)


@router.get("/agencies/{agency_id}/weeks/{week_ending}/margin")
async def margin_page(request: Request, agency_id: UUID, week_ending: WeekPath, by: By = "client") -> Response:
    """From charge to margin, and by whom."""
    who = await visitor(request)
    who.agency(agency_id)
    week = sunday(week_ending)
    async with reading(request, agency_id) as tx:
        totals = await store.totals(tx, agency_id=agency_id, week_ending=week)
        parts = await store.cost_parts(tx, agency_id=agency_id, week_ending=week)
        rows = await store.margin(tx, agency_id=agency_id, week_ending=week, by=by)
    steps = waterfall_steps(totals, parts)
    return await page(
        request,
        who,
        "margin.html",
        agency_id=agency_id,
        week_ending=week,
        by=by,
        rows=margin_rows(rows, by=by, base=f"/agencies/{agency_id}/weeks/{week}"),
        last_week=any(row.before_charge_gbp for row in rows),
        steps=steps,
        waterfall=pictures.waterfall(
            steps, title="From charge to margin: " + "; ".join(f"{step.label} {step.text}" for step in steps)
        )
        if totals.costed
        else "",
        total={
            "charge": sum((row.charge_gbp for row in rows), Decimal(0)),
            "pay": sum((row.pay_gbp for row in rows), Decimal(0)),
            "cost": sum((row.cost_gbp for row in rows), Decimal(0)),
            "margin": sum((row.margin_gbp for row in rows), Decimal(0)),
            "before": sum((row.before_margin_gbp for row in rows), Decimal(0)),
            "timesheets": sum(row.timesheets for row in rows),
            "minutes": sum(int(row.minutes) for row in rows),
        },
    )


@dataclass(frozen=True)
class Choice:
    """A consultant to look at."""

    id: UUID
    name: str


@router.get("/agencies/{agency_id}/weeks/{week_ending}/clients")
async def clients_page(
    request: Request, agency_id: UUID, week_ending: WeekPath, consultant_id: UUID | None = None
) -> Response:
    """A consultant's clients: who has not sent or approved hours, and margin beside last week's."""
    who = await visitor(request)
    who.agency(agency_id)
    week = sunday(week_ending)
    async with reading(request, agency_id) as tx:
        found = await lists.choices(tx, agency_id=agency_id, week_ending=week)
        choices = [Choice(row.id, row.name) for row in found["consultant"]]
        chosen = _consultant(choices, consultant_id, who.consultants)
        rows, late = [], None
        if chosen is not None:
            rows = await store.clients_of(tx, agency_id=agency_id, week_ending=week, consultant_id=chosen.id)
            wanted = lists.TimesheetFilter(week_ending=week, consultant_id=chosen.id, not_approved=True)
            late = await lists.timesheets(
                tx, agency_id=agency_id, wanted=wanted, sort="status", offset=0, most=LATE_MAX
            )
    base = f"/agencies/{agency_id}/weeks/{week}"
    return await page(
        request,
        who,
        "clients.html",
        agency_id=agency_id,
        week_ending=week,
        choices=choices,
        chosen=chosen,
        mine=chosen is not None and chosen.id in who.consultants,
        rows=rows,
        late=late,
        total=_client_totals(rows),
        last_week=any(row.before_charge_gbp for row in rows),
        of=lambda row: f"{base}/timesheets?consultant_id={chosen.id if chosen else ''}&client_id={row.id}",
    )


def _consultant(choices: list[Choice], asked: UUID | None, own: frozenset[UUID]) -> Choice | None:
    """The consultant who was asked for, else the one that this person is."""
    if asked is not None:
        return next((one for one in choices if one.id == asked), Choice(asked, "Somebody without timesheets here"))
    return next((one for one in choices if one.id in own), None)


_SUMMED = (
    "not_sent", "unapproved", "rejected", "held", "approved", "charge_gbp", "margin_gbp", "before_charge_gbp", "before_margin_gbp",
)  # fmt: skip


def _client_totals(rows: list[Any]) -> dict[str, Any]:
    return {name: sum((getattr(row, name) for row in rows), 0) for name in _SUMMED}


def waterfall_steps(totals: Any, parts: Any) -> list[pictures.Step]:
    """Charge, each cost, margin. What the parts do not name (other weeks' corrections) is one step, so the sum holds."""
    charge, cost = Decimal(totals.costed_charge_gbp), Decimal(totals.cost_gbp)
    named = [
        ("Pay", Decimal(parts.pay_gbp)),
        ("Holiday pay", Decimal(parts.holiday_pay_gbp)),
        ("Holiday taken", Decimal(parts.holiday_taken_pay_gbp)),
        ("Statutory pay", Decimal(parts.statutory_pay_gbp)),
        ("Employer NIC", Decimal(parts.employer_nic_gbp)),
        ("Pension", Decimal(parts.employer_pension_gbp)),
        ("Levy", Decimal(parts.levy_gbp)),
    ]
    rest = cost - sum((amount for _, amount in named), Decimal(0))
    if rest:
        named.append(("Other periods", rest))
    steps = [_step("Charge", charge, total=True)]
    steps += [_step(label, -amount) for label, amount in named if amount]
    return [*steps, _step("Margin", charge - cost, total=True)]


def _step(label: str, amount: Decimal, *, total: bool = False) -> pictures.Step:
    return pictures.Step(label, to_pence(amount), show.money(amount), total)


@dataclass(frozen=True)
class Risk:
    """An agency on the bureau's page; `late` when its payday has come and no pay run is closed."""

    row: Any
    late: bool

    @property
    def at_risk_gbp(self) -> Decimal:
        """What was worked and may still not be billed."""
        found: Decimal = self.row.unbilled_gbp + self.row.unapproved_gbp
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self.row, name)


def queue_href(agency_id: UUID, week: date, queue: str) -> str:
    """Where a queue of an agency is worked off."""
    base = f"/agencies/{agency_id}/weeks/{week}"
    if queue in ("held", "clearing"):
        return f"{base}/holds"
    if queue in words.STATUS:
        return f"{base}/timesheets?status={queue}&sort=age"
    return {"draft": f"{base}/pay", "ready": f"{base}/invoices#issue"}.get(
        queue, f"{base}/timesheets?pay_state={queue}"
    )


@router.get("/bureau")
async def bureau_page(request: Request, queue: QueueQuery = None) -> Response:
    """All agencies of this person, by risk, and what waits in all of them as one list."""
    who = await visitor(request)
    async with reading(request, *who.principal.agencies) as tx:
        rows = await lists.agencies_at_risk(tx)
        waits = await store.waiting_everywhere(tx, queue=queue)
    today = london_date(now(request))
    risks = [
        Risk(
            row,
            late=bool(row.week_ending and not row.pay_runs and today >= row.week_ending + timedelta(days=PAYDAY_DAYS)),
        )
        for row in rows
    ]
    risks.sort(key=lambda risk: not risk.late)  # the rest keeps its order: the most money at risk first
    return await page(request, who, "bureau.html", rows=risks, waits=waits, queue=queue, queue_href=queue_href)
