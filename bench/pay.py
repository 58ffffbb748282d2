"""Payslips a second: the pay engine alone, a pay run end to end, PDFs, memory: `make bench-pay`.

The engine is measured on one core without a database. The mix is a temp agency's week: one to three pay lines, rolled-up holiday pay, 40 %
with a student or postgraduate loan, 70 % in a pension, one in twelve Scottish, some K, BR and week-1 codes, the minimum wage tested on
every slip. Beside it the tax step alone, on the same months, against PyPI `paye`. Rounds are interleaved and the median is printed with
the spread, because a shared machine is never still. Then `bench.pay_run` takes workers through a pay run on a real Postgres, and payslips
are made into PDFs by one process. Lines that end in `payslips/s` are the figures; a line of JSON repeats them.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import statistics
import time
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from bench import pay_run
from pay_calc.documents import sample
from pay_calc.domain.engine.income_tax import tax_for_payment
from pay_calc.domain.engine.payslip import PayLineInput, PayslipInput, PensionTerms, calculate_payslip
from pay_calc.domain.engine.tax_code import parse_tax_code
from pay_calc.domain.engine.trace import Trace
from pay_calc.rates import minimum_wage_book, parameters_for_year

LOANS_PERCENT, PENSION_PERCENT = 40, 70


def realistic_payslips(count: int, seed: int = 1) -> list[PayslipInput]:
    """Distinct payslip inputs of the mix that the module describes."""
    rng = random.Random(seed)
    parameters, book = parameters_for_year("2026-27"), minimum_wage_book()
    out = []
    for number in range(count):
        payday = date(2026, 4, 10) + timedelta(weeks=rng.randrange(50))
        week = (payday - parameters.starts_on).days // 7 + 1
        base = Decimal(rng.randint(127100, 320000)).scaleb(-4)
        lines = [_line("P-1", "basic", rng.randint(480, 2400), base, base)]
        if rng.random() < 0.35:
            lines.append(
                _line("P-1", "overtime", rng.randint(30, 600), (base * 3 / 2).quantize(Decimal("0.0001")), base)
            )
        if rng.random() < 0.2:
            second = Decimal(rng.randint(127100, 200000)).scaleb(-4)
            lines.append(_line("P-2", "basic", rng.randint(240, 960), second, second))
        loan = rng.random() * 100 < LOANS_PERCENT
        plan = rng.choice(["1", "2", "4", "5"]) if loan and rng.random() < 0.9 else None
        pension = rng.choice([PensionTerms("net_pay", 500, 300), PensionTerms("ras", 500, 300)])
        code = rng.choices(["1257L", "S1257L", "C1257L", "1257L W1", "BR", "0T W1", "K475", f"{rng.randint(900, 1400)}L"],
                           [50, 8, 4, 8, 8, 3, 3, 16])[0]  # fmt: skip
        pay_before = rng.randint(300_00, 600_00) * (week - 1)
        out.append(
            PayslipInput(
                parameters=parameters,
                frequency="weekly",
                payday_on=payday,
                tax_code=code,
                ni_letter=rng.choices("AMHCJV", [82, 8, 3, 4, 1, 2])[0],
                pay_lines=tuple(lines),
                pay_to_date_pence=pay_before,
                tax_to_date_pence=max(0, pay_before - 24192 * (week - 1)) // 5,
                holiday="rolled_up",
                student_loan_plan=plan,
                postgrad_loan=loan and (plan is None or rng.random() < 0.1),
                pension=pension if rng.random() * 100 < PENSION_PERCENT else None,
                birth_on=date(1960 + number % 45, 1 + number % 12, 1 + number % 28),
                period_from=payday - timedelta(days=11),
                minimum_wage=book,
            )
        )
    return out


def _line(placement: str, element: str, minutes: int, rate: Decimal, basic: Decimal) -> PayLineInput:
    return PayLineInput(placement, element, minutes, None, "hour", rate, basic, 0, True)


def tax_steps(count: int, seed: int = 2) -> tuple[Callable[[], None], Callable[[], None] | None]:
    """(this engine, PyPI paye or None when it is not installed) over the same months: rUK, monthly, all that paye knows."""
    rng = random.Random(seed)
    parameters = parameters_for_year("2026-27")
    rows = []
    for _ in range(count):
        period = rng.randint(1, 12)
        pay, before = rng.randint(80_000, 600_000), rng.randint(80_000, 500_000) * (period - 1)
        rows.append((rng.choice(["1257L", "1257L X", "BR", "D0", "K475", "1100L"]), period, pay, before, before // 8))

    def ours() -> None:
        for text, period, pay, before, tax_before in rows:
            tax_for_payment(parameters, parse_tax_code(text), "monthly", period, pay, before, tax_before)

    try:
        import paye.paye as other
    except ImportError:
        return ours, None
    other.CONSTANTS = {
        2026: {
            "B": (Decimal(0), Decimal(0), Decimal(37700), Decimal(87440)),
            "C": (Decimal(0), Decimal(0), Decimal(37700), Decimal(125140)),
            "K": (Decimal(0), Decimal(0), Decimal(7540), Decimal(42516)),
            "R": (Decimal(0), Decimal("0.10"), Decimal("0.20"), Decimal("0.40"), Decimal("0.45")),
            "G": 2,
            "M": Decimal("0.50"),
        }
    }
    slips = []
    for text, period, pay, before, tax_before in rows:
        slip: Any = other.Payslip(
            payer_name="Agency Testcase", year=2026, period=period, pay_date=date(2026, 5, 5), code=other.TaxCode(text),
            pay_to_date=Decimal(pay + before).scaleb(-2), tax_to_date=Decimal(0),
        )  # fmt: skip
        slip.basic_pay = Decimal(pay).scaleb(-2)
        slips.append((slip, Decimal(tax_before).scaleb(-2)))

    def theirs() -> None:
        for slip, tax_before in slips:
            other.tax_due(slip, tax_before)

    return ours, theirs


def rates_of(work: dict[str, Callable[[], None]], counts: dict[str, int], rounds: int) -> dict[str, list[float]]:
    """Payslips a second of each piece of work, every round running all of them in turn."""
    rates: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(rounds):
        for name, run in work.items():
            start = time.perf_counter()
            run()
            rates[name].append(counts[name] / (time.perf_counter() - start))
    return rates


def measure_engine(count: int, rounds: int) -> dict[str, float]:
    """Print and give payslips a second of the whole engine, with its explanation, and of the tax step beside PyPI paye."""
    inputs = realistic_payslips(count)
    loans = round(sum(1 for each in inputs if each.student_loan_plan or each.postgrad_loan) * 100 / count)
    pensions = round(sum(1 for each in inputs if each.pension) * 100 / count)
    ours, theirs = tax_steps(count // 4)

    def engine() -> None:
        for each in inputs:
            calculate_payslip(each)

    explained = inputs[: count // 10]

    def explain() -> None:
        for each in explained:
            calculate_payslip(each, Trace())

    names = {
        "engine": f"the whole payslip, {loans} % on loans, {pensions} % with pension, one core",
        "explained": "the same with its explanation",
        "tax": "the tax step alone, this engine, monthly rUK",
        "paye": "the tax step alone, PyPI paye, the same months",
    }
    work: dict[str, Callable[[], None]] = {"engine": engine, "explained": explain, "tax": ours}
    counts = {"engine": count, "explained": len(explained), "tax": count // 4, "paye": count // 4}
    if theirs is not None:
        work["paye"] = theirs
    rates = rates_of(work, counts, rounds)
    for name, values in rates.items():
        middle = statistics.median(values)
        print(f"{names[name]} (spread {min(values):,.0f} to {max(values):,.0f}): {middle:,.0f} payslips/s")
    if theirs is not None:
        ratios = [a / b for a, b in zip(rates["tax"], rates["paye"], strict=True)]
        print(f"tax step, this engine to paye, round by round: {statistics.median(ratios):.1f} times "
              f"({min(ratios):.1f} to {max(ratios):.1f})")  # fmt: skip
    return {name: statistics.median(values) for name, values in rates.items()}


def measure_pay_run(workers: int) -> dict[str, float]:
    """Print and give payslips a second of the drafts, of the close, and of both."""
    found = pay_run.measure(workers, loans_percent=LOANS_PERCENT, pension_percent=PENSION_PERCENT)
    print(
        f"drafts from approved hours, {workers:,} workers, one consumer, Postgres: {found.draft_per_s:,.0f} payslips/s"
    )
    print(f"closing their pay run, finalised and in the outbox: {found.close_per_s:,.0f} payslips/s")
    print(f"a pay run end to end, from approved hours to closed: {found.whole_per_s:,.0f} payslips/s")
    return {"draft": found.draft_per_s, "close": found.close_per_s, "pay_run": found.whole_per_s}


def measure_pdf(documents: int) -> dict[str, float]:
    """Print and give payslip PDFs a second of one process."""
    found = sample.measure(documents)
    kilobytes = found.bytes_total // documents // 1000
    print(f"PDF documents, one process, {kilobytes} kB each: {found.documents_per_second} payslips/s")
    return {"pdf": float(found.documents_per_second)}


def peak_mb() -> int:
    """The most memory this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--payslips", type=int, default=20_000, help="of the engine alone")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--workers", type=int, default=2_000, help="of the pay run")
    parser.add_argument("--documents", type=int, default=100, help="PDFs")
    chosen = parser.parse_args()
    figures = measure_engine(chosen.payslips, chosen.rounds)
    engine_mb = peak_mb()
    print(f"peak memory with {chosen.payslips:,} payslips' inputs held: {engine_mb} MB")
    figures |= measure_pay_run(chosen.workers) | measure_pdf(chosen.documents)
    print(f"peak memory after the pay run and the PDFs, events and all in this process: {peak_mb()} MB")
    memory = {"engine_peak_mb": engine_mb, "peak_mb": peak_mb()}
    print(json.dumps({name: round(value) for name, value in figures.items()} | memory))


if __name__ == "__main__":
    main()
