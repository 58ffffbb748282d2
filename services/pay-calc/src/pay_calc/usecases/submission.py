"""The FPS-shaped table of a closed pay run."""

from __future__ import annotations

import csv
import io
from typing import Any
from uuid import UUID

from pay_calc.domain.fps import COLUMNS, REPORTED, rows
from pay_calc.store import people, slips, starters, statutory
from pay_calc.usecases.replay import load_json
from paybill_common.db import Tx

PAGE = 500


async def fps_csv(tx: Tx, *, agency_id: UUID, pay_run_id: UUID) -> str:
    """One row for each PAYE payslip and each deemed direct payment of the run that pays something, and one for each other NI letter of its
    worker's year."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    found = await people.employer(tx, agency_id=agency_id)
    employer = {} if found is None else dict(found._mapping)
    after: tuple[UUID, UUID] | None = None
    while True:
        page = await slips.of_run(
            tx, agency_id=agency_id, pay_run_id=pay_run_id, pay_basis=None, after=after, most=PAGE
        )
        last = page[-1] if len(page) == PAGE else None
        page = [slip for slip in page if load_json(slip.to_date) is not None]
        workers = await people.on_paper(tx, agency_id=agency_id, workers=[slip.worker_id for slip in page])
        first = await starters.first_reported(tx, agency_id=agency_id, payslips=[slip.payslip_id for slip in page])
        family_pay = await statutory.family_pay_to_date(tx, agency_id=agency_id, payslips=page)
        for slip in page:
            result, inputs = load_json(slip.result), load_json(slip.inputs)
            figures = result["figures"]
            if not any(figures[name] for name in REPORTED[slip.pay_basis]):
                continue
            writer.writerows(
                rows(
                    employer=employer,
                    person=_person(workers.get(slip.worker_id), slip.worker_id, inputs["employee"]["employment_no"]),
                    first=slip.payslip_id in first,
                    payday_on=slip.payday_on.isoformat(),
                    inputs=inputs,
                    result=result,
                    to_date=load_json(slip.to_date),
                    family_pay_to_date=family_pay.get(slip.payslip_id, {}),
                )
            )
        if last is None:
            return out.getvalue()
        after = (last.worker_id, last.payslip_id)


def _person(found: Any, worker_id: UUID, employment_no: int) -> dict[str, Any]:
    reference = (found.reference if found is not None else None) or str(worker_id)
    given, _, family = (found.display_name or "" if found is not None else "").rpartition(" ")
    day = {
        name: None if found is None or getattr(found, name) is None else getattr(found, name).isoformat()
        for name in ("birth_on", "started_on", "left_on")
    }
    return {
        "pay_id": reference if employment_no == 1 else f"{reference}-{employment_no}",
        "ni_number": None if found is None else found.ni_number,
        "given_name": (found.given_name if found is not None else None) or given,
        "family_name": (found.family_name if found is not None else None) or family,
        "gender": None if found is None else found.gender,
        "address": [] if found is None or found.address is None else load_json(found.address),
        "declaration": None if found is None else found.starter_declaration,
        **day,
    }
