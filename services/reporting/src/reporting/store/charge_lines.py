"""Approved charge lines with the client that is charged."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from paybill_common.db import Tx


async def of_timesheets(tx: Tx, *, agency_id: UUID, timesheets: Iterable[UUID]) -> list[Any]:
    """The lines of every version of these timesheets."""
    result = await tx.execute(
        """
        SELECT c.timesheet_id, c.version, c.charge_line_id, t.client_id, c.kind, c.element, c.rate_code, c.rate_unit, c.minutes,
            c.units, c.pay_rate, c.charge_rate, c.pay_gbp, c.charge_gbp, c.payable, c.billable
        FROM charge_line c JOIN timesheet t ON t.agency_id = c.agency_id AND t.timesheet_id = c.timesheet_id
        WHERE c.agency_id = :agency AND c.timesheet_id = ANY(CAST(:timesheets AS uuid[]))
        ORDER BY c.timesheet_id, c.version, c.ordinal
        """,
        agency=agency_id,
        timesheets=sorted(set(timesheets)),
    )
    return list(result)
