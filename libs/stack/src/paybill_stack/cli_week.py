"""`paybill week`: where a week stands, and its cut-off."""

from collections.abc import Mapping
from typing import Any

import typer
from rich.table import Table

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
    short_time,
    week_of_text,
)

app = typer.Typer(help="Where a week stands, and its cut-off.", no_args_is_help=True)


@app.command()
def status(
    week_ending: WeekEnding, agency: Agency, instance: Instance = DEFAULT_INSTANCE_NAME, as_json: AsJson = False
) -> None:
    """What is submitted, approved, paid, billed and held, in hours and money, and whether it ties out."""
    agency_id, week = agency_id_of(agency), week_of_text(week_ending)

    async def read() -> dict[str, object]:
        async with connect(instance, agency_id) as client:
            found: dict[str, object] = await client.get("reporting", f"/v1/agencies/{agency_id}/weeks/{week}")
            return found

    found = run(read())
    if as_json:
        print_json(found)
        return
    funnel, counts, tie_out = found["funnel"], found["timesheets"], found["tie_out"]
    assert isinstance(funnel, list)
    assert isinstance(counts, dict)
    assert isinstance(tie_out, dict)
    console.print(facts(f"timesheets, week ending {week}", counts))
    lines = [[s["label"], s["timesheets"], hours(int(s["minutes"])), s["amount_gbp"]] for s in funnel]
    console.print(rows("the week's way", ["stage", "timesheets", "hours", "£"], lines))
    minutes = {name: hours(int(value)) for name, value in tie_out.items() if name.endswith("_minutes")}
    console.print(facts("tie-out", minutes | {"unexplained_pence": tie_out["unexplained_pence"]}))
    console.print("[green]ties out[/]" if tie_out["clean"] else "[red]does not tie out[/]")


@app.command("cut-off")
def cut_off(
    week_ending: WeekEnding, agency: Agency, instance: Instance = DEFAULT_INSTANCE_NAME, as_json: AsJson = False
) -> None:
    """Close the week for approval and publish its control totals; pay and invoice runs must match them."""
    agency_id, week = agency_id_of(agency), week_of_text(week_ending)

    async def post() -> dict[str, object]:
        async with connect(instance, agency_id) as client:
            found: dict[str, object] = await client.post("timesheet", f"/v1/agencies/{agency_id}/weeks/{week}/cut-off")
            return found

    found = run(post())
    if as_json:
        print_json(found)
        return
    console.print(totals_table(week, found))


def totals_table(week: str, found: Mapping[str, Any]) -> Table:
    """What the cut-off fixed beside what is approved now."""
    fixed = found["cut_off"]
    lines = [[name.replace("_", " "), fixed["totals"][name], value] for name, value in found["now"].items()]
    title = f"control totals, week ending {week}, cut off {short_time(fixed['cut_off_at'])} by {fixed['cut_off_by']}"
    return rows(title, ["what", "at the cut-off", "now"], lines)


def hours(minutes: int) -> str:
    """`37:30` of 2,250."""
    sign, size = ("-" if minutes < 0 else ""), abs(minutes)
    return f"{sign}{size // 60}:{size % 60:02}"
