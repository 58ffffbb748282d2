"""State Pension age. Source: Pensions Act 1995 Schedule 4 as amended by Pensions Act 2014 s.26."""

from __future__ import annotations

from datetime import date

from pay_calc.domain.engine.calendar import add_months
from pay_calc.domain.engine.errors import EngineError


def state_pension_on(birth_on: date) -> date:
    """The day State Pension age is reached: 66 for births to 5 April 1960, one month more for each monthly cohort from
    6 April 1960, 67 from 6 March 1961. Births before 6 October 1954 reached it earlier, before any known year. From 6 April 1977 the age
    goes to 68 in cohorts that no pay date in the known years can meet: 67 is given, which such a worker has not reached."""
    if birth_on < date(1960, 4, 6):
        return add_months(birth_on, 66 * 12)
    if birth_on >= date(1961, 3, 6):
        return add_months(birth_on, 67 * 12)
    cohort = (birth_on.year - 1960) * 12 + birth_on.month - 4 + (1 if birth_on.day >= 6 else 0)
    return add_months(birth_on, 66 * 12 + cohort)


def age_on(birth_on: date, day: date) -> int:
    """Whole years of age on a day. A birth after it is refused."""
    if birth_on > day:
        raise EngineError("birth_in_the_future", f"A birth on {birth_on} is after {day}.", "birth_on")
    return day.year - birth_on.year - ((day.month, day.day) < (birth_on.month, birth_on.day))
