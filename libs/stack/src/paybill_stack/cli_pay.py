"""`paybill payslip` and `paybill replay`: why a payslip says what it says, and whether closed runs still come out to the penny."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.markup import escape

from paybill_stack import StackError
from paybill_stack.cli_common import (
    DEFAULT_INSTANCE_NAME,
    Agency,
    AsJson,
    Instance,
    agency_id_of,
    connect,
    console,
    print_json,
    rows,
    run,
    week_of_text,
)
from paybill_stack.client import ApiClient

payslip = typer.Typer(help="List payslips, and explain one line by line.", no_args_is_help=True)
Week = Annotated[str | None, typer.Option("--week", "-w", help="The Sunday that ends the week, YYYY-MM-DD.")]
NOT_AVAILABLE = 3
"""Exit status of a replay in which nothing differs, but not everything can be proved."""


@payslip.command("list")
def list_(
    agency: Agency,
    week: Week = None,
    worker: Annotated[str | None, typer.Option("--worker", help="Only this worker's reference.")] = None,
    instance: Instance = DEFAULT_INSTANCE_NAME,
    as_json: AsJson = False,
) -> None:
    """Payslips and self-bill amounts, newest week first, each with its id."""
    agency_id = agency_id_of(agency)
    found = run(_payslips(instance, agency_id, week, worker))
    if as_json:
        print_json(found)
        return
    lines = [
        [one["week_ending"], one["worker_reference"], one["worker"], one["state"], one["gross_gbp"], one["net_gbp"], one["payslip_id"]]
        for one in found
    ]  # fmt: skip
    headers = ["week ending", "worker", "name", "state", "gross £", "net £", "id"]
    console.print(rows("payslips", headers, lines))
    if not found:
        console.print("There are none.")


@payslip.command("explain")
def explain(
    which: Annotated[str, typer.Argument(help="The payslip's id, or with --week the worker's reference.")],
    agency: Agency,
    week: Week = None,
    figure: Annotated[
        str | None,
        typer.Option(
            "--figure", "-f", help="Only this one: tax, nic, pay, holiday, pension, loan, net, employer_nic, …"
        ),
    ] = None,
    instance: Instance = DEFAULT_INSTANCE_NAME,
    as_json: AsJson = False,
) -> None:
    """Why it says what it says: every step from hours to net, with amounts, rounding, rule and versions."""
    agency_id = agency_id_of(agency)

    async def read() -> dict[str, Any]:
        async with connect(instance, agency_id) as client:
            payslip_id = await _payslip_id(client, agency_id, which, week)
            path = f"/v1/agencies/{agency_id}/payslips/{payslip_id}/explanation"
            answer: dict[str, Any] = await client.get("pay-calc", path)
            return answer

    found = run(read())
    figures = _figures(found, figure)
    if as_json:
        print_json(
            found if figure is None else {"note": found["note"], "figures": figures, "steps": _steps(found, figure)}
        )
        return
    if found["note"]:
        console.print(escape(found["note"]), style="yellow", highlight=False, soft_wrap=True)
    for one in figures:
        if figure is not None:
            console.print(escape(one["summary"]), highlight=False, soft_wrap=True)
        console.print(escape(one["words"]), highlight=False, soft_wrap=True)
    versions = found["worked_by"]
    console.print(f"engine {versions['engine']}, parameters {versions['parameters']}", style="dim", highlight=False)


def replay(
    run_id: Annotated[UUID | None, typer.Option("--run", help="One pay run's id.")] = None,
    agency: Annotated[str | None, typer.Option("--agency", "-a", help="Every closed run of this agency.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every closed run of every agency that you may see.")] = False,
    instance: Instance = DEFAULT_INSTANCE_NAME,
    as_json: AsJson = False,
) -> None:
    """Work closed pay runs again from their stored inputs and versions; changes nothing.

    Exit status 1 when a figure differs, 3 when nothing differs but a payslip's versions are not in this release.
    """
    if [run_id is not None, agency is not None, every].count(True) != 1 and not (run_id and agency and not every):
        raise StackError("say which: --run ID, --agency REF, or --all")
    found = run(_replay(instance, run_id, agency))
    if as_json:
        print_json(found)
    else:
        _show_replays(found)
    states = {one["state"] for one in found}
    raise typer.Exit(1 if "differs" in states else NOT_AVAILABLE if "not_available" in states else 0)


async def _payslips(instance: str, agency_id: UUID, week: str | None, worker: str | None) -> list[dict[str, Any]]:
    async with connect(instance, agency_id) as client:
        return await _payslips_of(client, agency_id, week, worker)


async def _payslips_of(
    client: ApiClient, agency_id: UUID, week: str | None, worker: str | None
) -> list[dict[str, Any]]:
    path = f"/v1/agencies/{agency_id}/payslips"
    found = await client.pages("pay-calc", path, limit=200, week_ending=None if week is None else week_of_text(week))
    return [one for one in found if worker is None or one["worker_reference"] == worker]


async def _payslip_id(client: ApiClient, agency_id: UUID, which: str, week: str | None) -> UUID:
    try:
        return UUID(which)
    except ValueError:
        pass
    if week is None:
        raise StackError(f"{which!r} is no payslip's id; to find it by its worker's reference give --week too")
    found = await _payslips_of(client, agency_id, week, which)
    if len(found) != 1:
        known = ", ".join(one["payslip_id"] for one in found) or "none"
        raise StackError(f"worker {which} has {len(found)} payslips in the week ending {week}: {known}")
    return UUID(found[0]["payslip_id"])


def _figures(found: Mapping[str, Any], figure: str | None) -> list[dict[str, Any]]:
    """What was asked about; nothing asked: net pay with all its lines, and what the employer bears."""
    figures: list[dict[str, Any]] = found["figures"]
    if figure is None:
        return [figures[0], *figures[len(figures) - len(found["employer"]) :]]
    asked = [one for one in figures if one["figure"] == figure]
    if not asked:
        known = ", ".join(dict.fromkeys(one["figure"] for one in figures))
        raise StackError(f"this payslip has no {figure!r}; it has {known}")
    return asked


def _steps(found: Mapping[str, Any], figure: str) -> list[dict[str, Any]]:
    net = found["tree"]
    return [step for step in (net, *net["children"], *found["employer"]) if step["figure"] == figure]


async def _replay(instance: str, run_id: UUID | None, agency: str | None) -> list[dict[str, Any]]:
    """Replay each run that was asked for, one after the other. Raises StackError for a run that is not there or not closed."""
    agencies = () if agency is None else (agency_id_of(agency),)
    async with connect(instance, *agencies) as client:
        wanted = await client.pages(
            "pay-calc", "/v1/ops/replays/runs", limit=200, pay_run_id=None if run_id is None else str(run_id)
        )
        if run_id is not None and not wanted:
            raise StackError(f"there is no closed pay run {run_id}; see `paybill pay-run`")
        return [
            one | await client.post("pay-calc", f"/v1/agencies/{one['agency_id']}/pay-runs/{one['pay_run_id']}/replay")
            for one in wanted
        ]


def _show_replays(found: Sequence[Mapping[str, Any]]) -> None:
    words = {"agrees": "agrees", "differs": "DIFFERS", "not_available": "version not available"}
    lines = [
        [one["week_ending"], one["agency_id"], one["pay_run_id"], one["payslips"], one["equal"], words[one["state"]]]
        for one in found
    ]
    console.print(rows("replay", ["week ending", "agency", "pay run", "payslips", "equal", ""], lines))
    for one in found:
        for missing in one["not_available"]:
            made_by = f"engine {missing['engine_version']} and parameters {missing['parameter_version']}"
            console.print(
                f"pay run {one['pay_run_id']}: {missing['payslips']} payslips were made by {made_by}, which this release does not carry; "
                f"it works {missing['same']} of them to the same penny",
                highlight=False,
                soft_wrap=True,
            )
        for differs in one["differences"]:
            console.print(
                f"[red]payslip {differs['payslip_id']}[/] of worker {differs['worker_id']}: {differs['figure']} was "
                f"{escape(differs['stored'])}, comes out as {escape(differs['replayed'])}",
                highlight=False, soft_wrap=True,
            )  # fmt: skip
        if one["differing"]:
            console.print(
                f"{one['differing']} of {one['payslips']} payslips differ; docs/runbooks/replay-differs.md",
                highlight=False,
            )
    if not found:
        console.print("No pay run is closed.")
    elif all(one["state"] == "agrees" for one in found):
        console.print(
            f"[green]all {sum(one['payslips'] for one in found)} payslips agree to the penny[/]", highlight=False
        )
