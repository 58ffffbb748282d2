"""Codes in words: what a state, a reason or a line means, and what lifts it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from reporting.domain import show


@dataclass(frozen=True)
class State:
    """A state as people see it. `tone` picks colour and icon: waiting, blocked, done, changed, none."""

    word: str
    tone: str


STATUS = {
    "expected": State("Not sent", "waiting"),
    "not_worked": State("Did not work", "done"),
    "submitted": State("To approve", "waiting"),
    "rejected": State("Rejected", "blocked"),
    "approved": State("Approved", "done"),
}
PAY_STATE = {
    "paid": State("Paid", "done"),
    "draft": State("In the draft", "waiting"),
    "held": State("Pay held", "blocked"),
    "clearing": State("Awaiting clearance", "waiting"),
    "waiting": State("Being calculated", "waiting"),
    "none": State("–", "none"),
}
BILL_STATE = {
    "billed": State("Billed", "done"),
    "ready": State("Ready to bill", "waiting"),
    "held": State("Bill held", "blocked"),
    "clearing": State("Awaiting clearance", "waiting"),
    "waiting": State("Being charged", "waiting"),
    "none": State("–", "none"),
}

QUEUE = {
    "expected": State("Hours not sent", "waiting"),
    "submitted": State("Waits for the client's approval", "waiting"),
    "rejected": State("Rejected, to be corrected", "blocked"),
    "held": State("Held", "blocked"),
    "clearing": State("Awaiting clearance", "waiting"),
    "waiting": State("Being calculated or charged", "waiting"),
    "draft": State("In the draft, waits for the pay run", "waiting"),
    "ready": State("Ready to bill, waits for the invoice run", "waiting"),
}
"""What a timesheet waits for; each is in the first that fits, in this order."""
BASIS = {"paye": "PAYE", "umbrella": "Umbrella", "limited": "Limited company", "cis": "CIS"}
DOCUMENT = {"invoice": "Invoice", "credit_note": "Credit note", "self_bill": "Self-bill"}
_LEFT_OUT = {
    "nothing_payable": "All the hours are held, so there is nothing to pay",
    "finalised": "Paid, but for the hours that are held",
    "parked_events": "An event of this worker could not be handled, so the worker waits whole; see system health",
}
"""Why a pay run did not pay a worker, or not whole."""
_REASONS = {
    "vat_treatment_not_set": (
        "Nobody decided on the subcontractor's VAT",
        "Enter standard or reverse charge on the supplier.",
    ),
    "reverse_charge_not_for_staff": (
        "The reverse charge is set for a supply of staff",
        "Take it off the supplier: it is for construction services.",
    ),
    "reverse_charge_without_vat_number": (
        "The reverse charge needs the agency's own VAT number",
        "Enter it in the agency's details.",
    ),
    "awaiting_clearance": ("Compliance has not answered yet", "It lifts by itself when the decision arrives."),
    "missing_document": ("A required document is missing", "Record the document, or release the hold with a reason."),
    "document_not_valid_for_shift": (
        "A required document does not cover the shift",
        "Record one that was valid on the day, or release the hold with a reason.",
    ),
    "document_lapsed_since": ("A document lapsed after the shift", "It only warns; ask for the renewed document."),
    "document_missing": ("A required document is missing", "Record the document, or release the hold with a reason."),
    "compliance_hold": ("Compliance holds it", "Open it to see which document is missing."),
    "hold_after_finalisation": ("A hold came after the pay run closed", "Look at it: the pay has already gone."),
    "document_expires": ("A document expires soon", "Ask the worker for the renewed document."),
    "umbrella_not_approved": (
        "The umbrella company is not on the approved list",
        "Check it and approve it, or release the hold with a reason.",
    ),
    "umbrella_not_on_register": (
        "The umbrella company is not on the register",
        "Check it and approve it, or release the hold with a reason.",
    ),
    "umbrella_not_named": ("No umbrella company is named", "Name the payee on the placement."),
    "missing_pay_profile": ("The worker has no pay profile", "Enter tax code, NI number and start date."),
    "missing_bank_details": ("No bank details to pay to", "Enter sort code and account number."),
    "missing_payee": ("The company to be paid is not known to pay", "Enter the payee's bank details."),
    "unsupported_tax_code": ("The tax code is not supported yet", "Change the tax code, or pay this worker elsewhere."),
    "unsupported_ni_letter": ("The NI letter is not supported yet", "Change it, or pay this worker elsewhere."),
    "director_terms_missing": (
        "The profile names a director without terms",
        "Enter the method and the date of appointment.",
    ),
    "director_letter_changed": (
        "A director's NI letter changed within the year",
        "It is paid with the next pay run, letter by letter.",
    ),
    "holiday_pay_held": ("Pay for leave waits", "Open the leave: it says why."),
    "no_weeks_to_average": ("Leave has no paid week to be averaged", "Record the contract's week with the leave."),
    "no_leave_left": ("The leaver has no leave left to be paid for", "Cancel the payment in lieu."),
    "statutory_pay_held": ("Statutory pay waits", "Open the absence or leave: it says why."),
    "attachment_order_missing": (
        "The attachment order is not recorded",
        "Record the order that the profile speaks of.",
    ),
    "attachment_table_unknown": (
        "No verified table is loaded for an attachment order",
        "Enter the week's amount from the order.",
    ),
    "attachment_exceeds_earnings": ("The amount entered for an order is more than is left", "Enter a lower amount."),
    "attachment_exceeds_order": ("The amount entered for an order is more than is owed", "Enter a lower amount."),
    "sacrifice_amount_missing": (
        "The agreed salary sacrifice has no amount",
        "Enter the week's amount in the profile.",
    ),
    "sacrifice_exceeds_pay": (
        "The salary sacrifice is larger than the pay",
        "Lower the amount for this week, or wait for a week with enough pay.",
    ),
    "agency_rules_not_decided": (
        "Nobody recorded whether the agency has to run PAYE for the subcontractor",
        "Ask whether anyone may supervise, direct or control how the work is done, and enter the answer on the payee.",
    ),
    "agency_rules_apply": (
        "The subcontractor works under supervision, direction or control",
        "Place the worker on PAYE, or correct the answer on the payee.",
    ),
    "cis_not_verified": (
        "The subcontractor is not verified with HMRC, or not lately",
        "Verify with HMRC, then enter the rate, the verification number and the date on the payee.",
    ),
    "sds_missing": (
        "Nobody decided whether the work is inside IR35",
        "Get the client's status determination and enter it on the placement.",
    ),
    "deemed_pay_beside_other_pay": (
        "Deemed pay and other pay fall into one week",
        "One of them waits for the next period, or work them out together by hand.",
    ),
    "connected_earnings_not_alike": (
        "A connected employer paid the same person under another letter, or as a director",
        "Record one letter with both employers, or name them as connected no more.",
    ),
    "pay_basis_changed_after_payment": (
        "The pay basis changed after it was paid",
        "Change it back on the placement, then correct by hand.",
    ),
    "late_pay_rule_not_set": (
        "It is late, and no rule for late pay is set",
        "Say when a late week is paid; one answer serves every late week.",
    ),
    "unsupported_late_pay_rule": (
        "The rule for late pay was not supported when it was held",
        "It is paid with the next pay run.",
    ),
    "correction_of_last_year": (
        "It takes back pay of last tax year",
        "Correct that year's submission, and settle with the worker by hand.",
    ),
    "negative_pay": ("A correction is larger than the pay", "It waits for a week with enough pay."),
    "below_minimum_wage": (
        "Below the minimum wage",
        "Check the hours and the rate; what stays is paid once a person has put a name to it.",
    ),
    "minimum_wage_not_tested": (
        "The minimum wage could not be tested",
        "Record what is missing, or put a name to it; the pay proceeds.",
    ),
    "unsupported_profile": ("The pay profile needs something not supported yet", "Pay this worker elsewhere for now."),
    "missing_client_terms": ("The client has no invoice terms", "Enter the client's terms."),
    "missing_terms": ("The client has no invoice terms", "Enter the client's terms."),
    "missing_purchase_order": ("A purchase order is required and missing", "Enter the PO on the placement."),
    "po_required": ("A purchase order is required and missing", "Enter the PO on the placement."),
    "missing_placement": ("The placement has not arrived yet", "It lifts by itself when the placement arrives."),
    "late_to_closed_run": ("It was approved after the run closed", "It goes into the next open period."),
    "credited": ("It was credited and is not billed again", "Amend the timesheet if it must be billed after all."),
}
REQUIREMENTS = {
    "right_to_work": "right to work",
    "identity": "proof of identity",
    "dbs": "DBS certificate",
    "cscs": "CSCS card",
    "nmc_pin": "NMC registration",
    "key_information": "key information document",
    "kid": "key information document",
    "umbrella": "approved umbrella company",
}
ELEMENTS = {
    "basic": "Basic hours",
    "overtime": "Overtime",
    "weekend": "Weekend hours",
    "bank_holiday": "Bank holiday hours",
    "night": "Night hours",
    "call_out": "Call-out",
    "allowance": "Allowance",
    "expense": "Expense",
}
_UNITS = {"hour": "an hour", "day": "a day", "each": "each"}


_LOW_PAY = (
    "They are listed under “Below the minimum wage, or not tested” on the week’s pay run page. Put right what is wrong, or write"
    " there why you let them be paid as they are."
)
HINTS = {
    "minimum_wage_not_acknowledged": _LOW_PAY,
    "minimum_wage_findings_changed": f"Look at them again. {_LOW_PAY}",
    "totals_differ": (
        "Wait until all timesheets have arrived, cut the week off again, or open “The totals differ from the cut-off and you accept"
        " it” and say why."
    ),
}
"""What to do about a refusal, where its owner speaks to programs."""


def plain(code: str | None) -> str:
    """A code that has no words of its own, made readable: `wrong_rate` is `Wrong rate`."""
    if not code:
        return show.NOTHING
    return code.replace("_", " ").replace("-", " ").strip().capitalize()


def reason(raw: Mapping[str, Any]) -> str:
    """Why something is held, as one sentence; the requirement is named."""
    text = _REASONS.get(str(raw.get("code", "")), (plain(str(raw.get("code", ""))), ""))[0]
    needs = raw.get("requirement")
    return f"{text}: {REQUIREMENTS.get(str(needs), plain(str(needs)).lower())}" if needs else text


def remedy(code: str) -> str:
    """What to do about a reason."""
    return _REASONS.get(code, ("", "Open one of its timesheets to see what it waits for."))[1]


def left_out(outcome: str | None, code: str | None) -> str:
    """Why a pay run did not pay a worker, or not whole."""
    return _LEFT_OUT.get(code or "") or _LEFT_OUT.get(outcome or "") or reason({"code": code or outcome or ""})


def minimum_wage(code: str, detail: str) -> str:
    """What the minimum wage test found of a payslip."""
    return f"Not tested: {detail}" if code == "minimum_wage_not_tested" else f"£{detail}"


def requirement(code: str | None) -> str:
    return REQUIREMENTS.get(code or "", plain(code).lower())


@dataclass(frozen=True)
class Line:
    """What the words of a charge line need."""

    element: str
    rate_unit: str
    minutes: int
    units: Decimal | None
    pay_rate: Decimal
    basic_pay_rate: Decimal
    charge_rate: Decimal
    pay_gbp: Decimal
    charge_gbp: Decimal
    payable: bool
    billable: bool
    rate_card_version: int
    rule_id: str


def explain_pay(line: Line) -> str:
    """How a line's pay came about: `2:00 h × £19.065 (£12.71 × 1.5) = £38.13: overtime, rate card v3`."""
    if not line.payable:
        return "Not paid: this line is billed only."
    steps = f"{_quantity(line)} × £{show.rate(line.pay_rate)}{_premium(line)} = {show.pounds(line.pay_gbp)}"
    return f"{steps}: {_because(line)}"


def explain_charge(line: Line) -> str:
    """How a line's charge came about."""
    if not line.billable:
        return "Not billed: this line is paid only."
    steps = f"{_quantity(line)} × £{show.rate(line.charge_rate)} = {show.pounds(line.charge_gbp)}"
    return f"{steps}: {_because(line)}"


def _quantity(line: Line) -> str:
    if line.rate_unit == "hour":
        return f"{show.hours(line.minutes)} h"
    units = (line.units or Decimal(0)).normalize()
    return f"{units:f} {'days' if line.rate_unit == 'day' else 'items'}"


def _premium(line: Line) -> str:
    """The premium over the basic rate, when it is a short factor."""
    if line.basic_pay_rate <= 0 or line.pay_rate == line.basic_pay_rate:
        return ""
    for hundredths in range(101, 401):
        factor = Decimal(hundredths).scaleb(-2)
        if (line.basic_pay_rate * factor).quantize(Decimal("0.0001")) == line.pay_rate.quantize(Decimal("0.0001")):
            return f" (£{show.rate(line.basic_pay_rate)} × {factor.normalize():f})"
    return ""


def _because(line: Line) -> str:
    element = ELEMENTS.get(line.element, plain(line.element)).lower()
    return f"{element}, rate card v{line.rate_card_version}, rule {line.rule_id}"


def rate_unit(unit: str) -> str:
    return _UNITS.get(unit, unit)


STORY = {
    "expected": "Opened, waits for hours",
    "not_worked": "Did not work that week",
    "submitted": "Hours sent",
    "rejected": "Rejected",
    "approved": "Approved",
    "amended": "Amended after approval",
    "cleared": "Cleared by compliance",
    "held": "Held by compliance",
    "pay_held": "Pay held",
    "bill_held": "Bill held",
    "bill_ready": "Ready to bill",
    "paid": "Paid",
    "invoice": "Invoiced",
    "credit_note": "Credited",
    "self_bill": "Self-billed",
}
STORY_ORDER = {kind: number for number, kind in enumerate(STORY)}
"""What comes first when two things happened at the same instant."""
_STORY_TONE = {
    "rejected": "blocked",
    "held": "blocked",
    "pay_held": "blocked",
    "bill_held": "blocked",
    "amended": "changed",
    "credit_note": "changed",
    "expected": "waiting",
    "submitted": "waiting",
    "bill_ready": "waiting",
}


def story(kind: str, detail: Mapping[str, Any]) -> str:
    """One chapter of a timesheet's story, as a sentence after its heading."""
    parts: list[str] = []
    if detail.get("version", 1) != 1:
        parts.append(f"version {detail['version']}")
    for name in ("approved_by", "rejected_by", "released_by"):
        if name in detail:
            parts.append(f"by {_WHO.get(str(detail[name]), str(detail[name]))}")
    if "source" in detail:
        parts.append(_SOURCE.get(str(detail["source"]), f"by {detail['source']}"))
    minutes = detail.get("worked_minutes", detail.get("minutes"))
    if isinstance(minutes, int):
        parts.append(f"{show.hours(minutes)} h")
    for name, word in (("pay_gbp", "pay"), ("charge_gbp", "charge"), ("net_gbp", "net")):
        if name in detail:
            parts.append(f"{word} {show.pounds(Decimal(str(detail[name])))}")
    if "number" in detail:
        parts.append(str(detail["number"]))
    if "payday_on" in detail:
        parts.append(f"payday {show.day(date.fromisoformat(str(detail['payday_on'])))}")
    if "reason_code" in detail:
        parts.append(plain(str(detail["reason_code"])).lower())
    reasons = [reason(one) for one in detail.get("reasons") or [] if isinstance(one, Mapping)]
    return ". ".join(text for text in (", ".join(parts), "; ".join(reasons)) if text)


def story_state(kind: str, detail: Mapping[str, Any]) -> State:
    """A chapter's heading and tone. What only waits for compliance's answer is no hold yet."""
    reasons = detail.get("reasons") or []
    awaited = all(isinstance(one, Mapping) and one.get("code") == "awaiting_clearance" for one in reasons)
    if reasons and awaited and kind in ("pay_held", "bill_held"):
        return State("Pay waits for clearance" if kind == "pay_held" else "Billing waits for clearance", "waiting")
    return State(STORY.get(kind, plain(kind)), _STORY_TONE.get(kind, "done"))


_WHO = {"client": "the client", "agency": "the agency", "rule": "the rules", "person": "a person"}
_SOURCE = {"file": "from a file", "api": "by another program", "portal": "in the portal"}
