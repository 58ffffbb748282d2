"""Which columns each kind of file has, what else they may be called, and which service owns them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a file holds, one a line."""

    WORKERS = "workers"
    CLIENTS = "clients"
    PAYEES = "payees"
    PLACEMENTS = "placements"
    RATES = "rates"
    HOURS = "hours"


class Owner(StrEnum):
    """The record a column belongs to; a column may be read for several."""

    TIMESHEET = "timesheet"
    RATE_CARD = "rate card"
    PAY_PROFILE = "pay profile"
    PAYEE_BANK = "payee's bank details"
    TERMS = "billing terms"
    SUPPLIER = "self-billing supplier"
    DOCUMENT = "right-to-work document"
    UMBRELLA = "umbrella register"


@dataclass(frozen=True)
class Column:
    """One column: our name, its owner, other names it goes by, and whether a line without it is refused here."""

    name: str
    owner: Owner
    aliases: tuple[str, ...] = ()
    required: bool = False


def _column(name: str, owner: Owner, *aliases: str, required: bool = False) -> Column:
    return Column(name, owner, aliases, required)


_BANK = (
    ("account_name", "bank_account_name"),
    ("sort_code", "sortcode"),
    ("account_number", "account_no", "bank_account"),
)

_RATE_COLUMNS = (
    _column("rate_unit", Owner.RATE_CARD),
    _column("pay_rate", Owner.RATE_CARD, "pay"),
    _column("charge_rate", Owner.RATE_CARD, "charge", "bill_rate"),
    _column("overtime_daily_after", Owner.RATE_CARD, "daily_overtime_after"),
    _column("overtime_weekly_after", Owner.RATE_CARD, "weekly_overtime_after"),
    _column("overtime_multiplier", Owner.RATE_CARD, "overtime"),
    _column("saturday_multiplier", Owner.RATE_CARD, "saturday"),
    _column("sunday_multiplier", Owner.RATE_CARD, "sunday"),
    _column("bank_holiday_multiplier", Owner.RATE_CARD, "bank_holiday"),
    _column("night_from", Owner.RATE_CARD, "night_start"),
    _column("night_to", Owner.RATE_CARD, "night_end"),
    _column("night_multiplier", Owner.RATE_CARD, "night"),
    _column("minimum_call_out", Owner.RATE_CARD, "call_out"),
)

LAYOUTS: Mapping[Kind, tuple[Column, ...]] = {
    Kind.WORKERS: (
        _column("reference", Owner.TIMESHEET, "worker_ref", "worker_reference", "ref", required=True),
        _column("forename", Owner.TIMESHEET, "first_name", "given_name", required=True),
        _column("surname", Owner.TIMESHEET, "last_name", "family_name", required=True),
        _column("email", Owner.TIMESHEET, "e_mail", "email_address"),
        _column("started_on", Owner.TIMESHEET, "start_date", "starts_on"),
        _column("left_on", Owner.TIMESHEET, "leaving_date"),
        _column("ni_number", Owner.PAY_PROFILE, "nino", "national_insurance_number"),
        _column("birth_on", Owner.PAY_PROFILE, "date_of_birth", "dob", "birth_date"),
        _column("gender", Owner.PAY_PROFILE, "sex"),
        _column("address", Owner.PAY_PROFILE),
        _column("tax_code", Owner.PAY_PROFILE),
        _column("tax_basis", Owner.PAY_PROFILE),
        _column("ni_letter", Owner.PAY_PROFILE, "ni_category"),
        _column("apprentice", Owner.PAY_PROFILE),
        _column("apprenticeship_started_on", Owner.PAY_PROFILE, "apprenticeship_start"),
        _column("benefit_name", Owner.PAY_PROFILE, "payrolled_benefit"),
        _column("benefit_week", Owner.PAY_PROFILE, "benefit_amount", "payrolled_benefit_week"),
        _column("benefit_from", Owner.PAY_PROFILE, "benefit_starts_on"),
        _column("accommodation_days", Owner.PAY_PROFILE, "accommodation_days_a_week"),
        _column("accommodation_charge", Owner.PAY_PROFILE, "accommodation_charge_a_day"),
        _column("accommodation_from", Owner.PAY_PROFILE, "accommodation_starts_on"),
        _column("student_loan_plan", Owner.PAY_PROFILE, "student_loan"),
        _column("postgrad_loan", Owner.PAY_PROFILE, "postgraduate_loan"),
        _column("pension_basis", Owner.PAY_PROFILE, "pension"),
        _column("pension_employee_pct", Owner.PAY_PROFILE, "employee_pension_percent"),
        _column("pension_employer_pct", Owner.PAY_PROFILE, "employer_pension_percent"),
        _column("pension_sacrifice", Owner.PAY_PROFILE, "salary_sacrifice"),
        _column("director_method", Owner.PAY_PROFILE, "director"),
        _column("director_appointed_on", Owner.PAY_PROFILE, "director_since"),
        _column("starter_declaration", Owner.PAY_PROFILE, "starter_statement"),
        _column("p45_left_on", Owner.PAY_PROFILE, "p45_leaving_date"),
        _column("p45_tax_code", Owner.PAY_PROFILE, "p45_code"),
        _column("p45_pay", Owner.PAY_PROFILE, "p45_pay_to_date"),
        _column("p45_tax", Owner.PAY_PROFILE, "p45_tax_to_date"),
        _column(_BANK[0][0], Owner.PAY_PROFILE, *_BANK[0][1:]),
        _column(_BANK[1][0], Owner.PAY_PROFILE, *_BANK[1][1:]),
        _column(_BANK[2][0], Owner.PAY_PROFILE, *_BANK[2][1:]),
        _column("right_to_work_from", Owner.DOCUMENT, "right_to_work", "rtw_from"),
        _column("right_to_work_until", Owner.DOCUMENT, "rtw_until", "rtw_expires"),
    ),
    Kind.CLIENTS: (
        _column("reference", Owner.TIMESHEET, "client_ref", "client_reference", "ref", required=True),
        _column("name", Owner.TIMESHEET, "client", "client_name", required=True),
        _column("approver_name", Owner.TIMESHEET, "approver"),
        _column("approver_email", Owner.TIMESHEET, "approver_e_mail"),
        _column("legal_name", Owner.TERMS),
        _column("address", Owner.TERMS, "billing_address"),
        _column("vat_number", Owner.TERMS, "vat_no"),
        _column("vat_treatment", Owner.TERMS, "vat"),
        _column("group_by", Owner.TERMS, "one_invoice_per"),
        _column("payment_days", Owner.TERMS, "terms_days"),
        _column("po_required", Owner.TERMS),
        _column("invoice_email", Owner.TERMS, "invoice_e_mail"),
    ),
    Kind.PAYEES: (
        _column("reference", Owner.TIMESHEET, "payee_ref", "payee_reference", "ref", required=True),
        _column("name", Owner.TIMESHEET, "payee", "payee_name", required=True),
        _column("kind", Owner.TIMESHEET, "type"),
        _column("umbrella_status", Owner.UMBRELLA, "status"),
        _column("legal_name", Owner.SUPPLIER),
        _column("address", Owner.SUPPLIER),
        _column("vat_number", Owner.SUPPLIER, "vat_no"),
        _column("vat_treatment", Owner.SUPPLIER, "vat"),
        _column("company_number", Owner.SUPPLIER, "company_no"),
        _column("invoice_email", Owner.SUPPLIER, "email", "e_mail"),
        _column("agreement_reference", Owner.SUPPLIER),
        _column("agreement_from", Owner.SUPPLIER),
        _column("agreement_to", Owner.SUPPLIER, "agreement_until"),
        _column(_BANK[0][0], Owner.PAYEE_BANK, *_BANK[0][1:]),
        _column(_BANK[1][0], Owner.PAYEE_BANK, *_BANK[1][1:]),
        _column(_BANK[2][0], Owner.PAYEE_BANK, *_BANK[2][1:]),
        _column("cis_rate", Owner.PAYEE_BANK, "cis_rate_pct", "cis_deduction_rate"),
        _column("cis_verified_on", Owner.PAYEE_BANK, "verified_on"),
        _column("cis_verification_number", Owner.PAYEE_BANK, "verification_number"),
        _column("utr", Owner.PAYEE_BANK, "cis_utr", "unique_taxpayer_reference"),
        _column("agency_rules", Owner.PAYEE_BANK, "agency_rules_finding"),
        _column("agency_rules_decided_by", Owner.PAYEE_BANK),
        _column("agency_rules_decided_on", Owner.PAYEE_BANK),
        _column("agency_rules_evidence", Owner.PAYEE_BANK, "agency_rules_evidence_ref"),
    ),
    Kind.PLACEMENTS: (
        _column("reference", Owner.TIMESHEET, "placement_ref", "placement_reference", "ref", required=True),
        _column("worker_ref", Owner.TIMESHEET, "worker", "worker_reference", required=True),
        _column("client_ref", Owner.TIMESHEET, "client", "client_reference", required=True),
        _column("site_ref", Owner.TIMESHEET, "site", "site_reference"),
        _column("site_name", Owner.TIMESHEET),
        _column("job_title", Owner.TIMESHEET, "job", "role"),
        _column("consultant_ref", Owner.TIMESHEET, "consultant"),
        _column("consultant_name", Owner.TIMESHEET),
        _column("consultant_email", Owner.TIMESHEET, "consultant_e_mail"),
        _column("branch", Owner.TIMESHEET),
        _column("starts_on", Owner.TIMESHEET, "start_date", "start"),
        _column("last_day", Owner.TIMESHEET, "end_date", "end"),
        _column("ends_on", Owner.TIMESHEET),
        _column("pay_basis", Owner.TIMESHEET, "basis"),
        _column("payee_ref", Owner.TIMESHEET, "payee", "umbrella_ref"),
        _column("payee_name", Owner.TIMESHEET),
        _column("holiday_pay", Owner.TIMESHEET),
        _column("sds", Owner.TIMESHEET, "ir35", "status_determination"),
        _column("purchase_order", Owner.TIMESHEET, "po", "po_number"),
        _column("approver_name", Owner.TIMESHEET, "approver"),
        _column("approver_email", Owner.TIMESHEET, "approver_e_mail"),
        _column("booked_hours", Owner.TIMESHEET, "hours_booked"),
        _column("rate_card_ref", Owner.TIMESHEET, "rate_card"),
        _column("rates_from", Owner.RATE_CARD, "effective_from"),
        *_RATE_COLUMNS,
    ),
    Kind.RATES: (
        _column("rate_card_ref", Owner.RATE_CARD, "rate_card", "card", "reference"),
        _column("placement_ref", Owner.RATE_CARD, "placement"),
        _column("client_ref", Owner.RATE_CARD, "client"),
        _column("rates_from", Owner.RATE_CARD, "effective_from", "from", required=True),
        *_RATE_COLUMNS,
    ),
    Kind.HOURS: (
        _column("placement_ref", Owner.TIMESHEET, "placement", "placement_reference", required=True),
        _column("date", Owner.TIMESHEET, "day", "worked_on"),
        _column("start", Owner.TIMESHEET, "started", "from"),
        _column("finish", Owner.TIMESHEET, "finished", "to", "end"),
        _column("break", Owner.TIMESHEET, "unpaid_break", "break_minutes"),
        _column("hours", Owner.TIMESHEET),
        _column("days", Owner.TIMESHEET),
        _column("units", Owner.TIMESHEET, "items", "quantity"),
        _column("rate_code", Owner.TIMESHEET, "rate"),
        _column("expense_code", Owner.TIMESHEET, "expense_type"),
        _column("expense_pay", Owner.TIMESHEET, "expense", "expense_amount"),
        _column("expense_charge", Owner.TIMESHEET),
        _column("expense_description", Owner.TIMESHEET, "description", "note"),
        _column("worked_despite_hold", Owner.TIMESHEET),
    ),
}  # fmt: skip


def known_headers(kind: Kind) -> dict[str, str]:
    """Every normalised name that a column of this file goes by, to our name of it."""
    found: dict[str, str] = {}
    for column in LAYOUTS[kind]:
        for name in (column.name, *column.aliases):
            found.setdefault(name, column.name)
    return found


def required_columns(kind: Kind) -> tuple[str, ...]:
    """Columns that a file of this kind must have."""
    return tuple(column.name for column in LAYOUTS[kind] if column.required)


def columns_of(kind: Kind, owner: Owner) -> frozenset[str]:
    """The columns that one owner reads."""
    return frozenset(column.name for column in LAYOUTS[kind] if column.owner is owner)


SCOPES: Mapping[Owner, str] = {
    Owner.TIMESHEET: "write",
    Owner.RATE_CARD: "write",
    Owner.PAY_PROFILE: "pay:write",
    Owner.PAYEE_BANK: "pay:write",
    Owner.TERMS: "write",
    Owner.SUPPLIER: "write",
    Owner.DOCUMENT: "compliance:write",
    Owner.UMBRELLA: "compliance:write",
}
"""The right that the owner's door asks for."""


def needs(kind: Kind, headers: Mapping[str, str]) -> dict[str, list[str]]:
    """Each right that a file with these columns (our name to its header) needs, and the headers that need it."""
    found: dict[str, list[str]] = {}
    for column in LAYOUTS[kind]:
        if column.name in headers:
            named = found.setdefault(SCOPES[column.owner], [])
            if headers[column.name] not in named:
                named.append(headers[column.name])
    return found


PRIVATE = frozenset({Owner.PAY_PROFILE, Owner.PAYEE_BANK})
"""Owners whose records only payroll may read: so, too, what they say of a line that they refuse."""


def private_columns(kind: Kind) -> frozenset[str]:
    """The columns whose values only payroll may read."""
    return frozenset(column.name for column in LAYOUTS[kind] if column.owner in PRIVATE)


def columns_help(kind: Kind) -> str:
    """The columns of a file, one a line: name, whether it must be there, whose it is, other names."""
    lines = []
    for column in LAYOUTS[kind]:
        must = " (required)" if column.required else ""
        others = f"; also {', '.join(column.aliases)}" if column.aliases else ""
        lines.append(f"{column.name}{must}: {column.owner.value}{others}\n")
    return "".join(lines)
