"""Another service's answer as headed facts and tables, whatever its fields: names tell how a value is written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from reporting.domain import show, words

ROWS_MAX = 200
_CODES = frozenset({"code", "status", "state", "reason", "kind", "element", "outcome", "pay_basis", "rate_code"})
_NAMED = {"worker_id": "worker", "client_id": "client", "payee_id": "payee", "consultant_id": "consultant"}
_HIDDEN = frozenset(
    {
        "agency_id",
        "week_ending",
        "period_to",
        "pay_run_id",
        "external_id",
        "audit_entry",
        "cursor",
        "next_cursor",
        "row",
    }
)


@dataclass(frozen=True)
class Fact:
    """One labelled value; `title` is shown on hover, `number` aligns right, `href` leads to what it is made of."""

    label: str
    text: str
    title: str = ""
    number: bool = False
    href: str = ""


@dataclass(frozen=True)
class Grid:
    """A table: its heading, column heads, and rows of facts."""

    title: str
    heads: tuple[Fact, ...]
    rows: tuple[tuple[Fact, ...], ...]
    left_out: int = 0


@dataclass(frozen=True)
class Tidied:
    facts: tuple[Fact, ...] = ()
    grids: tuple[Grid, ...] = ()
    notes: tuple[str, ...] = field(default=())


def names_wanted(value: Any) -> dict[str, set[UUID]]:
    """The records whose names an answer needs: kind to ids."""
    found: dict[str, set[UUID]] = {}
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, Mapping):
            for key, inner in item.items():
                if key in _NAMED and isinstance(inner, str) and (known := _uuid(inner)):
                    found.setdefault(_NAMED[key], set()).add(known)
                elif key.endswith("workers") and isinstance(inner, list):
                    found.setdefault("worker", set()).update(known for raw in inner if (known := _uuid(str(raw))))
                elif isinstance(inner, (Mapping, list)):
                    stack.append(inner)
        elif isinstance(item, list):
            stack.extend(item[:5_000])
    return found


def tidy(value: Any, *, names: Mapping[UUID, str], base: str = "") -> Tidied:
    """Facts of an object, a table for each list of objects, a note for each text in a list. `base` heads links."""
    if isinstance(value, list):
        value = {"items": value}
    if not isinstance(value, Mapping):
        return Tidied()
    facts: list[Fact] = []
    grids: list[Grid] = []
    notes: list[str] = []
    alike: dict[tuple[str, ...], list[tuple[str, tuple[Fact, ...]]]] = {}
    for key, inner in value.items():
        if key in _HIDDEN or inner is None:
            continue
        if isinstance(inner, Mapping):
            items = inner.get("items")
            if isinstance(items, list):
                if items:
                    count = inner.get("count")
                    title = words.reason({"code": key}) + (f" ({count:,})" if isinstance(count, int) else "")
                    grids.append(_grid(title, items, names, base))
                continue
            nested = tidy(inner, names=names, base=base)
            if nested.facts:
                alike.setdefault(tuple(fact.label for fact in nested.facts), []).append((_label(key), nested.facts))
            grids.extend(nested.grids)
            notes.extend(nested.notes)
        elif isinstance(inner, list):
            if inner and all(isinstance(item, Mapping) for item in inner):
                grids.append(_grid(_label(key), inner, names, base))
            elif inner:
                notes.append(f"{_label(key)}: {', '.join(_note(item, names) for item in inner[:50])}.")
        else:
            facts.append(_fact(key, inner, names, base))
    summed = [_side_by_side(labels, rows) for labels, rows in alike.items()]
    return Tidied(tuple(facts), tuple(grid for grid in (*summed, *grids) if grid.rows), tuple(notes))


@dataclass(frozen=True)
class Evidence:
    """One decision about a timesheet: a heading, then who, when, from where and what was seen."""

    heading: str
    facts: tuple[Fact, ...]


_DECISIONS = {
    "approved": "Approved",
    "rejected": "Rejected",
    "amended": "Amended",
    "recorded": "Recorded, although compliance blocks new hours,",
}
_DECIDERS = {"client": "the client", "agency": "the agency"}


def evidence(raw: Mapping[str, Any]) -> Evidence:
    """The timesheet service's evidence of a decision, for people."""
    decision, kind = str(raw.get("decision", "")), str(raw.get("kind", ""))
    version = raw.get("version")
    heading = f"{_DECISIONS.get(decision, words.plain(decision))} by {_DECIDERS.get(kind, words.plain(kind).lower())}"
    seen = raw.get("seen")
    pairs = (
        ("Who", str(raw.get("by_name") or raw.get("by_subject") or ""), str(raw.get("by_subject") or "")),
        ("When", *_when(str(raw.get("decided_at") or ""))),
        ("From", str(raw.get("ip") or ""), str(raw.get("user_agent") or "")),
        ("Said", str(raw.get("note") or ""), ""),
        ("Saw", _seen(seen) if isinstance(seen, Mapping) else "", str(raw.get("seen_sha256") or "")),
    )
    return Evidence(
        f"{heading}, version {version}" if version not in (None, 1) else heading,
        tuple(Fact(label, text, title) for label, text, title in pairs if text),
    )


@dataclass(frozen=True)
class Kept:
    """A document that compliance keeps, for people. `file_of` is None when nobody attached a file."""

    requirement: str
    held: words.State
    recorded: str
    file_name: str
    file_of: UUID | None


def document(raw: Mapping[str, Any], *, worked_to: date) -> Kept:
    """Compliance's record of a document, and whether it holds for a week that ends then."""
    since, until = _day(str(raw.get("valid_from", ""))), _day(str(raw.get("expires_on") or ""))
    when, _ = _when(str(raw.get("recorded_at") or ""))
    lapsed = until is not None and until < worked_to
    early = since is not None and since > worked_to
    name = words.requirement(str(raw.get("requirement", "")))
    text = f"Expired {show.dated(until)}" if lapsed else f"From {show.dated(since)}"
    if until is not None and not lapsed:
        text = f"{text} to {show.dated(until)}"
    return Kept(
        name[:1].upper() + name[1:],
        words.State(text, "blocked" if lapsed else "waiting" if early else "done"),
        f"{when}, {raw['recorded_by']}" if raw.get("recorded_by") else when,
        str(raw.get("file_name") or ""),
        _uuid(str(raw.get("document_id", ""))) if raw.get("file_name") else None,
    )


def _when(text: str) -> tuple[str, str]:
    moment = _moment(text)
    return (show.moment(moment), show.full_moment(moment)) if moment else (text, "")


def _seen(seen: Mapping[str, Any]) -> str:
    """The hours and expenses that were on the page, day by day: what a client was shown before deciding."""
    entries = [one for one in seen.get("entries") or [] if isinstance(one, Mapping)]
    expenses = [one for one in seen.get("expenses") or [] if isinstance(one, Mapping)]
    parts = [_entry(entry) for entry in entries]
    parts += [f"{words.plain(str(one.get('code', ''))).lower()} £{one.get('charge_gbp', '')}" for one in expenses]
    return "; ".join(parts) if parts else "no hours"


def _entry(entry: Mapping[str, Any]) -> str:
    day = _day(str(entry.get("worked_on", "")))
    said = show.day(day) if day else ""
    if entry.get("start") and entry.get("finish"):
        pause = entry.get("break_minutes") or 0
        said = f"{said} {entry['start']} to {entry['finish']}{f' less {pause} min' if pause else ''}"
    elif entry.get("units"):
        said = f"{said} {entry['units']} {entry.get('unit') or ''}"
    return said.strip()


def _side_by_side(labels: tuple[str, ...], rows: list[tuple[str, tuple[Fact, ...]]]) -> Grid:
    """Objects of the same fields under one another: before, this, after."""
    first = rows[0][1]
    heads = (Fact("", ""), *(Fact(fact.label, fact.label, number=fact.number) for fact in first))
    return Grid("Totals", heads, tuple((Fact("", name), *facts) for name, facts in rows))


def _note(item: Any, names: Mapping[UUID, str]) -> str:
    known = _uuid(str(item))
    return names.get(known, str(item)[-8:]) if known is not None else _word(item)


def _grid(title: str, items: list[Any], names: Mapping[UUID, str], base: str) -> Grid:
    keys: list[str] = []
    for item in items[:ROWS_MAX]:
        keys.extend(key for key in item if key not in keys and key not in _HIDDEN)
    shown = [key for key in keys if any(_worth(item.get(key)) for item in items[:ROWS_MAX])][:10]
    heads = tuple(Fact(_label(key), _label(key), number=_is_number(key, items)) for key in shown)
    rows = tuple(tuple(_fact(key, item.get(key), names, base) for key in shown) for item in items[:ROWS_MAX])
    return Grid(title, heads, rows, max(0, len(items) - ROWS_MAX))


def _worth(value: Any) -> bool:
    return value not in (None, "", [], {})


def _is_number(key: str, items: list[Any]) -> bool:
    return any(_fact(key, item.get(key), {}, "").number for item in items[:5])


def _fact(key: str, value: Any, names: Mapping[UUID, str], base: str) -> Fact:
    label = _label(key)
    if value is None:
        return Fact(label, show.NOTHING)
    if isinstance(value, bool):
        return Fact(label, "yes" if value else "no")
    if isinstance(value, list):
        return Fact(label, ", ".join(_word(item) for item in value[:8]))
    if isinstance(value, Mapping):
        return Fact(label, ", ".join(f"{_label(k).lower()} {_word(v)}" for k, v in value.items() if _worth(v)))
    if key.endswith("_gbp") and (amount := _decimal(value)) is not None:
        return Fact(label, show.money(amount), number=True)
    if key.endswith("minutes") and isinstance(value, int):
        return Fact(label, show.hours(value), show.hours_decimal(value), number=True)
    if isinstance(value, (int, Decimal)):
        return Fact(label, f"{value:,}", number=True)
    text = str(value)
    known = _uuid(text)
    if known is not None:
        where = {"timesheet_id": "timesheets", "payslip_id": "payslips"}.get(key)
        href = f"{base}/{where}/{known}" if where and base else ""
        return Fact(label, names.get(known, "open" if href else text[-8:]), text, href=href)
    if moment := _moment(text):
        return Fact(label, show.moment(moment), show.full_moment(moment))
    if day := _day(text):
        return Fact(label, show.day(day), show.full_day(day))
    if key == "requirement":
        return Fact(label, words.requirement(text))
    return Fact(label, _word(text) if key in _CODES else text)


def _word(value: Any) -> str:
    if isinstance(value, Mapping):
        return words.reason(value) if "code" in value else ", ".join(str(inner) for inner in value.values())
    text = str(value)
    return words.reason({"code": text}) if re.fullmatch(r"[a-z][a-z0-9_]{2,60}", text) else text


def _label(key: str) -> str:
    text = _LABELS.get(key) or re.sub(r"_(gbp|id|on|at)$", "", key.removesuffix("_name"))
    text = {"minutes": "hours", "code": "reason"}.get(text, text.replace("_minutes", "_hours"))
    text = text.replace("_", " ").capitalize()
    if key.endswith("_gbp"):
        text = f"{text} £"
    return re.sub(r"\b(vat|nic|paye|ni|po|fps)\b", lambda found: found.group().upper(), text, flags=re.IGNORECASE)


_LABELS = {"funds_on": "funds on", "break_minutes": "break", "prepared_at": "prepared at", "released_at": "released at"}


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text) if len(text) == 36 else None
    except ValueError:
        return None


def _decimal(value: Any) -> Decimal | None:
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return None


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text) else None
    except ValueError:
        return None


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text) if re.match(r"\d{4}-\d{2}-\d{2}T", text) else None
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is not None else None
