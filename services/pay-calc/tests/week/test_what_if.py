"""What if: the same engine on changed inputs, over a slip, a week or a run. It stores and tells nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.slips import Charge, Employee, SlipInput
from pay_calc.domain.what_if import Changes, HoursChange, RateChange, changed, check, cost_by_timesheet, in_year
from pay_calc.holding import hold_all
from pay_calc.rates import year_book
from pay_calc.usecases import what_if as usecase
from paybill_common.ids import new_id

WEEK = "2026-04-05"


def charge(minutes: int, rate: str, **changes: Any) -> Charge:
    values: dict[str, Any] = {
        "charge_line_id": str(UUID(int=abs(minutes))),
        "timesheet_id": str(UUID(int=1)),
        "version": 1,
        "placement_id": str(UUID(int=9)),
        "week_ending": date(2026, 4, 5),
        "kind": "time",
        "element": "basic",
        "rate_code": "basic",
        "rule_id": "basic",
        "rate_unit": "hour",
        "minutes": minutes,
        "units": None,
        "pay_rate": Decimal(rate),
        "basic_pay_rate": Decimal(rate),
        "pay_pence": 0,
        "holiday": False,
    }
    return Charge(**(values | changes))


def inputs(*charges: Charge, payday_on: date = date(2026, 4, 10)) -> SlipInput:
    return SlipInput(
        pay_basis="paye",
        payee_id=None,
        period_from=date(2026, 3, 30),
        period_to=date(2026, 4, 6),
        payday_on=payday_on,
        charges=charges,
        employee=Employee(tax_code="1257L", ni_letter="A", birth_on=date(1990, 1, 1)),
    )


def lines(changes: Changes, *charges: Charge) -> list[tuple[int, str, int]]:
    """(minutes, rate, pence) of each charge after the changes, all lines chosen."""
    found = changed(inputs(*charges), changes, year_book(), lambda _: True).inp.charges
    return [(one.minutes, str(one.pay_rate), one.pay_pence) for one in found]


class TestLines:
    def test_a_rate_itself_an_uplift_in_per_cent_and_one_in_pence(self) -> None:
        line = charge(120, "12.71")
        assert lines(Changes(rates=(RateChange(rate_gbp=Decimal("13.50")),)), line) == [(120, "13.5000", 2700)]
        # 12.71 and 3.5 % are 13.15485, half up to the fourth decimal.
        assert lines(Changes(rates=(RateChange(uplift_pct=Decimal("3.5")),)), line) == [(120, "13.1549", 2631)]
        assert lines(Changes(rates=(RateChange(uplift_gbp=Decimal("-0.21")),)), line) == [(120, "12.5000", 2500)]

    def test_only_the_named_rate_code_and_placement(self) -> None:
        other = charge(60, "19", rate_code="night", placement_id=str(UUID(int=8)))
        up = RateChange(uplift_gbp=Decimal(1), rate_code="night")
        assert [rate for _, rate, _ in lines(Changes(rates=(up,)), charge(60, "12"), other)] == ["12", "20.0000"]
        up = RateChange(uplift_gbp=Decimal(1), placement_id=str(UUID(int=9)))
        assert [rate for _, rate, _ in lines(Changes(rates=(up,)), charge(60, "12"), other)] == ["13.0000", "19"]

    def test_expenses_and_corrections_never_change_an_allowance_only_by_name(self) -> None:
        expense = charge(0, "5", kind="expense", rate_unit="each", units=Decimal(1), rate_code="meal")
        correction = charge(-60, "12", reverses=True, pay_pence=-1200)
        allowance = charge(0, "5", kind="allowance", rate_unit="each", units=Decimal(2), rate_code="tools")
        double = Changes(rates=(RateChange(uplift_pct=Decimal(100)),), hours=(HoursChange(scale_pct=Decimal(200)),))
        same = changed(inputs(expense, correction, allowance), double, year_book(), lambda _: True)
        assert same.inp.charges == (expense, correction, allowance)
        assert same.taken == frozenset()
        named = Changes(rates=(RateChange(uplift_pct=Decimal(100), rate_code="tools"),))
        assert lines(named, allowance) == [(0, "10.0000", 2000)]

    def test_hours_scale_on_every_line_and_add_on_the_longest(self) -> None:
        both = (charge(101, "12"), charge(300, "12"))
        assert [m for m, *_ in lines(Changes(hours=(HoursChange(scale_pct=Decimal(150)),)), *both)] == [152, 450]
        assert [m for m, *_ in lines(Changes(hours=(HoursChange(add_minutes=60),)), *both)] == [101, 360]
        with pytest.raises(EngineError) as refused:
            lines(Changes(hours=(HoursChange(add_minutes=-301),)), *both)
        assert (refused.value.code, refused.value.field) == ("hours_below_nought", "hours[0].add_minutes")

    def test_a_premium_at_a_fixed_rate_keeps_the_rate_of_the_minimum_wage(self) -> None:
        premium = charge(60, "19.06", basic_pay_rate=Decimal("12.71"))
        fixed = Changes(rates=(RateChange(rate_gbp=Decimal(25)),))
        up = Changes(rates=(RateChange(uplift_pct=Decimal(10)),))
        found = [changed(inputs(premium), what, year_book(), lambda _: True).inp.charges[0] for what in (fixed, up)]
        assert [one.basic_pay_rate for one in found] == [Decimal("12.71"), Decimal("13.9810")]


class TestYears:
    def test_the_same_tax_week_hours_and_age(self) -> None:
        own = inputs(charge(60, "12"))
        other = in_year(own, "2025-26", year_book())
        assert (other.payday_on, other.period_from, other.period_to) == (
            date(2025, 4, 10),
            date(2025, 3, 30),
            date(2025, 4, 6),
        )
        assert other.charges[0].week_ending == date(2025, 4, 5)
        assert other.employee is not None
        assert other.employee.birth_on == date(1989, 1, 1)
        assert in_year(other, "2026-27", year_book()) == own
        assert in_year(own, "2026-27", year_book()) is own

    def test_the_last_day_stays_in_its_year(self) -> None:
        assert in_year(inputs(charge(60, "12"), payday_on=date(2027, 4, 5)), "2025-26", year_book()).payday_on == date(
            2026, 4, 5
        )

    def test_a_year_without_a_file_is_refused_by_name(self) -> None:
        with pytest.raises(EngineError, match="2031-32"):
            check(Changes(tax_year="2031-32"), year_book())


class TestCost:
    def test_shared_by_pay_and_never_below_nought(self) -> None:
        one, two = str(UUID(int=1)), str(UUID(int=2))
        charges = [charge(60, "12"), charge(60, "12", timesheet_id=two), charge(60, "12", timesheet_id=two, version=2)]
        assert cost_by_timesheet(charges, [(100, 0), (-50, 0), (200, 0)], 1000) == {
            (one, 1): 333,
            (two, 1): 0,
            (two, 2): 667,
        }


PENSION = {"basis": "net_pay", "employee_pct": "5", "employer_pct": "3"}


@pytest.mark.integration
class TestDoor:
    async def ready(self, world: Any, *sheets: Any, **profile: Any) -> None:
        """Workers with profiles and approved, cleared weeks."""
        for sheet in sheets:
            await world.profile(sheet.worker_id, **profile)
            await world.tell(world.worker(sheet.worker_id), sheet.approved(), sheet.cleared())

    async def ask(self, world: Any, changes: Mapping[str, Any], *, status: int = 200, **more: Any) -> Any:
        query = more.pop("query", "")
        body = {"week_ending": WEEK, "changes": changes} | more
        return await world.send("POST", f"pay-runs/what-if{query}", body, status=status)

    async def rows(self, world: Any) -> dict[str, int]:
        """How many rows every table has, the outbox and the kept answers among them."""
        async with world.runtime.worker_database.transaction(now=world.runtime.clock.now()) as tx:
            tables = [
                row.relname
                for row in await tx.execute(
                    "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = CAST('public' AS regnamespace)"
                )
            ]
            return {table: (await tx.execute(f"SELECT count(*) AS n FROM {table}")).scalar_one() for table in tables}

    async def test_another_tax_code_over_a_week_stores_and_tells_nothing(self, world: Any) -> None:
        sheet = world.sheet(new_id(), ("basic", 2400, "15.00"))
        await self.ready(world, sheet)
        before = await self.rows(world)
        stored = await world.slip(week_ending=WEEK)
        key = {"Idempotency-Key": "what-if-1"}
        body = {"week_ending": WEEK, "changes": {"tax_code": "BR"}}
        for _ in range(2):
            answer = await world.client.post(
                world.path("pay-runs/what-if"), json=body, headers=world.headers() | key, timeout=60
            )
            assert answer.status_code == 200, answer.text
            assert "idempotency-replayed" not in answer.headers, "no answer is kept, so none is given again"
        assert await self.rows(world) == before
        assert before["outbox"] > 0
        assert await world.slip(week_ending=WEEK) == stored
        [slip] = answer.json()["items"]
        assert slip["outcome"] == "changed"
        # 672.42: 86.00 on 1257L in week 1, 20 % of 672 on BR.
        assert (slip["before"]["figures"]["tax_gbp"], slip["after"]["figures"]["tax_gbp"]) == ("86.00", "134.40")
        assert (slip["before"]["figures"]["net_gbp"], slip["after"]["figures"]["net_gbp"]) == ("551.99", "503.59")
        assert slip["before"]["figures"]["cost_gbp"] == slip["after"]["figures"]["cost_gbp"] == stored["cost_gbp"]

    async def test_a_closed_week_its_run_and_its_slip_say_the_same(self, world: Any) -> None:
        sheet = world.sheet(new_id(), ("basic", 2400, "15.00"))
        await self.ready(world, sheet)
        await world.tell(world.cut_off(sheet))
        open_ = await self.ask(world, {"rates": [{"uplift_pct": "10"}]})
        run = await world.close()
        closed = await self.ask(world, {"rates": [{"uplift_pct": "10"}]})
        body = {"changes": {"rates": [{"uplift_pct": "10"}]}}
        of_run = await world.send("POST", f"pay-runs/{run['pay_run_id']}/what-if", body)
        slip_id = closed["items"][0]["payslip_id"]
        of_slip = await world.send("POST", f"payslips/{slip_id}/what-if", body)
        assert closed == of_run == of_slip
        assert [one["state"] for one in open_["items"] + closed["items"]] == ["draft", "finalised"]
        assert open_["summary"] == closed["summary"]
        # 40 h x 16.50 and 12.07 % are 739.66; free pay 241.92 leaves 497; NIC is 8 % above 242.
        figures = closed["items"][0]["after"]["figures"]
        assert (figures["gross_gbp"], figures["tax_gbp"], figures["employee_nic_gbp"]) == ("739.66", "99.40", "39.81")
        await world.send("POST", f"payslips/{new_id()}/what-if", body, status=404)
        await world.send("POST", f"pay-runs/{new_id()}/what-if", body, status=404)

    async def test_a_slip_of_another_release_is_worked_again_so_that_only_the_change_shows(self, world: Any) -> None:
        sheet = world.sheet(new_id(), ("basic", 2400, "15.00"))
        await self.ready(world, sheet)
        await world.tell(world.cut_off(sheet))
        await world.close()

        async def rewrite(sql: str) -> None:
            async with world.runtime.worker_database.transaction(now=world.runtime.clock.now()) as tx:
                await tx.execute(f"UPDATE payslip SET {sql} WHERE agency_id = :agency", agency=world.agency_id)

        paid = "jsonb_set(result, '{figures,tax_pence}', '1')"
        await rewrite(f"result = jsonb_set({paid}, '{{engine_version}}', '\"0.9.0\"')")
        [slip] = (await self.ask(world, {"rates": [{"uplift_pct": "0"}]}))["items"]
        assert (slip["outcome"], slip["before"]["figures"]["tax_gbp"]) == ("unchanged", "86.00")
        await rewrite("inputs = jsonb_set(inputs, '{charges}', '[{}]')")
        [slip] = (await self.ask(world, {"tax_code": "BR"}))["items"]
        assert (slip["outcome"], slip["error"]["code"]) == ("refused", "inputs_unreadable")

    async def test_another_tax_year_is_the_same_week_under_its_figures(self, world: Any) -> None:
        sheet = world.sheet(new_id(), ("basic", 2400, "15.00"))
        await self.ready(world, sheet, student_loan_plan="1")
        found = await self.ask(world, {"tax_year": "2025-26"})
        [slip] = found["items"]
        # Plan 1: 9 % above 26,900 / 52 = 517.30 is 13.96; above 26,065 / 52 = 501.25 it is 15.40.
        assert slip["before"]["figures"]["student_loan_gbp"] == "13.00"
        assert slip["after"]["figures"]["student_loan_gbp"] == "15.00"
        refused = await self.ask(world, {"tax_year": "2031-32"}, status=422)
        assert refused["errors"][0]["pointer"] == "#/changes/tax_year"
        assert "2031-32" in refused["detail"]

    async def test_clients_share_the_cost_of_a_worker_and_sum_to_it(self, world: Any) -> None:
        worker = new_id()
        first = world.sheet(worker, ("basic", 1201, "15.00"))
        second = world.sheet(worker, ("basic", 611, "19.37"))
        await world.profile(worker)
        await world.tell(
            world.named("client", first.client_id, "Client 001 Testcase"),
            *(event for sheet in (first, second) for event in (sheet.approved(), sheet.cleared())),
        )
        up = {"rates": [{"uplift_gbp": "1.00"}]}
        found = await self.ask(world, up, select={"clients": [str(first.client_id)]})
        clients = {one["client_id"]: one for one in found["summary"]["clients"]}
        assert clients[str(first.client_id)]["client"] == "Client 001 Testcase"
        totals = found["summary"]
        for side in ("before", "after"):
            cost = sum(Decimal(one[f"cost_{side}_gbp"]) for one in clients.values())
            assert cost == Decimal(totals[side]["figures"]["cost_gbp"])
        # 1201 minutes: 300.25 at 15.00, 320.27 at 16.00; the other client's lines keep their rate.
        mine, other = clients[str(first.client_id)], clients[str(second.client_id)]
        assert (mine["pay_before_gbp"], mine["pay_after_gbp"]) == ("300.25", "320.27")
        assert other["pay_before_gbp"] == other["pay_after_gbp"] == "197.25"
        nobody = await self.ask(world, up, select={"placements": [str(new_id())]})
        assert (nobody["items"], nobody["summary"]["untaken"]) == ([], ["#/changes/rates/0"])

    async def test_hours_say_which_charge_lines_become_what(self, world: Any) -> None:
        sheet = world.sheet(new_id(), ("basic", 2400, "15.00"), ("overtime", 60, "22.50"), ("expense", 2, "4.00"))
        await self.ready(world, sheet)
        found = await self.ask(world, {"hours": [{"scale_pct": "110", "rate_code": "basic"}]})
        [slip] = found["items"]
        line = sheet.charge_lines()[0]
        assert slip["quantities"] == [
            {
                "timesheet_id": str(sheet.timesheet_id),
                "version": 1,
                "charge_line_id": str(line.charge_line_id),
                "minutes": 2640,
                "units": None,
            }
        ]
        assert (slip["before"]["minutes"], slip["after"]["minutes"]) == (2460, 2700)

    async def test_what_is_refused_or_held_is_listed_never_dropped(self, world: Any) -> None:
        small = world.sheet(new_id(), ("basic", 60, "15.00"))
        large = world.sheet(new_id(), ("basic", 2400, "15.00"))
        held = world.sheet(new_id(), ("basic", 2400, "15.00"))
        await self.ready(world, small, large)
        await world.tell(held.approved())
        await hold_all(world.runtime.worker_database, world.runtime.clock, after_s=0)
        sacrifice = {"basis": "salary_sacrifice", "sacrifice_gbp": "40.00"}
        found = await self.ask(world, {"pension": sacrifice}, query="?order=difference")
        outcomes = {one["worker_id"]: one for one in found["items"]}
        assert len(outcomes) == 3
        assert found["items"][0]["worker_id"] == str(small.worker_id), "refused ones come first"
        refused = outcomes[str(small.worker_id)]
        assert (refused["outcome"], refused["after"], refused["error"]["code"]) == (
            "refused",
            None,
            "sacrifice_exceeds_pay",
        )
        assert refused["error"]["field"] == "pension.amount"
        assert outcomes[str(large.worker_id)]["outcome"] == "changed"
        waits = outcomes[str(held.worker_id)]
        assert (waits["outcome"], waits["before"]) == ("held", None)
        assert "awaiting_clearance" in waits["held"]
        counts = {name: found["summary"][name] for name in ("changed", "unchanged", "refused", "held")}
        assert counts == {"changed": 1, "unchanged": 0, "refused": 1, "held": 1}
        assert found["summary"]["before"]["figures"] == outcomes[str(large.worker_id)]["before"]["figures"]

    async def test_a_week_of_sick_pay_alone_is_in_it_and_no_clients(self, world: Any) -> None:
        worker = new_id()
        await world.profile(worker)
        spell = {"first_on": "2026-04-06", "last_on": "2026-04-12", "qualifying_weekdays": [1, 2, 3, 4, 5]}
        average = {"average_weekly_earnings_gbp": "400.00", "average_ref": "payroll records to 3 April"}
        await world.send("PUT", f"absences/{new_id()}", {"worker_id": str(worker)} | spell | average)
        asked = {"week_ending": "2026-04-12"}
        found = await self.ask(world, {"tax_year": "2025-26"}, **asked)
        [slip] = found["items"]
        # 123.25 a week from April 2026; 118.75 in 2025-26 for the same five days.
        assert (slip["before"]["figures"]["gross_gbp"], slip["after"]["figures"]["gross_gbp"]) == ("123.25", "118.75")
        assert found["summary"]["clients"] == []
        assert (await self.ask(world, {"tax_code": "BR"}, select={"clients": [str(new_id())]}, **asked))["items"] == []

    async def test_a_supplied_worker_has_no_tax_to_change(self, world: Any) -> None:
        payee = new_id()
        sheet = world.sheet(new_id(), ("basic", 2400, "15.00"), pay_basis="umbrella", payee_id=payee)
        bank = {"sort_code": "00-00-02", "account_number": "00012345", "account_name": "PAYEE 001 TESTCASE"}
        await world.send("PUT", f"payees/{payee}", bank)
        await world.tell(sheet.approved(), sheet.cleared())
        found = await self.ask(world, {"tax_code": "BR", "rates": [{"rate_gbp": "16"}]})
        assert found["summary"]["untaken"] == ["#/changes/tax_code"]
        assert found["summary"]["after"]["figures"]["cost_gbp"] == "640.00"

    async def test_pages_and_chunks_give_every_slip_once_and_the_same_sums(
        self, world: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sheets = [world.sheet(new_id(), ("basic", 600 + 60 * n, "15.00")) for n in range(5)]
        await self.ready(world, *sheets)
        whole = await self.ask(world, {"pension": PENSION}, query="?limit=500")
        monkeypatch.setattr(usecase, "CHUNK", 2)
        paged = await self.ask(world, {"pension": PENSION}, query="?limit=2")
        assert paged["summary"] == whole["summary"]
        items, cursor = paged["items"], paged["next_cursor"]
        while cursor:
            page = await self.ask(world, {"pension": PENSION}, query=f"?limit=2&cursor={cursor}")
            assert page["summary"] is None
            items, cursor = items + page["items"], page["next_cursor"]
        assert items == whole["items"]
        largest = await self.ask(world, {"pension": PENSION}, query="?order=difference&limit=2")
        assert [one["worker_id"] for one in largest["items"]] == [str(sheet.worker_id) for sheet in sheets[:2:-1]]
        assert largest["summary"] == whole["summary"]
        cursor = paged["next_cursor"]
        await self.ask(world, {"pension": PENSION}, query=f"?order=difference&cursor={cursor}", status=422)

    async def test_the_other_facts_of_a_worker(self, world: Any) -> None:
        sheet = world.sheet(new_id(), ("basic", 2400, "15.00"))
        await self.ready(world, sheet, student_loan_plan="1", pension=PENSION)
        none = await self.ask(world, {"student_loan_plan": None, "pension": None, "ni_letter": "C", "levy_payer": True})
        after = none["items"][0]["after"]["figures"]
        assert none["summary"]["untaken"] == []
        assert (after["student_loan_gbp"], after["employee_pension_gbp"], after["employee_nic_gbp"]) == ("0.00",) * 3
        assert after["levy_gbp"] == "3.36"
        loan = await self.ask(world, {"postgrad_loan": True})
        assert Decimal(loan["items"][0]["after"]["figures"]["postgrad_loan_gbp"]) > 0
        same = await self.ask(world, {"tax_code": "1257L"})
        assert (same["items"][0]["outcome"], same["summary"]["unchanged"]) == ("unchanged", 1)

    @pytest.mark.parametrize(
        ("changes", "code", "pointer"),
        [
            ({}, "nothing_changed", "#/changes"),
            ({"tax_code": "nonsense"}, "invalid_tax_code", "#/changes/tax_code"),
            ({"ni_letter": "Q"}, "unknown_ni_letter", "#/changes/ni_letter"),
            ({"rates": [{}]}, "nothing_changed", "#/changes/rates/0"),
            ({"rates": [{"rate_gbp": "12", "uplift_pct": "3"}]}, "contradictory", "#/changes/rates/0/uplift_pct"),
            (
                {"rates": [{"uplift_pct": "3"}, {"rate_gbp": "12", "rate_code": "basic"}]},
                "contradictory",
                "#/changes/rates/1",
            ),
            ({"hours": [{"scale_pct": "3", "add_minutes": 60}]}, "contradictory", "#/changes/hours/0/add_minutes"),
            ({"pension": PENSION | {"sacrifice_gbp": "5"}}, "contradictory", "#/changes/pension/sacrifice_gbp"),
            ({"pension": {"basis": "salary_sacrifice"}}, "amount_missing", "#/changes/pension/sacrifice_gbp"),
            ({"shoe_size": 9}, "extra_forbidden", "#/changes/shoe_size"),
        ],
    )
    async def test_what_no_slip_can_answer_is_refused_with_its_field(
        self, world: Any, changes: dict[str, Any], code: str, pointer: str
    ) -> None:
        refused = await self.ask(world, changes, status=422)
        [error] = refused["errors"]
        assert (error["code"], error["pointer"]) == (code, pointer)

    async def test_it_needs_the_right_to_read_pay(self, world: Any) -> None:
        body = {"week_ending": WEEK, "changes": {"tax_code": "BR"}}
        answer = await world.client.post(
            world.path("pay-runs/what-if"), json=body, headers=world.headers(scopes=("read",))
        )
        assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")


def test_changes_that_touch_nothing_leave_the_inputs_as_they_are() -> None:
    own = inputs(charge(60, "12.0000", pay_pence=1200))
    same = changed(own, Changes(rates=(RateChange(uplift_pct=Decimal(0)),)), year_book(), lambda _: True)
    assert same.inp == own
    other = replace(own, employee=None, pay_basis="umbrella", payee_id=str(UUID(int=3)))
    assert changed(other, Changes(tax_year="2025-26", tax_code="BR"), year_book(), lambda _: True).inp == other
