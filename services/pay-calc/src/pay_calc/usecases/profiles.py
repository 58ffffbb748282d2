"""Store pay profiles, payees, the employer and the calendar, and work again what they decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from pay_calc.domain.decide import Worker
from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.starting import Mistake, Start, mistake_in, start_on, starter_of
from pay_calc.rates import year_book
from pay_calc.store import facts, people
from pay_calc.usecases.recalculate import recalculate
from paybill_common.clock import london_date
from paybill_common.db import Tx

RECALCULATE_AT_ONCE = 1_000


class ExternalIdTaken(Exception):
    """Another record of the agency has this external id."""

    def __init__(self, external_id: str, record_id: UUID) -> None:
        super().__init__(f"external_id {external_id} already names {record_id}")
        self.external_id = external_id
        self.record_id = record_id


async def store_profiles(
    tx: Tx, *, agency_id: UUID, profiles: Sequence[tuple[UUID, Mapping[str, Any]]], by: str
) -> None:
    """Store profiles under their workers' locks and work those workers' drafts again; HMRC's code without a day is operated from today.
    Raises ExternalIdTaken."""
    await _refuse_taken(tx, "pay_profile", "worker_id", agency_id, profiles)
    await facts.share_agencies(tx, [agency_id])
    keys = await facts.lock_workers(tx, [(agency_id, worker_id) for worker_id, _ in profiles])
    today = london_date(tx.now)
    dated = [
        (worker_id, {**values, "tax_code_from": values["tax_code_from"] or today} if values["tax_code"] else values)
        for worker_id, values in profiles
    ]
    await people.upsert_profiles(tx, agency_id=agency_id, rows=dated, by=by)
    await recalculate(tx, keys=keys)


def starter_mistake(values: Mapping[str, Any], today: date) -> Mistake | None:
    """What cannot be of the starter of a profile that is to be stored, or None."""
    return None if values["starter"] is None else mistake_in(starter_of(values["starter"]), today, year_book())


def start_of(worker: Worker, today: date) -> Start | None:
    """What a worker's starter comes to on a payday of today, or of the first day while that lies ahead; None: no starter is recorded, or
    there are no statutory figures for that day."""
    if worker.profile is None or worker.profile.starter is None:
        return None
    starter = worker.profile.starter
    try:
        return start_on(year_book(), starter, worker.paid_so_far, max(today, starter.started_on))
    except EngineError:
        return None


async def store_payees(tx: Tx, *, agency_id: UUID, payees: Sequence[tuple[UUID, Mapping[str, Any]]], by: str) -> None:
    """Store payees and work the drafts of workers who are paid through them again. Raises ExternalIdTaken."""
    await _refuse_taken(tx, "payee", "payee_id", agency_id, payees)
    await facts.share_agencies(tx, [agency_id])
    keys = await facts.open_workers(tx, agency_id=agency_id, payees=[payee_id for payee_id, _ in payees])
    await facts.lock_workers(tx, keys)
    await people.upsert_payees(tx, agency_id=agency_id, rows=payees, by=by)
    await _again(tx, keys)


async def store_employer(tx: Tx, *, agency_id: UUID, values: Mapping[str, Any], by: str) -> None:
    """Store the employer; the apprenticeship levy changes drafts' cost, and the day of re-enrolment what is asked of pensions."""
    before = await people.employer(tx, agency_id=agency_id)
    await facts.share_agencies(tx, [agency_id])
    keys: list[facts.Key] = []
    was = (False, None) if before is None else (before.levy_payer, before.pension_re_enrolment_on)
    if was != (values["levy_payer"], values["pension_re_enrolment_on"]):
        keys = await facts.open_workers(tx, agency_id=agency_id)
        await facts.lock_workers(tx, keys)
    await people.upsert_employer(tx, agency_id=agency_id, values=values, by=by)
    await _again(tx, keys)


async def store_calendar(tx: Tx, *, agency_id: UUID, values: Mapping[str, Any], by: str) -> None:
    """Store the calendar: paydays of open periods move with it."""
    await facts.share_agencies(tx, [agency_id])
    keys = await facts.open_workers(tx, agency_id=agency_id)
    await facts.lock_workers(tx, keys)
    await people.upsert_calendar(tx, agency_id=agency_id, values=values, by=by)
    await _again(tx, keys)


async def _again(tx: Tx, keys: Sequence[facts.Key]) -> None:
    for start in range(0, len(keys), RECALCULATE_AT_ONCE):
        await recalculate(tx, keys=keys[start : start + RECALCULATE_AT_ONCE])


async def _refuse_taken(
    tx: Tx, table: str, key: str, agency_id: UUID, rows: Sequence[tuple[UUID, Mapping[str, Any]]]
) -> None:
    wanted = {values["external_id"]: record_id for record_id, values in rows if values["external_id"] is not None}
    if not wanted:
        return
    taken = await people.taken_external_ids(tx, table=table, key=key, agency_id=agency_id, external_ids=sorted(wanted))
    for external_id, holder in taken.items():
        if wanted[external_id] != holder:
            raise ExternalIdTaken(external_id, holder)
