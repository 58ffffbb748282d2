"""`paybill agency`: record an agency, so that files can be imported for it."""

from typing import Annotated

import typer

from paybill_stack.cli_common import DEFAULT_INSTANCE_NAME, Instance, agency_id_of, connect, console, run


def agency(
    reference: Annotated[str, typer.Argument(help="Its short code, for example NORTH.")],
    name: Annotated[str, typer.Option("--name", help="Its name, as documents print it.")],
    division: Annotated[
        str, typer.Option("--bank-holidays", help="england-and-wales, scotland or northern-ireland.")
    ] = "england-and-wales",
    instance: Instance = DEFAULT_INSTANCE_NAME,
) -> None:
    """Create or change an agency; its id follows from its reference."""
    agency_id = agency_id_of(reference)

    async def put() -> None:
        async with connect(instance, agency_id) as client:
            body = {"reference": reference, "name": name, "bank_holiday_division": division}
            await client.put("timesheet", f"/v1/agencies/{agency_id}", body)

    run(put())
    console.print(f"{reference} is agency {agency_id}", highlight=False)
