"""`paybill demo`: the whole week of three agencies on the embedded stack, through the public doors, tied out at the end."""

import asyncio
import contextlib
import csv
import json
import shutil
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from rich.console import Console
from rich.markup import escape

from paybill_stack import StackError
from paybill_stack.cli_common import facts
from paybill_stack.client import CLI_CLIENT, ApiClient, Place
from paybill_stack.demo.cast import BUSINESS_NOW, DEFAULT_SEED
from paybill_stack.demo.generate import Plan, generate, read_plan
from paybill_stack.demo.quiet import Quiet
from paybill_stack.demo.stages import Stages
from paybill_stack.demo.week import AgencyRun
from paybill_stack.locks import FileLock, LockTimeoutError, holder_of
from paybill_stack.stack import Stack
from paybill_stack.supervisor import Supervisor

INSTANCE = "demo"
REPLICAS = 2
RELEASE_CLIENT = "paybill-release"
PERSON = "pat"
_MONEY = ("gross_pay_gbp", "net_pay_gbp", "charge_net_gbp", "vat_gbp", "margin_gbp")
_COUNTS = ("workers_paid", "payslips", "self_bills", "invoices", "credit_notes")
_TIMESHEETS = ("imported", "approved", "rejected", "held", "amended")
_TIE_OUT = (
    "approved_minutes", "paid_minutes", "held_minutes", "billable_minutes", "billed_minutes", "bill_held_minutes",
    "unexplained_minutes", "unexplained_pence",
)  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """What the command line asked for."""

    timesheets: int
    seed: int = DEFAULT_SEED
    keep_up: bool = False
    instance: str = INSTANCE


def demo(asked: Asked, console: Console) -> int:
    """Run the week. Exit status 0 only when it ties out.

    Everything that was started is stopped at the end, whatever happened; with `keep_up`, after Ctrl-C.

    Raises:
        StackError: another demo runs here; or a step failed, with the service's own words.
    """
    lock = Stack(asked.instance).paths.root / "demo.lock"
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(FileLock(lock, timeout_s=1))
        except LockTimeoutError as error:
            holder = holder_of(lock)
            who = f"process {holder.pid}" if holder else "another process"
            raise StackError(
                f"a demo runs already ({who}); end it with Ctrl-C in its terminal, then start again"
            ) from error
        return _demo(asked, console)


def _demo(asked: Asked, console: Console) -> int:
    stages = Stages(console)
    stack = Stack(asked.instance)
    inputs, outputs = stack.paths.root / "in", stack.paths.root / "out"
    shutil.rmtree(outputs, ignore_errors=True)
    (outputs / "receipts").mkdir(parents=True)
    try:
        with stages:
            with stages.stage("generate", "writing the week's files"):
                plan = generate(inputs, timesheets=asked.timesheets, seed=asked.seed)
            with stages.stage("start", "starting Kafka, Postgres and the services"):
                _stop(asked.instance)
                Supervisor.bring_up(
                    asked.instance, replicas=REPLICAS, business_now=BUSINESS_NOW, attached=True, fresh=True
                )
            summary = asyncio.run(_week(asked, plan, inputs, outputs, stages))
        clean = _clean(summary)
        _print(summary, clean=clean, outputs=outputs, console=console)
        if asked.keep_up:
            _keep_up(asked.instance, console)
        return 0 if clean else 1
    except KeyboardInterrupt:
        console.print("interrupted", highlight=False)
        return 130
    finally:
        _stop(asked.instance)


def _stop(instance: str) -> None:
    """Stop what runs of the instance."""
    stack = Stack(instance)
    if stack.paths.settings.exists():
        Supervisor(stack).down()
        stack.stop()


async def _week(asked: Asked, plan: Plan, inputs: Path, outputs: Path, stages: Stages) -> Mapping[str, Any]:
    place = Place.of(asked.instance)
    written = read_plan(inputs)
    agencies = [UUID(agency.agency_id) for agency in plan.agencies]
    async with (
        ApiClient(place.urls, place.credentials(CLI_CLIENT), agencies, connections_max=24) as client,
        ApiClient(place.urls, place.credentials(RELEASE_CLIENT), agencies) as other,
        Quiet(place.stack.kafka_bootstrap, client) as quiet,
    ):
        runs = [
            AgencyRun(client, agency, plan.week_ending, inputs, outputs, place.stack.paths.mail)
            for agency in written["agencies"]
        ]
        counted = await _work(runs, stages, quiet)
        await _pay_and_bill(runs, stages, quiet, other)
        await _paper(runs, stages)
        with stages.stage("tie_out", "reading the tie-out"):
            states = await quiet.wait()
            weeks = await asyncio.gather(*(one.week() for one in runs))
        summary = _summary(runs, weeks, states, stages) | counted
        (outputs / "summary.json").write_text(json.dumps(summary, indent=2, default=str) + "\n", encoding="utf-8")
        return summary


async def _work(runs: Sequence[AgencyRun], stages: Stages, quiet: Quiet) -> dict[str, Any]:
    """From the agencies' records to approved, cleared and amended hours."""
    with stages.stage("set_up", "agencies, employer, issuer, terms", len(runs)):
        await _all(runs, lambda one: one.set_up())
    with stages.stage("import_records", "importing clients, workers, placements") as stage:
        await _all(runs, lambda one: one.import_records(stage))
    with stages.stage("pay_records", "sickness, attachment orders, advances, leave") as stage:
        await _all(runs, lambda one: one.record_pay_facts(stage))
    with stages.stage("import_hours", "importing hours") as stage:
        broken = [found for found in await _all(runs, lambda one: one.import_hours(stage)) if found is not None]
    with stages.stage("submit", "submitting timesheets") as stage:
        await _all(runs, lambda one: one.submit(stage))
    with stages.stage("approve", "approving: links, signed sheets, agency") as stage:
        by_link = sum(await _all(runs, lambda one: one.approve(stage)))
    with stages.stage("amend", "amending after approval") as stage:
        await _all(runs, lambda one: one.amend(stage))
    with stages.stage("settle", "drafts, clearances and charges"):
        await quiet.wait()
    with stages.stage("documents", "late documents arrive") as stage:
        await _all(runs, lambda one: one.documents_arrive(stage))
    return {"refused_lines": sum(one.refused for one in broken), "approved_by_link": by_link}


async def _pay_and_bill(runs: Sequence[AgencyRun], stages: Stages, quiet: Quiet, other: ApiClient) -> None:
    with stages.stage("cut_off", "cutting the week off"):
        await quiet.wait()
        await _all(runs, lambda one: one.cut_off())
        await quiet.wait()
    with stages.stage("pay_run", "closing the pay runs"):
        await _all(runs, lambda one: one.close_pay())
        await _all(runs, lambda one: one.check_pay_facts())
    for one in runs:
        one.begin_payslips()
    with stages.stage("self_bills", "self-bills"):
        await quiet.wait()
    with stages.stage("invoice_run", "issuing the invoices"):
        await _all(runs, lambda one: one.issue_invoices())
        await quiet.wait()
    with stages.stage("payment_file", "preparing and releasing payment files"):
        for one, payment_file_id in zip(runs, await _all(runs, lambda run: run.prepare_payment()), strict=True):
            if payment_file_id is not None:
                await one.release_payment(payment_file_id, other)


async def _paper(runs: Sequence[AgencyRun], stages: Stages) -> None:
    with stages.stage("pdfs", "payslips, invoices and self-bills as PDF") as stage:
        await asyncio.gather(
            _all(runs, lambda one: one.payslips(stage)),
            _all(runs, lambda one: one.documents("invoices", stage)),
            _all(runs, lambda one: one.documents("self-bills", stage)),
        )
    with stages.stage("exports", "submission and margin"):
        await _all(runs, lambda one: one.submission())
        margins = await _all(runs, lambda one: one.margin())
        _write_margin(runs[0].outputs / "margin.csv", runs, margins)


async def _all(runs: Sequence[AgencyRun], work: Callable[[AgencyRun], Awaitable[Any]]) -> list[Any]:
    """The same for each agency at once; the first failure is the one that is told."""
    tasks = [asyncio.ensure_future(work(one)) for one in runs]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _write_margin(path: Path, runs: Sequence[AgencyRun], margins: Sequence[Sequence[Mapping[str, Any]]]) -> None:
    columns = ("name", "timesheets", "minutes", "charge_gbp", "pay_gbp", "cost_gbp", "margin_gbp")
    with path.open("w", encoding="utf-8", newline="") as sink:
        writer = csv.writer(sink)
        writer.writerow(("agency", "client", *columns[1:]))
        for one, lines in zip(runs, margins, strict=True):
            writer.writerows([one.plan["reference"], *(line[name] for name in columns)] for line in lines)


def _summary(
    runs: Sequence[AgencyRun],
    weeks: Sequence[Mapping[str, Any]],
    states: Mapping[str, Mapping[str, Any]],
    stages: Stages,
) -> dict[str, Any]:
    """The three agencies together, and each by itself."""
    total: dict[str, Any] = {
        "timesheets": {name: sum(week["timesheets"][name] for week in weeks) for name in _TIMESHEETS}
    }
    total |= {name: sum(week[name] for week in weeks) for name in _COUNTS}
    total |= {name: str(sum((Decimal(str(week[name])) for week in weeks), Decimal("0.00"))) for name in _MONEY}
    total["tie_out"] = {name: sum(week["tie_out"][name] for week in weeks) for name in _TIE_OUT}
    total["dead_letters"] = sum(int(state["dead_letters_open"]) for state in states.values())
    total["parked"] = sum(int(state["parked"]) for state in states.values())
    total["agencies"] = {
        one.slug: {name: week[name] for name in (*_COUNTS, *_MONEY)}
        | {"timesheets": week["timesheets"], "clean": week["tie_out"]["clean"] and _balanced(week["tie_out"])}
        for one, week in zip(runs, weeks, strict=True)
    }
    total["stages"] = dict(stages.seconds)
    total["elapsed_s"] = stages.elapsed_s
    return total


def _clean(summary: Mapping[str, Any]) -> bool:
    """Whether every minute and penny is explained, in each agency by itself too, and nothing is left lying."""
    tie_out = summary["tie_out"]
    return bool(
        all(agency["clean"] for agency in summary["agencies"].values())
        and tie_out["unexplained_pence"] == 0
        and tie_out["unexplained_minutes"] == 0
        and summary["dead_letters"] == 0
        and summary["parked"] == 0
        and _balanced(tie_out)
        and summary["timesheets"]["approved"] > 0
        and summary["payslips"] > 0
        and summary["invoices"] > 0
    )


def _balanced(tie_out: Mapping[str, int]) -> bool:
    """Approved is paid plus held, billable is billed plus held."""
    return (
        tie_out["approved_minutes"] == tie_out["paid_minutes"] + tie_out["held_minutes"]
        and tie_out["billable_minutes"] == tie_out["billed_minutes"] + tie_out["bill_held_minutes"]
    )


def _print(summary: Mapping[str, Any], *, clean: bool, outputs: Path, console: Console) -> None:
    counts = {f"timesheets {name}": value for name, value in summary["timesheets"].items()}
    shown = counts | {name: summary[name] for name in (*_COUNTS, *_MONEY, "refused_lines", "approved_by_link")}
    console.print(facts("The demo week", shown))
    console.print(facts("Tie-out", summary["tie_out"] | {"dead_letters": summary["dead_letters"]}))
    console.print(facts("Seconds", summary["stages"] | {"all": summary["elapsed_s"]}))
    console.print(f"Files are in {outputs}", highlight=False, soft_wrap=True)
    console.print("[green bold]The week ties out.[/]" if clean else "[red bold]The week does not tie out.[/]")


def _keep_up(instance: str, console: Console) -> None:
    """Leave everything running until Ctrl-C."""
    place = Place.of(instance)
    address = place.urls["reporting"]
    code = place.stack.ensure_keys().sign_in_code(PERSON)
    console.print(f"The operations UI is at {escape(address)}", highlight=False, soft_wrap=True)
    console.print(f"Sign in with {escape(address)}/sign-in?code={escape(code)}", highlight=False, soft_wrap=True)
    console.print("Ctrl-C stops everything.")
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        console.print("stopping", highlight=False)
