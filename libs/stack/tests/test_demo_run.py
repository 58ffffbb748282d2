"""What `make demo` ends with: when the week counts as clean, what the summary holds, and what is stopped whatever happens."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from paybill_stack import StackError, cli_demo
from paybill_stack.cli import app
from paybill_stack.demo import run
from paybill_stack.demo.cast import TIMESHEETS_MIN
from paybill_stack.demo.stages import Stages
from paybill_stack.supervisor import Supervisor

TIE_OUT = {
    "approved_minutes": 900, "paid_minutes": 840, "held_minutes": 60,
    "billable_minutes": 800, "billed_minutes": 750, "bill_held_minutes": 50,
    "unexplained_minutes": 0, "unexplained_pence": 0,
}  # fmt: skip


def week(**changes: Any) -> dict[str, Any]:
    """One agency's week as reporting tells it."""
    found: dict[str, Any] = {
        "timesheets": {"imported": 12, "approved": 10, "rejected": 1, "held": 1, "amended": 1},
        "workers_paid": 8, "payslips": 7, "self_bills": 1, "invoices": 4, "credit_notes": 0,
        "gross_pay_gbp": "1000.10", "net_pay_gbp": "800.05", "charge_net_gbp": "1400.00", "vat_gbp": "280.00",
        "margin_gbp": "250.25", "tie_out": TIE_OUT | {"clean": True},
    }  # fmt: skip
    return found | changes


def state(**changes: int) -> dict[str, int]:
    return {"dead_letters_open": 0, "parked": 0} | changes


def summary(*weeks: Mapping[str, Any], states: Mapping[str, Mapping[str, int]] | None = None) -> dict[str, Any]:
    runs: Any = [SimpleNamespace(slug=f"agency-{number}") for number in range(len(weeks))]
    return run._summary(runs, weeks, states or {"timesheet": state(), "pay-calc": state()}, Stages(Console(quiet=True)))


class TestSummary:
    def test_it_has_what_its_readers_count_on(self) -> None:
        found = summary(week(), week())
        assert {"timesheets", "workers_paid", "payslips", "self_bills", "invoices", "gross_pay_gbp", "net_pay_gbp",
                "charge_net_gbp", "vat_gbp", "margin_gbp", "tie_out", "stages", "elapsed_s", "dead_letters"} <= set(found)  # fmt: skip
        assert {"imported", "approved", "rejected", "held"} <= set(found["timesheets"])
        assert {"approved_minutes", "paid_minutes", "held_minutes", "billable_minutes", "billed_minutes",
                "bill_held_minutes", "unexplained_pence"} <= set(found["tie_out"])  # fmt: skip

    def test_it_adds_the_agencies_up_to_the_penny(self) -> None:
        found = summary(week(), week(margin_gbp="-0.30", invoices=1), states={"pay-calc": state(dead_letters_open=2)})
        assert (found["timesheets"]["approved"], found["invoices"], found["dead_letters"]) == (20, 5, 2)
        assert (found["margin_gbp"], found["gross_pay_gbp"]) == ("249.95", "2000.20")
        assert found["tie_out"]["approved_minutes"] == 1800
        assert [one["invoices"] for one in found["agencies"].values()] == [4, 1]
        assert Decimal(found["vat_gbp"]) == Decimal("560.00")


class TestClean:
    def test_a_week_that_ties_out_is_clean(self) -> None:
        assert run._clean(summary(week(), week()))

    @pytest.mark.parametrize("name", TIE_OUT)
    @pytest.mark.parametrize("by", [1, -1])
    def test_each_figure_of_the_tie_out_counts(self, name: str, by: int) -> None:
        broken = summary(week())
        broken["tie_out"][name] += by
        assert not run._clean(broken)

    @pytest.mark.parametrize("left", ["dead_letters_open", "parked"])
    def test_nothing_may_be_left_lying(self, left: str) -> None:
        assert not run._clean(summary(week(), states={"pay-calc": state(), "invoicing": state(**{left: 1})}))

    @pytest.mark.parametrize("empty", ["payslips", "invoices", "approved"])
    def test_an_empty_week_proves_nothing(self, empty: str) -> None:
        nothing = copy.deepcopy(week())
        (nothing["timesheets"] if empty == "approved" else nothing)[empty] = 0
        assert not run._clean(summary(nothing))

    def test_what_one_agency_pays_too_much_and_another_too_little_does_not_cancel_out(self) -> None:
        over, under = (week(tie_out=TIE_OUT | {"paid_minutes": minutes, "clean": True}) for minutes in (850, 830))
        assert not run._clean(summary(over, under))

    def test_an_agency_that_reporting_does_not_call_clean_is_not(self) -> None:
        assert not run._clean(summary(week(), week(tie_out=TIE_OUT | {"clean": False})))


class TestTheRun:
    """The frame around the week; the week itself runs in `tests/faults/test_demo_week.py`."""

    @pytest.fixture(autouse=True)
    def calls(self, var: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        made: list[str] = []
        monkeypatch.setattr(Supervisor, "bring_up", lambda *_, **options: made.append(f"up {options}"))
        monkeypatch.setattr(run, "_stop", lambda instance: made.append("stop"))
        monkeypatch.setattr(run, "_print", lambda *_, **__: None)
        monkeypatch.setattr(run, "_keep_up", lambda *_: made.append("keep up"))
        return made

    def ends(self, monkeypatch: pytest.MonkeyPatch, week_of: Callable[[], Any], *, keep_up: bool = False) -> int:
        async def told(*_: object) -> Any:
            return week_of()

        monkeypatch.setattr(run, "_week", told)
        return run.demo(run.Asked(timesheets=TIMESHEETS_MIN, keep_up=keep_up), Console(quiet=True))

    def test_a_clean_week_ends_with_0_and_everything_stopped(
        self, monkeypatch: pytest.MonkeyPatch, calls: list[str]
    ) -> None:
        assert self.ends(monkeypatch, lambda: summary(week())) == 0
        assert [call.split()[0] for call in calls] == ["stop", "up", "stop"]
        assert "'attached': True" in calls[1]
        assert "'replicas': 2" in calls[1]

    def test_a_week_that_does_not_tie_out_ends_with_1(self, monkeypatch: pytest.MonkeyPatch, calls: list[str]) -> None:
        assert self.ends(monkeypatch, lambda: summary(week(payslips=0))) == 1
        assert calls[-1] == "stop"

    def test_with_a_terminal_it_stays_up_before_it_stops(
        self, monkeypatch: pytest.MonkeyPatch, calls: list[str]
    ) -> None:
        assert self.ends(monkeypatch, lambda: summary(week()), keep_up=True) == 0
        assert calls[-2:] == ["keep up", "stop"]

    @pytest.mark.parametrize("error", [KeyboardInterrupt, StackError])
    def test_what_breaks_in_the_middle_stops_everything(
        self, monkeypatch: pytest.MonkeyPatch, calls: list[str], error: type[BaseException]
    ) -> None:
        def broken() -> None:
            raise error

        if error is KeyboardInterrupt:
            assert self.ends(monkeypatch, broken) == 130
        else:
            with pytest.raises(error):
                self.ends(monkeypatch, broken)
        assert calls[-1] == "stop"


@pytest.mark.parametrize(
    ("stdin", "stdout", "option", "keeps_up"),
    [
        (True, True, (), True),
        (True, False, (), False),
        (False, True, (), False),
        (False, False, (), False),
        (False, False, ("--leave-up",), True),
        (True, True, ("--stop",), False),
    ],
)
def test_it_stays_up_only_with_a_terminal_or_when_told(
    monkeypatch: pytest.MonkeyPatch, stdin: bool, stdout: bool, option: tuple[str, ...], keeps_up: bool
) -> None:
    asked: list[run.Asked] = []
    terminal = {True: SimpleNamespace(isatty=lambda: True), False: SimpleNamespace(isatty=lambda: False)}
    monkeypatch.setattr(cli_demo, "sys", SimpleNamespace(stdin=terminal[stdin], stdout=terminal[stdout]))
    monkeypatch.setattr(run, "demo", lambda wanted, _console: asked.append(wanted) or 3)
    monkeypatch.setenv("PAYBILL_DEMO_TIMESHEETS", "150")
    assert CliRunner().invoke(app, ["demo", *option]).exit_code == 3, "the exit status is the week's"
    assert asked == [run.Asked(timesheets=150, keep_up=keeps_up)]
