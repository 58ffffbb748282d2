"""`paybill pay-run` and `paybill invoice-run`: look first, then close or issue."""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

import typer

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
    facts,
    print_json,
    rows,
    run,
    week_of_text,
)
from paybill_stack.client import ApiClient, Refused

pay_run = typer.Typer(help="Preview and close a week's pay.", no_args_is_help=True)
invoice_run = typer.Typer(help="Preview and issue a week's invoices.", no_args_is_help=True)
By = Annotated[str | None, typer.Option("--accept-by", help="Who accepts that totals differ from the cut-off.")]
Why = Annotated[str | None, typer.Option("--accept-reason", help="Why.")]
AckBy = Annotated[str | None, typer.Option("--acknowledge-by", help="Who looked at pay below the minimum wage.")]
AckWhy = Annotated[
    str | None,
    typer.Option("--acknowledge-minimum-wage", help="Why pay below the minimum wage, or not tested, proceeds."),
]
AckSeen = Annotated[
    str | None, typer.Option("--acknowledge-seen", help="The mark that the list of them was printed with.")
]
MINIMUM_WAGE = ("below_minimum_wage", "minimum_wage_not_tested")
_NOT_ACKNOWLEDGED = ("minimum_wage_not_acknowledged", "minimum_wage_findings_changed")
_CLOSE_POLLS_MAX = 600
_POLL_S = 1.0


@pay_run.command("preview")
def pay_preview(
    week_ending: WeekEnding, agency: Agency, instance: Instance = DEFAULT_INSTANCE_NAME, as_json: AsJson = False
) -> None:
    """What closing would pay, whether totals match the cut-off, and what to look at first."""
    agency_id, week = agency_id_of(agency), week_of_text(week_ending)
    found = run(_get(instance, agency_id, "pay-calc", "pay-runs/preview", week_ending=week))
    if as_json:
        print_json(found)
        return
    findings = found.pop("findings")
    console.print(
        facts(f"pay run preview, week ending {week}", {k: v for k, v in found.items() if not isinstance(v, dict)})
    )
    lines = [[code.replace("_", " "), finding["count"]] for code, finding in findings.items()]
    console.print(rows("look at these first", ["finding", "how many"], lines))


@pay_run.command("close")
def pay_close(
    week_ending: WeekEnding,
    agency: Agency,
    instance: Instance = DEFAULT_INSTANCE_NAME,
    accept_by: By = None,
    accept_reason: Why = None,
    acknowledge_by: AckBy = None,
    acknowledge_minimum_wage: AckWhy = None,
    acknowledge_seen: AckSeen = None,
    as_json: AsJson = False,
) -> None:
    """Close the week's pay; safe to run again, it goes on with the same run. Pay below the minimum wage, or not tested, is listed first
    and needs a person's name."""
    agency_id, week = agency_id_of(agency), week_of_text(week_ending)
    body = _accepting({"week_ending": week}, accept_by, accept_reason)
    body = _acknowledging(body, acknowledge_by, acknowledge_minimum_wage, acknowledge_seen)

    async def close() -> Mapping[str, Any]:
        async with connect(instance, agency_id) as client:
            return await close_pay_run(client, agency_id, body)

    try:
        found = run(close())
    except Refused as error:
        if error.code not in _NOT_ACKNOWLEDGED:
            raise
        preview = run(_get(instance, agency_id, "pay-calc", "pay-runs/preview", week_ending=week))
        if not as_json:
            _list_minimum_wage(preview)
        raise StackError(
            f"{error.detail} Put right what is wrong; to pay the rest as it is, close again with --acknowledge-by NAME "
            f"--acknowledge-minimum-wage REASON --acknowledge-seen {preview['minimum_wage']['seen']}"
        ) from error
    _show("pay run", found, as_json=as_json)


@invoice_run.command("preview")
def invoice_preview(
    week_ending: WeekEnding, agency: Agency, instance: Instance = DEFAULT_INSTANCE_NAME, as_json: AsJson = False
) -> None:
    """What a run would issue, totals before and after, and what stands in its way."""
    agency_id, week = agency_id_of(agency), week_of_text(week_ending)
    found = run(_get(instance, agency_id, "invoicing", "invoice-runs/preview", week_ending=week))
    if as_json:
        print_json(found)
        return
    plain = {k: v for k, v in found.items() if not isinstance(v, (dict, list))}
    for name in ("billed_before", "this_run", "billed_after"):
        plain[name] = f"{found[name]['documents']} documents, net £{found[name]['net_gbp']}"
    plain["blocked_by"] = ", ".join(found["blocked_by"]) or "nothing"
    console.print(facts(f"invoice run preview, week ending {week}", plain))
    lines = [[r["code"].replace("_", " "), r["timesheets"], r["charge_gbp"]] for r in found["held_by_reason"]]
    console.print(rows("held", ["why", "timesheets", "£"], lines))


@invoice_run.command("issue")
def invoice_issue(
    week_ending: WeekEnding,
    agency: Agency,
    instance: Instance = DEFAULT_INSTANCE_NAME,
    accept_by: By = None,
    accept_reason: Why = None,
    supplementary: Annotated[
        bool, typer.Option("--supplementary", help="One more run after a closed one, for what became ready since.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Issue the week's invoices; safe to run again."""
    agency_id, week = agency_id_of(agency), week_of_text(week_ending)
    body = _accepting({"week_ending": week, "supplementary": supplementary}, accept_by, accept_reason)

    async def issue() -> Mapping[str, Any]:
        async with connect(instance, agency_id) as client:
            found: Mapping[str, Any] = await client.post("invoicing", f"/v1/agencies/{agency_id}/invoice-runs", body)
            return found

    _show("invoice run", run(issue()), as_json=as_json)


async def close_pay_run(client: ApiClient, agency_id: UUID, body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Close and wait until the run is closed. Raises StackError when it is not within ten minutes."""
    found: Mapping[str, Any] = await client.post("pay-calc", f"/v1/agencies/{agency_id}/pay-runs", body)
    for _ in range(_CLOSE_POLLS_MAX):
        if found["state"] == "closed":
            return found
        await asyncio.sleep(_POLL_S)
        found = await client.get("pay-calc", f"/v1/agencies/{agency_id}/pay-runs/{found['pay_run_id']}")
    raise StackError(
        f"pay run {found['pay_run_id']} is still closing ({found['workers_done']} of {found['workers_total']} workers); "
        "look at it again with `paybill pay-run close`"
    )


def _accepting(body: dict[str, Any], by: str | None, reason: str | None) -> dict[str, Any]:
    if (by is None) != (reason is None):
        raise StackError("--accept-by and --accept-reason go together")
    return body if by is None else body | {"accept_difference": {"by": by, "reason": reason}}


def _acknowledging(body: dict[str, Any], by: str | None, reason: str | None, seen: str | None) -> dict[str, Any]:
    given = {"by": by, "reason": reason, "seen": seen}
    if None not in given.values():
        return body | {"acknowledge_minimum_wage": given}
    if any(value is not None for value in given.values()):
        raise StackError(
            "--acknowledge-by, --acknowledge-minimum-wage and --acknowledge-seen go together; close without them to see the list"
        )
    return body


def _list_minimum_wage(preview: Mapping[str, Any]) -> None:
    """The payslips that nobody has put a name to."""
    items = [item for code in MINIMUM_WAGE for item in preview["findings"][code]["items"]]
    lines = [
        [item["worker"] or item["worker_id"], item["detail"], item["payslip_id"]]
        for item in items
        if item["acknowledged"] is None
    ]
    console.print(rows("below the minimum wage, or not tested", ["worker", "what the test found", "id"], lines))
    more = preview["minimum_wage"]["unacknowledged"] - len(lines)
    if more > 0:
        console.print(f"and {more} more")


async def _get(instance: str, agency_id: UUID, service: str, tail: str, **params: Any) -> dict[str, Any]:
    async with connect(instance, agency_id) as client:
        found: dict[str, Any] = await client.get(service, f"/v1/agencies/{agency_id}/{tail}", **params)
        return found


def _show(title: str, found: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    console.print(facts(title, {k: v for k, v in found.items() if not isinstance(v, (dict, list))}))
