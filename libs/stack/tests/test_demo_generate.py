"""The demo's files: the same for a seed, of the promised shape, and fictional to the last cell."""

import csv
import re
from collections import Counter
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from paybill_importer.layouts import Kind, known_headers
from paybill_importer.reading import Row, open_source
from paybill_stack import StackError
from paybill_stack.demo import generate as generator
from paybill_stack.demo.generate import Plan, generate, read_plan, wanted_timesheets

SLUGS = ("industrial", "healthcare", "construction")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("in")


@pytest.fixture(scope="module")
def plan(folder: Path) -> Plan:
    return generate(folder)


def lines(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as source:
        return list(csv.DictReader(source))


def read(folder: Path, slug: str, kind: Kind, name: str) -> list[Row]:
    return list(open_source(folder / f"{slug}-{name}.csv", known=known_headers(kind), mapping={}).rows)


def test_the_same_seed_writes_the_same_bytes(folder: Path, plan: Plan, tmp_path: Path) -> None:
    generate(tmp_path)
    names = sorted(path.name for path in folder.iterdir())
    assert names == sorted(path.name for path in tmp_path.iterdir())
    assert all((folder / name).read_bytes() == (tmp_path / name).read_bytes() for name in names)


def test_another_seed_writes_another_week(folder: Path, plan: Plan, tmp_path: Path) -> None:
    generate(tmp_path, seed=7)
    assert (folder / "industrial-hours.csv").read_bytes() != (tmp_path / "industrial-hours.csv").read_bytes()


def test_the_week_has_the_promised_shape(folder: Path, plan: Plan) -> None:
    placements = [line for slug in SLUGS for line in lines(folder / f"{slug}-placements.csv")]
    often = Counter(line["Worker ref"] for line in placements)
    assert plan.timesheets == len(placements) == 3_000
    assert len(often) == sum(agency.workers for agency in plan.agencies) == 2_500
    assert Counter(often.values()) == {1: 2_000, 2: 500}
    assert sum(agency.clients for agency in plan.agencies) == 180
    assert {line["Pay basis"] for line in placements} == {"paye", "umbrella", "limited", "cis"}
    assert sum(len(agency.rejected) for agency in plan.agencies) == 60
    assert sum(len(agency.amended) for agency in plan.agencies) in range(30, 32)
    lacking = sum(len(agency.no_right_to_work) for agency in plan.agencies)
    arriving = sum(len(agency.documents_arrive) for agency in plan.agencies)
    assert lacking == 45
    assert arriving in (22, 23)
    assert sum(len(agency.rate_changes) for agency in plan.agencies) == 2
    assert all(agency.silent_clients and agency.link_clients for agency in plan.agencies)
    assert read_plan(folder)["timesheets"] == 3_000


@pytest.mark.parametrize("count", [120, 3_000])
def test_each_agency_pays_somebody_of_every_case(tmp_path: Path, count: int) -> None:
    """A director, salary sacrifice, sick pay, orders, an advance, S, C and K codes, a pension, a loan: all on PAYE, all with hours;
    where holiday is accrued, leave."""
    plan = generate(tmp_path, timesheets=count)
    for agency in plan.agencies:
        workers = {line["Worker ref"]: line for line in lines(tmp_path / f"{agency.slug}-workers.csv")}
        of = {line["Worker ref"]: line for line in lines(tmp_path / f"{agency.slug}-placements.csv")}
        cases = {name: workers[reference] for name, reference in agency.cases.items()}
        accrues = agency.slug == "healthcare"
        assert len({line["Worker ref"] for line in cases.values()}) == len(cases) == 10 + accrues
        assert {line["Holiday pay"] for line in of.values()} == {"accrued" if accrues else "rolled_up", "none"}
        assert {of[line["Worker ref"]]["Pay basis"] for line in cases.values()} == {"paye"}
        assert cases["director"]["Director"] == "standard"
        assert (cases["salary sacrifice"]["Pension"], cases["salary sacrifice"]["Salary sacrifice"]) == (
            "salary sacrifice",
            "30.00",
        )
        assert (cases["Scottish"]["Tax code"], cases["Scottish"]["Student loan plan"]) == ("S1257L", "4")
        assert (cases["Welsh"]["Tax code"], cases["K code"]["Tax code"]) == ("C1257L", "K215")
        assert cases["pension"]["Pension"] == "net pay"
        recorded = {(record["door"], record["worker"]): record["body"] for record in agency.pay_records}
        assert recorded["absences", agency.cases["sick pay"]]["last_on"] == "2026-04-01"
        assert recorded["attachment-orders", agency.cases["child maintenance"]]["kind"] == "DEO"
        assert recorded["attachment-orders", agency.cases["council tax"]]["kind"] == "CTAEO"
        assert recorded["net-deductions", agency.cases["advance"]]["kind"] == "advance"
        if accrues:
            leave = recorded["holiday-leaves", agency.cases["leave"]]
            assert (leave["days"][0]["minutes"], recorded["holiday-entries", agency.cases["leave"]]["minutes"]) == (
                480,
                1440,
            )
        absent = {line["Placement ref"] for line in of.values() if line["Worker ref"] == agency.cases["sick pay"]}
        formats = {"industrial": "%d/%m/%Y", "healthcare": "%Y-%m-%d", "construction": "%d %B %Y"}
        worked = [
            datetime.strptime(line["Date"], formats[agency.slug]).date()  # noqa: DTZ007 - a day, no instant
            for line in lines(tmp_path / f"{agency.slug}-hours.csv")
            if line["Placement ref"] in absent
        ]
        assert worked
        assert min(worked) > date(2026, 4, 1)


@pytest.mark.parametrize("count", [120, 3_000])
def test_construction_pays_subcontractors_at_each_rate_and_everybody_has_a_deemed_employee(
    tmp_path: Path, count: int
) -> None:
    generate(tmp_path, timesheets=count)
    rates: Counter[str] = Counter()
    for slug in SLUGS:
        payees = {line["Payee ref"]: line for line in lines(tmp_path / f"{slug}-payees.csv")}
        workers = {line["Worker ref"]: line for line in lines(tmp_path / f"{slug}-workers.csv")}
        placements = lines(tmp_path / f"{slug}-placements.csv")
        rates.update(payees[line["Payee ref"]]["CIS rate"] for line in placements if line["Pay basis"] == "cis")
        assert {line["SDS"] != "" for line in placements if line["Pay basis"] == "limited"} == {True}
        assert {line["SDS"] for line in placements if line["Pay basis"] != "limited"} == {""}
        inside = [line for line in placements if line["SDS"] == "inside"]
        assert inside
        assert {workers[line["Worker ref"]]["Tax code"] for line in inside} == {"BR"}
        for payee in payees.values():
            assert (payee["Kind"] == "cis") == (payee["CIS rate"] != "") == (payee["Verification number"] != "")
            assert (payee["Kind"] == "cis") == (payee["Agency rules"] == "not_controlled")
            assert (payee["Kind"] == "cis" and payee["VAT number"] != "") == (payee["VAT treatment"] != "")
            assert payee["UTR"] == "" or payee["UTR"].startswith("000")
    assert set(rates) == {"0", "20", "30"}
    materials = [line for line in lines(tmp_path / "construction-hours.csv") if line["Expense type"] == "materials"]
    assert materials


def test_loans_and_pensions_are_common(folder: Path, plan: Plan) -> None:
    workers = [line for slug in SLUGS for line in lines(folder / f"{slug}-workers.csv")]
    assert {line["Student loan plan"] for line in workers} == {"", "1", "2", "4", "5"}
    assert sum(line["Pension"] != "" for line in workers) > len(workers) // 5
    assert any(line["Postgraduate loan"] == "yes" for line in workers)


def test_every_placement_has_hours_in_the_week_and_none_twice_at_once(folder: Path, plan: Plan) -> None:
    formats = {"industrial": "%d/%m/%Y", "healthcare": "%Y-%m-%d", "construction": "%d %B %Y"}
    for slug in SLUGS:
        worker_of = {line["Placement ref"]: line["Worker ref"] for line in lines(folder / f"{slug}-placements.csv")}
        seen: Counter[tuple[str, date]] = Counter()
        referred: set[str] = set()
        for line in lines(folder / f"{slug}-hours.csv"):
            on = datetime.strptime(line["Date"], formats[slug]).date()  # noqa: DTZ007 - a day, no instant
            assert date(2026, 3, 30) <= on <= date(2026, 4, 5)
            seen[worker_of[line["Placement ref"]], on] += not line["Expense"]
            referred.add(line["Placement ref"])
        assert max(seen.values()) == 1
        assert referred == set(worker_of)


def test_good_friday_weekends_and_nights_are_worked(folder: Path, plan: Plan) -> None:
    worked = [line for line in lines(folder / "healthcare-hours.csv")]
    assert {"2026-04-03", "2026-04-04", "2026-04-05"} <= {line["Date"] for line in worked}
    assert any(line["Start"].replace(":", "") in ("2000", "2200") for line in worked)


def test_terms_differ_between_clients(folder: Path, plan: Plan) -> None:
    terms = {
        (line["VAT treatment"], line["Group by"], line["Payment days"], line["PO required"])
        for slug in SLUGS
        for line in lines(folder / f"{slug}-clients.csv")
    }
    assert len(terms) > 20
    assert {vat for vat, *_ in terms} == {"standard", "zero", "reverse_charge"}


def test_nobody_in_the_files_could_be_real(folder: Path, plan: Plan) -> None:
    for slug in SLUGS:
        for worker in lines(folder / f"{slug}-workers.csv"):
            assert re.fullmatch(r"Worker \d{5}", worker["Forename"])
            assert worker["Surname"] == "Testcase"
            assert re.fullmatch(r"QQ \d\d \d\d \d\d [A-D]", worker["NI number"])
            assert re.fullmatch(r"07700 900\d{3}", worker["Phone"])
            assert worker["Sort code"] == "00-00-01"
            assert worker["E-mail"].endswith("@example.com")
            assert worker["Address"].endswith("ZZ1 1ZZ")
        for client in lines(folder / f"{slug}-clients.csv"):
            assert "Example" in client["Name"]
            assert client["Approver e-mail"].endswith("@example.com")
        assert all("Example" in payee["Name"] for payee in lines(folder / f"{slug}-payees.csv"))
    everything = " ".join(path.read_text(encoding="utf-8") for path in folder.glob("*.csv"))
    assert set(re.findall(r"@[a-z.]+", everything)) == {"@example.com"}


def test_no_hourly_rate_is_below_the_minimum_wage(folder: Path, plan: Plan) -> None:
    for line in lines(folder / "industrial-rates.csv") + lines(folder / "construction-placements.csv"):
        assert Decimal(line["Pay rate"]) >= Decimal("12.71")
        assert Decimal(line["Charge rate"]) > Decimal(line["Pay rate"])


def test_the_importer_reads_every_file(folder: Path, plan: Plan) -> None:
    kinds = {"workers": Kind.WORKERS, "clients": Kind.CLIENTS, "payees": Kind.PAYEES, "placements": Kind.PLACEMENTS}
    for slug in SLUGS:
        for name, kind in (kinds | {"hours": Kind.HOURS, "documents-arrive": Kind.WORKERS}).items():
            source = open_source(folder / f"{slug}-{name}.csv", known=known_headers(kind), mapping={})
            assert source.ignored in ((), ("Phone",))
            assert all(row.fault is None for row in source.rows)


def test_the_broken_file_has_forty_different_lines(folder: Path, plan: Plan) -> None:
    assert plan.broken_lines == 40
    rows = read(folder, plan.broken_agency, Kind.HOURS, "hours-broken")
    assert len(rows) == 40
    assert len({repr(row) for row in rows}) >= 39
    assert sum(row.fault is not None for row in rows) == 3


@pytest.mark.parametrize("count", [120, 333, 5_000])
def test_sizes_scale(tmp_path: Path, count: int) -> None:
    plan = generate(tmp_path, timesheets=count)
    assert sum(agency.timesheets for agency in plan.agencies) == count
    assert sum(agency.workers for agency in plan.agencies) in range(count * 5 // 6, count * 5 // 6 + 4)


def test_the_size_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYBILL_DEMO_TIMESHEETS", "17500")
    assert wanted_timesheets() == 17_500
    for wrong in ("many", "12", "9999999"):
        monkeypatch.setenv("PAYBILL_DEMO_TIMESHEETS", wrong)
        with pytest.raises(StackError, match="PAYBILL_DEMO_TIMESHEETS"):
            wanted_timesheets()


def test_the_generator_uses_no_fractions_of_a_float() -> None:
    import ast
    import inspect

    from paybill_stack.demo import broken, cast

    for module in (generator, cast, broken):
        tree = ast.parse(inspect.getsource(module))
        assert not [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, float)]
