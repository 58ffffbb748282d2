"""`paybill what-if`: a week with something changed, beside what it is now, by worker, client and margin. Nothing is stored."""

import json
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.table import Table

from paybill_common.money import from_pence, line_pence, to_pence
from paybill_stack import StackError
from paybill_stack.cli_common import (
    DEFAULT_INSTANCE_NAME,
    Agency,
    AsJson,
    Instance,
    WeekEnding,
    agency_id_of,
    connect,
    console,
    print_csv,
    print_json,
    run,
    week_of_text,
)
from paybill_stack.client import ApiClient

PAGE = 500
_TIMESHEETS_AT_ONCE = 100
_TIME = re.compile(r"(-?)(\d{1,3}):([0-5]\d)")
_LOANS = ("none", "1", "2", "4", "5")
_SHOWN = (
    ("gross", "gross_gbp"),
    ("tax", "tax_gbp"),
    ("employee NIC", "employee_nic_gbp"),
    ("student loans", "student_loan_gbp"),
    ("postgraduate loans", "postgrad_loan_gbp"),
    ("employee pension", "employee_pension_gbp"),
    ("other deductions", "other_deductions_gbp"),
    ("net", "net_gbp"),
    ("employer NIC", "employer_nic_gbp"),
    ("employer pension", "employer_pension_gbp"),
    ("levy", "levy_gbp"),
    ("cost", "cost_gbp"),
)
_WORKER_HEADERS = (
    "worker", "reference", "state", "outcome", "gross now", "gross then", "tax now", "tax then", "net now", "net then",
    "net difference", "cost now", "cost then", "cost difference", "why",
)  # fmt: skip
_CLIENT_HEADERS = (
    "client", "slips", "cost now", "cost then", "cost difference", "charge now", "charge then", "margin now", "margin then",
    "margin difference",
)  # fmt: skip
_FILES_ONLY = frozenset(
    {
        "reference", "state", "outcome", "slips", "gross now", "gross then", "tax now", "tax then", "cost now", "cost then",
        "charge now",
    }
)  # fmt: skip
"""Columns that a terminal has no room for."""
_TEXTS = frozenset({"worker", "client", "figure", "why"})
_MARGIN_HEADERS = ("figure", "now", "then", "difference")


def what_if(
    week_ending: WeekEnding,
    agency: Agency,
    instance: Instance = DEFAULT_INSTANCE_NAME,
    tax_code: Annotated[str | None, typer.Option(help="Another tax code, such as BR or 1257L W1.")] = None,
    ni_letter: Annotated[str | None, typer.Option(help="Another National Insurance letter.")] = None,
    tax_year: Annotated[
        str | None, typer.Option(help="The same tax week under another year's figures: 2025-26.")
    ] = None,
    student_loan: Annotated[str | None, typer.Option(help="Plan 1, 2, 4 or 5, or none.")] = None,
    postgrad: Annotated[bool | None, typer.Option("--postgrad/--no-postgrad", help="A postgraduate loan.")] = None,
    pension: Annotated[
        str | None,
        typer.Option(
            help="none, net_pay:5:3 or ras:5:3 (worker and agency per cent), or salary_sacrifice:40.00 (pounds)."
        ),
    ] = None,
    levy: Annotated[bool | None, typer.Option("--levy/--no-levy", help="The agency pays Apprenticeship Levy.")] = None,
    rate: Annotated[str | None, typer.Option(help="A pay rate of so many pounds.")] = None,
    rate_pct: Annotated[str | None, typer.Option(help="Pay rates changed by so many per cent.")] = None,
    rate_more: Annotated[str | None, typer.Option(help="Pay rates changed by so many pounds.")] = None,
    hours_pct: Annotated[str | None, typer.Option(help="Hours at so many per cent of now.")] = None,
    hours_add: Annotated[str | None, typer.Option(help="H:MM more for each worker, or -H:MM.")] = None,
    rate_code: Annotated[str | None, typer.Option(help="Rates and hours of this rate code alone.")] = None,
    placement: Annotated[UUID | None, typer.Option(help="Rates and hours of this placement alone.")] = None,
    worker: Annotated[list[UUID] | None, typer.Option(help="This worker alone; may be repeated.")] = None,
    client: Annotated[list[UUID] | None, typer.Option(help="Slips with lines of this client; may be repeated.")] = None,
    changes_file: Annotated[
        Path | None,
        typer.Option("--changes", help="The changes as JSON, as the API takes them; instead of the options."),
    ] = None,
    most: Annotated[int, typer.Option(help="Workers in the table, those that move most; the files have all.")] = 20,
    by: Annotated[str, typer.Option(help="Which table as CSV: worker, client or margin.")] = "worker",
    as_csv: Annotated[bool, typer.Option("--csv", help="One table as CSV.")] = False,
    as_json: AsJson = False,
) -> None:
    """Work a week again with something changed; drafts of an open week, or what a closed one paid. Nothing is stored or told."""
    if by not in ("worker", "client", "margin"):
        raise StackError(f"--by is worker, client or margin, not {by!r}")
    agency_id, week = agency_id_of(agency), week_of_text(week_ending)
    lines = {name: str(value) for name, value in (("rate_code", rate_code), ("placement_id", placement)) if value}
    rates = {"rate_gbp": rate, "uplift_pct": rate_pct, "uplift_gbp": rate_more}
    hours = {"scale_pct": hours_pct, "add_minutes": None if hours_add is None else minutes_of(hours_add)}
    asked: dict[str, Any] = {"tax_code": tax_code, "ni_letter": ni_letter, "tax_year": tax_year}
    asked |= {"postgrad_loan": postgrad, "levy_payer": levy}
    asked |= {"rates": changed_lines(rates, lines), "hours": changed_lines(hours, lines)}
    changes = {name: value for name, value in asked.items() if value is not None}
    if student_loan is not None:
        changes["student_loan_plan"] = loan_of(student_loan)
    if pension is not None:
        changes["pension"] = pension_of(pension)
    if changes_file is not None:
        if changes:
            raise StackError("--changes and the single options say the same: give one of them")
        changes = _read(changes_file)
    select = {name: [str(one) for one in ids] for name, ids in (("workers", worker), ("clients", client)) if ids}
    body = {"week_ending": week, "changes": changes, "select": select}

    async def ask() -> dict[str, Any]:
        async with connect(instance, agency_id) as api:
            return await answer_of(api, agency_id, week, body)

    _show(run(ask()), week, most=most, by=by, as_csv=as_csv, as_json=as_json)


def minutes_of(text: str) -> int:
    """90 of `1:30`. Raises StackError."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise StackError(f"{text!r} is no time: write hours and minutes as 1:30, or -0:45 to take off")
    minutes = int(found[2]) * 60 + int(found[3])
    return -minutes if found[1] else minutes


def loan_of(text: str) -> str | None:
    """A plan, or None of `none`. Raises StackError."""
    if text not in _LOANS:
        raise StackError(f"{text!r} is no student loan: {', '.join(_LOANS)}")
    return None if text == "none" else text


def pension_of(text: str) -> dict[str, str] | None:
    """The terms of `net_pay:5:3` or `salary_sacrifice:40.00`, None of `none`."""
    if text == "none":
        return None
    basis, *figures = text.split(":")
    names = ["sacrifice_gbp", "employer_pct"] if basis == "salary_sacrifice" else ["employee_pct", "employer_pct"]
    if len(figures) > len(names):
        raise StackError(f"{text!r} is no pension: write none, net_pay:5:3, ras:5:3 or salary_sacrifice:40.00")
    return {"basis": basis, **dict(zip(names, figures, strict=False))}


def changed_lines(given: Mapping[str, Any], lines: Mapping[str, str]) -> list[dict[str, Any]] | None:
    """One change of rates or hours, on these lines alone; None when none is asked."""
    named = {name: value for name, value in given.items() if value is not None}
    return [{**named, **lines}] if named else None


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StackError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(found, dict):
        raise StackError(f"{path} holds no JSON object of changes")
    return found


async def answer_of(api: ApiClient, agency_id: UUID, week: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Every slip, the summary, and each client's charge and margin of the week before and after.

    Cost comes from pay-calc; charge and margin now are reporting's; other hours move the charge by each line's own charge rate.
    """
    items: list[dict[str, Any]] = []
    charges: defaultdict[str, int] = defaultdict(int)
    unknown = 0
    summary: dict[str, Any] = {}
    async for page in _pages(api, agency_id, body):
        items += page["items"]
        summary = page["summary"] or summary
        moved = [one for slip in page["items"] for one in slip["quantities"]]
        unknown += charge_moves(moved, await _charge_lines(api, agency_id, moved), charges)
    margins = await api.get("reporting", f"/v1/agencies/{agency_id}/weeks/{week}/margin", by="client")
    clients = with_margin(summary["clients"], margins, charges)
    totals = week_totals(summary, margins, charges)
    return {"summary": summary | {"clients": clients}, "week": totals, "charge_unknown": unknown, "items": items}


async def _pages(api: ApiClient, agency_id: UUID, body: Mapping[str, Any]) -> AsyncIterator[dict[str, Any]]:
    cursor = None
    while True:
        path = f"/v1/agencies/{agency_id}/pay-runs/what-if"
        page = await api.post("pay-calc", path, body, limit=PAGE, cursor=cursor)
        yield page
        cursor = page["next_cursor"]
        if not cursor:
            return


async def _charge_lines(api: ApiClient, agency_id: UUID, moved: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    wanted = sorted({one["timesheet_id"] for one in moved})
    found: list[dict[str, Any]] = []
    for at in range(0, len(wanted), _TIMESHEETS_AT_ONCE):
        some = wanted[at : at + _TIMESHEETS_AT_ONCE]
        found += await api.get("reporting", f"/v1/agencies/{agency_id}/charge-lines", timesheet_id=some)
    return found


def charge_moves(
    moved: Iterable[Mapping[str, Any]], lines: Iterable[Mapping[str, Any]], charges: defaultdict[str, int]
) -> int:
    """Add to each client's charge, pence, what other hours make of its billable lines. Returns how many lines are not known."""
    known = {(line["timesheet_id"], line["version"], line["charge_line_id"]): line for line in lines}
    unknown = 0
    for one in moved:
        line = known.get((one["timesheet_id"], one["version"], one["charge_line_id"]))
        if line is None or line["client_id"] is None:
            unknown += 1
        elif line["billable"]:
            charge_rate = Decimal(line["charge_rate"])
            after = (
                line_pence(charge_rate, minutes=one["minutes"])
                if line["rate_unit"] == "hour"
                else line_pence(charge_rate, units=Decimal(one["units"] or 0))
            )
            charges[line["client_id"]] += after - to_pence(Decimal(line["charge_gbp"]))
    return unknown


def with_margin(
    clients: Iterable[Mapping[str, Any]], margins: Iterable[Mapping[str, Any]], charges: Mapping[str, int]
) -> list[dict[str, Any]]:
    """Each client with its whole charge and margin of the week, now and then, the margin that moves most first; None for one without
    costed timesheets in it."""
    now = {row["id"]: row for row in margins}
    found = []
    for client in clients:
        row = now.get(client["client_id"])
        more = from_pence(charges.get(client["client_id"], 0))
        less = Decimal(client["cost_after_gbp"]) - Decimal(client["cost_before_gbp"])
        charge = None if row is None else Decimal(row["charge_gbp"])
        margin = None if row is None else Decimal(row["margin_gbp"])
        found.append(
            {
                **client,
                "charge_before_gbp": charge,
                "charge_after_gbp": None if charge is None else charge + more,
                "margin_before_gbp": margin,
                "margin_after_gbp": None if margin is None else margin + more - less,
            }
        )
    return sorted(found, key=_moved, reverse=True)


def _moved(client: Mapping[str, Any]) -> Decimal:
    """How far a client's margin moves."""
    before, after = client["margin_before_gbp"], client["margin_after_gbp"]
    return Decimal(0) if before is None else abs(after - before)


def week_totals(
    summary: Mapping[str, Any], margins: Sequence[Mapping[str, Any]], charges: Mapping[str, int]
) -> dict[str, Decimal]:
    """The whole week's charge and margin, now and then. Cost of no client, such as sick pay of a week without hours, is in no margin."""
    charge, margin = (sum((Decimal(row[name]) for row in margins), Decimal(0)) for name in ("charge_gbp", "margin_gbp"))
    more = from_pence(sum(charges.values()))
    moved = (Decimal(one["cost_after_gbp"]) - Decimal(one["cost_before_gbp"]) for one in summary["clients"])
    cost = sum(moved, Decimal(0))
    return {
        "charge_before_gbp": charge,
        "charge_after_gbp": charge + more,
        "margin_before_gbp": margin,
        "margin_after_gbp": margin + more - cost,
    }


def _gbp(sums: Mapping[str, Any], name: str) -> Decimal:
    return Decimal(sums["figures"].get(name, 0))


def _difference(before: Decimal | None, after: Decimal | None) -> str:
    """`+1.20`; empty when either side is not known."""
    if before is None or after is None:
        return ""
    return f"{after - before:+.2f}" if after != before else "0.00"


def worker_lines(items: Iterable[Mapping[str, Any]]) -> list[list[Any]]:
    """One line a slip; what cannot be worked out, or is held, says why."""
    found = []
    for slip in items:
        before, after, error = slip["before"], slip["after"], slip["error"]
        pairs = {
            name: [None if side is None else _gbp(side, name) for side in (before, after)]
            for name in ("gross_gbp", "tax_gbp", "net_gbp", "cost_gbp")
        }
        net, cost = pairs["net_gbp"], pairs["cost_gbp"]
        why = error["message"] if error else ", ".join(slip["held"]).replace("_", " ")
        found.append(
            [
                slip["worker"], slip["worker_reference"], slip["state"], slip["outcome"], *pairs["gross_gbp"], *pairs["tax_gbp"],
                *net, _difference(*net), *cost, _difference(*cost), why,
            ]
        )  # fmt: skip
    return found


def client_lines(clients: Iterable[Mapping[str, Any]]) -> list[list[Any]]:
    """One line a client."""
    return [
        [
            client["client"] or client["client_id"], client["slips"], client["cost_before_gbp"], client["cost_after_gbp"],
            _difference(Decimal(client["cost_before_gbp"]), Decimal(client["cost_after_gbp"])), client["charge_before_gbp"],
            client["charge_after_gbp"], client["margin_before_gbp"], client["margin_after_gbp"],
            _difference(client["margin_before_gbp"], client["margin_after_gbp"]),
        ]
        for client in clients
    ]  # fmt: skip


def margin_lines(summary: Mapping[str, Any], week: Mapping[str, Decimal]) -> list[list[Any]]:
    """The figures of all slips that are not nought, then the week's charge and margin."""
    found: list[list[Any]] = []
    for label, name in _SHOWN:
        before, after = _gbp(summary["before"], name), _gbp(summary["after"], name)
        if before or after:
            found.append([label, before, after, _difference(before, after)])
    for label in ("charge", "margin"):
        before, after = week[f"{label}_before_gbp"], week[f"{label}_after_gbp"]
        found.append([f"{label} of the week", before, after, _difference(before, after)])
    return found


def _urgency(slip: Mapping[str, Any]) -> tuple[bool, Decimal, Decimal]:
    """What needs a look first: refused, then by how far net pay and cost move."""
    before, after = slip["before"], slip["after"]
    if before is None or after is None:
        return slip["outcome"] == "refused", Decimal(0), Decimal(0)
    moved = [abs(_gbp(after, name) - _gbp(before, name)) for name in ("net_gbp", "cost_gbp")]
    return False, moved[0], moved[1]


def _table(title: str, headers: Sequence[str], lines: Sequence[Sequence[Any]]) -> Table:
    """The columns that a terminal has room for, amounts to the right."""
    shown = [i for i, name in enumerate(headers) if name not in _FILES_ONLY and any(line[i] for line in lines)]
    table = Table(title=title, title_justify="left")
    for i in shown:
        words = headers[i] in _TEXTS
        table.add_column(
            headers[i].replace(" ", "\n"),
            justify="left" if words else "right",
            no_wrap=not words,
            min_width=14 if words else None,
        )
    for line in lines:
        table.add_row(*("" if line[i] is None else str(line[i]) for i in shown))
    return table


def _show(found: Mapping[str, Any], week: str, *, most: int, by: str, as_csv: bool, as_json: bool) -> None:
    summary, items = found["summary"], found["items"]
    if as_json:
        print_json(found)
        return
    tables: dict[str, tuple[Sequence[str], list[list[Any]]]] = {
        "margin": (_MARGIN_HEADERS, margin_lines(summary, found["week"])),
        "client": (_CLIENT_HEADERS, client_lines(summary["clients"])),
        "worker": (
            _WORKER_HEADERS,
            worker_lines(items if as_csv else sorted(items, key=_urgency, reverse=True)[:most]),
        ),
    }
    if as_csv:
        print_csv(*tables[by])
        return
    for name, (headers, lines) in tables.items():
        title = f"what if, week ending {week}, £" if name == "margin" else f"by {name}, £"
        console.print(_table(title, headers, lines))
    outcomes = [f"{summary[name]} {name}" for name in ("changed", "unchanged", "refused", "held")]
    console.print(f"slips: {', '.join(outcomes)}; sums are of those that work both ways")
    for pointer in summary["untaken"]:
        console.print(f"[yellow]{pointer} touched nothing[/]: no slip has such a line or worker")
    if found["charge_unknown"]:
        console.print(f"[yellow]the charge of {found['charge_unknown']} lines is not known yet[/] and stays as it was")
    if len(items) > most:
        console.print(f"the {most} workers that move most of {len(items)}; --csv and --json have all")
