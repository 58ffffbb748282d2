"""Who plays in the demo: three fictional agencies, their trades, terms and patterns of work. Nothing here exists outside this file."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

WEEK_ENDING = date(2026, 4, 5)
MONDAY = date(2026, 3, 30)
PAYDAY = date(2026, 4, 10)
BUSINESS_NOW = "2026-04-07T09:00:00Z"
DEFAULT_TIMESHEETS = 3_000
DEFAULT_SEED = 20260405
TIMESHEETS_MIN, TIMESHEETS_MAX = 120, 100_000


@dataclass(frozen=True)
class Job:
    """A job title and its pay range in pence an hour."""

    title: str
    pay_from: int
    pay_to: int


@dataclass(frozen=True)
class Agency:
    """One agency: `share` per cent of the timesheets; the mix of pay bases in per cent; how its spreadsheet writes dates."""

    slug: str
    code: str
    name: str
    share: int
    umbrella: int
    limited: int
    date_format: str
    client_words: tuple[str, ...]
    branches: tuple[str, ...]
    jobs: tuple[Job, ...]
    nights_in_ten: int
    weekends_in_ten: int
    cis: int = 0
    holiday: str = "rolled_up"
    """Holiday of workers on PAYE: `rolled_up`, or `accrued` and taken as leave."""


AGENCIES = (
    Agency(
        "industrial", "IRV", "Ironvale Industrial Example Ltd", 45, 14, 3, "%d/%m/%Y",
        ("Foods", "Logistics", "Packaging", "Recycling", "Motors", "Bakery"),
        ("north", "south"),
        (
            Job("Warehouse operative", 1271, 1340), Job("Picker packer", 1271, 1310),
            Job("Reach truck driver", 1390, 1560), Job("Machine operator", 1320, 1480), Job("Line leader", 1450, 1650),
        ),
        3, 3,
    ),
    Agency(
        "healthcare", "LKF", "Larkfield Healthcare Example Ltd", 30, 8, 2, "%Y-%m-%d",
        ("Care Homes", "Clinic", "Hospice", "Home Care", "Ward Services"),
        ("east", "west"),
        (
            Job("Care assistant", 1290, 1420), Job("Senior carer", 1400, 1560),
            Job("Support worker", 1300, 1450), Job("Registered nurse", 1990, 2650),
        ),
        4, 5, holiday="accrued",
    ),
    Agency(
        "construction", "STB", "Stonebeck Construction Example Ltd", 25, 14, 5, "%d %B %Y",
        ("Builders", "Civils", "Groundworks", "Scaffolding", "Interiors"),
        ("site", "civils"),
        (
            Job("Labourer", 1350, 1500), Job("Carpenter", 1900, 2300),
            Job("Plant operator", 1750, 2100), Job("Steel fixer", 1850, 2250), Job("Site supervisor", 2200, 2700),
        ),
        1, 2, cis=6,
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Rules:
    """A client's premiums as its rate columns say them; an empty text is a column left blank."""

    overtime_daily_after: str = ""
    overtime_weekly_after: str = ""
    overtime_multiplier: str = ""
    saturday_multiplier: str = ""
    sunday_multiplier: str = ""
    bank_holiday_multiplier: str = ""
    night_multiplier: str = ""
    minimum_call_out: str = ""


RULES = (
    Rules(overtime_weekly_after="40:00", overtime_multiplier="1.5", bank_holiday_multiplier="2"),
    Rules("8:00", "", "1.5", "1.5", "2", "2", "1.3333"),
    Rules("", "38:45", "1.25", "1.25", "1.5", "1.5", "1.2"),
    Rules("10:00", "45:00", "1.5", "1.5", "1.75", "2", "1.25", "4:00"),
    Rules(saturday_multiplier="1.25", sunday_multiplier="1.5", bank_holiday_multiplier="2", night_multiplier="1.15"),
    Rules(),
)

# (start, finish, break); the agency's habit decides how they are written.
DAY_SHIFTS = (("08:00", "16:30", 30), ("06:00", "14:00", 30), ("09:00", "17:30", 60), ("07:30", "16:00", 30))
LATE_SHIFTS = (("14:00", "22:00", 30), ("12:00", "20:30", 30))
NIGHT_SHIFTS = (("22:00", "06:00", 30), ("20:00", "06:30", 60))
LONG_SHIFTS = (("07:00", "19:30", 60), ("08:00", "20:00", 45))

# (tax code, tax basis, per mille of the workers)
TAX_CODES = (
    ("1257L", "cumulative", 860), ("BR", "cumulative", 45), ("1257L", "week1", 35), ("0T", "week1", 10),
    ("1131N", "cumulative", 10), ("1383M", "cumulative", 10), ("500L", "cumulative", 20), ("1100L", "cumulative", 10),
)  # fmt: skip

# (number of the worker modulo, remainder, plan): student loans by plan; and postgraduate ones
LOAN_EVERY, LOAN_PLANS = 7, ("2", "1", "5", "2", "4")
POSTGRAD_EVERY = 53
# (number of the worker modulo 10, basis, employee's and employer's per cent)
PENSIONS = {2: ("net pay", "5", "3"), 5: ("relief at source", "5", "3"), 8: ("net pay", "5", "3")}


@dataclass(frozen=True)
class Case:
    """Somebody of each agency whose pay is not everybody's. `tax_code` empty: as drawn. `sick`, `order`, `advance`, `leave`: recorded in
    pay-calc beside the profile; leave only where it is accrued."""

    name: str
    tax_code: str = ""
    loan_plan: str = ""
    pension: tuple[str, str, str] | None = None
    sacrifice: str = ""
    director_since: date | None = None
    sick: bool = False
    order: str = ""
    advance: bool = False
    leave: bool = False


CASES = (
    Case("director", director_since=date(2024, 1, 15)),
    Case("salary sacrifice", pension=("salary sacrifice", "", "3"), sacrifice="30.00"),
    Case("sick pay", sick=True),
    Case("child maintenance", order="DEO"),
    Case("council tax", order="CTAEO"),
    Case("advance", advance=True),
    Case("leave", leave=True),
    Case("Scottish", tax_code="S1257L", loan_plan="4"),
    Case("Welsh", tax_code="C1257L"),
    Case("K code", tax_code="K215"),
    Case("pension", pension=("net pay", "5", "3")),
)
LEAVE_MINUTES, LEAVE_BROUGHT_MINUTES = 480, 1_440
SICK_FROM, SICK_TO = date(2026, 3, 26), date(2026, 4, 1)

MARKUP_PERCENT = (Decimal(28), Decimal(32), Decimal(35), Decimal(38), Decimal("42.5"))
REJECT_REASONS = ("Finish on the last day is half an hour too late", "The last shift ended earlier than written")
AMEND_REASONS = ("The client confirmed an hour more on the last day", "Clock log shows another hour on the last day")
