"""Class 1 National Insurance by the exact percentage method, in integer pence."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from pay_calc.domain.engine import rounding
from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.parameters import NicLetter, NicThresholds, YearParameters
from pay_calc.domain.engine.state_pension_age import age_on, state_pension_on
from pay_calc.domain.engine.trace import Node, Trace


@dataclass(frozen=True, slots=True)
class NicResult:
    """Contributions and the FPS band columns of one earnings period, pence. Below the LEL the columns are zero although
    employer NIC may be due."""

    employee_pence: int
    employer_pence: int
    at_lel_pence: int
    lel_to_pt_pence: int
    pt_to_uel_pence: int


def require_letter(parameters: YearParameters, letter: str, field: str = "ni_letter") -> NicLetter:
    """The letter's rates; EngineError for a letter that does not exist or belongs to mariners, which are out of scope."""
    found = parameters.nic_letters.get(letter)
    if found is None:
        raise EngineError(
            "unknown_ni_letter",
            f"NI category letter {letter!r} is not one of {', '.join(parameters.nic_letters)}.",
            field,
        )
    return found


def charge(
    thresholds: NicThresholds,
    letter: NicLetter,
    employer_bp: int,
    pay_from: int,
    pay_to: int,
    trace: Trace | None = None,
) -> tuple[int, int]:
    """(employee, employer) contributions on the slice of an earnings period's pay between two amounts, pence.

    Each employee band is rounded by itself, the employer's bands together. An ordinary period is the slice from zero.
    Source: HMRC, National Insurance guidance for software developers; 896 published rows.
    """
    pt, uel = thresholds.pt, thresholds.uel
    main = (pay_to if pay_to < uel else uel) - (pay_from if pay_from > pt else pt)
    upper = pay_to - (pay_from if pay_from > uel else uel)
    if main < 0:
        main = 0
    if upper < 0:
        upper = 0
    main_nic = rounding.nic_three_decimals(main * letter.main_bp, 10000)
    upper_nic = rounding.nic_three_decimals(upper * letter.upper_bp, 10000)
    start = letter.employer_from
    if start == "never":
        employer_band = starts_at = 0
    else:
        starts_at = thresholds.st if start == "ST" else thresholds.fust if start == "FUST" else uel
        employer_band = pay_to - (pay_from if pay_from > starts_at else starts_at)
        if employer_band < 0:
            employer_band = 0
    employer_nic = rounding.nic_three_decimals(employer_band * employer_bp, 10000)
    if trace is not None:
        trace.push(
            Node(
                "nic.employee",
                "Employee National Insurance",
                "sum",
                main_nic + upper_nic,
                "pence",
                "the main band and the band above the upper earnings limit, each rounded by itself",
                (("letter", letter.letter),),
                (
                    _band(trace, "nic.employee_main", ("Primary threshold", pt), letter.main_bp, main_nic, (pay_from, pay_to),
                          ("Upper earnings limit", uel)),
                    _band(trace, "nic.employee_upper", ("Upper earnings limit", uel), letter.upper_bp, upper_nic, (pay_from, pay_to)),
                ),
                (1, 1),
            )
        )  # fmt: skip
        trace.push(
            _band(trace, "nic.employer", (f"Employer's threshold of letter {letter.letter}", starts_at), employer_bp, employer_nic,
                  (pay_from, pay_to))
            if start != "never"
            else trace.given("nic.employer", "Employer National Insurance", 0, "pence", f"none is due under letter {letter.letter}")
        )  # fmt: skip
    return main_nic + upper_nic, employer_nic


def _band(
    trace: Trace,
    rule_id: str,
    starts: tuple[str, int],
    rate_bp: int,
    nic: int,
    pay: tuple[int, int],
    ends: tuple[str, int] | None = None,
) -> Node:
    """One band's contribution, from the pay down: the part of a slice of pay above `starts` and, where it ends, below `ends`."""
    pay_from, pay_to = pay
    top = trace.given("nic.pay", "Pay for National Insurance", pay_to, "pence", "of the earnings period")
    if ends is not None:
        limit = trace.given("nic.limit", ends[0], ends[1], "pence", "of the earnings period")
        top = Node("nic.pay_to_limit", "Pay up to the upper earnings limit", "min", min(pay_to, ends[1]), "pence", "the lower of both",
                   (), (top, limit))  # fmt: skip
    bottom = trace.given("nic.threshold", starts[0], starts[1], "pence", "of the earnings period")
    if pay_from:
        before = trace.given(
            "nic.pay_before", "Pay of letters before", pay_from, "pence", "the year's bands are filled in HMRC's order"
        )
        bottom = Node("nic.from", "Where this part starts", "max", max(pay_from, starts[1]), "pence", "the higher of both", (),
                      (bottom, before))  # fmt: skip
    over = top.result - bottom.result
    excess = Node(
        "nic.excess",
        "Pay over the threshold",
        "sum",
        over,
        "pence",
        "pay less the threshold",
        (),
        (top, bottom),
        (1, -1),
    )
    zero = trace.given("nic.zero", "Zero", 0, "pence", "nothing below the threshold")
    earnings = Node(
        f"{rule_id}.earnings",
        "Pay in this band",
        "max",
        max(0, over),
        "pence",
        "never less than zero",
        (),
        (excess, zero),
    )
    percent = f"{rate_bp // 100}.{rate_bp % 100:02d} %"
    label = "Employer National Insurance" if rule_id == "nic.employer" else f"At {percent}"
    return Node(
        rule_id, label, "ratio", nic, "pence", f"pay in this band x {percent}", (("rate", percent),), (earnings,),
        factors=(rate_bp,), divisor=10000, rounding="nic_three_decimals",
    )  # fmt: skip


def class_1(
    parameters: YearParameters, frequency: str, letter: str, niable_pence: int, trace: Trace | None = None
) -> NicResult:
    """Contributions of one earnings period, on all of a worker's niable pay in it. `frequency` may be "annual"."""
    return class_1_on(
        parameters, parameters.nic_thresholds[frequency], require_letter(parameters, letter), niable_pence, trace
    )


def class_1_on(
    parameters: YearParameters,
    thresholds: NicThresholds,
    letter: NicLetter,
    niable_pence: int,
    trace: Trace | None = None,
) -> NicResult:
    """As `class_1`, on given thresholds: another earnings period, or a director's year."""
    employee, employer = charge(thresholds, letter, parameters.nic_employer_bp, 0, niable_pence, trace)
    lel, pt, uel = thresholds.lel, thresholds.pt, thresholds.uel
    if niable_pence < lel or letter.employer_from == "never":
        return NicResult(employee, employer, 0, 0, 0)
    if niable_pence < pt:
        return NicResult(employee, employer, lel, niable_pence - lel, 0)
    return NicResult(employee, employer, lel, pt - lel, (niable_pence if niable_pence < uel else uel) - pt)


def thresholds_for_period(
    parameters: YearParameters, *, weeks: int | None = None, months: int | None = None
) -> NicThresholds:
    """Thresholds of an earnings period that has no published column: annual / 52 x weeks or / 12 x months, up to the pound;
    the LEL an exact multiple of the weekly (monthly) figure. Source: Contributions Regulations 2001 regs 8 and 11."""
    annual = parameters.nic_thresholds["annual"]
    if (weeks is None) == (months is None) or (weeks or months or 0) < 1:
        raise EngineError(
            "bad_earnings_period", "An earnings period is a number of weeks or of months, at least 1.", "weeks"
        )
    count, base = (weeks, 52) if weeks is not None else (months or 0, 12)
    lel = parameters.nic_thresholds["weekly" if base == 52 else "monthly"].lel * count

    def scaled(pence: int) -> int:
        return rounding.nic_threshold_ceil_pound(pence * count, base * 100) * 100

    return NicThresholds(lel, scaled(annual.st), scaled(annual.pt), scaled(annual.fust), scaled(annual.uel))


def letter_on_payday(
    *,
    age: int,
    over_state_pension_age: bool,
    apprentice: bool = False,
    veteran_first_year: bool = False,
    deferment: bool = False,
    reduced_rate: bool = False,
    zone: str | None = None,
    due_before_state_pension_age: bool = False,
) -> str:
    """The category letter that the facts on the pay date ask for.

    `zone` is None, "freeport" or "investment_zone". State Pension age outranks all, but pay that was due before it and comes late still
    bears employee contributions (`due_before_state_pension_age`; NIM36001). Then reduced rate and deferment; the reliefs for the young,
    apprentices and veterans, which reach higher, before a zone's. Source: HMRC, National Insurance rates and categories.
    """
    if age < 16:
        return "X"
    if over_state_pension_age and not due_before_state_pension_age:
        return {None: "C", "freeport": "S", "investment_zone": "K"}[zone]
    if reduced_rate:
        return {None: "B", "freeport": "I", "investment_zone": "E"}[zone]
    if deferment:
        if zone is not None:
            return {"freeport": "L", "investment_zone": "D"}[zone]
        return "Z" if age < 21 else "J"
    if age < 21:
        return "M"
    if apprentice and age < 25:
        return "H"
    if veteran_first_year:
        return "V"
    return {None: "A", "freeport": "F", "investment_zone": "N"}[zone]


LETTER_AFTER = {"J": "A", "Z": "M", "L": "F", "D": "N", "V": "A"}
"""What stands when a deferment certificate (its tax year) or a veteran's first year in civilian work has ended, for a worker of the same
age and place. Source: HMRC, CA72A; National Insurance Contributions Act 2022 s.6."""


def letter_by_age(
    letter: str, birth_on: date | None, payday_on: date, due_before_state_pension_age: bool = False
) -> str:
    """The letter on the pay date of a worker whose recorded letter stands for every fact but the age: M and Z end at 21, H at 25, all but X
    give way to C (S, K) from the first payday at State Pension age, and A and J are M and Z before 21.

    Without a birth date the recorded letter stands. A recorded C, S, K or X stands too: age is not the only ground for them.
    """
    if birth_on is None or letter == "X":
        return letter
    age = age_on(birth_on, payday_on)
    if letter == "H" and 16 <= age < 25:
        return letter
    zone = "freeport" if letter in "FILS" else "investment_zone" if letter in "NEDK" else None
    return letter_on_payday(
        age=age,
        over_state_pension_age=letter in "CSK" or payday_on >= state_pension_on(birth_on),
        veteran_first_year=letter == "V",
        deferment=letter in "JZLD",
        reduced_rate=letter in "BIE",
        zone=zone,
        due_before_state_pension_age=due_before_state_pension_age,
    )
