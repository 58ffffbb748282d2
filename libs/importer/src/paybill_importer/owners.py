"""One batch of lines to every service that owns some of its columns, and one verdict a line.

The timesheet service comes first: it knows the records by their references and answers each line with the record's id, under which the
other owners keep their part. Each owner refuses line by line; a line is refused when any owner refuses its part, and may be
sent again after it was corrected: every part is stored under the record's id, so nothing is doubled.
"""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import UUID

from paybill_common.ids import derived_id
from paybill_importer import rates
from paybill_importer.client import Refused, Services
from paybill_importer.layouts import LAYOUTS, PRIVATE, Kind, Owner, columns_of
from paybill_importer.reading import BadCell, Fault, Row
from paybill_importer.receipts import Receipt

RIGHT_TO_WORK = "right_to_work"
NOT_FOUND, UNPROCESSABLE = 404, 422
_ROWS_MAX = 1_000
_ROUNDS_MAX = 40
_PAYEES_AT_ONCE = 8
_POINTER = re.compile(r"#/[a-z_]+/(\d+)(?:/(.*))?")
_ISO = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})")
_UK = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})")
_WORDS = re.compile(r"(\d{1,2})(?:st|nd|rd|th)?[ -]([A-Za-z]{3,9})[ -](\d{4})")
_MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_YES = frozenset({"yes", "y", "true", "1"})
_NO = frozenset({"no", "n", "false", "0"})
_GENDERS = {"f": "F", "female": "F", "m": "M", "male": "M"}
_BASES = {"week_1": "week1", "w1": "week1", "m1": "week1", "x": "week1", "non_cumulative": "week1", "cum": "cumulative"}


@dataclass(frozen=True)
class Destination:
    """Who sends and where to: the client, the agency, and what makes an Idempotency-Key of a step's name."""

    client: Services
    agency_id: UUID
    import_id: UUID
    key: Callable[[str], str]

    def path(self, tail: str) -> str:
        return f"/v1/agencies/{self.agency_id}/{tail}"


@dataclass
class _Line:
    """A line on its way: its row, what was said so far, and the record's id once known."""

    row: Row
    changed: bool = False
    record_id: str | None = None
    fault: Fault | None = None

    def refuse(self, fault: Fault) -> None:
        if self.fault is None:
            self.fault = fault

    def receipt(self) -> Receipt:
        if self.fault is None:
            return Receipt(self.row.number, "accepted" if self.changed else "duplicate")
        fault = self.fault
        return Receipt(self.row.number, "refused", fault.column, fault.value, fault.reason, fault.hint, fault.private)


@dataclass(frozen=True)
class Part:
    """What one other owner keeps of a line: the door, and how to write its record (None: the line says nothing of it)."""

    owner: Owner
    service: str
    path: str
    field: str
    write: Callable[[str, Mapping[str, str]], dict[str, Any] | None]
    says_duplicate: bool = False
    """Whether its `accepted` means that something changed; the others say it of what they knew already, too."""


async def send(kind: Kind, rows: Sequence[Row], to: Destination) -> list[Receipt]:
    """Send a batch to all owners of its columns; one receipt a row, in order."""
    lines = [_Line(row) for row in rows]
    required = [column.name for column in LAYOUTS[kind] if column.required]
    for line in lines:
        missing = next((name for name in required if name not in line.row.values), None)
        if line.row.fault is not None:
            line.refuse(line.row.fault)
        elif missing is not None:
            line.refuse(
                Fault(f"{missing.replace('_', ' ')} is missing", "fill it in and import the file again", missing)
            )
    if kind is Kind.PAYEES:
        await _payees(lines, to)
    elif kind is Kind.RATES:
        await _to_timesheet("rate-cards", lines, to, lambda row: rates.rows_of(row.values))
    else:
        await _to_timesheet(kind.value, lines, to, lambda row: [timesheet_values(kind, row.values)])
    if kind is Kind.PLACEMENTS:
        await _rates_of_placements(lines, to)
    for part in PARTS.get(kind, ()):
        await _to_owner(part, lines, to)
    return [line.receipt() for line in lines]


async def _to_timesheet(
    target: str, lines: Sequence[_Line], to: Destination, write: Callable[[Row], list[dict[str, str]]]
) -> None:
    """The timesheet service's own import: it reads dates, hours and money, and says accepted, duplicate or refused.

    A line may be several rows there (a rate card's rates and rules); they travel together.
    """
    chunk: list[tuple[_Line, list[dict[str, str]]]] = []
    count = number = 0
    for line in lines:
        if line.fault is not None:
            continue
        try:
            rows = write(line.row)
        except BadCell as bad:
            line.refuse(bad.fault)
            continue
        if chunk and count + len(rows) > _ROWS_MAX:
            await _send_rows(target, chunk, to, number)
            chunk, count, number = [], 0, number + 1
        chunk.append((line, rows))
        count += len(rows)
    if chunk:
        await _send_rows(target, chunk, to, number)


async def _send_rows(
    target: str, chunk: Sequence[tuple[_Line, list[dict[str, str]]]], to: Destination, number: int
) -> None:
    going = list(chunk)
    for attempt in range(_ROUNDS_MAX):
        owners = [line for line, several in going for _ in several]
        rows = [{"row": line.row.number, "values": values} for line, several in going for values in several]
        if not rows:
            return
        key = to.key(f"timesheet/{target}/{number}" + (f"/{attempt}" if attempt else ""))
        try:
            answer = await to.client.post(
                "timesheet", to.path(f"imports/{target}"), {"import_id": str(to.import_id), "rows": rows}, key=key
            )
            break
        except Refused as refused:
            wrong = _too_much(refused, owners)
            if not wrong:
                raise
            going = [(line, several) for line, several in going if line not in wrong]
    else:
        for line, _ in going:
            line.refuse(Fault("too many lines of this batch are wrong", "correct the others first"))
        return
    by_row: dict[int, list[Mapping[str, Any]]] = {}
    for receipt in answer["receipts"]:
        by_row.setdefault(int(receipt["row"]), []).append(receipt)
    for line, _ in going:
        _take(line, by_row.get(line.row.number, []))
        line.fault = line.fault and _in_our_names(line.fault, line.row)


def _too_much(refused: Refused, owners: Sequence[_Line]) -> list[_Line]:
    """The lines whose values no row may have, marked refused; `owners` are the lines of the rows that were sent."""
    found: list[_Line] = []
    for pointer, detail, _ in refused.errors:
        match = _POINTER.fullmatch(pointer)
        if refused.status == UNPROCESSABLE and match is not None and int(match[1]) < len(owners):
            line = owners[int(match[1])]
            name = (match[2] or "").rpartition("/")[2]
            line.refuse(_in_our_names(Fault(detail, "shorten or correct it", name), line.row))
            found.append(line)
    return found


def _take(line: _Line, receipts: Sequence[Mapping[str, Any]]) -> None:
    if not receipts:
        line.refuse(Fault("the service gave no receipt for this line", "import the file again"))
        return
    for receipt in receipts:
        if receipt["status"] == "refused":
            line.refuse(_fault_of(receipt))
            return
    if line.record_id is None:
        line.record_id = next((str(r["record_id"]) for r in receipts if r.get("record_id")), None)
    if any(receipt["status"] == "accepted" for receipt in receipts):
        line.changed = True


def _fault_of(receipt: Mapping[str, Any], owner: Owner | None = None) -> Fault:
    text = {name: str(receipt.get(name) or "") for name in ("reason", "hint", "column", "value")}
    reason = f"{owner.value}: {text['reason']}" if owner else text["reason"]
    column = column_of(text["column"]) if owner else text["column"]
    return Fault(reason, text["hint"], column, text["value"], owner in PRIVATE)


def _in_our_names(fault: Fault, row: Row) -> Fault:
    """The service's name of a column as the name that the line knows it by."""
    ours = next((name for name in _OUR_NAMES.get(fault.column, ()) if name in row.values), None)
    return replace(fault, column=ours or _OUR_NAMES.get(fault.column, (fault.column,))[0])


async def _rates_of_placements(lines: Sequence[_Line], to: Destination) -> None:
    """The rate columns of a placements file are the placement's own rate card."""
    names = columns_of(Kind.PLACEMENTS, Owner.RATE_CARD)
    with_rates = [line for line in lines if line.fault is None and not names.isdisjoint(line.row.values)]
    await _to_timesheet("rate-cards", with_rates, to, lambda row: rates.rows_of_placement(row.values))


async def _payees(lines: Sequence[_Line], to: Destination) -> None:
    """Umbrella and limited companies go one by one, each under the id that its reference always has."""
    gate = asyncio.Semaphore(_PAYEES_AT_ONCE)

    async def put(line: _Line) -> None:
        values = line.row.values
        record_id = imported_id("payee", to.agency_id, values["reference"])
        kind = _lower(values, "kind") or "umbrella"
        body = {"external_id": values["reference"], "name": values["name"], "kind": kind}
        async with gate:
            try:
                before = await to.client.get("timesheet", to.path(f"payees/{record_id}"))
            except Refused as refused:
                if refused.status != NOT_FOUND:
                    raise
                before = None
            if before is None or any(before.get(name) != value for name, value in body.items()):
                try:
                    await to.client.put(
                        "timesheet", to.path(f"payees/{record_id}"), body, key=to.key(f"payee/{record_id}")
                    )
                except Refused as refused:
                    if refused.status != UNPROCESSABLE:
                        raise
                    pointer, detail, _ = (refused.errors or [("", refused.detail, "")])[0]
                    line.refuse(Fault(detail, refused.hint, column_of(pointer.removeprefix("#"))))
                    return
                line.changed = True
        line.record_id = str(record_id)

    await asyncio.gather(*(put(line) for line in lines if line.fault is None))


async def _to_owner(part: Part, lines: Sequence[_Line], to: Destination) -> None:
    """Send one owner's part of each line. Lines that the body's check refuses are taken out and the rest is sent again."""
    going: list[tuple[_Line, dict[str, Any]]] = []
    for line in lines:
        if line.fault is not None or line.record_id is None:
            continue
        try:
            record = part.write(line.record_id, line.row.values)
        except BadCell as bad:
            line.refuse(replace(bad.fault, private=part.owner in PRIVATE))
            continue
        if record is not None:
            going.append((line, record))
    for attempt in range(_ROUNDS_MAX):
        if not going:
            return
        body = {part.field: [record for _, record in going]}
        try:
            answer = await to.client.post(part.service, to.path(part.path), body, key=to.key(f"{part.path}/{attempt}"))
        except Refused as refused:
            bad_lines = _blamed(refused, part, going)
            if not bad_lines:
                raise
            going = [item for index, item in enumerate(going) if index not in bad_lines]
            continue
        for receipt in (answer or {}).get("receipts", []):
            index = int(receipt["line"]) if "line" in receipt else int(receipt["row"]) - 1
            if not 0 <= index < len(going):
                continue
            if receipt["status"] == "refused":
                going[index][0].refuse(_fault_of(receipt, part.owner))
            elif receipt["status"] == "accepted" and part.says_duplicate:
                going[index][0].changed = True
        return
    for line, _ in going:
        line.refuse(Fault(f"{part.owner.value}: too many lines of this batch are wrong", "correct the others first"))


def _blamed(refused: Refused, part: Part, going: Sequence[tuple[_Line, dict[str, Any]]]) -> set[int]:
    """The lines that the problem's pointers name, marked refused."""
    found: set[int] = set()
    for pointer, detail, _ in refused.errors:
        match = _POINTER.fullmatch(pointer)
        if match is None or int(match[1]) >= len(going):
            continue
        index = int(match[1])
        line, record = going[index]
        name = column_of(match[2] or "")
        value = str(line.row.values.get(name, record.get(name, "")))[:40] if name else ""
        private = part.owner in PRIVATE
        line.refuse(Fault(f"{part.owner.value}: {detail}", refused.hint, name, value, private))
        found.add(index)
    return found


# --- how each owner's record is written ---------------------------------------------------------------------------------

_THEIR_NAMES: Mapping[Kind, Mapping[str, str]] = {
    Kind.WORKERS: {"reference": "worker_ref"},
    Kind.CLIENTS: {"reference": "client_ref"},
    Kind.PLACEMENTS: {"reference": "placement_ref"},
    Kind.HOURS: {"date": "worked_on", "days": "units"},
}


_OUR_NAMES: Mapping[str, tuple[str, ...]] = {
    "worked_on": ("date",),
    "units": ("units", "days"),
    "placement_ref": ("placement_ref", "reference"),
    "worker_ref": ("worker_ref", "reference"),
    "client_ref": ("client_ref", "reference"),
    "name": ("name", "surname"),
    "effective_from": ("rates_from",),
}


FIELDS: Mapping[str, str] = {
    "worker_id": "reference",
    "client_id": "reference",
    "payee_id": "reference",
    "external_id": "reference",
    "given_name": "forename",
    "family_name": "surname",
    "pension": "pension_basis",
    "pension/basis": "pension_basis",
    "pension/employee_pct": "pension_employee_pct",
    "pension/employer_pct": "pension_employer_pct",
    "pension/sacrifice_gbp": "pension_sacrifice",
    "director": "director_method",
    "directorship": "director_method",
    "directorship/appointed_on": "director_appointed_on",
    "payrolled_benefits": "benefit_week",
    "payrolled_benefits/name": "benefit_name",
    "payrolled_benefits/starts_on": "benefit_from",
    "accommodation": "accommodation_days",
    "accommodation/charge_a_day_gbp": "accommodation_charge",
    "accommodation/starts_on": "accommodation_from",
    "starter": "starter_declaration",
    "starter/started_on": "started_on",
    "starter/p45": "p45_tax_code",
    "starter/p45/left_on": "p45_left_on",
    "starter/p45/pay_to_date_gbp": "p45_pay",
    "starter/p45/tax_to_date_gbp": "p45_tax",
    "starter/student_loan_plan": "student_loan_plan",
    "starter/postgrad_loan": "postgrad_loan",
    "requirement": "right_to_work_from",
    "valid_from": "right_to_work_from",
    "expires_on": "right_to_work_until",
    "email": "invoice_email",
    "cis": "cis_rate",
    "cis/verified_on": "cis_verified_on",
    "cis/verification_number": "cis_verification_number",
    "cis/utr": "utr",
    "agency_rules/decided_by": "agency_rules_decided_by",
    "agency_rules/decided_on": "agency_rules_decided_on",
    "agency_rules/evidence_ref": "agency_rules_evidence",
}
"""Fields of the owners' records whose column has another name; a field within another one stands for it where it is not listed."""


def column_of(field: str) -> str:
    """The column of a field that an owner names: `payrolled_benefits/0/week_gbp` is `benefit_week`."""
    steps = [step for step in field.split("/") if step and not step.isdigit()]
    for length in range(len(steps), 0, -1):
        name = FIELDS.get("/".join(steps[:length]))
        if name is not None:
            return name
    return steps[0] if steps else ""


def imported_id(kind: str, agency_id: UUID, reference: str) -> UUID:
    """The id that the timesheet service gives a record that a file names by its reference."""
    return derived_id(kind, agency_id, reference)


def timesheet_values(kind: Kind, values: Mapping[str, str]) -> dict[str, str]:
    """A line's columns of the timesheet service, under the names that it reads."""
    names, theirs = columns_of(kind, Owner.TIMESHEET), _THEIR_NAMES[kind]
    if kind is Kind.HOURS and "days" in values and "units" in values:
        raise BadCell(Fault("the row has days and units", "give one of the two", "units", values["units"][:40]))
    found = {theirs.get(name, name): text for name, text in values.items() if name in names}
    if kind is Kind.WORKERS:
        found["name"] = f"{found.pop('forename')} {found.pop('surname')}"
    return found


def iso_date(values: Mapping[str, str], name: str) -> str | None:
    """`03/04/2026` (day first), `2026-04-03` or `3 April 2026` as ISO. Raises BadCell."""
    text = values.get(name)
    if text is None:
        return None
    try:
        if found := _ISO.fullmatch(text):
            return date(int(found[1]), int(found[2]), int(found[3])).isoformat()
        if found := _UK.fullmatch(text):
            return date(int(found[3]), int(found[2]), int(found[1])).isoformat()
        if (found := _WORDS.fullmatch(text)) and (month := _month(found[2])):
            return date(int(found[3]), month, int(found[1])).isoformat()
    except ValueError:
        raise BadCell(Fault("there is no such day", "check the day and the month", name, text[:40])) from None
    raise BadCell(Fault("this is not a date", "03/04/2026 (day first) or 2026-04-03", name, text[:40]))


def _month(text: str) -> int | None:
    name = text.casefold()
    return next((n for n, full in enumerate(_MONTHS, 1) if name in (full, full[:3], full[:4])), None)


def yes_or_no(values: Mapping[str, str], name: str) -> bool | None:
    """Yes, no, or nothing said. Raises BadCell."""
    text = values.get(name)
    if text is None:
        return None
    if text.casefold() in _YES | _NO:
        return text.casefold() in _YES
    raise BadCell(Fault("this is neither yes nor no", "yes or no", name, text[:40]))


def _whole(values: Mapping[str, str], name: str) -> int | None:
    text = values.get(name)
    if text is None:
        return None
    if not re.fullmatch(r"\d{1,6}", text):
        raise BadCell(Fault("this is not a whole number", "for example 30", name, text[:40]))
    return int(text)


def _address(values: Mapping[str, str]) -> list[str] | None:
    parts = [part.strip() for part in re.split(r"[;\n]|, ", values.get("address", "")) if part.strip()]
    return parts or None


def _lower(values: Mapping[str, str], name: str) -> str | None:
    text = values.get(name)
    return re.sub(r"[\s-]+", "_", text.casefold()) if text else None


def _given(record: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if value is not None}


def _says_nothing(values: Mapping[str, str], kind: Kind, *owners: Owner) -> bool:
    return all(columns_of(kind, owner).isdisjoint(values) for owner in owners)


def _pay_profile(record_id: str, values: Mapping[str, str]) -> dict[str, Any] | None:
    if _says_nothing(values, Kind.WORKERS, Owner.PAY_PROFILE):
        return None
    starter = _starter(values)
    return _given(
        {
            "worker_id": record_id,
            "given_name": values.get("forename"),
            "family_name": values.get("surname"),
            "gender": _GENDERS.get(values.get("gender", "").casefold(), values.get("gender")),
            "address": _address(values),
            "ni_number": values.get("ni_number"),
            "birth_on": iso_date(values, "birth_on"),
            "tax_code": values.get("tax_code"),
            "tax_basis": _BASES.get(_lower(values, "tax_basis") or "", _lower(values, "tax_basis")),
            "ni_letter": values.get("ni_letter"),
            "apprentice": yes_or_no(values, "apprentice"),
            "student_loan_plan": None if starter else values.get("student_loan_plan"),
            "postgrad_loan": None if starter else yes_or_no(values, "postgrad_loan"),
            "pension": _pension(values),
            **_directorship(values),
            "apprenticeship_started_on": iso_date(values, "apprenticeship_started_on"),
            "payrolled_benefits": _benefits(values),
            "accommodation": _accommodation(values),
            "starter_declaration": None if starter else values.get("starter_declaration"),
            "starter": starter,
            "account_name": values.get("account_name"),
            "sort_code": values.get("sort_code"),
            "account_number": values.get("account_number"),
            "external_id": values["reference"],
        }
    )


_P45 = frozenset({"p45_left_on", "p45_tax_code", "p45_pay", "p45_tax"})
_UNKNOWN_PLANS = frozenset({"yes", "y", "unknown"})


def _starter(values: Mapping[str, str]) -> dict[str, Any] | None:
    """What a starter brought: a P45, or in a line without a tax code the checklist's statement. Its loan plan may be `yes`: the worker has
    one and does not know which. Raises BadCell."""
    p45 = not _P45.isdisjoint(values)
    if not p45 and ("tax_code" in values or "starter_declaration" not in values):
        return None
    plan = values.get("student_loan_plan")
    return _given(
        {
            "started_on": _from(values, "started_on"),
            "declaration": values.get("starter_declaration"),
            "p45": _p45(values) if p45 else None,
            "student_loan": True if plan is not None else None,
            "student_loan_plan": None if plan is not None and plan.casefold() in _UNKNOWN_PLANS else plan,
            "postgrad_loan": yes_or_no(values, "postgrad_loan"),
        }
    )


def _p45(values: Mapping[str, str]) -> dict[str, Any]:
    if "p45_tax_code" not in values:
        raise BadCell(Fault("p45_tax_code is missing", "give the code of the P45", "p45_tax_code", ""))
    return _given(
        {
            "left_on": _from(values, "p45_left_on"),
            "tax_code": values["p45_tax_code"],
            "pay_to_date_gbp": values.get("p45_pay"),
            "tax_to_date_gbp": values.get("p45_tax"),
        }
    )


_PENSION_BASES = {
    "net": "net_pay", "net_pay": "net_pay", "ras": "ras", "relief_at_source": "ras", "sacrifice": "salary_sacrifice",
    "salary_sacrifice": "salary_sacrifice",
}  # fmt: skip


def _pension(values: Mapping[str, str]) -> dict[str, Any] | None:
    """The pension columns as pay-calc takes them; no basis, no membership. Raises BadCell."""
    basis = _lower(values, "pension_basis")
    if basis is None:
        return None
    if basis not in _PENSION_BASES:
        hint = "net pay, relief at source or salary sacrifice"
        raise BadCell(Fault("this is no pension basis", hint, "pension_basis", values["pension_basis"][:40]))
    return _given(
        {
            "basis": _PENSION_BASES[basis],
            "employee_pct": values.get("pension_employee_pct"),
            "employer_pct": values.get("pension_employer_pct"),
            "sacrifice_gbp": values.get("pension_sacrifice"),
        }
    )


def _directorship(values: Mapping[str, str]) -> dict[str, Any]:
    """A director's columns: the method of National Insurance and since when. Raises BadCell."""
    method = _lower(values, "director_method")
    if method is None:
        return {}
    appointed_on = iso_date(values, "director_appointed_on")
    if appointed_on is None:
        hint = "give the date of appointment"
        raise BadCell(Fault("director_appointed_on is missing", hint, "director_appointed_on", ""))
    return {"director": True, "directorship": {"method": method, "appointed_on": appointed_on}}


def _benefits(values: Mapping[str, str]) -> list[dict[str, Any]] | None:
    """The one payrolled benefit that a line has room for; more come through the API. Raises BadCell."""
    if "benefit_week" not in values:
        return None
    return [
        {
            "name": values.get("benefit_name", "Benefit in kind"),
            "week_gbp": values["benefit_week"],
            "starts_on": _from(values, "benefit_from"),
        }
    ]


def _accommodation(values: Mapping[str, str]) -> dict[str, Any] | None:
    """Accommodation that is provided: nights a week, what each is charged, since when. Raises BadCell."""
    if "accommodation_days" not in values:
        return None
    return {
        "days_a_week": values["accommodation_days"],
        "charge_a_day_gbp": values.get("accommodation_charge", "0"),
        "starts_on": _from(values, "accommodation_from"),
    }


def _from(values: Mapping[str, str], name: str) -> str:
    day = iso_date(values, name)
    if day is None:
        raise BadCell(Fault(f"{name} is missing", "give the day from which it holds", name, ""))
    return day


def _right_to_work(record_id: str, values: Mapping[str, str]) -> dict[str, Any] | None:
    if "right_to_work_from" not in values:
        return None
    return _given(
        {
            "worker_id": record_id,
            "requirement": RIGHT_TO_WORK,
            "valid_from": iso_date(values, "right_to_work_from"),
            "expires_on": iso_date(values, "right_to_work_until"),
            "external_id": f"{values['reference']}:{RIGHT_TO_WORK}",
        }
    )


def _terms(record_id: str, values: Mapping[str, str]) -> dict[str, Any] | None:
    if _says_nothing(values, Kind.CLIENTS, Owner.TERMS):
        return None
    return _given(
        {
            "client_id": record_id,
            "external_id": values["reference"],
            "legal_name": values.get("legal_name", values["name"]),
            "address": _address(values),
            "vat_number": values.get("vat_number"),
            "vat_treatment": _lower(values, "vat_treatment"),
            "group_by": _lower(values, "group_by"),
            "payment_days": _whole(values, "payment_days"),
            "po_required": yes_or_no(values, "po_required"),
            "email": values.get("invoice_email"),
        }
    )


def _supplier(record_id: str, values: Mapping[str, str]) -> dict[str, Any] | None:
    if _says_nothing(values, Kind.PAYEES, Owner.SUPPLIER):
        return None
    return _given(
        {
            "payee_id": record_id,
            "external_id": values["reference"],
            "legal_name": values.get("legal_name", values["name"]),
            "address": _address(values),
            "vat_number": values.get("vat_number"),
            "vat_treatment": _lower(values, "vat_treatment"),
            "company_number": values.get("company_number"),
            "email": values.get("invoice_email"),
            "agreement_reference": values.get("agreement_reference"),
            "agreement_from": iso_date(values, "agreement_from"),
            "agreement_to": iso_date(values, "agreement_to"),
        }
    )


def _payee_bank(record_id: str, values: Mapping[str, str]) -> dict[str, Any] | None:
    if _says_nothing(values, Kind.PAYEES, Owner.PAYEE_BANK):
        return None
    return _given(
        {
            "payee_id": record_id,
            "external_id": values["reference"],
            "account_name": values.get("account_name"),
            "sort_code": values.get("sort_code"),
            "account_number": values.get("account_number"),
            "cis": _cis(values),
            "agency_rules": _agency_rules(values),
        }
    )


def _cis(values: Mapping[str, str]) -> dict[str, Any] | None:
    """How HMRC verified a subcontractor; None of anybody else."""
    if not any(values.get(name) for name in ("cis_rate", "cis_verified_on", "cis_verification_number")):
        return None
    return _given(
        {
            "rate_pct": _whole({**values, "cis_rate": values.get("cis_rate", "").rstrip("% ")}, "cis_rate"),
            "verified_on": iso_date(values, "cis_verified_on"),
            "verification_number": values.get("cis_verification_number"),
            "utr": values.get("utr"),
        }
    )


def _agency_rules(values: Mapping[str, str]) -> dict[str, Any] | None:
    """Whether the agency rules take a self-employed subcontractor, as a person decided; None of anybody else."""
    names = ("agency_rules", "agency_rules_decided_by", "agency_rules_decided_on", "agency_rules_evidence")
    if not any(values.get(name) for name in names):
        return None
    finding = _lower(values, "agency_rules")
    if not finding:
        raise BadCell(Fault("what was decided is not said", _FINDINGS, "agency_rules", ""))
    return _given(
        {
            "finding": finding.replace(" ", "_"),
            "decided_by": values.get("agency_rules_decided_by"),
            "decided_on": iso_date(values, "agency_rules_decided_on"),
            "evidence_ref": values.get("agency_rules_evidence"),
        }
    )


_FINDINGS = "controlled, not_controlled, not_personal or own_company_outside"


def _umbrella(record_id: str, values: Mapping[str, str]) -> dict[str, Any] | None:
    kind = _lower(values, "kind")
    if kind not in ("umbrella", "limited", "cis", None):
        raise BadCell(Fault("this is no kind of payee", "umbrella, limited or cis", "kind", values["kind"][:40]))
    status = _lower(values, "umbrella_status")
    if kind != "umbrella" or status is None:
        return None
    return {"payee_id": record_id, "status": status, "external_id": values["reference"]}


PARTS: Mapping[Kind, tuple[Part, ...]] = {
    Kind.WORKERS: (
        Part(Owner.PAY_PROFILE, "pay-calc", "pay-profiles/batch", "profiles", _pay_profile),
        Part(Owner.DOCUMENT, "compliance", "documents/batch", "documents", _right_to_work),
    ),
    Kind.CLIENTS: (Part(Owner.TERMS, "invoicing", "client-terms/batch", "items", _terms, says_duplicate=True),),
    Kind.PAYEES: (
        Part(Owner.PAYEE_BANK, "pay-calc", "payees/batch", "payees", _payee_bank),
        Part(Owner.SUPPLIER, "invoicing", "suppliers/batch", "items", _supplier, says_duplicate=True),
        Part(Owner.UMBRELLA, "compliance", "umbrellas/batch", "umbrellas", _umbrella),
    ),
}
