"""Stored timesheets as the events that tell of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any, Literal, cast
from uuid import UUID

from paybill_common.ids import derived_id
from paybill_common.money import from_pence
from paybill_contracts.base import PayBasis, Sds
from paybill_contracts.timesheet import ChargeLine as WireLine
from paybill_contracts.timesheet import (
    DayMinutes,
    TimesheetAmended,
    TimesheetApproved,
    TimesheetExpected,
    TimesheetRejected,
    TimesheetSubmitted,
)
from timesheet.domain.lines import ChargeLine, Interpretation
from timesheet.store.timesheets import PlacementFacts, Timesheet

By = Literal["client", "agency"]
_PLACEMENT = tuple(field.name for field in fields(PlacementFacts))


def charge_line_id(timesheet_id: UUID, version: int, ordinal: int) -> UUID:
    """The id of a charge line: the same whenever this version is charged again."""
    return derived_id("charge_line", timesheet_id, version, ordinal)


def shared(
    *, agency_id: UUID, timesheet: Timesheet, version: int, placement: PlacementFacts | None = None
) -> dict[str, Any]:
    """The fields that every event of a timesheet carries."""
    facts = placement or timesheet.placement
    return {
        "agency_id": agency_id,
        "worker_id": facts.worker_id,
        "timesheet_id": timesheet.timesheet_id,
        "version": version,
        "placement_id": facts.placement_id,
        "client_id": facts.client_id,
        "site_id": facts.site_id,
        "consultant_id": facts.consultant_id,
        "branch": facts.branch,
        "week_ending": timesheet.week_ending,
        "pay_basis": cast(PayBasis, facts.pay_basis),
        "payee_id": facts.payee_id,
        "purchase_order": facts.purchase_order,
        "reference": timesheet.reference,
    }


def expected(
    *, agency_id: UUID, timesheet: Timesheet, version: int, at: datetime, not_worked: bool = False
) -> TimesheetExpected:
    return TimesheetExpected(
        **shared(agency_id=agency_id, timesheet=timesheet, version=version),
        expected_at=at,
        not_worked_at=at if not_worked else None,
    )


def submitted(*, agency_id: UUID, timesheet: Timesheet, charged: Interpretation, at: datetime) -> TimesheetSubmitted:
    return TimesheetSubmitted(
        **shared(agency_id=agency_id, timesheet=timesheet, version=timesheet.state.version),
        submitted_at=at,
        source=cast(Literal["api", "file", "portal"], timesheet.source),
        minutes=charged.worked_minutes,
        pay_gbp=from_pence(charged.pay_pence),
        charge_gbp=from_pence(charged.charge_pence),
    )


def rejected(*, agency_id: UUID, timesheet: Timesheet, by: By, reason_code: str, at: datetime) -> TimesheetRejected:
    return TimesheetRejected(
        **shared(agency_id=agency_id, timesheet=timesheet, version=timesheet.state.version),
        rejected_at=at,
        rejected_by=by,
        reason_code=reason_code,
    )


def approved(
    *,
    agency_id: UUID,
    timesheet: Timesheet,
    version: int,
    placement: PlacementFacts,
    charged: Interpretation,
    by: By,
    evidence_id: UUID,
    at: datetime,
    amends: tuple[int, str] | None = None,
) -> TimesheetApproved | TimesheetAmended:
    """The approval, or with `amends` (version, reason code) the amendment of an approved version."""
    common: dict[str, Any] = {
        **shared(agency_id=agency_id, timesheet=timesheet, version=version, placement=placement),
        "approved_at": at,
        "approved_by": by,
        "evidence_id": evidence_id,
        "holiday_pay": placement.holiday_pay,
        "lines": wire_lines(timesheet.timesheet_id, version, charged.lines),
        "worked_minutes": charged.worked_minutes,
        "payable_minutes": charged.payable_minutes,
        "billable_minutes": charged.billable_minutes,
        "pay_gbp": from_pence(charged.pay_pence),
        "charge_gbp": from_pence(charged.charge_pence),
        "sds": cast(Sds | None, placement.sds),
    }
    if amends is None:
        return TimesheetApproved(**common)
    return TimesheetAmended(**common, amends_version=amends[0], reason_code=amends[1])


def wire_lines(timesheet_id: UUID, version: int, lines: Sequence[ChargeLine]) -> tuple[WireLine, ...]:
    return tuple(
        WireLine(
            charge_line_id=charge_line_id(timesheet_id, version, line.ordinal),
            ordinal=line.ordinal,
            kind=line.kind.value,
            element=line.element.value,
            rate_code=line.rate_code,
            rate_unit=line.rate_unit.value,
            minutes=line.minutes,
            units=line.units,
            pay_rate=line.pay_rate,
            basic_pay_rate=line.basic_pay_rate,
            charge_rate=line.charge_rate,
            pay_gbp=from_pence(line.pay_pence),
            charge_gbp=from_pence(line.charge_pence),
            payable=line.payable,
            billable=line.billable,
            rate_card_id=line.rate_card_id,
            rate_card_version=line.rate_card_version,
            rule_id=line.rule_id,
            days=tuple(DayMinutes(worked_on=on, minutes=minutes) for on, minutes in line.days),
        )
        for line in lines
    )


def placement_to_dict(placement: PlacementFacts) -> dict[str, Any]:
    values = {name: getattr(placement, name) for name in _PLACEMENT}
    return {name: None if value is None else str(value) for name, value in values.items()}


def placement_from_dict(data: Mapping[str, Any]) -> PlacementFacts:
    """The facts as approved."""
    ids = ("placement_id", "worker_id", "client_id", "site_id", "consultant_id", "payee_id")
    return PlacementFacts(**{**data, **{name: UUID(data[name]) if data[name] else None for name in ids}})
