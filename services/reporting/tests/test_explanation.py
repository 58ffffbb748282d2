"""Why a figure on a payslip is what it is, and the line on nightly replays: as a payroll clerk reads them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from owners import explanation, step
from web import Site

from reporting.domain.explained import STEPS_MAX, why


class TestWhy:
    def test_a_figure_is_answered_in_a_sentence_then_step_by_step(self) -> None:
        found = why(explanation(), "tax")
        assert found.question == "Why is income tax £71.60?"
        assert found.sentences == ("Income tax is £71.60, in short.",)
        [tax] = found.steps
        [due] = tax.children
        assert [child.label for child in due.children] == ["Pay that is taxed"]  # a zero says nothing
        assert due.how == "of these; £71.6049 before rounding: Tax goes down to the penny"
        assert (tax.source, due.source) == ("HMRC, tax table routines", "")  # told once
        assert [figure for figure, *_ in found.others] == ["net", "pay", "employer_nic"]

    def test_of_several_only_the_one_that_was_taken_is_open(self) -> None:
        owed, limit = (
            step(label, shown, step("Of it", "£1.00")) for label, shown in (("Due", "£71.60"), ("Most", "£300.00"))
        )
        tree = step(
            "Net pay",
            "£1.00",
            step("Income tax", "£71.60", owed, limit, figure="tax", operation="smallest"),
            figure="net",
        )
        [tax] = why({"tree": tree}, "tax").steps
        assert [child.open for child in tax.children] == [True, False]

    def test_why_pay_changed_is_told_where_the_whole_is_asked_about(self) -> None:
        assert [why(explanation(), figure).change_reason is None for figure in (None, "net", "gross", "tax")] == [
            False,
            False,
            False,
            True,
        ]

    def test_nothing_asked_is_net_pay_with_what_adds_and_what_is_taken(self) -> None:
        found = why(explanation(), None)
        assert found.question == "Why is net pay £440.80?"
        assert [(child.lead, child.label, child.open) for child in found.steps[0].children] == [
            ("plus", "Basic pay, Driver", False),
            ("less", "Income tax", False),
        ]

    def test_other_deductions_are_what_pay_calc_calls_by_their_names(self) -> None:
        answer = explanation()
        answer["tree"]["children"] += [
            step("Student loan, plan 2", "£9.00", figure="loan", sign=-1),
            step("Pension", "£27.62", figure="pension", sign=-1),
        ]
        found = why(answer, "other")
        assert found.question == "Why are other deductions £9.00 and £27.62?"
        assert [one.label for one in found.steps] == ["Student loan, plan 2", "Pension"]

    def test_what_is_not_on_the_payslip_is_said(self) -> None:
        found = why(explanation(), "levy")
        assert found.question == "No apprenticeship levy on this payslip"
        assert found.steps[0].label == "Net pay"

    @pytest.mark.parametrize("answer", [{}, {"tree": None}, {"tree": {"children": "no"}, "figures": 3}])
    def test_an_answer_of_another_shape_is_no_error(self, answer: dict[str, Any]) -> None:
        assert why(answer, "tax").steps

    def test_a_tree_without_end_is_cut(self) -> None:
        wide = step("Net pay", "£1.00", *(step("line", "£1.00") for _ in range(5000)), figure="net", sign=0)
        assert len(why({"tree": wide}, None).steps[0].children) <= STEPS_MAX
        deep = step("leaf", "£1.00")
        for _ in range(60):
            deep = step("inner", "£1.00", deep)
        depth, at = 0, why({"tree": deep}, None).steps[0]
        while at.children:
            depth, at = depth + 1, at.children[0]
        assert depth < 20


async def test_each_figure_of_a_payslip_is_a_link_to_its_explanation(site: Site) -> None:
    path = f"/agencies/{site.world.agency}/payslips/{site.world.payslip_id(0)}"
    async with site.sign_in("bea") as browser:
        page = (await browser.get(path)).text
        asked = set(re.findall(rf'href="{path}/explanation\?figure=(\w+)"', page))
        assert {"gross", "tax", "nic", "other", "net", "employer_nic", "employer_pension", "levy"} <= asked
        told = (await browser.get(f"{path}/explanation?figure=tax")).text
        assert "Why is income tax £71.60?" in told
        assert "8.00 fewer hours than the week before." in (await browser.get(f"{path}/explanation")).text
        assert "Rule paye.due: HMRC, tax table routines" in told
        assert "engine 1.2.0, statutory figures 2026-27.2" in told
        fragment = (await browser.get(f"{path}/explanation?figure=tax", headers={"hx-request": "true"})).text
        assert "<html" not in fragment
        assert "autofocus" in fragment
        assert "autofocus" not in (await browser.get(f"{path}/explanation", headers={"hx-request": "true"})).text


async def test_a_note_of_pay_calc_is_above_everything(site: Site) -> None:
    site.owners.explanation["note"] = "The payslip was made by engine 0.9.0, which this release does not carry."
    async with site.sign_in("bea") as browser:
        told = (
            await browser.get(f"/agencies/{site.world.agency}/payslips/{site.world.payslip_id(0)}/explanation")
        ).text
    assert told.index("engine 0.9.0") < told.index("Step by step")


async def test_system_health_tells_what_the_nightly_replay_found(site: Site) -> None:
    run = {
        "agency_id": str(site.world.agency), "pay_run_id": "0197a000-0000-7000-8000-00000000000a", "week_ending": "2026-04-05",
        "night": "2026-04-07", "state": "differs", "checked_at": "2026-04-07T02:00:07Z", "payslips": 24, "differing": 1, "not_available": 0,
    }  # fmt: skip
    async with site.sign_in("bea") as browser:
        assert "Agrees to the penny" in (await browser.get("/system")).text
        site.owners.replays |= {"state": "differs", "differs": 1, "agrees": 1, "items": [run]}
        page = (await browser.get("/system")).text
        assert "1 of 3 closed pay runs do not come out to the penny" in page
        assert run["pay_run_id"] in page
        site.owners.replays |= {"state": "not_available", "differs": 0, "not_available": 1, "items": []}
        assert "made by an engine or figures that this release does not carry" in (await browser.get("/system")).text
        site.owners.away.add("pay-calc")
        assert "Nightly replay" not in (await browser.get("/system")).text
