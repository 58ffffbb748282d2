"""What if, on a page: what is asked of pay-calc, and its answer beside the week's charge and margin."""

from __future__ import annotations

import io
import json
from decimal import Decimal
from typing import Any

import httpx
import pytest
from openpyxl import load_workbook
from web import Site
from world import World

from paybill_common.ids import new_id
from paybill_common.money import line_pence
from reporting.domain import what_if as rules
from reporting.domain import words

FIGURES = {
    "gross_gbp": "600.00",
    "tax_gbp": "70.00",
    "employee_nic_gbp": "28.00",
    "net_gbp": "502.00",
    "employer_nic_gbp": "75.60",
    "cost_gbp": "675.60",
}


def sums(**changes: str) -> dict[str, Any]:
    return {"minutes": 2400, "figures": FIGURES | changes}


def slip(world: World, n: int, **changes: Any) -> dict[str, Any]:
    """A slip of pay-calc's answer: 18.00 more tax, 7.53 more cost."""
    return {
        "payslip_id": str(world.payslip_id(n)),
        "worker_id": str(world.worker_of(n)),
        "worker": f"Worker {n:05d} Testcase",
        "worker_reference": f"W-{n:05d}",
        "pay_basis": "paye",
        "state": "draft",
        "outcome": "changed",
        "before": sums(),
        "after": sums(tax_gbp="88.00", net_gbp="484.00", cost_gbp="683.13"),
        "error": None,
        "held": [],
        "quantities": [],
    } | changes


def answer(world: World, *slips: dict[str, Any], clients: tuple[int, ...] = (0,), **changes: Any) -> dict[str, Any]:
    """The first page, every client costing 7.53 more."""
    outcomes = {
        name: sum(one["outcome"] == name for one in slips) for name in ("changed", "unchanged", "refused", "held")
    }
    client = {"slips": 1, "minutes_before": 2400, "minutes_after": 2400, "pay_before_gbp": "600.00"}
    cost = {"pay_after_gbp": "600.00", "cost_before_gbp": "675.60", "cost_after_gbp": "683.13"}
    named = [{"client_id": str(world.id("client", n)), "client": f"Client {n:02d} Example Ltd"} for n in clients]
    summary = {
        **outcomes,
        "before": sums(),
        "after": sums(tax_gbp="88.00", net_gbp="484.00", cost_gbp="683.13"),
        "clients": [one | client | cost for one in named],
        "untaken": [],
    }
    return {"items": list(slips), "next_cursor": None, "summary": summary | changes}


class TestForm:
    def test_what_is_left_empty_is_not_asked(self) -> None:
        assert rules.changes_of({"tax_code": "", "rate_how": "uplift_pct", "rate": "", "worker_id": "x"}) == {}

    def test_every_field(self) -> None:
        form = {
            "tax_code": "BR",
            "ni_letter": "C",
            "tax_year": "2025-26",
            "loan": "none",
            "postgrad": "yes",
            "levy": "no",
            "pension": "net_pay",
            "employee_pct": "5%",
            "employer_pct": "3",
            "rate_how": "rate_gbp",
            "rate": "£1,000.50",
            "rate_code": "day",
            "hours_how": "add_minutes",
            "hours": "−1:30",
        }
        changes = rules.changes_of(form)
        assert changes == {
            "tax_code": "BR",
            "ni_letter": "C",
            "tax_year": "2025-26",
            "student_loan_plan": None,
            "postgrad_loan": True,
            "levy_payer": False,
            "pension": {"basis": "net_pay", "employee_pct": "5", "employer_pct": "3"},
            "rates": [{"rate_gbp": "1000.50", "rate_code": "day"}],
            "hours": [{"add_minutes": -90}],
        }
        assert rules.said_of(changes) == [
            "tax code BR",
            "NI letter C",
            "tax year 2025-26",
            "no student loan",
            "a postgraduate loan",
            "no Apprenticeship Levy",
            "pension by net pay, 5 % worker, 3 % agency",
            "pay rate £1000.50 on rate code day",
            "1:30 hours less a worker",
        ]

    @pytest.mark.parametrize(
        ("form", "field"),
        [({"hours_how": "add_minutes", "hours": "ninety"}, "Hours"), ({"employee_pct": "5"}, "Pension")],
    )
    def test_what_cannot_be_read_names_its_field(self, form: dict[str, str], field: str) -> None:
        with pytest.raises(rules.BadField) as refused:
            rules.changes_of(form)
        assert refused.value.field == field

    def test_a_pointer_is_the_label_of_its_field(self) -> None:
        found = [rules.label_of(f"#/changes{tail}") for tail in ("/tax_code", "/rates/0/uplift_pct", "")]
        assert found == ["Tax code", "Pay rate", "The form"]


@pytest.mark.integration
class TestPage:
    async def test_without_a_change_nobody_is_asked(self, site: Site) -> None:
        async with site.sign_in() as browser:
            html = (await browser.get(f"{site.week}/what-if")).text
        assert "Change something above" in html
        assert site.owners.sent() == []

    async def test_it_asks_with_the_persons_rights_and_shows_both_sides(self, site: Site) -> None:
        world = site.world
        held = slip(world, 5, outcome="held", before=None, after=None, held=["awaiting_clearance"])
        problem = {"code": "sacrifice_exceeds_pay", "message": "More than the pay.", "field": "pension"}
        refused = slip(world, 4, outcome="refused", after=None, error=problem)
        site.owners.answers["/pay-runs/what-if"] = lambda _: answer(world, refused, slip(world, 0), held)
        async with site.sign_in() as browser:
            html = (await browser.get(f"{site.week}/what-if?tax_code=BR&worker_id={world.worker_of(0)}")).text
        [asked] = site.owners.sent()
        assert asked.url.path == f"/v1/agencies/{world.agency}/pay-runs/what-if"
        assert dict(asked.url.params) == {"order": "difference", "limit": "100"}
        assert json.loads(asked.content) == {
            "week_ending": str(world.week),
            "changes": {"tax_code": "BR"},
            "select": {"workers": [str(world.worker_of(0))]},
        }
        principal = await site.app.state.verifier.verify(asked.headers["authorization"].removeprefix("Bearer "))
        assert (principal.subject, principal.agencies) == ("pat", {world.agency})
        for text in (
            "With tax code BR:",
            "1 of 3 slips change",
            "1 cannot be worked out so",
            "paying nothing now: 1",
            "−18.00",
        ):
            assert text in html
        assert "More than the pay." in html
        assert words.reason({"code": "awaiting_clearance"}) in html
        assert "Worker 00000 Testcase alone" in html

    async def test_margin_is_the_read_models_less_the_cost(self, site: Site, feed: Any) -> None:
        other: World = site.other  # type: ignore[attr-defined]
        site.owners.answers["/pay-runs/what-if"] = lambda _: answer(other, slip(other, 0))
        async with site.sign_in("bea") as browser:
            week = f"/agencies/{other.agency}/weeks/{other.week}"
            before = (await browser.get(f"{week}/margin.csv?by=client")).content.decode("utf-8-sig").splitlines()
            text = (await browser.get(f"{week}/what-if-clients.csv?tax_code=BR")).content.decode("utf-8-sig")
        heads = before[0].split(",")
        margin = next(dict(zip(heads, line.split(","), strict=True)) for line in before if line.startswith("Client 00"))
        names, row = (line.split(",") for line in text.splitlines())
        found = dict(zip(names, row, strict=True))
        assert found["Margin GBP of the week before"] == margin["Margin GBP"]
        assert Decimal(found["Margin GBP of the week after"]) == Decimal(margin["Margin GBP"]) - Decimal("7.53")
        assert found["Charge GBP of the week after"] == margin["Charge GBP"], "another tax code is charged to nobody"

    async def test_other_hours_move_the_charge_by_the_lines_own_rate(self, site: Site) -> None:
        other: World = site.other  # type: ignore[attr-defined]
        line = other.lines(0)[0]
        moved = {
            "timesheet_id": str(other.timesheet_id(0)),
            "version": 1,
            "charge_line_id": str(line.charge_line_id),
            "minutes": line.minutes + 60,
            "units": None,
        }
        unknown = moved | {"timesheet_id": str(new_id())}

        def pages(request: httpx.Request) -> dict[str, Any]:
            found = answer(other, slip(other, 0, quantities=[moved]))
            if request.url.params.get("cursor"):
                return answer(other, slip(other, 4, quantities=[unknown])) | {"summary": None}
            return found | ({} if "order" in request.url.params else {"next_cursor": "next"})

        site.owners.answers["/pay-runs/what-if"] = pages
        more = Decimal(line_pence(line.charge_rate, minutes=line.minutes + 60)).scaleb(-2) - line.charge_gbp
        async with site.sign_in("bea") as browser:
            week = f"/agencies/{other.agency}/weeks/{other.week}"
            asked = "hours_how=add_minutes&hours=1:00"
            html = (await browser.get(f"{week}/what-if?{asked}")).text
            text = (await browser.get(f"{week}/what-if-clients.csv?{asked}")).content.decode("utf-8-sig")
        names, row = (one.split(",") for one in text.splitlines())
        found = dict(zip(names, row, strict=True))
        charge = [Decimal(found[f"Charge GBP of the week {side}"]) for side in ("before", "after")]
        assert charge[1] - charge[0] == more
        assert Decimal(found["Margin GBP difference"]) == more - Decimal("7.53")
        assert "The charge of 1 lines is not known here yet" in html

    async def test_away_is_said_and_the_form_kept(self, site: Site) -> None:
        site.owners.away.add("pay-calc")
        async with site.sign_in() as browser:
            page = await browser.get(f"{site.week}/what-if?tax_code=BR")
            file = await browser.get(f"{site.week}/what-if.csv?tax_code=BR")
        assert page.status_code == 200
        assert "The pay-calc service does not answer" in page.text
        assert 'value="BR"' in page.text
        assert file.status_code == 503

    async def test_a_refusal_names_the_field(self, site: Site) -> None:
        error = {"pointer": "#/changes/tax_year", "code": "unknown_tax_year", "detail": "No figures for 2031-32."}
        problem = {"code": "unknown_tax_year", "detail": "No figures for 2031-32.", "errors": [error]}
        site.owners.refuse["/pay-runs/what-if"] = (422, problem)
        async with site.sign_in() as browser:
            html = (await browser.get(f"{site.week}/what-if?tax_year=2031-32")).text
            file = await browser.get(f"{site.week}/what-if.xlsx?tax_year=2031-32")
            unread = (await browser.get(f"{site.week}/what-if?hours_how=add_minutes&hours=many")).text
        assert "Tax year: No figures for 2031-32." in html
        assert file.status_code == 422
        assert "Hours: Write hours to add as 1:30" in unread

    async def test_both_tables_as_csv_and_excel_with_every_page(self, site: Site) -> None:
        world = site.world

        def pages(request: httpx.Request) -> dict[str, Any]:
            if request.url.params.get("cursor") == "next":
                return answer(world, slip(world, 4)) | {"summary": None}
            return answer(world, slip(world, 0), clients=(0, 3)) | {"next_cursor": "next"}

        site.owners.answers["/pay-runs/what-if"] = pages
        async with site.sign_in() as browser:
            for table in ("what-if", "what-if-clients"):
                text = (await browser.get(f"{site.week}/{table}.csv?tax_code=BR")).content.decode("utf-8-sig")
                book = load_workbook(io.BytesIO((await browser.get(f"{site.week}/{table}.xlsx?tax_code=BR")).content))
                assert len(text.splitlines()) == book.worksheets[0].max_row == 3

    async def test_the_pay_page_and_a_payslip_lead_to_it(self, site: Site) -> None:
        world: World = site.other  # type: ignore[attr-defined]
        async with site.sign_in("bea") as browser:
            pay = (await browser.get(f"/agencies/{world.agency}/weeks/{world.week}/pay")).text
            payslip = (await browser.get(f"/agencies/{world.agency}/payslips/{world.payslip_id(0)}")).text
        where = f"/agencies/{world.agency}/weeks/{world.week}/what-if"
        assert f'href="{where}"' in pay
        assert f'href="{where}?worker_id={world.worker_of(0)}"' in payslip

    async def test_charge_lines_as_json(self, site: Site) -> None:
        other: World = site.other  # type: ignore[attr-defined]
        async with site.browser() as program:
            form = {"grant_type": "client_credentials", "client_id": "paybill-cli", "client_secret": "cli"}
            token = (await program.post("/oauth/token", data=form | {"agencies": str(other.agency)})).json()
            found = await program.get(
                f"/v1/agencies/{other.agency}/charge-lines",
                params={"timesheet_id": [str(other.timesheet_id(0)), str(new_id())]},
                headers={"Authorization": f"Bearer {token['access_token']}"},
            )
        lines = found.json()
        assert {line["timesheet_id"] for line in lines} == {str(other.timesheet_id(0))}
        assert lines[0]["client_id"] == str(other.id("client", 0))
        assert Decimal(lines[0]["charge_gbp"]) > Decimal(lines[0]["pay_gbp"])
