"""Leave: the ledger, which only grows; records of leave taken and of its payment in lieu; and what is known of a worker's past weeks."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from pay_calc.domain.decide import Worker
from pay_calc.domain.engine.holiday_ledger import EARNED, WEEKS_LOOKED_BACK, LeaveEntry, PastWeek
from pay_calc.domain.engine.regular_leave import WorkingWeek, ended
from pay_calc.domain.holiday_pay import Days, HolidayPay, Rate, days_json, days_of, rate_of, weeks_of
from pay_calc.domain.leave import Ledger, Span
from pay_calc.domain.pay_dates import DAY
from pay_calc.store import working_weeks
from pay_calc.store.week_records import WeekRecords
from paybill_common.db import Tx

Key = tuple[UUID, UUID]
"""(agency_id, worker_id)."""

_dumps = json.JSONEncoder(separators=(",", ":")).encode
_AMONG = "{t}.agency_id = ANY(CAST(:agency_set AS uuid[])) AND {t}.worker_id = ANY(CAST(:workers AS uuid[]))"
_EARNED = ", ".join(f"'{kind}'" for kind in sorted(EARNED))


# For the drafts


TABLES = ("holiday_week", "leave_entry", "working_week")


async def load(tx: Tx, workers: Mapping[Key, Worker], some: Collection[str]) -> None:
    """Give these workers their open holiday pay, at its rate of now, what their ledgers hold and what their contracts give. `some`: those
    of `TABLES` in which any of them has a row."""
    if "holiday_week" in some:
        for key, pays in (await open_weeks(tx, list(workers))).items():
            if key in workers:
                workers[key].statutory = (*workers[key].statutory, *pays)
    ledgers = await _sums(tx, list(workers)) if "leave_entry" in some else {}
    contracts = await working_weeks.contracts(tx, list(workers)) if "working_week" in some else {}
    asked = {
        key: worker
        for key, worker in workers.items()
        if key in ledgers
        or key in contracts
        or any(charge.accrues for version in worker.versions for charge in version.charges)
    }
    if not asked:
        return
    leaving = {
        key
        for key, worker in asked.items()
        if (key in ledgers and ledgers[key].left_days)
        or any(isinstance(pay, HolidayPay) and pay.kind == "in_lieu" for pay in worker.statutory)
    }
    spans = await _spans(tx, list(asked), leaving)
    worked = await _worked(tx, asked, spans) if ledgers else {}
    by_contract = [key for key, held in ledgers.items() if held.by_contract]
    entitled = await _entitled(tx, by_contract) if by_contract else {}
    for key, worker in asked.items():
        worker.leave = replace(
            _ledger(ledgers.get(key), contracts.get(key, ()), entitled.get(key)),
            worked=worked.get(key, {}),
            absences=spans.get(key, {}),
        )


async def ledger_of(tx: Tx, *, agency_id: UUID, worker_id: UUID) -> Ledger:
    """What the ledger holds of one worker and what the contract gives, without hours and absences."""
    key = (agency_id, worker_id)
    sums, contracts = await _sums(tx, [key]), await working_weeks.contracts(tx, [key])
    entitled = await _entitled(tx, [key])
    return _ledger(sums.get(key), contracts.get(key, ()), entitled.get(key))


def _ledger(
    sums: _Sums | None, contract: tuple[WorkingWeek, ...], entitled: Mapping[str, tuple[int, int]] | None
) -> Ledger:
    held = sums or _Sums(0, 0, 0)
    return Ledger(
        held.earned,
        held.used,
        held.exact,
        empty=sums is None,
        contract=ended(contract, held.left_days),
        entitled=entitled or {},
        left_days=held.left_days,
    )


@dataclass(frozen=True, slots=True)
class _Sums:
    """Minutes earned and used, exact; the last days of employments whose leave was paid in lieu; whether a contract gave any."""

    earned: int
    used: int
    exact: int
    left_days: tuple[date, ...] = ()
    by_contract: bool = False


async def _entitled(tx: Tx, keys: Sequence[Key]) -> dict[Key, dict[str, tuple[int, int]]]:
    """By the first day of the leave year, minutes and exact of what the ledger has of these contracts' leave."""
    found = await tx.execute(
        f"""
        SELECT e.agency_id, e.worker_id, e.subject, sum(e.minutes) AS minutes, sum(e.exact) AS exact FROM leave_entry e
        WHERE {_AMONG.format(t="e")} AND e.kind = 'entitled' GROUP BY 1, 2, 3
        """,  # noqa: S608  constant text
        **_params(keys),
    )
    by_worker: dict[Key, dict[str, tuple[int, int]]] = {}
    for row in found:
        by_worker.setdefault((row.agency_id, row.worker_id), {})[row.subject] = (int(row.minutes), int(row.exact))
    return by_worker


async def _sums(tx: Tx, keys: Sequence[Key]) -> dict[Key, _Sums]:
    """Of workers whose ledger has entries."""
    found = await tx.execute(
        f"""
        SELECT e.agency_id, e.worker_id, coalesce(sum(e.minutes) FILTER (WHERE e.kind IN ({_EARNED})), 0) AS earned,
               coalesce(-sum(e.minutes) FILTER (WHERE e.kind NOT IN ({_EARNED})), 0) AS used, sum(e.exact) AS exact,
               array_agg(DISTINCT e.entry_on) FILTER (WHERE e.kind = 'paid_in_lieu') AS left_days,
               bool_or(e.kind = 'entitled') AS by_contract
        FROM leave_entry e WHERE {_AMONG.format(t="e")} GROUP BY 1, 2
        """,  # noqa: S608  constant text
        **_params(keys),
    )
    return {
        (row.agency_id, row.worker_id): _Sums(
            int(row.earned), int(row.used), int(row.exact), tuple(sorted(row.left_days or ())), row.by_contract
        )
        for row in found
    }


async def _worked(tx: Tx, asked: Mapping[Key, Worker], absent: Collection[Key]) -> dict[Key, dict[date, int]]:
    """Minutes that accruals stand on, by week: of the weeks that are open for somebody, and all of workers who are absent."""
    weeks = {version.week_ending for worker in asked.values() for version in worker.versions}
    found = await tx.execute(
        f"""
        SELECT e.agency_id, e.worker_id, e.entry_on, sum(e.worked_minutes) AS minutes
        FROM leave_entry e
        WHERE {_AMONG.format(t="e")} AND e.kind = 'accrued'
          AND (e.entry_on = ANY(CAST(:weeks AS date[])) OR e.worker_id = ANY(CAST(:absent AS uuid[])))
        GROUP BY 1, 2, 3
        """,  # noqa: S608  constant text
        **_params(list(asked)),
        weeks=sorted(weeks),
        absent=[worker for _, worker in absent],
    )
    by_worker: dict[Key, dict[date, int]] = {}
    for row in found:
        by_worker.setdefault((row.agency_id, row.worker_id), {})[row.entry_on] = int(row.minutes)
    return by_worker


async def _spans(tx: Tx, keys: Sequence[Key], leaving: Collection[Key]) -> dict[Key, dict[str, Span]]:
    """Absences of these workers whose days are not those that the ledger has counted; all of those who leave or have left."""
    found = await tx.execute(
        f"""
        SELECT r.agency_id, r.worker_id, r.record_id, r.first_on, r.last_on, r.cancelled, coalesce(e.counted, 0) AS counted,
               coalesce(e.minutes, 0) AS minutes, coalesce(e.exact, 0) AS exact
        FROM statutory_record r
        LEFT JOIN LATERAL (
          SELECT sum(l.absent_days) AS counted, sum(l.minutes) AS minutes, sum(l.exact) AS exact FROM leave_entry l
          WHERE l.agency_id = r.agency_id AND l.worker_id = r.worker_id AND l.record_id = r.record_id AND l.kind = 'absence_accrued'
        ) e ON true
        WHERE {_AMONG.format(t="r")} AND (NOT r.cancelled OR e.counted > 0)
        """,  # noqa: S608  constant text
        **_params(keys),
    )
    by_worker: dict[Key, dict[str, Span]] = {}
    for row in found:
        whole = not row.cancelled and (row.last_on - row.first_on).days + 1 == int(row.counted)
        if whole and (row.agency_id, row.worker_id) not in leaving:
            continue
        by_worker.setdefault((row.agency_id, row.worker_id), {})[str(row.record_id)] = Span(
            row.first_on, row.last_on, int(row.counted), int(row.minutes), int(row.exact), row.cancelled
        )
    return by_worker


async def open_weeks(tx: Tx, keys: Sequence[Key]) -> dict[Key, list[HolidayPay]]:
    """Holiday pay of these workers that no finalised payslip has paid, at its rate of now."""
    found = await tx.execute(
        f"""
        SELECT w.agency_id, w.worker_id, w.record_id, w.week_ending, w.days, r.kind, r.first_on, r.last_on, r.recovery_ref,
               r.contract_week_pence, r.contract_week_minutes, r.contract_ref
        FROM holiday_week w JOIN holiday_record r ON r.agency_id = w.agency_id AND r.record_id = w.record_id
        WHERE {_AMONG.format(t="w")} AND w.state = 'open' ORDER BY w.first_day, w.record_id
        """,  # noqa: S608  constant text
        **_params(keys),
    )
    rows = list(found.all())
    if not rows:
        return {}
    past = await past_weeks(tx, sorted({(row.agency_id, row.worker_id) for row in rows}))
    by_worker: dict[Key, list[HolidayPay]] = {}
    for row in rows:
        key = (row.agency_id, row.worker_id)
        by_worker.setdefault(key, []).append(
            HolidayPay(
                row.kind,
                str(row.record_id),
                row.week_ending,
                days_of(_json(row.days)),
                rate_of_record(row, past.get(key, [])),
                row.recovery_ref or "",
            )
        )
    return by_worker


def rate_of_record(row: Any, weeks: Sequence[PastWeek]) -> Rate:
    """The rate of a record's leave: weeks before its first day; before the day after the last one for a payment in lieu."""
    starts_on = row.first_on if row.kind == "taken" else row.last_on + DAY
    return rate_of(weeks, starts_on, row.contract_week_pence, row.contract_week_minutes or 0, row.contract_ref or "")


async def past_weeks(tx: Tx, keys: Sequence[Key]) -> dict[Key, list[PastWeek]]:
    """What finalised payslips paid for each week of work and leave. Not in it: expenses, rolled-up holiday, payments in lieu; a week with
    statutory pay is marked. A correction counts in the week that it corrects."""
    found = await tx.execute(
        f"""
        SELECT p.agency_id, p.worker_id, CAST(line ->> 'week_ending' AS date) AS week_ending,
               coalesce(sum(CAST(line ->> 'amount_pence' AS bigint)) FILTER (WHERE line ->> 'kind' NOT IN ('expense', 'statutory')
                 AND line ->> 'element' <> 'holiday_in_lieu'), 0) AS pence,
               coalesce(sum(CAST(line ->> 'minutes' AS bigint)) FILTER (WHERE line ->> 'kind' = 'time'
                 OR line ->> 'element' = 'holiday_taken'), 0) AS minutes,
               bool_or(line ->> 'kind' = 'statutory' AND line ->> 'element' = 'SSP') AS sick,
               bool_or(line ->> 'kind' = 'statutory') AS absent
        FROM payslip p CROSS JOIN LATERAL jsonb_array_elements(p.result -> 'lines') AS line
        WHERE {_AMONG.format(t="p")} AND p.state = 'finalised' AND p.pay_basis = 'paye' AND p.payday_on > :since
        GROUP BY 1, 2, 3
        """,  # noqa: S608  constant text
        **_params(keys),
        since=tx.now.date() - timedelta(weeks=2 * WEEKS_LOOKED_BACK),
    )
    by_worker: dict[Key, list[PastWeek]] = {}
    for row in found:
        reason = "sick" if row.sick else "family" if row.absent else "paid" if row.pence > 0 else "unpaid"
        by_worker.setdefault((row.agency_id, row.worker_id), []).append(
            PastWeek(row.week_ending, reason, int(row.pence), int(row.minutes))  # type: ignore[arg-type]  # the four of the rule
        )
    return by_worker


def _params(keys: Sequence[Key]) -> dict[str, Any]:
    return {"agency_set": sorted({agency for agency, _ in keys}), "workers": [worker for _, worker in keys]}


# Records


_FIELDS = (
    "external_id",
    "kind",
    "first_on",
    "last_on",
    "in_advance",
    "contract_week_pence",
    "contract_week_minutes",
    "contract_ref",
    "recovery_ref",
    "decided_by",
    "decided_on",
    "evidence_ref",
    "cancelled",
)
records = WeekRecords("holiday_record", "holiday_week", _FIELDS, "days")


async def replace_open(tx: Tx, *, agency_id: UUID, worker_id: UUID, record_id: UUID, days: Days) -> None:
    """Put these days in place of what this record has open."""
    await tx.execute(
        "DELETE FROM holiday_week WHERE agency_id = :agency AND record_id = :record AND state = 'open'",
        agency=agency_id,
        record=record_id,
    )
    parts = weeks_of(days)
    if parts:
        await tx.execute(
            """
            INSERT INTO holiday_week (agency_id, record_id, first_day, worker_id, week_ending, state, days)
            SELECT :agency, :record, f, :worker, w, 'open', CAST(d AS jsonb)
            FROM unnest(CAST(:firsts AS date[]), CAST(:weeks AS date[]), CAST(:days AS text[])) AS i(f, w, d)
            """,
            agency=agency_id,
            record=record_id,
            worker=worker_id,
            firsts=[part[0][0] for part in parts.values()],
            weeks=list(parts),
            days=[_dumps(days_json(part)) for part in parts.values()],
        )


async def open_up_to(tx: Tx, *, agency_id: UUID, period_to: date) -> list[UUID]:
    """Workers with unpaid holiday pay of this period or an earlier one."""
    found = await tx.execute(
        """
        SELECT DISTINCT worker_id FROM holiday_week WHERE agency_id = :agency AND state = 'open' AND week_ending < :period
        ORDER BY worker_id
        """,
        agency=agency_id,
        period=period_to,
    )
    return [row.worker_id for row in found]


async def settle(tx: Tx, *, agency_id: UUID, settled: Sequence[tuple[HolidayPay, UUID]]) -> None:
    """Mark this holiday pay as paid by these payslips."""
    if not settled:
        return
    await tx.execute(
        """
        UPDATE holiday_week AS w SET state = 'settled', payslip_id = p
        FROM unnest(CAST(:records AS uuid[]), CAST(:firsts AS date[]), CAST(:payslips AS uuid[])) AS i(r, f, p)
        WHERE w.agency_id = :agency AND w.record_id = r AND w.first_day = f AND w.state = 'open'
        """,
        agency=agency_id,
        records=[pay.record_id for pay, _ in settled],
        firsts=[pay.dates[0] for pay, _ in settled],
        payslips=[payslip_id for _, payslip_id in settled],
    )


# The ledger


@dataclass(frozen=True, slots=True)
class NewEntry:
    """A movement to write. `entry` as `leave.Entry.as_json` gives it."""

    source_id: UUID
    worker_id: UUID
    payslip_id: UUID | None
    entry: Mapping[str, Any]


async def insert_entries(tx: Tx, *, agency_id: UUID, rows: Sequence[NewEntry], by: str) -> None:
    """Write movements of leave. The key refuses one that its source has written before."""
    if not rows:
        return
    await tx.execute(
        """
        INSERT INTO leave_entry (agency_id, source_id, kind, subject, worker_id, entry_on, minutes, exact, worked_minutes, absent_days,
            record_id, payslip_id, amount_pence, how, recorded_at, recorded_by)
        SELECT :agency, s, k, j, w, o, m, x, h, d, r, p, a, t, :now, :by
        FROM unnest(CAST(:sources AS uuid[]), CAST(:kinds AS text[]), CAST(:subjects AS text[]), CAST(:workers AS uuid[]),
            CAST(:days AS date[]), CAST(:minutes AS int[]), CAST(:exact AS bigint[]), CAST(:worked AS int[]), CAST(:absent AS int[]),
            CAST(:records AS uuid[]), CAST(:payslips AS uuid[]), CAST(:pence AS bigint[]), CAST(:how AS text[]))
          AS i(s, k, j, w, o, m, x, h, d, r, p, a, t)
        """,
        agency=agency_id,
        now=tx.now,
        by=by,
        sources=[row.source_id for row in rows],
        kinds=[row.entry["kind"] for row in rows],
        subjects=[row.entry["subject"] for row in rows],
        workers=[row.worker_id for row in rows],
        days=[date.fromisoformat(row.entry["on"]) for row in rows],
        minutes=[row.entry["minutes"] for row in rows],
        exact=[row.entry["exact"] for row in rows],
        worked=[row.entry["worked_minutes"] for row in rows],
        absent=[row.entry["absent_days"] for row in rows],
        records=[row.entry["record_id"] for row in rows],
        payslips=[row.payslip_id for row in rows],
        pence=[row.entry["amount_pence"] for row in rows],
        how=[row.entry["how"] for row in rows],
    )


async def entries_of(tx: Tx, *, agency_id: UUID, worker_id: UUID) -> list[Any]:
    """A worker's whole ledger, the earliest movement first."""
    found = await tx.execute(
        """
        SELECT * FROM leave_entry WHERE agency_id = :agency AND worker_id = :worker
        ORDER BY entry_on, recorded_at, kind, source_id, subject
        """,
        agency=agency_id,
        worker=worker_id,
    )
    return list(found.all())


async def entries_of_records(tx: Tx, *, agency_id: UUID, records: Sequence[UUID]) -> dict[str, Any]:
    """What paid these records' leave, by `record/first day`."""
    found = await tx.execute(
        """
        SELECT * FROM leave_entry WHERE agency_id = :agency AND record_id = ANY(CAST(:records AS uuid[]))
          AND kind IN ('taken', 'paid_in_lieu')
        """,
        agency=agency_id,
        records=list(records),
    )
    return {row.subject: row for row in found}


async def entry_of_source(tx: Tx, *, agency_id: UUID, source_id: UUID) -> Any | None:
    """What a person's entry wrote, or None."""
    found = await tx.execute(
        "SELECT * FROM leave_entry WHERE agency_id = :agency AND source_id = :source AND payslip_id IS NULL",
        agency=agency_id,
        source=source_id,
    )
    return found.first()


def entry_of(row: Any) -> LeaveEntry:
    """A row as the engine's rules take it."""
    return LeaveEntry(row.entry_on, row.kind, row.minutes, row.exact, row.subject)


def _json(raw: Any) -> Any:
    return json.loads(raw) if isinstance(raw, str) else raw
