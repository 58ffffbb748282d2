"""What is kept of a decision about hours: who took it, when, from where, and what they saw."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from paybill_common.db import Tx
from paybill_common.ids import new_id
from timesheet.domain.entries import Entry, Shift
from timesheet.store.timesheets import Timesheet
from timesheet.usecases.charging import Work


@dataclass(frozen=True)
class DecidedBy:
    """Who decides and from where: kept as evidence."""

    kind: Literal["client", "agency"]
    subject: str
    name: str
    ip: str | None = None
    user_agent: str | None = None
    note: str | None = None
    approval_request_id: UUID | None = None


def what_is_shown(timesheet: Timesheet, work: Work) -> dict[str, Any]:
    """What a client sees of a timesheet before deciding: days, hours and expenses; no pay rate."""
    week = work.week(timesheet)
    return {
        "timesheet_id": str(timesheet.timesheet_id),
        "reference": timesheet.reference,
        "week_ending": timesheet.week_ending.isoformat(),
        "version": timesheet.state.version,
        "entries": [entry_to_dict(entry) for entry in week.entries],
        "expenses": [
            {"spent_on": one.on.isoformat(), "code": one.code, "charge_gbp": f"{one.charge_gbp:.2f}"}
            for one in week.expenses
            if one.applies.billable
        ],
    }


def seen_sha256(shown: Mapping[str, Any]) -> str:
    """The hash of what was shown."""
    return hashlib.sha256(json.dumps(shown, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def entry_to_dict(entry: Entry) -> dict[str, Any]:
    """An entry as JSON, without what it does not say."""
    if isinstance(entry, Shift):
        data: dict[str, Any] = {
            "worked_on": entry.on.isoformat(),
            "start": entry.start.isoformat("minutes"),
            "finish": entry.finish.isoformat("minutes"),
            "break_minutes": entry.break_minutes,
        }
        optional = {
            "finish_on": entry.finish_on.isoformat() if entry.finish_on else None,
            "break_start": entry.break_start.isoformat("minutes") if entry.break_start else None,
            "start_fold": entry.start_fold,
            "finish_fold": entry.finish_fold,
        }
    else:
        data = {"worked_on": entry.on.isoformat(), "unit": entry.unit.value, "units": _plain(entry.units)}
        optional = {}
    optional["rate_code"] = entry.rate_code
    return data | {name: value for name, value in optional.items() if value is not None}


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"


def evidence_of(
    tx: Tx, timesheet: Timesheet, version: int, decision: str, by: DecidedBy, shown: Mapping[str, Any]
) -> dict[str, Any]:
    """The row of one decision."""
    return {
        "evidence_id": new_id(),
        "timesheet_id": timesheet.timesheet_id,
        "version": version,
        "decision": decision,
        "kind": by.kind,
        "decided_at": tx.now.isoformat(),
        "by_subject": by.subject,
        "by_name": by.name,
        "ip": by.ip,
        "user_agent": by.user_agent,
        "approval_request_id": by.approval_request_id,
        "note": by.note,
        "seen": shown,
        "seen_sha256": seen_sha256(shown),
    }
