"""Construction Industry Scheme deductions. Source: Finance Act 2004 ss.57 to 61; HMRC CIS340."""

from __future__ import annotations

from dataclasses import dataclass

from pay_calc.domain.engine import rounding
from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.trace import Node, Trace


@dataclass(frozen=True, slots=True)
class CisResult:
    deduction_pence: int
    paid_pence: int


def deduct(
    rates_bp: tuple[int, ...], labour_pence: int, materials_pence: int, rate_bp: int, trace: Trace | None = None
) -> CisResult:
    """The deduction from the labour element (no VAT, no materials), down to the penny, and what is paid, pence.

    `rates_bp` are the scheme's rates of the year: gross status, registered, unregistered; any other rate is refused.
    """
    if rate_bp not in rates_bp:
        raise EngineError(
            "unknown_cis_rate",
            f"The CIS rate is one of {', '.join(str(rate // 100) for rate in rates_bp)} per cent.",
            "rate_pct",
        )
    deduction = rounding.cis_floor_penny(labour_pence * rate_bp, 10000)
    if trace is not None:
        labour = trace.given(
            "cis.labour",
            "Labour, without VAT",
            labour_pence,
            "pence",
            "what was worked, and expenses that are no materials",
        )
        taken = Node("cis.deduction", "CIS deduction", "ratio", deduction, "pence", f"labour x {rate_bp // 100} %", (), (labour,),
                     factors=(rate_bp,), divisor=10000, rounding="cis_floor_penny")  # fmt: skip
        materials = trace.given("cis.materials", "Materials", materials_pence, "pence", "what was bought for the job")
        trace.push(Node("cis.paid", "Paid to the subcontractor", "sum", labour_pence + materials_pence - deduction, "pence",
                        "labour and materials less the deduction", (), (labour, materials, taken), (1, 1, -1)))  # fmt: skip
    return CisResult(deduction, labour_pence + materials_pence - deduction)
