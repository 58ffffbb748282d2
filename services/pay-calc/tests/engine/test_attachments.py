"""Attachments of earnings on a payslip: order of work, protected earnings, loans behind orders, refusals by name."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pay_calc.domain.engine.attachments import AttachmentOrder
from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.payslip import PayLineInput, PayslipInput, PayslipResult, PensionTerms, calculate_payslip
from pay_calc.domain.engine.trace import Node, Trace, recompute
from pay_calc.rates import attachment_book, parameters_for_year

P26 = parameters_for_year("2026-27")


def slip(gross: int, *orders: AttachmentOrder, **more: Any) -> PayslipResult:
    line = PayLineInput("P-1", "basic", 0, None, "each", Decimal(0), Decimal(0), gross, False, amount_is_final=True)
    trace = Trace()
    result = calculate_payslip(
        PayslipInput(P26, "weekly", date(2026, 4, 10), "1257L", "A", (line,), attachments=orders, **more), trace
    )
    check(trace.root)
    assert trace.root.result == result.net_pence
    assert result.attachments_pence == sum(order.deducted_pence for order in result.attachments)
    return result


def check(node: Node) -> None:
    assert recompute(node) == node.result
    for child in node.children:
        check(child)


def order(
    kind: Any, normal: int = 0, protected: int = 0, issued: date = date(2026, 1, 5), **more: Any
) -> AttachmentOrder:
    return AttachmentOrder(f"{kind}-{issued}", kind, issued, normal, protected, **more)


def test_a_deo_takes_its_normal_deduction_above_protected_earnings() -> None:
    free = slip(60000)
    taken = slip(60000, order("DEO", 8000, 20000))
    assert (taken.attachments_pence, taken.net_pence) == (8000, free.net_pence - 8000)
    assert taken.attachments[0].shortfall_pence == 0


def test_protected_earnings_leave_a_shortfall_that_is_carried() -> None:
    net = slip(30000).net_pence
    taken = slip(30000, order("DEO", 8000, net - 3000, brought_forward_pence=500))
    assert (taken.attachments_pence, taken.attachments[0].shortfall_pence) == (3000, 5500)
    assert slip(30000, order("AEO_non_priority", 8000, net - 3000)).attachments[0].shortfall_pence == 0


def test_no_order_takes_more_than_is_still_owed_under_it() -> None:
    stated = slip(60000, order("DEO", 8000, 20000, brought_forward_pence=500, owed_pence=1234)).attachments[0]
    assert (stated.deducted_pence, stated.shortfall_pence) == (1234, 0)
    council = order("CTAEO", jurisdiction="England", owed_pence=500)
    assert slip(60000, council, attachment_book=attachment_book()).attachments_pence == 500
    by_hand = order("AEO_priority", 1000, by_hand_pence=501, owed_pence=500)
    with pytest.raises(EngineError, match="still owed"):
        slip(60000, by_hand)


def test_attachable_earnings_are_after_relief_at_source_pension_and_before_loans() -> None:
    terms = PensionTerms("ras", 500, 300)
    without = slip(70000, pension=terms)
    taken = slip(70000, order("DEO", 100000, 0), pension=terms, student_loan_plan="2")
    assert taken.attachments_pence == without.net_pence
    assert taken.student_loan_pence == 0


def test_a_loan_behind_an_order_is_capped_at_protected_earnings_and_floored_again() -> None:
    plain = slip(80000, student_loan_plan="1")
    assert plain.student_loan_pence == 2500
    attachable = slip(80000).net_pence
    taken = slip(80000, order("DEO", 8000, attachable - 8000 - 1234), student_loan_plan="1")
    assert (taken.attachments_pence, taken.student_loan_pence) == (8000, 1200)


@pytest.mark.parametrize("protected", [0, 30000])
def test_a_non_priority_order_comes_after_loans_and_takes_no_more_than_is_left(protected: int) -> None:
    taken = slip(80000, order("AEO_non_priority", 100000, protected), student_loan_plan="1")
    assert taken.student_loan_pence == 2500
    # attachable earnings are not less loans, so protected earnings may be met out of what the loan took
    assert taken.attachments_pence == min(slip(80000).net_pence - protected, slip(80000).net_pence - 2500)
    assert taken.net_pence == max(0, protected - 2500)


@given(
    st.integers(0, 120000),
    st.lists(st.tuples(st.sampled_from(["DEO", "AEO_priority", "AEO_non_priority", "CTAEO", "DEA"]), st.integers(0, 90000),
                       st.integers(0, 90000)), max_size=4),
    st.sampled_from([None, PensionTerms("ras", 500, 300), PensionTerms("net_pay", 500, 300)]),
)  # fmt: skip
@settings(max_examples=200, deadline=None)
def test_loans_and_orders_never_take_more_than_the_net_pay(
    gross: int, drawn: list[tuple[Any, int, int]], pension: PensionTerms | None
) -> None:
    orders = [
        AttachmentOrder(f"order {i}", kind, date(2026, 1, 5), normal, protected, jurisdiction="England")
        for i, (kind, normal, protected) in enumerate(drawn)
    ]
    taken = slip(
        gross, *orders, student_loan_plan="5", postgrad_loan=True, pension=pension, attachment_book=attachment_book()
    )
    assert taken.net_pence >= 0
    assert min((each.deducted_pence for each in taken.attachments), default=0) >= 0


def test_orders_of_one_kind_follow_their_date_of_issue() -> None:
    late, early = order("AEO_priority", 9000, 40000, date(2026, 2, 1)), order("DEO", 9000, 40000, date(2025, 2, 1))
    net = slip(60000).net_pence
    taken = slip(60000, late, early)
    assert [each.reference for each in taken.attachments] == [early.reference, late.reference]
    assert [each.deducted_pence for each in taken.attachments] == [min(9000, net - 40000), max(0, net - 49000)]


@pytest.mark.parametrize("kind", ["CTAEO", "DEA", "scottish_arrestment"])
def test_an_order_that_needs_a_table_is_refused_by_name(kind: str) -> None:
    with pytest.raises(EngineError) as refused:
        slip(60000, order(kind))
    assert (refused.value.code, refused.value.field) == ("attachment_table_unknown", "attachments")


@pytest.mark.parametrize(("kind", "loan"), [("CTAEO", 0), ("scottish_arrestment", 0), ("DEA", 2500)])
def test_an_amount_entered_by_hand_and_the_loan_beside_it(kind: str, loan: int) -> None:
    taken = slip(80000, order(kind, by_hand_pence=4321), student_loan_plan="1")
    assert (taken.attachments_pence, taken.attachments[0].by_hand, taken.student_loan_pence) == (4321, True, loan)


def test_refusals() -> None:
    for bad, code in (
        (order("CTAEO", by_hand_pence=10**6), "attachment_exceeds_earnings"),
        (order("DEO", -1), "negative_amount"),
    ):
        with pytest.raises(EngineError) as refused:
            slip(60000, bad)
        assert refused.value.code == code
