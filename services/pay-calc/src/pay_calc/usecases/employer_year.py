"""An agency's tax year as employer: what it decided, and what each tax month comes to."""

from __future__ import annotations

from uuid import UUID

from pay_calc.domain.employer_year import Month, Settings, months
from pay_calc.rates import parameters_for_year
from pay_calc.store import employer_years
from paybill_common.db import Tx


async def employer_year(tx: Tx, *, agency_id: UUID, tax_year: str) -> tuple[Settings | None, tuple[Month, ...]]:
    """The year's decisions and its months so far. EngineError for a year without figures."""
    parameters = parameters_for_year(tax_year)
    settings = await employer_years.settings(tx, agency_id=agency_id, tax_year=tax_year)
    paydays = await employer_years.paydays(
        tx, agency_id=agency_id, starts_on=parameters.starts_on, ends_on=parameters.ends_on
    )
    return settings, months(parameters, paydays, settings or Settings())
