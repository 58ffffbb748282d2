"""The `paybill` command: puts the sub-commands together. Each lives in a module of its own, `cli_<name>.py`."""

import sys

import typer
from rich.console import Console
from rich.markup import escape

from paybill_stack import (
    StackError,
    cli_agency,
    cli_calc,
    cli_demo,
    cli_import,
    cli_ops,
    cli_pay,
    cli_runs,
    cli_stack,
    cli_week,
    cli_what_if,
)

app = typer.Typer(
    name="paybill", help="Paybill on this machine.", no_args_is_help=True, pretty_exceptions_show_locals=False
)
app.add_typer(cli_stack.app, name="stack")
app.command("demo")(cli_demo.demo)
app.command("agency")(cli_agency.agency)
app.command("import")(cli_import.import_)
app.add_typer(cli_week.app, name="week")
app.add_typer(cli_runs.pay_run, name="pay-run")
app.add_typer(cli_runs.invoice_run, name="invoice-run")
app.add_typer(cli_ops.dead_letters, name="dead-letters")
app.add_typer(cli_ops.audit, name="audit")
app.command("calc")(cli_calc.calc)
app.add_typer(cli_pay.payslip, name="payslip")
app.command("replay")(cli_pay.replay)
app.command("what-if")(cli_what_if.what_if)


@app.callback()
def root() -> None:
    """Paybill on this machine."""


def main() -> None:
    """Run the command line; an expected problem is one sentence on stderr and exit code 1."""
    try:
        app()
    except StackError as error:
        Console(stderr=True).print(f"[red bold]Error[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
