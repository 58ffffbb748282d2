"""An explanation as a clerk reads it: in pounds, with its rules' sources and versions, in agreement with the payslip."""

from __future__ import annotations

import ast
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

import pay_calc.domain
from pay_calc.documents.models import Payslip
from pay_calc.documents.render import render_payslip
from pay_calc.domain.change_reason import Side, change_reason
from pay_calc.domain.engine import ENGINE_VERSION
from pay_calc.domain.engine.trace import Node, Trace
from pay_calc.domain.explained import (
    FIGURES,
    Step,
    Versions,
    as_text,
    every,
    explained,
    find,
    pounds,
    shown,
    source_of,
    summary,
)
from pay_calc.domain.statutory import StatutoryPay
from pay_calc.rates import parameters_for_year
from pay_calc.usecases.recalculate import work
from paybill_common.ids import new_id

from .test_change_reason import BASIC, EMPLOYEE, FIRST, charges, side  # type: ignore[import-not-found]

VERSIONS = Versions(ENGINE_VERSION, parameters_for_year("2026-27").version)


def steps(*lines: Any, week: date = FIRST, **changes: Any) -> dict[str, Step]:
    """The figures of an ordinary week by name, net and the employer's too."""
    trace = Trace()
    work(side(week, charges(week, lines or [BASIC]), employee=replace(EMPLOYEE, **changes)).inp, trace)
    net = explained(trace.root, VERSIONS, {"P-1": "Northgate Testing Ltd · Driver"})
    found = [net, *net.children, *(explained(node, VERSIONS, {}) for node in trace.aside)]
    return {step.figure or "": step for step in found}


def test_a_clerk_hears_why_the_tax_is_what_it_is() -> None:
    assert summary(steps()["tax"]) == (
        "Taxable pay is £672.42 now and £600.00 before in this tax year, to tax period 2. Code 1257L leaves £483.84 free of tax, "
        "so £788.58 is taxed. The tax on that is £157.60. £71.60 of tax was taken before. £86.00 is taken now."
    )
    assert "Tax is worked out on this payment alone" in summary(steps(tax_code="1257L W1")["tax"])
    assert "Code K475 adds £183.04" in summary(steps(tax_code="K475")["tax"])
    assert summary(steps(tax_to_date_pence=50000)["tax"]).endswith("£342.40 is given back.")
    assert "No more than half of the pay may be taken" in summary(steps(tax_code="K9999")["tax"])
    assert "so nothing is taxed" in summary(
        steps(("basic", 60, "15.00"), pay_to_date_pence=0, tax_to_date_pence=0)["tax"]
    )


def test_the_other_figures_have_words_too() -> None:
    found = steps(student_loan_plan="2", pension={"basis": "net_pay", "employee_bp": 500, "employer_bp": 300})
    assert (
        summary(found["pay"]) == "Basic pay, Northgate Testing Ltd · Driver is 40:00 hours × £15.00 an hour = £600.00."
    )
    assert summary(found["nic"]) == (
        "Employee National Insurance is £34.43 under letter A. £430.42 of pay over the primary threshold of £242.00 at 8% is £34.43."
    )
    assert "£576.42 of pay over the employer's threshold of letter A of £96.00 at 15% is £86.46" in summary(
        found["employer_nic"]
    )
    assert summary(found["loan"]) == (
        "Pay of £672.42 is £107.33 over the threshold of £565.09; 9% of that, in whole pounds, is £9.00."
    )
    assert (
        summary(found["pension"]) == "Employee pension contribution is £27.62: qualifying earnings of £552.42 x 5.00 %."
    )
    assert "Taken from it: employee pension contribution £27.62, income tax" in summary(found["net"])
    assert "does not reach the threshold" in summary(steps(("basic", 60, "15.00"))["nic"])


def test_each_step_carries_its_rule_its_versions_and_its_source() -> None:
    found = steps(
        student_loan_plan="2", postgrad_loan=True, pension={"basis": "ras", "employee_bp": 500, "employer_bp": 300}
    )
    for step in (step for top in found.values() for step in every(top)):
        said = step.as_json()
        assert (said["engine_version"], said["parameter_version"]) == (VERSIONS.engine, VERSIONS.parameters)
        assert all(said[name] for name in ("rule_id", "label", "operation", "formula", "source", "shown"))
        assert (said["operation"] == "product") == (said["rounding"] is not None) == (said["unrounded"] is not None)
        assert said["figure"] is None or said["figure"] in FIGURES
    assert find(found["tax"], "paye.band_slice").source.startswith("HMRC, Specification for PAYE tax table routines")  # type: ignore[union-attr]
    main = find(found["nic"], "nic.employee_main")
    assert main is not None
    assert (main.unrounded, main.result, main.rounding) == ("34.4336", "34.43", "nic_three_decimals")
    assert "6 or more up" in (main.rounding_words or "")
    assert "Contributions) Regulations 2001 reg. 12" in (main.rounding_source or "")


NEVER_ON_A_PAYSLIP = {"awr", "interval", "late", "leave", "nmw", "umbrella", "umbrella_check"}


def test_every_rule_that_a_payslip_can_show_has_a_source() -> None:
    """Every rule id that the domain's code writes into a trace, read from the code itself."""
    domain = Path(pay_calc.domain.__file__).parent
    calls = [
        call
        for path in domain.rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and call.args and ast.unparse(call.func).rpartition(".")[2] in ("Node", "given")
    ]
    ids = {call.args[0].value for call in calls if isinstance(call.args[0], ast.Constant)}
    found = {str(rule) for rule in ids if str(rule).partition(".")[0] not in NEVER_ON_A_PAYSLIP}
    assert len(found) > 60
    for rule in found:
        assert source_of(Node(rule, "x", "given", 1, "pence", "x")) != f"Rule {rule} of the engine", rule


def test_amounts_are_pounds_and_time_is_hours() -> None:
    assert [pounds(text) for text in ("1234.5000", "-0.07", "71.6049", "430")] == [
        "£1,234.50",
        "-£0.07",
        "£71.6049",
        "£430.00",
    ]
    assert shown(Node("pay.units", "Time", "given", 2250, "minutes", "x")) == "37:30"
    assert shown(Node("pay.units", "Units", "given", 25000, "units_4dp", "x")) == "2.5"
    assert shown(Node("pay.units", "Units", "given", 200000, "units_4dp", "x")) == "20"


def test_a_pay_line_says_its_units_and_rate() -> None:
    net = steps(("basic", 2250, "12.7134"), ("allowance", 2, "5.50"))["net"]
    lines = [(step.formula, step.shown) for step in net.children if step.rule_id == "pay.line"]
    assert lines == [("37:30 hours × £12.7134 an hour", "£476.75"), ("2 × £5.50 each", "£11.00")]


def test_a_late_week_is_named_on_its_line() -> None:
    trace = Trace()
    work(side(FIRST, charges(FIRST - timedelta(days=14), [BASIC])).inp, trace)
    net = explained(trace.root, VERSIONS, {"P-1": "Driver"})
    assert net.children[0].label == "Basic pay, Driver, week ending 29 March 2026"


def test_statutory_pay_is_a_pay_line_that_shows_how_it_was_worked_out() -> None:
    plain = side(FIRST, charges(FIRST, [BASIC])).inp
    sick = StatutoryPay(
        record_id="r", kind="SSP", week_ending=FIRST, dates=(FIRST - timedelta(days=3), FIRST - timedelta(days=2)),
        average_pence=50000, average_divisor=1, qualifying_days=5,
    )  # fmt: skip
    trace = Trace()
    result = work(replace(plain, statutory=(sick,)), trace)
    net = explained(trace.root, VERSIONS, {})
    [line] = [step for step in net.children if step.rule_id == "pay.statutory"]
    assert (line.label, line.figure, line.sign) == ("SSP, week ending 12 April 2026", "pay", 1)
    assert line.children[0].rule_id.startswith("ssp.")
    assert summary(line).startswith("SSP, week ending 12 April 2026 is £")
    assert change_reason(
        Side(plain, work(plain).as_json()), Side(replace(plain, statutory=(sick,)), result.as_json())
    ) == (f"Statutory pay (SSP) {line.shown}.")


def test_a_week_without_pay_explains_its_expenses_and_no_tax() -> None:
    found = steps(("expense", 2, "5.50"), tax_to_date_pence=50000)
    assert (found["net"].shown, "tax" in found) == ("£11.00", False)
    assert "without the worker's application" in found["net"].formula


def test_the_text_indents_and_leaves_out_what_says_nothing() -> None:
    text = as_text(steps()["nic"])
    assert text.splitlines()[0].startswith("Employee National Insurance  £34.43  (")
    assert text.splitlines()[1].startswith("  nic.employee: Social Security Contributions and Benefits Act 1992")
    assert "\n  At 8.00 %  £34.43  (pay in this band x 8.00 %; £34.4336 before rounding)" in text
    assert "less Primary threshold  £242.00" in text
    assert [step.rule_id for step in every(steps()["net"]) if step.figure] == [
        "pay.net",
        "pay.line",
        "holiday.rolled_up",
        "paye.tax",
        "nic.employee",
    ]
    assert "Zero" not in text


async def _closed(world: Any, worker: Any, week: date, *lines: Any, placement: Any) -> Any:
    sheet = world.sheet(worker, *lines, week_ending=week, placement_id=placement)
    await world.tell(sheet.approved(), sheet.cleared(), world.cut_off(sheet, week=week))
    await world.close(week)
    return await world.slip(worker_id=worker, week_ending=week.isoformat())


@pytest.mark.integration
async def test_the_explanation_of_a_final_payslip_over_http(world: Any) -> None:
    worker, placement = new_id(), new_id()
    await world.profile(worker)
    await world.tell(world.named("placement", placement, "Forklift driver"))
    final = await _closed(world, worker, date(2026, 4, 5), ("basic", 2400, "15.00"), placement=placement)
    told = await world.get(f"payslips/{final['payslip_id']}/explanation")
    tree = told["tree"]
    assert (tree["result"], tree["figure"], told["agrees"], told["note"]) == (final["net_gbp"], "net", True, None)
    assert told["made_by"] == told["worked_by"] == {"engine": VERSIONS.engine, "parameters": VERSIONS.parameters}
    by_figure = {one["figure"]: one for one in told["figures"]}
    assert (by_figure["tax"]["shown"], by_figure["nic"]["shown"]) == ("£86.00", "£34.43")
    assert by_figure["employer_nic"]["shown"] == f"£{final['figures']['employer_nic_gbp']}"
    assert "Forklift driver" in by_figure["pay"]["label"]
    assert "\n  less Income tax  £86.00  (" in by_figure["net"]["words"]
    assert by_figure["tax"]["words"].startswith("Income tax  £86.00  (")


@pytest.mark.integration
@pytest.mark.parametrize(
    ("sql", "agrees", "words"),
    [
        ("result = jsonb_set(result, '{engine_version}', '\"0.9.0\"')", True, "they come to the same figures"),
        ("result = jsonb_set(jsonb_set(result, '{engine_version}', '\"0.9.0\"'), '{figures,tax_pence}', '1')", False, "engine 0.9.0"),
        ("result = jsonb_set(result, '{figures,tax_pence}', '1')", False, "its stored result was changed"),
    ],
)  # fmt: skip
async def test_an_explanation_says_when_it_cannot_be_that_of_the_payslip(
    world: Any, sql: str, agrees: bool, words: str
) -> None:
    worker = new_id()
    await world.profile(worker)
    final = await _closed(world, worker, date(2026, 4, 5), ("basic", 2400, "15.00"), placement=new_id())
    async with world.runtime.worker_database.transaction(now=world.runtime.clock.now()) as tx:
        await tx.execute(f"UPDATE payslip SET {sql} WHERE payslip_id = CAST(:id AS uuid)", id=final["payslip_id"])
    told = await world.get(f"payslips/{final['payslip_id']}/explanation")
    assert told["agrees"] is agrees
    assert words in told["note"]


@pytest.mark.integration
async def test_the_reason_is_on_the_draft_the_final_payslip_and_its_document(world: Any, monkeypatch: Any) -> None:
    worker, placement, second = new_id(), new_id(), date(2026, 4, 12)
    await world.profile(worker)
    first = await _closed(world, worker, date(2026, 4, 5), ("basic", 2400, "15.00"), placement=placement)
    assert first["change_reason"] is None
    sheet = world.sheet(worker, ("basic", 1920, "15.00"), week_ending=second, placement_id=placement)
    await world.tell(sheet.approved(), sheet.cleared())
    await world.profile(worker, tax_code="S1257L")
    wanted = "8.00 fewer hours than the week before; tax code changed from 1257L to S1257L."
    draft = await world.slip(worker_id=worker, week_ending=second.isoformat())
    assert (draft["state"], draft["change_reason"], draft["tax_code"]) == ("draft", wanted, "S1257L")
    await world.tell(world.cut_off(sheet, week=second))
    await world.close(second)
    final = await world.slip(worker_id=worker, week_ending=second.isoformat())
    assert (final["state"], final["change_reason"]) == ("finalised", wanted)

    printed = []

    def render(payslip: Payslip) -> bytes:
        printed.append(payslip)
        return render_payslip(payslip)

    monkeypatch.setattr("pay_calc.api.payslips.render_payslip", render)
    document = await world.get(f"payslips/{final['payslip_id']}/pdf")
    assert document.content.startswith(b"%PDF-")
    assert [payslip.change_reason for payslip in printed] == [wanted]
