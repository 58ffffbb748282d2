"""Record what happened to a worker's workplace pension, and what an opt-out gives back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.pension_assessment import OptOutRefund, PeriodContribution, opt_out, opt_out_window
from pay_calc.domain.pension_records import PensionRecord
from pay_calc.store import facts, pension_records, slips
from pay_calc.usecases.recalculate import recalculate
from pay_calc.usecases.replay import load_json
from paybill_common.db import Tx


async def store_record(tx: Tx, *, agency_id: UUID, worker_id: UUID, values: Mapping[str, Any], by: str) -> None:
    """Store the record under the worker's lock; the worker's drafts are worked again."""
    await facts.share_agencies(tx, [agency_id])
    await facts.lock_workers(tx, [(agency_id, worker_id)])
    await pension_records.upsert(tx, agency_id=agency_id, worker_id=worker_id, values=values, by=by)
    await recalculate(tx, keys=[(agency_id, worker_id)])


async def refund(
    tx: Tx, *, agency_id: UUID, worker_id: UUID, record: PensionRecord
) -> OptOutRefund | EngineError | None:
    """What a recorded opt-out gives back of final payslips since membership began; the error that says why it gives nothing; None: nobody
    opted out, or membership and its information are not recorded."""
    if record.opted_out_on is None or record.member_since is None or record.information_given_on is None:
        return None
    rows = await slips.paid_since(tx, agency_id=agency_id, worker_id=worker_id, first=record.member_since)
    try:
        return opt_out(
            opt_out_window(record.member_since, record.information_given_on),
            record.opted_out_on,
            [contribution for row in rows if (contribution := _contribution(row)) is not None],
        )
    except EngineError as error:
        return error


def _contribution(row: Any) -> PeriodContribution | None:
    inputs, figures = load_json(row.inputs), load_json(row.result)["figures"]
    terms = inputs["employee"]["pension"]
    if terms is None:
        return None
    sacrificed = figures["sacrifice_pence"]
    return PeriodContribution(
        row.payday_on,
        terms["basis"],
        sacrificed or figures["employee_pension_pence"],
        figures["employer_pension_pence"] - sacrificed,
    )
