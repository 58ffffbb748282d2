"""What a worker reads on their own page: where a timesheet is, why pay waits and what to do, and what the words mean."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from reporting.domain import show, words


@dataclass(frozen=True)
class Held:
    """Why pay waits, as a sentence, and what the worker can do."""

    why: str
    do: str


@dataclass(frozen=True)
class Where:
    """Where a timesheet is: a short state, a sentence, and what the worker can do, which may be nothing. `tone` as on all pages.
    `held`: each thing that pay waits for."""

    word: str
    tone: str
    text: str
    do: str = ""
    held: tuple[Held, ...] = ()


@dataclass(frozen=True)
class Sheet:
    """A worker's timesheet as far as this page needs it. `payday_on` of the payslip that it is on, `final`: that one is closed.
    `sent_on`: when the bank was told to pay. `payee`: the company that is paid instead of the worker."""

    status: str
    pay_state: str
    pay_basis: str | None = None
    client: str = "the client"
    consultant: str = ""
    payee: str = ""
    rejected_by: str | None = None
    reject_reason: str | None = None
    reasons: Sequence[Mapping[str, Any]] = ()
    final: bool = False
    payday_on: date | None = None
    sent_on: date | None = None


def where(sheet: Sheet, today: date) -> Where:
    """Where a timesheet is, for its worker."""
    ask = sheet.consultant or "your consultant"
    if sheet.status == "expected":
        return Where(
            "Not sent", "waiting", "We have no hours from you for this week.",
            f"Send them to {ask} today so that you are paid on time. If you did not work, tell {ask} that too.",
        )  # fmt: skip
    if sheet.status == "not_worked":
        return Where(
            "No work", "done", "You did not work this week, so nothing is expected.", f"If you did, tell {ask}."
        )
    if sheet.status == "submitted":
        return Where("Waiting for approval", "waiting", f"Your hours are in. {sheet.client} has not approved them yet.")
    if sheet.status == "rejected":
        by = sheet.client if sheet.rejected_by == "client" else "Your agency"
        return Where(
            "Sent back", "blocked", f"{by} sent it back: {_SENT_BACK.get(sheet.reject_reason or '', _SENT_BACK['other'])}.",
            f"Check your hours and send them again to {ask}, or say why they are right.",
        )  # fmt: skip
    return _pay(sheet, today, ask)


def _pay(sheet: Sheet, today: date, ask: str) -> Where:
    if sheet.pay_state == "paid" and sheet.payday_on is not None:
        return _paid(sheet, today, ask)
    if sheet.pay_state == "held":
        held = tuple(why_held(reason, ask) for reason in sheet.reasons) or (_held("", ask),)
        return Where("Pay held", "blocked", "Approved, but your pay waits:", held=held)
    if sheet.pay_state == "clearing":
        return Where("Approved", "waiting", "Approved. We check your documents before it is paid; this takes minutes.")
    if sheet.pay_state == "draft" and sheet.payday_on is not None:
        when = show.day(sheet.payday_on)
        if sheet.payday_on < today:
            return Where(
                "Approved", "waiting", "Approved. It came too late for that week's pay and goes with the next."
            )
        return Where("Approved", "done", f"Approved. It is in the pay for {when}.")
    return Where("Approved", "waiting", "Approved. Your pay is being worked out.")


def _paid(sheet: Sheet, today: date, ask: str) -> Where:
    day = show.day(sheet.sent_on or sheet.payday_on)
    to = f" to {sheet.payee or 'your company'}" if sheet.pay_basis != "paye" else ""
    theirs = f" {sheet.payee or 'It'} pays you and gives you your payslip." if sheet.pay_basis == "umbrella" else ""
    if sheet.sent_on is None:
        return Where("To be paid", "done", f"Approved and worked out. It is to be paid{to} on {day}.{theirs}")
    if sheet.sent_on > today:
        return Where("On its way", "done", f"The bank is told to pay{to} on {day}.{theirs}")
    lost = "" if to else f"If it is not in your account, tell {ask}."
    return Where(f"Paid on {day}", "done", f"Paid{to} on {day}.{theirs}", lost)


def why_held(reason: Mapping[str, Any], ask: str) -> Held:
    """A reason for a hold, in the worker's words. `ask`: who can help."""
    return _held(str(reason.get("code", "")), ask, reason.get("requirement"))


def _held(code: str, ask: str, requirement: str | None = None) -> Held:
    why, do = REASONS.get(code, _OURS)
    paper = (
        _PAPERS.get(requirement, f"your {words.requirement(requirement)}")
        if requirement
        else "a paper that we must see"
    )
    return Held(why.replace("{paper}", paper), do.replace("{ask}", ask))


_PAPERS = {
    "right_to_work": "proof of your right to work",
    "identity": "proof of who you are",
    "key_information": "your signed key information document",
    "kid": "your signed key information document",
    "umbrella": "the name of an umbrella company that we know",
}
"""What a worker is asked for, where the office's own word for it would not do."""
_WE_DO = "You need not do anything. If it lasts, ask {ask}."
_OURS = ("something on our side has to be put right first.", _WE_DO)
_DETAILS = ("we lack details that we need to pay you.", "Ask {ask} which details are missing, and give them today.")
_TAX = ("your tax or National Insurance details need a check by hand.", _WE_DO)
_ORDER = ("a deduction that the law asks us to make needs a check by hand.", _WE_DO)
_SACRIFICE = (
    "what you agreed to give up for a pension or benefit does not fit this week's pay.",
    "Ask {ask} what to change.",
)
_DOCUMENT = ("we do not have {paper}.", "Send it to {ask}; your pay follows by itself.")
_COMPANY = ("the company that pays you is not yet approved by us.", "Ask {ask} whether it needs anything from you.")
_LATE = ("it came after that week's pay was closed.", "It is paid with a later pay. Ask {ask} when.")
REASONS: Mapping[str, tuple[str, str]] = {
    "awaiting_clearance": ("we check your documents before it is paid.", _WE_DO),
    "missing_document": _DOCUMENT,
    "document_missing": _DOCUMENT,
    "document_not_valid_for_shift": (
        "{paper} was out of date on the day you worked.",
        "Send {ask} one that was valid then; your pay follows by itself.",
    ),
    "compliance_hold": ("a check of your documents is not finished.", "Ask {ask} what is missing."),
    "umbrella_not_approved": _COMPANY,
    "umbrella_not_on_register": _COMPANY,
    "umbrella_not_named": ("we do not know which company pays you.", "Tell {ask} the name of your umbrella company."),
    "missing_pay_profile": _DETAILS,
    "missing_bank_details": ("we do not have your bank details.", "Give {ask} your sort code and account number."),
    "missing_payee": ("we do not have the bank details of the company that pays you.", "Ask {ask} what it must send us."),
    "unsupported_tax_code": _TAX,
    "unsupported_ni_letter": _TAX,
    "director_terms_missing": _TAX,
    "director_letter_changed": _TAX,
    "unsupported_profile": _TAX,
    "statutory_pay_held": ("sick pay or family pay has to be worked out with it.", _WE_DO),
    "attachment_order_missing": _ORDER,
    "attachment_table_unknown": _ORDER,
    "attachment_exceeds_earnings": _ORDER,
    "attachment_exceeds_order": _ORDER,
    "sacrifice_amount_missing": _SACRIFICE,
    "sacrifice_exceeds_pay": _SACRIFICE,
    "pay_basis_changed_after_payment": _OURS,
    "late_pay_rule_not_set": _LATE,
    "unsupported_late_pay_rule": _LATE,
    "late_to_closed_run": _LATE,
    "negative_pay": (
        "a correction of an earlier week is larger than this week's pay.", "Ask {ask} to show you the correction.",
    ),
    "below_minimum_wage": ("the pay came out below the minimum wage, which we may not pay.", _WE_DO),
    "minimum_wage_not_tested": ("we cannot tell whether it reaches the minimum wage.", "Give {ask} your date of birth."),
    "missing_placement": _OURS,
    "vat_treatment_not_set": _OURS,
    "reverse_charge_not_for_staff": _OURS,
    "reverse_charge_without_vat_number": _OURS,
    "agency_rules_not_decided": ("we have to ask first who decides how you do the work.", _WE_DO),
    "agency_rules_apply": ("we may have to pay you as an employee, with tax taken off.", "Ask {ask} what this means for you."),
    "cis_not_verified": ("we have to check your company with HMRC first.", "Give {ask} its unique taxpayer reference, ten digits."),
    "sds_missing": (
        "the client has not said how this work is taxed.", "You need not do anything. If it lasts, ask {ask} for the client's answer.",
    ),
    "deemed_pay_beside_other_pay": _OURS,
    "connected_earnings_not_alike": _OURS,
    "correction_of_last_year": ("it corrects pay of the last tax year, which we do by hand.", _WE_DO),
    "holiday_pay_held": ("your holiday pay has to be worked out with it.", _WE_DO),
    "no_weeks_to_average": ("we have no paid weeks to work out your holiday pay from.", "Ask {ask} what your contract says."),
    "no_leave_left": ("there is no holiday left to be paid for.", "Ask {ask} to show you the days that were taken."),
}  # fmt: skip
"""Why pay waits and what to do, for every code that can hold pay."""
NOT_ABOUT_PAY = frozenset(
    {
        "document_lapsed_since", "hold_after_finalisation", "document_expires", "missing_client_terms", "missing_terms",
        "missing_purchase_order", "po_required", "credited",
    }
)  # fmt: skip
"""Codes that warn or hold a bill: no business of the worker."""
_SENT_BACK = {
    "hours_wrong": "the hours are not right",
    "wrong_hours": "the hours are not right",
    "hours_do_not_match": "the hours are not what they have",
    "wrong_day": "a day is not right",
    "break_wrong": "the break is not right",
    "expense_wrong": "an expense is not right",
    "not_worked": "they say that you did not work then",
    "not_ours": "they say that you did not work for them",
    "other": "something is not right",
}


@dataclass(frozen=True)
class Term:
    """A word of the trade and what it means. `pattern` finds it in a sentence."""

    key: str
    name: str
    means: str
    pattern: re.Pattern[str]


def _term(key: str, name: str, pattern: str, means: str) -> Term:
    return Term(key, name, means, re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE))


TERMS = (
    _term("gross", "Gross pay", "gross pay|gross", "Everything you earned, before anything is taken off."),
    _term("net", "Net pay", "net pay|take-home pay", "What you get: gross pay less what is taken off."),
    _term("tax-code", "Tax code", "tax code|code (?=[0-9SCDKBN])[0-9A-Z]+(?: W1| M1)?",
          "HMRC's code for how much you may earn before tax. 1257L is the usual one. If yours is wrong, only HMRC can change it: "
          "call them or use your personal tax account."),
    _term("tax-period", "Tax period", "tax period(?: \\d+)?|tax week(?: \\d+)?",
          "Tax weeks are counted from 6 April. Your tax is worked out over all weeks so far, so one week can pay back another."),
    _term("taxable", "Taxable pay", "taxable pay", "The part of your pay that income tax is worked out on."),
    _term("tax", "Income tax", "income tax", "Tax on what you earn. We take it off and send it to HMRC for you."),
    _term("nic", "National Insurance", "national insurance",
          "What you pay towards the State Pension and some benefits. It starts when a week's pay passes a threshold."),
    _term("threshold", "Threshold", "(?:primary |secondary )?threshold|lower earnings limit|upper earnings limit",
          "An amount that the law sets. Below it nothing is taken; above it a part is."),
    _term("ni-letter", "National Insurance letter", "letter [A-Z]|NI letter",
          "Says which National Insurance rates you pay. A is the usual one."),
    _term("holiday", "Holiday pay", "holiday pay",
          "Pay for your holiday. Where it is rolled up, you get it each week with your pay and not again when you are away."),
    _term("pension", "Pension", "pension|qualifying earnings", "Money put aside for when you retire. Your agency pays in too."),
    _term("sacrifice", "Salary sacrifice", "salary sacrifice",
          "Pay that you agreed to give up for something else, mostly a pension. It is taken before tax."),
    _term("loan", "Student loan", "(?:student|postgraduate)(?: or postgraduate)? loan",
          "What you pay back of a loan for studying. HMRC tells us to take it."),
    _term("attachment", "Attachment of earnings", "attachment of earnings|attachment order",
          "Money that a court, a council or the government told us to take from your pay."),
    _term("umbrella", "Umbrella company", "umbrella company", "A company that employs you and pays you what we pay it."),
    _term("payslip", "Payslip", "payslip", "The paper that says what you earned, what was taken off and what you get."),
)  # fmt: skip


@dataclass(frozen=True)
class Part:
    """A piece of a sentence; `term` when the piece is a word that is explained."""

    text: str
    term: Term | None = None


def parts(text: str) -> list[Part]:
    """A sentence with each word of the trade marked where it comes first."""
    found: list[tuple[int, int, Term]] = []
    for term in TERMS:
        match = term.pattern.search(text)
        if match and not any(match.start() < end and start < match.end() for start, end, _ in found):
            found.append((match.start(), match.end(), term))
    pieces, at = [], 0
    for start, end, term in sorted(found, key=lambda one: one[0]):
        pieces += [Part(text[at:start]), Part(text[start:end], term)]
        at = end
    return [piece for piece in (*pieces, Part(text[at:])) if piece.text]


def terms_in(texts: Iterable[str]) -> list[Term]:
    """The words of the trade in these texts, each once, by name."""
    found = {part.term.key: part.term for text in texts for part in parts(text) if part.term is not None}
    return sorted(found.values(), key=lambda term: term.name)
