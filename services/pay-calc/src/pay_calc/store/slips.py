"""Drafts and finalised payslips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from pay_calc.store.facts import Key
from paybill_common.db import Tx

# Statements that join an agency's rows to a list also say `= ANY(list)`: right after a big import the tables have no statistics, and
# the planner would otherwise compare every row of the agency with every entry of the list.

NONE = ""
"""The fingerprint of nothing: no result, or nobody held."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a stored draft says, as far as deciding whether it changed needs."""

    payslip_id: UUID
    agency_id: UUID
    worker_id: UUID
    period_to: date
    payday_on: date
    pay_basis: str
    payee_id: UUID | None
    revision: int
    fingerprint: str
    held_fingerprint: str


@dataclass(frozen=True, slots=True)
class Row:
    """A draft to store. `result` and `held` are JSON."""

    agency_id: UUID
    payslip_id: UUID
    worker_id: UUID
    period_from: date
    period_to: date
    payday_on: date
    pay_basis: str
    payee_id: UUID | None
    revision: int
    fingerprint: str
    held_fingerprint: str
    gross_gbp: Decimal
    net_gbp: Decimal
    cost_gbp: Decimal
    minutes: int
    worked_minutes: int
    charges: int
    nmw: str | None
    result: str | None
    held: str
    held_minutes: int


async def known_drafts(tx: Tx, keys: Sequence[Key]) -> dict[Key, dict[UUID, Known]]:
    """The stored drafts of these workers, by payslip id."""
    found = await tx.execute(
        """
        SELECT payslip_id, agency_id, worker_id, period_to, payday_on, pay_basis, payee_id, revision, fingerprint, held_fingerprint
        FROM payslip
        WHERE agency_id = ANY(CAST(:agencies AS uuid[])) AND worker_id = ANY(CAST(:workers AS uuid[])) AND state = 'draft'
        """,
        agencies=sorted({agency for agency, _ in keys}),
        workers=[worker for _, worker in keys],
    )
    known: dict[Key, dict[UUID, Known]] = {}
    for row in found:
        known.setdefault((row.agency_id, row.worker_id), {})[row.payslip_id] = Known(*row)
    return known


async def upsert_drafts(tx: Tx, rows: Sequence[Row]) -> None:
    """Store drafts. A finalised payslip is never touched."""
    if not rows:
        return
    await tx.execute(
        """
        INSERT INTO payslip (agency_id, payslip_id, worker_id, period_from, period_to, payday_on, pay_basis, payee_id, state,
            revision, fingerprint, held_fingerprint, gross_gbp, net_gbp, cost_gbp, minutes, worked_minutes, charges, nmw, result,
            held, held_minutes)
        SELECT a, p, w, pf, pt, pd, b, py, 'draft', rv, fp, hf, g, n, c, m, wm, ch, nm, CAST(r AS jsonb), CAST(h AS jsonb), hm
        FROM unnest(CAST(:agencies AS uuid[]), CAST(:ids AS uuid[]), CAST(:workers AS uuid[]), CAST(:from_ AS date[]),
            CAST(:to_ AS date[]), CAST(:paydays AS date[]), CAST(:bases AS text[]), CAST(:payees AS uuid[]),
            CAST(:revisions AS int[]), CAST(:prints AS text[]), CAST(:held_prints AS text[]), CAST(:gross AS numeric[]),
            CAST(:net AS numeric[]), CAST(:cost AS numeric[]), CAST(:minutes AS int[]), CAST(:worked AS int[]),
            CAST(:charges AS int[]), CAST(:nmw AS text[]), CAST(:results AS text[]), CAST(:held AS text[]),
            CAST(:held_minutes AS int[]))
          AS i(a, p, w, pf, pt, pd, b, py, rv, fp, hf, g, n, c, m, wm, ch, nm, r, h, hm)
        ON CONFLICT (agency_id, payslip_id) DO UPDATE SET payday_on = EXCLUDED.payday_on, revision = EXCLUDED.revision,
            fingerprint = EXCLUDED.fingerprint, held_fingerprint = EXCLUDED.held_fingerprint, gross_gbp = EXCLUDED.gross_gbp,
            net_gbp = EXCLUDED.net_gbp, cost_gbp = EXCLUDED.cost_gbp, minutes = EXCLUDED.minutes,
            worked_minutes = EXCLUDED.worked_minutes, charges = EXCLUDED.charges, nmw = EXCLUDED.nmw, result = EXCLUDED.result,
            held = EXCLUDED.held, held_minutes = EXCLUDED.held_minutes
        WHERE payslip.state = 'draft'
        """,
        agencies=[row.agency_id for row in rows],
        ids=[row.payslip_id for row in rows],
        workers=[row.worker_id for row in rows],
        from_=[row.period_from for row in rows],
        to_=[row.period_to for row in rows],
        paydays=[row.payday_on for row in rows],
        bases=[row.pay_basis for row in rows],
        payees=[row.payee_id for row in rows],
        revisions=[row.revision for row in rows],
        prints=[row.fingerprint for row in rows],
        held_prints=[row.held_fingerprint for row in rows],
        gross=[row.gross_gbp for row in rows],
        net=[row.net_gbp for row in rows],
        cost=[row.cost_gbp for row in rows],
        minutes=[row.minutes for row in rows],
        worked=[row.worked_minutes for row in rows],
        charges=[row.charges for row in rows],
        nmw=[row.nmw for row in rows],
        results=[row.result for row in rows],
        held=[row.held for row in rows],
        held_minutes=[row.held_minutes for row in rows],
    )


@dataclass(frozen=True, slots=True)
class Final:
    """A draft that becomes final. `inputs` is the JSON that a replay runs on."""

    payslip_id: UUID
    revision: int
    inputs: str


async def finalise(
    tx: Tx, *, agency_id: UUID, pay_run_id: UUID, rows: Sequence[Final], to_date: Mapping[UUID, str], now: datetime
) -> None:
    """Make these drafts final. They never change again."""
    if not rows:
        return
    await tx.execute(
        """
        UPDATE payslip SET state = 'finalised', pay_run_id = :run, finalised_at = :now, inputs = CAST(i AS jsonb), revision = r,
            to_date = CAST(td AS jsonb),
            held = '[]'::jsonb, held_minutes = 0, held_fingerprint = ''
        FROM unnest(CAST(:ids AS uuid[]), CAST(:revisions AS int[]), CAST(:inputs AS text[]), CAST(:to_dates AS text[]))
          AS f(p, r, i, td)
        WHERE agency_id = :agency AND payslip_id = p AND payslip_id = ANY(CAST(:ids AS uuid[])) AND state = 'draft'
        """,
        agency=agency_id,
        run=pay_run_id,
        now=now,
        ids=[row.payslip_id for row in rows],
        revisions=[row.revision for row in rows],
        inputs=[row.inputs for row in rows],
        to_dates=[to_date.get(row.payslip_id) for row in rows],
    )


async def insert_paid(tx: Tx, *, agency_id: UUID, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write which charges these payslips paid or reversed. The key refuses a charge that was paid before."""
    if not rows:
        return
    await tx.execute(
        """
        INSERT INTO paid_charge (agency_id, charge_line_id, version, reverses, timesheet_id, payslip_id, pay_basis, payee_id,
            minutes, pay_pence, rounding_pence, line)
        SELECT :agency, c, v, r, t, p, b, py, m, g, rp, CAST(l AS jsonb)
        FROM unnest(CAST(:charges AS uuid[]), CAST(:versions AS int[]), CAST(:reverses AS bool[]), CAST(:timesheets AS uuid[]),
            CAST(:payslips AS uuid[]), CAST(:bases AS text[]), CAST(:payees AS uuid[]), CAST(:minutes AS int[]),
            CAST(:pence AS bigint[]), CAST(:roundings AS bigint[]), CAST(:lines AS text[])) AS i(c, v, r, t, p, b, py, m, g, rp, l)
        """,
        agency=agency_id,
        charges=[row["charge_line_id"] for row in rows],
        versions=[row["version"] for row in rows],
        reverses=[row["reverses"] for row in rows],
        timesheets=[row["timesheet_id"] for row in rows],
        payslips=[row["payslip_id"] for row in rows],
        bases=[row["pay_basis"] for row in rows],
        payees=[row["payee_id"] for row in rows],
        minutes=[row["minutes"] for row in rows],
        pence=[row["pay_pence"] for row in rows],
        roundings=[row["rounding_pence"] for row in rows],
        lines=[row["line"] for row in rows],
    )


async def settle(tx: Tx, *, agency_id: UUID, settled: Sequence[tuple[UUID, int, UUID | None]]) -> None:
    """Mark (timesheet, version, payslip) as settled, what it corrects as reversed, and older open versions as superseded."""
    if not settled:
        return
    await tx.execute(
        """
        UPDATE timesheet_version AS v
        SET state = CASE WHEN v.version = n THEN 'settled' WHEN v.state = 'settled' THEN 'reversed' ELSE 'superseded' END,
            settled_payslip_id = CASE WHEN v.version = n THEN p ELSE v.settled_payslip_id END
        FROM unnest(CAST(:timesheets AS uuid[]), CAST(:versions AS int[]), CAST(:payslips AS uuid[])) AS s(t, n, p)
        WHERE v.agency_id = :agency AND v.timesheet_id = ANY(CAST(:timesheets AS uuid[])) AND v.timesheet_id = t AND v.version <= n
          AND v.state IN ('open', 'settled')
        """,
        agency=agency_id,
        timesheets=[timesheet for timesheet, _, _ in settled],
        versions=[version for _, version, _ in settled],
        payslips=[payslip for _, _, payslip in settled],
    )


SUMS = (
    "gross_pence",
    "taxable_pence",
    "tax_pence",
    "student_loan_pence",
    "postgrad_loan_pence",
    "employee_pension_pence",
    "employer_pension_pence",
    "net_pence",
    "payrolled_benefits_pence",
)
NIC_SUMS = ("niable_pence", "at_lel_pence", "lel_to_pt_pence", "pt_to_uel_pence", "employee_pence", "employer_pence")


@dataclass(frozen=True, slots=True)
class ToDateRow:
    """What one finalised payslip adds to its worker's year. `letter` is its own, `nic` by each letter that it moves."""

    payslip_id: UUID
    worker_id: UUID
    tax_year: str
    employment_no: int
    letter: str
    sums: Mapping[str, int]
    nic: Mapping[str, Mapping[str, int]]


async def add_to_date(tx: Tx, *, agency_id: UUID, rows: Sequence[ToDateRow]) -> dict[UUID, dict[str, Any]]:
    """Add these payslips, one a worker, to this employment's year to date; gives for each payslip how the year stands with it."""
    if not rows:
        return {}
    keys = {
        "agency": agency_id,
        "workers": [row.worker_id for row in rows],
        "years": [row.tax_year for row in rows],
        "employments": [row.employment_no for row in rows],
    }
    sums = await tx.execute(
        f"""
        INSERT INTO year_to_date (agency_id, worker_id, tax_year, employment_no, {", ".join(SUMS)})
        SELECT :agency, i.* FROM unnest(CAST(:workers AS uuid[]), CAST(:years AS text[]), CAST(:employments AS int[]),
            {", ".join(f"CAST(:{name} AS bigint[])" for name in SUMS)}) AS i
        ON CONFLICT (agency_id, worker_id, tax_year, employment_no) DO UPDATE
          SET {", ".join(f"{name} = year_to_date.{name} + EXCLUDED.{name}" for name in SUMS)}
        RETURNING worker_id, {", ".join(SUMS)}
        """,  # noqa: S608  constant names
        **keys,
        **{name: [row.sums[name] for row in rows] for name in SUMS},
    )
    letters = [(row, letter, nic) for row in rows for letter, nic in row.nic.items()]
    await tx.execute(
        f"""
        INSERT INTO year_to_date_nic (agency_id, worker_id, tax_year, employment_no, letter, {", ".join(NIC_SUMS)})
        SELECT :agency, i.* FROM unnest(CAST(:workers AS uuid[]), CAST(:years AS text[]), CAST(:employments AS int[]),
            CAST(:letters AS text[]), {", ".join(f"CAST(:{name} AS bigint[])" for name in NIC_SUMS)}) AS i
        ON CONFLICT (agency_id, worker_id, tax_year, employment_no, letter) DO UPDATE
          SET {", ".join(f"{name} = year_to_date_nic.{name} + EXCLUDED.{name}" for name in NIC_SUMS)}
        """,  # noqa: S608  constant names
        agency=agency_id,
        workers=[row.worker_id for row, _, _ in letters],
        years=[row.tax_year for row, _, _ in letters],
        employments=[row.employment_no for row, _, _ in letters],
        letters=[letter for _, letter, _ in letters],
        **{name: [nic[name] for _, _, nic in letters] for name in NIC_SUMS},
    )
    nics = await tx.execute(
        f"""
        SELECT n.worker_id, n.tax_year, n.employment_no, n.letter, {", ".join(f"n.{name}" for name in NIC_SUMS)}
        FROM year_to_date_nic n
        JOIN unnest(CAST(:workers AS uuid[]), CAST(:years AS text[]), CAST(:employments AS int[])) AS i(w, y, e)
          ON n.worker_id = w AND n.tax_year = y AND n.employment_no = e
        WHERE n.agency_id = :agency AND n.worker_id = ANY(CAST(:workers AS uuid[]))
        ORDER BY n.worker_id, n.letter
        """,  # noqa: S608  constant names
        **keys,
    )
    year = {row.worker_id: {name: getattr(row, name) for name in SUMS} for row in sums}
    nic: dict[UUID, dict[str, dict[str, int]]] = {}
    for found in nics:
        nic.setdefault(found.worker_id, {})[found.letter] = {name: getattr(found, name) for name in NIC_SUMS}
    return {
        row.payslip_id: {
            "tax_year": row.tax_year,
            "employment_no": row.employment_no,
            **year[row.worker_id],
            "nic": {"letter": row.letter, **nic[row.worker_id][row.letter]},
            **_other_letters(row.letter, nic[row.worker_id]),
        }
        for row in rows
    }


def _other_letters(letter: str, nic: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    """The year's other letters, named only where there are any."""
    others = [{"letter": other, **sums} for other, sums in nic.items() if other != letter]
    return {"nic_other_letters": others} if others else {}


_COLUMNS = """
    payslip_id, worker_id, period_from, period_to, payday_on, pay_basis, payee_id, state, revision, gross_gbp, net_gbp, cost_gbp,
    minutes, worked_minutes, charges, nmw, result, inputs, to_date, held, held_minutes, pay_run_id, finalised_at
"""


async def one(tx: Tx, *, agency_id: UUID, payslip_id: UUID) -> Any | None:
    """A payslip's row, or None."""
    found = await tx.execute(
        f"SELECT {_COLUMNS} FROM payslip WHERE agency_id = :agency AND payslip_id = :id",  # noqa: S608  constant names
        agency=agency_id,
        id=payslip_id,
    )
    return found.first()


async def payslips_before(tx: Tx, *, agency_id: UUID, payslips: Sequence[UUID]) -> dict[UUID, Any]:
    """For each of these PAYE payslips the row of its worker's last one of an earlier period; for a final one, as things stood when it
    became final, so that it always reads alike."""
    if not payslips:
        return {}
    found = await tx.execute(
        """
        SELECT n.payslip_id AS of_payslip_id, before.inputs, before.result FROM payslip n
        CROSS JOIN LATERAL (
          SELECT p.inputs, p.result FROM payslip p
          WHERE p.agency_id = n.agency_id AND p.worker_id = n.worker_id AND p.period_to < n.period_to AND p.pay_basis = 'paye'
            AND p.state = 'finalised' AND (n.finalised_at IS NULL OR p.finalised_at <= n.finalised_at)
          ORDER BY p.period_to DESC LIMIT 1) AS before
        WHERE n.agency_id = :agency AND n.payslip_id = ANY(CAST(:payslips AS uuid[])) AND n.pay_basis = 'paye'
        """,
        agency=agency_id,
        payslips=list(payslips),
    )
    return {row.of_payslip_id: row for row in found}


async def page(
    tx: Tx,
    *,
    agency_id: UUID,
    period_to: date | None,
    worker_id: UUID | None,
    pay_run_id: UUID | None,
    state: str | None,
    pay_basis: str | None,
    after: tuple[date, UUID] | None,
    most: int,
) -> list[Any]:
    """Payslips by period, newest first, then id. Drafts in which nothing is paid and nothing held are passed over."""
    found = await tx.execute(
        f"""
        SELECT {_COLUMNS} FROM payslip
        WHERE agency_id = :agency
          AND (result IS NOT NULL OR jsonb_array_length(held) > 0)
          AND (CAST(:period_to AS date) IS NULL OR period_to = :period_to)
          AND (CAST(:worker AS uuid) IS NULL OR worker_id = :worker)
          AND (CAST(:run AS uuid) IS NULL OR pay_run_id = :run)
          AND (CAST(:state AS text) IS NULL OR state = :state)
          AND (CAST(:basis AS text) IS NULL OR pay_basis = :basis)
          AND (CAST(:after_period AS date) IS NULL OR period_to < :after_period
               OR (period_to = :after_period AND payslip_id > CAST(:after_id AS uuid)))
        ORDER BY period_to DESC, payslip_id LIMIT :most
        """,  # noqa: S608  constant names
        agency=agency_id,
        period_to=period_to,
        worker=worker_id,
        run=pay_run_id,
        state=state,
        basis=pay_basis,
        after_period=None if after is None else after[0],
        after_id=None if after is None else after[1],
        most=most,
    )
    return list(found.all())


async def of_run(
    tx: Tx, *, agency_id: UUID, pay_run_id: UUID, pay_basis: str | None, after: tuple[UUID, UUID] | None, most: int
) -> list[Any]:
    """Finalised payslips of a run in worker order, a page at a time."""
    found = await tx.execute(
        f"""
        SELECT {_COLUMNS} FROM payslip
        WHERE agency_id = :agency AND pay_run_id = :run AND (CAST(:basis AS text) IS NULL OR pay_basis = :basis)
          AND (CAST(:after_worker AS uuid) IS NULL OR (worker_id, payslip_id) > (CAST(:after_worker AS uuid), CAST(:after_id AS uuid)))
        ORDER BY worker_id, payslip_id LIMIT :most
        """,  # noqa: S608  constant names
        agency=agency_id,
        run=pay_run_id,
        basis=pay_basis,
        after_worker=None if after is None else after[0],
        after_id=None if after is None else after[1],
        most=most,
    )
    return list(found.all())
