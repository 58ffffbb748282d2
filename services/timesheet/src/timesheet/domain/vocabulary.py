"""The words that rate cards, entries and charge lines share. Each value is what goes on the wire and in the database."""

from __future__ import annotations

from enum import StrEnum


class RateUnit(StrEnum):
    HOUR = "hour"
    DAY = "day"
    EACH = "each"


class Applies(StrEnum):
    """Which side a rate is for: the worker's pay, the client's bill, or both."""

    BOTH = "both"
    PAY_ONLY = "pay_only"
    BILL_ONLY = "bill_only"

    @property
    def payable(self) -> bool:
        return self is not Applies.BILL_ONLY

    @property
    def billable(self) -> bool:
        return self is not Applies.PAY_ONLY


class LineKind(StrEnum):
    """What a charge line counts. Only `time` lines are worked minutes."""

    TIME = "time"
    CALL_OUT = "call_out"
    ALLOWANCE = "allowance"
    EXPENSE = "expense"


class Element(StrEnum):
    """What a charge line is for, as the payslip and the minimum wage test see it."""

    BASIC = "basic"
    OVERTIME = "overtime"
    WEEKEND = "weekend"
    BANK_HOLIDAY = "bank_holiday"
    NIGHT = "night"
    CALL_OUT = "call_out"
    ALLOWANCE = "allowance"
    EXPENSE = "expense"


STANDARD_RULE_ID = "standard"
"""`rule_id` of minutes and days that no premium claims."""

ENTERED_RULE_ID = "entered"
"""`rule_id` of time that the timesheet itself entered at a named rate."""

EXPENSE_RULE_ID = "expense"
"""`rule_id` of an expense line."""

RESERVED_RULE_IDS = frozenset({STANDARD_RULE_ID, ENTERED_RULE_ID, EXPENSE_RULE_ID})
