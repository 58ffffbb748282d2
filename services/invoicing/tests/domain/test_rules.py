"""The rules of billing, without a database."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoicing.domain.allocation import allocate
from invoicing.domain.control import WeekTotals, differences
from invoicing.domain.grouping import BillLine, GroupBy, plan_documents
from invoicing.domain.late_payment import late_payment_percent
from invoicing.domain.ledger import receipt, sale, self_billed_purchase
from invoicing.domain.readiness import Clearance, Terms, decide
from invoicing.domain.self_billing import Agreement, self_bill_holds
from invoicing.domain.vat import VatRateUnknown, effective_treatment, standard_percent, vat_down_to_penny, vat_on

pence = st.integers(-(10**9), 10**9).map(lambda n: Decimal(n).scaleb(-2))
TWENTY = Decimal("20.00")


class TestVat:
    @pytest.mark.parametrize(
        ("net", "vat"),
        [("0.04", "0.00"), ("0.05", "0.01"), ("635.29", "127.05"), ("-635.29", "-127.05"), ("0.00", "0.00")],
    )
    def test_is_rounded_down_once_a_document(self, net: str, vat: str) -> None:
        assert vat_down_to_penny(Decimal(net), TWENTY) == Decimal(vat)

    @given(net=pence)
    def test_of_a_credit_mirrors_the_charge(self, net: Decimal) -> None:
        assert vat_down_to_penny(-net, TWENTY) == -vat_down_to_penny(net, TWENTY)

    @given(net=pence)
    def test_is_less_than_a_penny_below_the_exact_amount(self, net: Decimal) -> None:
        exact = net * TWENTY * Decimal("0.01")
        assert 0 <= abs(exact) - abs(vat_down_to_penny(net, TWENTY)) < Decimal("0.01")

    def test_refuses_a_tax_point_before_its_figures(self) -> None:
        assert standard_percent(date(2011, 1, 4)) == TWENTY
        with pytest.raises(VatRateUnknown):
            standard_percent(date(2011, 1, 3))

    def test_of_the_reverse_charge_is_for_the_customer_to_account_for(self) -> None:
        found = vat_on(Decimal("100.00"), treatment="reverse_charge", tax_point_on=date(2026, 4, 7))
        assert (found.vat_gbp, found.reverse_charge_gbp) == (Decimal("0.00"), Decimal("20.00"))

    def test_is_never_charged_by_a_supplier_without_a_number(self) -> None:
        assert effective_treatment("standard", supplier_vat_number=None) == "not_registered"


class TestReadiness:
    terms = Terms(po_required=False, purchase_order=None)

    def test_no_decision_is_a_hold(self) -> None:
        assert [r["code"] for r in decide(clearance=None, terms=self.terms, purchase_order=None).reasons] == [
            "awaiting_clearance"
        ]

    def test_every_reason_is_given(self) -> None:
        found = decide(clearance=Clearance(True, ()), terms=None, purchase_order=None)
        assert [reason["code"] for reason in found.reasons] == ["compliance_hold", "missing_client_terms"]

    @pytest.mark.parametrize(
        ("own", "default", "state"), [(None, None, "held"), ("PO-1", None, "ready"), (None, "PO-2", "ready")]
    )
    def test_a_required_purchase_order_comes_from_the_timesheet_or_the_terms(
        self, own: str | None, default: str | None, state: str
    ) -> None:
        found = decide(clearance=Clearance(False), terms=Terms(True, default), purchase_order=own)
        assert found.state == state

    def test_only_reasons_that_block_billing_are_given(self) -> None:
        reasons = [{"code": "warn_only", "blocks": ["pay"]}, {"code": "no_contract", "blocks": ["bill"]}]
        found = decide(clearance=Clearance(True, reasons), terms=self.terms, purchase_order=None)
        assert [reason["code"] for reason in found.reasons] == ["no_contract"]


def bill_line(n: int, client: int, site: int, worker: int, net: Decimal) -> BillLine:
    return BillLine(
        kind="charge" if net >= 0 else "reversal",
        charge_line_id=UUID(int=n),
        timesheet_id=UUID(int=worker),
        version=1,
        round=1,
        ordinal=n,
        client_id=UUID(int=client),
        site_id=UUID(int=site),
        worker_id=UUID(int=worker),
        placement_id=None,
        timesheet_reference=f"TS-{worker}",
        purchase_order=None,
        element="basic",
        rate_code="standard",
        rate_unit="hour",
        minutes=60,
        units=None,
        rate_gbp=Decimal("20.0000"),
        net_gbp=net,
        first_on=date(2026, 3, 30),
        last_on=date(2026, 3, 30),
        vat_treatment="standard",
    )


lines = st.lists(st.tuples(st.integers(1, 3), st.integers(1, 2), st.integers(1, 4), pence), max_size=12).map(
    lambda rows: [bill_line(n, *row) for n, row in enumerate(rows, start=1)]
)


class TestGrouping:
    @given(lines=lines, by=st.sampled_from(["client", "site", "worker"]), order=st.randoms())
    def test_keeps_every_line_once_and_does_not_depend_on_order(
        self, lines: list[BillLine], by: GroupBy, order: object
    ) -> None:
        group_by = dict.fromkeys((UUID(int=n) for n in range(1, 4)), by)
        plan = plan_documents(lines, group_by=group_by)
        assert sorted(line.ordinal for document in plan for line in document.lines) == [line.ordinal for line in lines]
        assert sum(document.net_gbp for document in plan) == sum(line.net_gbp for line in lines)
        assert all((document.kind == "credit_note") == (document.net_gbp < 0) for document in plan)
        assert len({document.key for document in plan}) == len(plan)
        shuffled = list(lines)
        order.shuffle(shuffled)  # type: ignore[attr-defined]
        assert plan_documents(shuffled, group_by=group_by) == plan


class TestLedger:
    @given(net=pence, vat=pence)
    def test_every_set_of_entries_sums_to_zero(self, net: Decimal, vat: Decimal) -> None:
        for entries in (
            sale(net_gbp=net, vat_gbp=vat),
            self_billed_purchase(net_gbp=net, vat_gbp=vat),
            receipt(amount_gbp=net),
        ):
            assert sum(entry.amount_gbp for entry in entries) == 0
            assert all(entry.amount_gbp != 0 for entry in entries)


class TestAllocation:
    @given(amount=st.integers(0, 10**6), balances=st.lists(st.integers(-10, 10**5), max_size=8))
    def test_uses_what_there_is_and_over_settles_nothing(self, amount: int, balances: list[int]) -> None:
        pairs = [(UUID(int=n), Decimal(balance).scaleb(-2)) for n, balance in enumerate(balances)]
        found = allocate(Decimal(amount).scaleb(-2), pairs)
        open_gbp = sum((max(balance, Decimal(0)) for _, balance in pairs), Decimal(0))
        assert sum((share for _, share in found), Decimal(0)) == min(Decimal(amount).scaleb(-2), open_gbp)
        assert all(0 < share <= dict(pairs)[document_id] for document_id, share in found)


def test_control_totals_name_the_figures_that_differ() -> None:
    one = WeekTotals(3, 7200, Decimal(0), Decimal("2400.00"))
    other = WeekTotals(3, 7200, Decimal("1.0000"), Decimal("2400.01"))
    assert differences(control=one, own=one) == ()
    assert [difference.figure for difference in differences(control=one, own=other)] == ["billable_units", "charge_gbp"]


def test_a_self_billing_agreement_is_in_force_up_to_its_last_day() -> None:
    agreement = Agreement("SBA-1", date(2026, 1, 1), date(2027, 1, 1))

    def holds(on: date) -> tuple[str, ...]:
        return self_bill_holds(agreement=agreement, has_issuer=True, charges_missing=0, on=on)

    assert holds(date(2026, 12, 31)) == ()
    assert (
        holds(date(2027, 1, 1))
        == holds(date(2026, 1, 1) - timedelta(days=1))
        == ("self_billing_agreement_not_in_force",)
    )


def test_late_payment_interest_is_known_for_2026_alone() -> None:
    assert late_payment_percent(date(2026, 5, 7)) == Decimal("11.75")
    assert late_payment_percent(date(2027, 1, 1)) is None
