"""A Bacs Standard 18 file: credits of one processing day and the contra debit that balances them.

Source: Bacs, "Standard 18" file structure, as banks publish it. The labels VOL1 to UTL1 vary a little from bank to bank: check the
bank's guide before the first live file. Lines end in CR LF; a payment record has 100 characters, a label 80.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

_ALLOWED = re.compile(r"[^A-Z0-9.&/\- ]")
AMOUNT_PENCE_MAX = 10**11 - 1


class NotBacs(ValueError):
    """A payment or an originator that Standard 18 cannot carry; the message names it."""


@dataclass(frozen=True, slots=True)
class Originator:
    """Who pays: six-digit service user number (SUN), own sort code, account and name."""

    service_user_number: str
    sort_code: str
    account_number: str
    name: str


@dataclass(frozen=True, slots=True)
class Credit:
    sort_code: str
    account_number: str
    name: str
    reference: str
    amount_pence: int


def bacs_text(text: str, width: int) -> str:
    """Upper case, the Bacs character set, anything else a space; cut and padded to the field."""
    return _ALLOWED.sub(" ", text.upper())[:width].ljust(width)


def julian(day: date) -> str:
    """bYYDDD: a space, the year's two digits, the day of the year."""
    return f" {day:%y%j}"


def standard_18(
    originator: Originator, credits: Sequence[Credit], *, processing_on: date, created_on: date, serial: int
) -> str:
    """The file's text. `processing_on` is the day before the money arrives. Raises NotBacs."""
    _check(originator, credits)
    total = sum(credit.amount_pence for credit in credits)
    sun = originator.service_user_number
    vol_serial = f"{serial % 10**6:06d}"
    file_id = f"A{sun}S  1{sun}"
    created, expires = julian(created_on), julian(processing_on)

    def header(label: str, blocks: int) -> str:
        return _label(
            f"{label}{file_id:<17}{vol_serial}00010001{'':4}{'':2}{created}{expires} {blocks:06d}{'':13}{'':7}"
        )

    def second(label: str) -> str:
        return _label(f"{label}F0200000100{'':35}00{'':28}")

    records = [_record(originator, credit, "99") for credit in credits]
    contra = Credit(originator.sort_code, originator.account_number, originator.name, "CONTRA", total)
    records.append(_record(originator, contra, "17"))
    lines = [
        _label(f"VOL1{vol_serial}{'':1}{'':26}{'':4}{sun}{'':4}{'':28}1"),
        header("HDR1", 0),
        second("HDR2"),
        _label(f"UHL1{julian(processing_on)}999999{'':4}000000001 DAILY  001"),
        *records,
        header("EOF1", -(-len(records) // 20)),
        second("EOF2"),
        _label(f"UTL1{total:013d}{total:013d}{1:07d}{len(credits):07d}"),
    ]
    return "\r\n".join(lines) + "\r\n"


def _check(originator: Originator, credits: Sequence[Credit]) -> None:
    if not credits:
        raise NotBacs("a Bacs file needs at least one payment")
    if re.fullmatch(r"[0-9]{6}", originator.service_user_number) is None:
        raise NotBacs("the employer's service user number (SUN) is six digits")
    for name, sort_code, account in (
        ("the employer", originator.sort_code, originator.account_number),
        *((f"payment {n}", credit.sort_code, credit.account_number) for n, credit in enumerate(credits, 1)),
    ):
        if re.fullmatch(r"[0-9]{6}", sort_code) is None or re.fullmatch(r"[0-9]{8}", account) is None:
            raise NotBacs(f"{name} needs a sort code of six digits and an account number of eight")
    for number, credit in enumerate(credits, 1):
        if not 0 < credit.amount_pence <= AMOUNT_PENCE_MAX:
            raise NotBacs(f"payment {number} of {credit.amount_pence} pence does not fit a Bacs record")
    if sum(credit.amount_pence for credit in credits) > AMOUNT_PENCE_MAX:
        raise NotBacs("the payments together do not fit one contra record: release them in several files")


def _record(originator: Originator, credit: Credit, code: str) -> str:
    return (
        f"{credit.sort_code}{credit.account_number}0{code}{originator.sort_code}{originator.account_number}{'':4}"
        f"{credit.amount_pence:011d}{bacs_text(originator.name, 18)}{bacs_text(credit.reference, 18)}{bacs_text(credit.name, 18)}"
    )


def _label(text: str) -> str:
    return text.ljust(80)
