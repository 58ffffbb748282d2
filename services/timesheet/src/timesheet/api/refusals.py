"""What the domain refuses, as problems: a command that a state forbids is 409, a value that cannot be right is 422."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from paybill_common.http.problems import FieldError, Problem, problem_response
from paybill_common.periods import BadPeriod
from timesheet.domain.bank_holidays import BankHolidayYearUnknown
from timesheet.domain.entries import WeekRefused
from timesheet.domain.entry_holds import EntryBlocked
from timesheet.domain.fields import FieldRefused
from timesheet.domain.rates import RateCardGap, RateCardsOverlap
from timesheet.domain.workflow import WorkflowRefused
from timesheet.usecases.importing.rows import RowRefused

REFUSALS = (
    EntryBlocked,
    WorkflowRefused,
    WeekRefused,
    FieldRefused,
    RateCardsOverlap,
    RateCardGap,
    BankHolidayYearUnknown,
    BadPeriod,
    RowRefused,
)


def install(app: FastAPI) -> None:
    """Answer the domain's refusals as problems."""

    async def handle(_request: Request, error: Exception) -> JSONResponse:
        return problem_response(problem_of(error))

    for kind in REFUSALS:
        app.add_exception_handler(kind, handle)


def problem_of(error: Exception) -> Problem:
    """The problem that a refusal is told as."""
    if isinstance(error, WorkflowRefused):
        return Problem(409, error.code, str(error))
    if isinstance(error, EntryBlocked):
        errors = [
            FieldError(pointer="#/entries", detail=f"{one.requirement or one.code} is asked for", code=one.code)
            for one in error.holds[:50]
        ]
        return Problem(409, error.code, str(error)[:2000], errors=errors, hint=error.hint)
    if isinstance(error, WeekRefused):
        first = error.problems[0]
        return Problem(
            422,
            first.code if len(error.problems) == 1 else error.code,
            str(error)[:2000],
            errors=[
                FieldError(pointer=f"#{one.pointer}", detail=f"{one.fact}. {one.hint}".strip(), code=one.code)
                for one in error.problems[:50]
            ],
            hint=first.hint or None,
        )
    if isinstance(error, FieldRefused):
        return Problem(422, error.code, str(error), pointer=f"#{error.pointer}", hint=error.hint or None)
    code = str(getattr(error, "code", "week_invalid"))
    return Problem(409 if isinstance(error, RateCardsOverlap) else 422, code, str(error))
