"""`paybill dead-letters` and `paybill audit`: what an operator and an auditor need at a prompt."""

from typing import Annotated, Any
from uuid import UUID

import typer

from paybill_stack import StackError
from paybill_stack.bootstrap import SERVICES
from paybill_stack.cli_common import (
    DEFAULT_INSTANCE_NAME,
    Agency,
    AsJson,
    Instance,
    agency_id_of,
    connect,
    console,
    facts,
    print_json,
    rows,
    run,
    short_time,
)

dead_letters = typer.Typer(help="Events that a service could not handle.", no_args_is_help=True)
audit = typer.Typer(help="The hash-chained audit trail of compliance decisions.", no_args_is_help=True)
Service = Annotated[str, typer.Argument(help=f"One of {', '.join(SERVICES)}.")]
SomeAgency = Annotated[
    str, typer.Option("--agency", "-a", help="The agency: its reference, or its id. Without it: the whole instance.")
]
Letter = Annotated[int, typer.Argument(min=1, help="The dead letter's id, see `paybill dead-letters list`.")]
_PAGE = 500


@dead_letters.command("list")
def list_(agency: SomeAgency = "", instance: Instance = DEFAULT_INSTANCE_NAME, as_json: AsJson = False) -> None:
    """Every open dead letter, in all services: what, why, and how many events wait behind it.

    Without an agency: those of all agencies, and records that nobody can read, which belong to none.
    """

    async def read() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        async with connect(instance, *_agencies(agency)) as client:
            for service in SERVICES:
                after = 0
                while page := await client.get(service, "/v1/ops/dead-letters", after_id=after, limit=_PAGE):
                    found.extend({"service": service, **letter} for letter in page)
                    after = page[-1]["id"]
        return found

    found = run(read())
    if as_json:
        print_json(found)
        return
    lines = [
        [
            f["service"],
            f["id"],
            f["event_type"],
            short_time(f["dead_at"]),
            f"{f['topic']}/{f['partition']}@{f['offset']}",
            f["waiting"],
            f"{f['error_class']}: {f['error']}",
        ]
        for f in found
    ]
    console.print(rows("dead letters", ["service", "id", "event", "since", "where", "waiting", "error"], lines))
    if not found:
        console.print("There are none.")


@dead_letters.command("show")
def show(service: Service, letter: Letter, agency: SomeAgency = "", instance: Instance = DEFAULT_INSTANCE_NAME) -> None:
    """One dead letter with its message; bytes that do not print are written as \\x00."""

    async def read() -> dict[str, Any]:
        async with connect(instance, *_agencies(agency)) as client:
            page = await client.get(_known(service), "/v1/ops/dead-letters", after_id=letter - 1, limit=1)
        if not page or page[0]["id"] != letter:
            raise StackError(f"{service} has no open dead letter {letter} that you may see")
        found: dict[str, Any] = page[0]
        return found

    found = run(read())
    message = found.pop("payload")
    console.print(facts(f"dead letter {letter} of {service}", found))
    console.print("(erased, or a tombstone)" if message is None else message, markup=False, highlight=False)


@dead_letters.command("replay")
def replay(
    service: Service, letter: Letter, agency: SomeAgency = "", instance: Instance = DEFAULT_INSTANCE_NAME
) -> None:
    """Handle it again, then what waits behind it, in order. Fix the cause first."""
    _resolve(service, letter, agency, instance, "replay")


@dead_letters.command("discard")
def discard(
    service: Service,
    letter: Letter,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why it may be given up; kept with it.")],
    agency: SomeAgency = "",
    instance: Instance = DEFAULT_INSTANCE_NAME,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Give it up for good and handle what waits behind it."""
    if not yes:
        typer.confirm(f"Give up dead letter {letter} of {service} for good?", abort=True)
    _resolve(service, letter, agency, instance, "discard", {"reason": reason})


@audit.command("verify")
def verify(agency: Agency, instance: Instance = DEFAULT_INSTANCE_NAME, as_json: AsJson = False) -> None:
    """Check every link of the agency's chain; exit status 1 when one is broken."""
    agency_id = agency_id_of(agency)

    async def read() -> dict[str, Any]:
        async with connect(instance, agency_id) as client:
            found: dict[str, Any] = await client.get("compliance", f"/v1/agencies/{agency_id}/audit/verify")
            return found

    found = run(read())
    if as_json:
        print_json(found)
    else:
        console.print(facts("audit trail", {k: v for k, v in found.items() if k != "breaks"}))
        for broken in found["breaks"]:
            console.print(f"[red]entry {broken['number']}[/]: {broken['problem']}", highlight=False)
    raise typer.Exit(0 if found["intact"] else 1)


def _known(service: str) -> str:
    if service not in SERVICES:
        raise StackError(f"there is no service {service!r}; one of {', '.join(SERVICES)}")
    return service


def _agencies(agency: str) -> list[UUID]:
    return [agency_id_of(agency)] if agency else []


def _resolve(
    service: str, letter: int, agency: str, instance: str, act: str, body: dict[str, str] | None = None
) -> None:
    async def post() -> dict[str, Any]:
        async with connect(instance, *_agencies(agency)) as client:
            found: dict[str, Any] = await client.post(_known(service), f"/v1/ops/dead-letters/{letter}/{act}", body)
            return found

    found = run(post())
    console.print(f"{found['handled']} events handled", highlight=False)
    if found.get("dead_letter_id"):
        raise StackError(f"stopped at dead letter {found['dead_letter_id']}: {found['error']}")
