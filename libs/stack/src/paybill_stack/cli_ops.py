"""`paybill dead-letters` and `paybill audit`: what an operator and an auditor need at a prompt."""

from typing import Annotated, Any

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
Letter = Annotated[int, typer.Argument(min=1, help="The dead letter's id, see `paybill dead-letters list`.")]
_PAGE = 500


@dead_letters.command("list")
def list_(agency: Agency, instance: Instance = DEFAULT_INSTANCE_NAME, as_json: AsJson = False) -> None:
    """Every open dead letter of the agency, in all services: what, why, and how many events wait behind it."""
    agency_id = agency_id_of(agency)

    async def read() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        async with connect(instance, agency_id) as client:
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
            f["waiting"],
            f"{f['error_class']}: {f['error']}",
        ]
        for f in found
    ]
    console.print(rows("dead letters", ["service", "id", "event", "since", "waiting", "error"], lines))
    if not found:
        console.print("There are none.")


@dead_letters.command("replay")
def replay(service: Service, letter: Letter, agency: Agency, instance: Instance = DEFAULT_INSTANCE_NAME) -> None:
    """Handle it again, then what waits behind it, in order. Fix the cause first."""
    _resolve(service, letter, agency, instance, "replay")


@dead_letters.command("discard")
def discard(
    service: Service,
    letter: Letter,
    agency: Agency,
    instance: Instance = DEFAULT_INSTANCE_NAME,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Give it up for good and handle what waits behind it."""
    if not yes:
        typer.confirm(f"Give up dead letter {letter} of {service} for good?", abort=True)
    _resolve(service, letter, agency, instance, "discard")


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


def _resolve(service: str, letter: int, agency: str, instance: str, act: str) -> None:
    if service not in SERVICES:
        raise StackError(f"there is no service {service!r}; one of {', '.join(SERVICES)}")
    agency_id = agency_id_of(agency)

    async def post() -> dict[str, Any]:
        async with connect(instance, agency_id) as client:
            found: dict[str, Any] = await client.post(service, f"/v1/ops/dead-letters/{letter}/{act}")
            return found

    found = run(post())
    console.print(f"{found['handled']} events handled", highlight=False)
    if found.get("dead_letter_id"):
        raise StackError(f"stopped at dead letter {found['dead_letter_id']}: {found['error']}")
