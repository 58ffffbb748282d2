"""CIS subcontractors in the running week: what is deducted, what the payment file pays, what holds them, and the month's statement."""

from __future__ import annotations

import csv
import io
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from pypdf import PdfReader

from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.slips import Charge, SlipInput, input_of
from pay_calc.domain.subcontractors import Subcontractor
from pay_calc.usecases import cis_statements
from pay_calc.usecases.cis_statements import RETURN_COLUMNS
from pay_calc.usecases.recalculate import work
from paybill_common.ids import new_id
from paybill_contracts.invoicing import SelfBillDeduction, SelfBillIssued

VERIFIED = {
    "rate_pct": 20,
    "verified_on": "2026-03-02",
    "verification_number": "V0000000017",
    "utr": "00000 00017",
}
FREE = {
    "finding": "not_controlled",
    "decided_by": "Status Desk",
    "decided_on": "2026-03-02",
    "evidence_ref": "agency-rules-17",
}
BANK = {"sort_code": "000002", "account_number": "12345678"}


async def _subcontractor(world: Any, *lines: Any, cis: Any = VERIFIED) -> Any:
    """A cleared timesheet of a subcontractor with bank details, and its payee."""
    payee = new_id()
    sheet = world.sheet(new_id(), *lines, pay_basis="cis", payee_id=payee, holiday_pay="none")
    await world.send("PUT", f"payees/{payee}", BANK | {"cis": cis, "agency_rules": FREE})
    await world.tell(sheet.approved(), sheet.cleared())
    return sheet


def _self_bill(world: Any, sheet: Any, run: Any, net: str, vat: str, deduction: str) -> SelfBillIssued:
    gross = Decimal(net) + Decimal(vat)
    return SelfBillIssued(
        agency_id=world.agency_id,
        document_id=new_id(),
        number="SB-00001",
        issued_on=date(2026, 4, 7),
        tax_point_on=date(2026, 4, 7),
        net_gbp=Decimal(net),
        vat_gbp=Decimal(vat),
        gross_gbp=gross,
        charges=(),
        ledger_balanced=True,
        payee_id=sheet.payee_id,
        payee_kind="cis",
        pay_run_id=UUID(run["pay_run_id"]),
        deductions=(SelfBillDeduction(code="cis", amount_gbp=Decimal(deduction)),),
        payable_gbp=gross - Decimal(deduction),
    )


async def test_the_deduction_is_taken_of_labour_and_the_payment_file_pays_the_rest(world: Any) -> None:
    """20 % of labour 37:30 x 21.33 = 799.88 (half a penny up) and of travel 10.00 is 161.976: 161.97; materials 55.55 are outside."""
    sheet = await _subcontractor(world, ("basic", 2250, "21.33"), ("expense", 1, "10.00"), ("materials", 1, "55.55"))
    slip = await world.slip(worker_id=sheet.worker_id)
    assert (slip["gross_gbp"], slip["net_gbp"], slip["cost_gbp"]) == ("865.43", "703.46", "865.43")
    assert {name: slip["figures"][f"cis_{name}_gbp"] for name in ("labour", "materials", "deduction")} == {
        "labour": "809.88",
        "materials": "55.55",
        "deduction": "161.97",
    }
    assert (slip["tax_year"], slip["parameter_version"][:7]) == ("2026-27", "2026-27")
    await world.tell(world.cut_off(sheet))
    run = await world.close()
    assert (run["payslips"], run["self_bills"], run["net_gbp"]) == (0, 1, "703.46")
    [told] = await world.emitted("paybill.pay.finalised.v1")
    assert told["cis"] == {
        "labour_gbp": "809.88", "materials_gbp": "55.55", "rate_pct": 20, "deduction_gbp": "161.97",
    }  # fmt: skip
    assert (told["gross_gbp"], told["net_gbp"], told["tax_gbp"]) == ("865.43", "703.46", "0.00")
    assert sum(Decimal(charge["pay_gbp"]) for charge in told["charges"]) == Decimal("865.43")
    waiting = await world.send("POST", f"pay-runs/{run['pay_run_id']}/payment-file", {})
    assert [(one["code"], one["amount_gbp"]) for one in waiting["missing"]] == [("awaiting_self_bill", "703.46")]
    await world.tell(_self_bill(world, sheet, run, "865.43", "173.08", "161.97"))
    prepared = await world.send("POST", f"pay-runs/{run['pay_run_id']}/payment-file", {})
    assert (prepared["total_gbp"], prepared["payments"], prepared["missing"]) == ("876.54", 1, [])


async def test_a_cis_slip_explains_itself_and_replays(world: Any) -> None:
    sheet = await _subcontractor(world, ("basic", 2250, "21.33"), ("materials", 1, "55.55"))
    await world.tell(world.cut_off(sheet))
    run = await world.close()
    slip = await world.slip(worker_id=sheet.worker_id)
    told = await world.get(f"payslips/{slip['payslip_id']}/explanation")
    assert (told["tree"]["result"], told["agrees"], told["note"]) == (slip["net_gbp"], True, None)
    signed = sum(Decimal(child["result"]) * child["sign"] for child in told["tree"]["children"])
    assert signed == Decimal(slip["net_gbp"])
    [deduction] = [child for child in told["tree"]["children"] if child["figure"] == "cis"]
    assert (deduction["shown"], deduction["unrounded"], deduction["sign"]) == ("£159.97", "159.976", -1)
    assert deduction["inputs"]["verification number"] == "V0000000017"
    assert deduction["source"].startswith("Finance Act 2004")
    replayed = await world.send("POST", f"pay-runs/{run['pay_run_id']}/replay")
    assert (replayed["payslips"], replayed["equal"], replayed["differing"]) == (1, 1, 0)


@pytest.mark.parametrize(
    ("rate", "number", "deduction"),
    [(0, "V0000000018", "0.00"), (20, "V0000000019", "160.00"), (30, "V0000000020/A", "240.00")],
)
async def test_each_verified_rate(world: Any, rate: int, number: str, deduction: str) -> None:
    cis = VERIFIED | {"rate_pct": rate, "verification_number": number}
    sheet = await _subcontractor(world, ("basic", 2400, "20.00"), cis=cis)
    slip = await world.slip(worker_id=sheet.worker_id)
    assert slip["figures"]["cis_deduction_gbp"] == deduction
    assert Decimal(slip["net_gbp"]) == Decimal("800.00") - Decimal(deduction)


async def test_who_is_not_verified_is_held_and_paid_once_verified(world: Any) -> None:
    sheet = await _subcontractor(world, ("basic", 2400, "20.00"), cis=None)
    held = await world.slip(worker_id=sheet.worker_id)
    assert held["held"][0]["reasons"] == [{"code": "cis_not_verified", "subject_id": str(sheet.payee_id)}]
    later = VERIFIED | {"verified_on": "2026-04-11"}
    await world.send("PUT", f"payees/{sheet.payee_id}", BANK | {"cis": later, "agency_rules": FREE})
    held = await world.slip(worker_id=sheet.worker_id)
    assert [reason["code"] for reason in held["held"][0]["reasons"]] == ["cis_not_verified"]
    stored = await world.send("PUT", f"payees/{sheet.payee_id}", BANK | {"cis": VERIFIED, "agency_rules": FREE})
    assert stored["cis"] == VERIFIED | {"utr": "0000000017"}
    assert (await world.slip(worker_id=sheet.worker_id))["held"] == []


@pytest.mark.parametrize(
    ("finding", "code"),
    [
        (None, "agency_rules_not_decided"),
        ("controlled", "agency_rules_apply"),
        ("not_controlled", None),
        ("not_personal", None),
        ("own_company_outside", None),
    ],
)
async def test_the_agency_rules_are_asked_before_anybody_is_paid_as_self_employed(
    world: Any, finding: str | None, code: str | None
) -> None:
    """ITEPA 2003 s.44: under supervision, direction or control the agency runs PAYE, and the scheme does not apply."""
    sheet = await _subcontractor(world, ("basic", 2400, "20.00"))
    rules = None if finding is None else FREE | {"finding": finding}
    stored = await world.send("PUT", f"payees/{sheet.payee_id}", BANK | {"cis": VERIFIED, "agency_rules": rules})
    assert stored["agency_rules"] == rules
    slip = await world.slip(worker_id=sheet.worker_id)
    reasons = [reason for held in slip["held"] for reason in held["reasons"]]
    assert reasons == ([] if code is None else [{"code": code, "subject_id": str(sheet.payee_id)}])
    if code is not None:
        preview = await world.get("pay-runs/preview", params={"week_ending": "2026-04-05"})
        assert preview["findings"]["held"]["count"] == 1
    await world.tell(world.cut_off(sheet))
    run = await world.close()
    assert run["self_bills"] == (1 if code is None else 0)


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"finding": "perhaps"}, "#/agency_rules/finding"),
        ({"decided_by": ""}, "#/agency_rules/decided_by"),
        ({"evidence_ref": None}, "#/agency_rules/evidence_ref"),
    ],
)
async def test_a_decision_on_the_agency_rules_has_its_person_and_its_evidence(
    world: Any, change: dict[str, Any], pointer: str
) -> None:
    body = BANK | {"cis": VERIFIED, "agency_rules": FREE | change}
    refused = await world.send("PUT", f"payees/{new_id()}", body, status=422)
    assert refused["errors"][0]["pointer"] == pointer


def _slip_input(minutes: int, verified_on: date, last_paid_on: date | None) -> SlipInput:
    charge = Charge(
        charge_line_id=str(UUID(int=1)), timesheet_id=str(UUID(int=2)), version=1, placement_id=str(UUID(int=3)),
        week_ending=date(2026, 4, 5), kind="time", element="basic", rate_code="standard", rule_id="basic", rate_unit="hour",
        minutes=minutes, units=None, pay_rate=Decimal("20"), basic_pay_rate=Decimal("20"), pay_pence=minutes * 2000 // 60, holiday=False,
    )  # fmt: skip
    return SlipInput(
        pay_basis="cis", payee_id=str(UUID(int=4)), period_from=date(2026, 3, 30), period_to=date(2026, 4, 6),
        payday_on=date(2026, 4, 10), charges=(charge,),
        subcontractor=Subcontractor(2000, verified_on, "V0000000017", last_paid_on),
    )  # fmt: skip


def test_a_verification_lapses_after_two_tax_years_without_payment() -> None:
    with pytest.raises(EngineError) as refused:
        work(_slip_input(2400, date(2024, 4, 5), None))
    assert refused.value.code == "cis_not_verified"
    assert work(_slip_input(2400, date(2024, 4, 5), date(2024, 4, 12))).figures["cis_deduction_pence"] == 16000
    assert work(_slip_input(2400, date(2024, 4, 6), None)).figures["net_pence"] == 64000


def test_stored_inputs_round_trip() -> None:
    inp = _slip_input(2400, date(2026, 3, 2), date(2026, 4, 3))
    assert input_of(inp.as_json()) == inp


async def test_an_amended_week_is_corrected_in_the_next_period_with_its_deduction(world: Any) -> None:
    sheet = await _subcontractor(world, ("basic", 2400, "20.00"))
    await world.tell(world.cut_off(sheet))
    await world.close()
    await world.tell(sheet.amended([("basic", 2700, "20.00")]))
    await world.tell(sheet.cleared())
    draft = await world.slip(worker_id=sheet.worker_id, state="draft")
    assert (draft["gross_gbp"], draft["figures"]["cis_deduction_gbp"], draft["net_gbp"]) == ("100.00", "20.00", "80.00")
    await world.tell(sheet.amended([("basic", 2000, "20.00")]))
    await world.tell(sheet.cleared())
    draft = await world.slip(worker_id=sheet.worker_id, state="draft")
    assert [held["reasons"] for held in draft["held"]] == [[{"code": "negative_pay"}]]


async def test_the_statement_of_a_tax_month_sums_what_was_paid_in_it(world: Any) -> None:
    sheet = await _subcontractor(world, ("basic", 2400, "20.00"), ("materials", 2, "25.00"))
    other = await _subcontractor(world, ("basic", 600, "20.00"), cis=VERIFIED | {"rate_pct": 0})
    await world.tell(world.named("payee", sheet.payee_id, "Trade 0017 Example"), world.cut_off(sheet, other))
    await world.close()
    found = await world.get(
        "cis-statements", params={"tax_year": "2026-27", "tax_month": 1, "worker_id": str(sheet.worker_id)}
    )
    [statement] = found["items"]
    [payment] = statement.pop("payments")
    assert statement == {
        "payee_id": str(sheet.payee_id),
        "payee": "Trade 0017 Example",
        "utr": "0000000017",
        "from_on": "2026-04-06",
        "to_on": "2026-05-05",
        "gross_gbp": "850.00",
        "materials_gbp": "50.00",
        "liable_gbp": "800.00",
        "deduction_gbp": "160.00",
        "paid_gbp": "690.00",
    }
    assert (payment["payday_on"], payment["rate_pct"], payment["verification_number"]) == (
        "2026-04-10",
        20,
        "V0000000017",
    )
    seen: list[str] = []
    cursor = None
    while True:
        page = await world.get(
            "cis-statements",
            params={"tax_year": "2026-27", "tax_month": 1, "limit": 1} | ({"cursor": cursor} if cursor else {}),
        )
        seen += [item["payee_id"] for item in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert seen == sorted([str(sheet.payee_id), str(other.payee_id)])
    assert (await world.get("cis-statements", params={"tax_year": "2026-27", "tax_month": 2}))["items"] == []
    refused = await world.get("cis-statements", params={"tax_year": "2026-28", "tax_month": 1}, status=422)
    assert refused["code"] == "unknown_tax_year"


MONTH = {"tax_year": "2026-27", "tax_month": 1}


async def test_the_statement_is_a_document_with_what_the_regulations_name(world: Any) -> None:
    """SI 2005/2045 reg. 4(8): who deducted, the month's end, who was paid, UTR, verification, gross, materials, liable, deducted."""
    employer = {"legal_name": "Paying Agency Ltd", "paye_reference": "000/PA00001", "address": ["1 Example Road"]}
    await world.send("PUT", "employer", employer)
    sheet = await _subcontractor(
        world, ("basic", 2400, "20.00"), ("materials", 2, "25.00"), cis=VERIFIED | {"rate_pct": 30}
    )
    await world.tell(world.named("payee", sheet.payee_id, "=Trade 0017 Example"), world.cut_off(sheet))
    await world.close()
    answer = await world.get(f"cis-statements/{sheet.payee_id}/pdf", params=MONTH)
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"] == 'inline; filename="cis-statement-2026-05-05-0000000017.pdf"'
    again = await world.get(f"cis-statements/{sheet.payee_id}/pdf", params=MONTH)
    assert again.content == answer.content
    [page] = PdfReader(io.BytesIO(answer.content)).pages
    text = " ".join(page.extract_text().split())
    for told in (
        "Payment and deduction statement", "Paying Agency Ltd", "000/PA00001", "Tax month ended 5 May 2026",
        "=Trade 0017 Example", "00000 00017", "V0000000017", "850.00", "50.00", "800.00", "30%", "240.00", "610.00",
    ):  # fmt: skip
        assert told in text, told
    line = "2026-05-05,{},'=Trade 0017 Example,0000000017,V0000000017,850.00,50.00,240.00"
    returned = (await world.get("cis-return.csv", params=MONTH)).text.splitlines()
    assert returned == [",".join(RETURN_COLUMNS), line.format(sheet.payee_id)]
    nobody = await world.get(f"cis-statements/{new_id()}/pdf", params=MONTH, status=404)
    assert nobody["code"] == "cis_statement_not_found"
    nothing = await world.get("cis-return.csv", params=MONTH | {"tax_month": 2})
    assert nothing.text.splitlines() == [",".join(RETURN_COLUMNS)]


async def test_a_return_has_a_line_for_each_subcontractor_however_many(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cis_statements, "PAGE", 2)
    sheets = [await _subcontractor(world, ("basic", 60 * n, "20.00")) for n in (1, 2, 3, 4)]
    await world.tell(world.cut_off(*sheets))
    await world.close()
    rows = list(csv.DictReader(io.StringIO((await world.get("cis-return.csv", params=MONTH)).text)))
    assert {row["payee_id"] for row in rows} == {str(sheet.payee_id) for sheet in sheets}
    assert sorted(row["total_deducted"] for row in rows) == ["12.00", "16.00", "4.00", "8.00"]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"rate_pct": 25}, "#/cis/rate_pct"),
        ({"utr": "123"}, "#/cis/utr"),
        ({"utr": None}, "#/cis"),
        ({"verification_number": "X17"}, "#/cis/verification_number"),
        ({"verified_on": None}, "#/cis/verified_on"),
    ],
)
async def test_what_hmrc_would_not_have_said_is_refused(world: Any, change: dict[str, Any], pointer: str) -> None:
    refused = await world.send("PUT", f"payees/{new_id()}", BANK | {"cis": VERIFIED | change}, status=422)
    assert refused["errors"][0]["pointer"] == pointer
