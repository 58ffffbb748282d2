"""Files of rates: each row is one named rate or one rule of a card; rows of a card and first day make one version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

from paybill_common.db import Tx
from timesheet.domain.fields import FieldRefused
from timesheet.domain.rates import RateCard
from timesheet.store import cards as card_store
from timesheet.store import records
from timesheet.store.records import KINDS
from timesheet.usecases import rating
from timesheet.usecases.importing.records import Rows, imported_id
from timesheet.usecases.importing.rows import Cells, ImportReceipt, RowRefused
from timesheet.usecases.rating import CardHead

_ALIASES = {
    "rate_card": "rate_card_ref",
    "card": "rate_card_ref",
    "client": "client_ref",
    "placement": "placement_ref",
    "code": "rate_code",
    "rate": "rate_code",
    "pay": "pay_rate",
    "charge": "charge_rate",
    "bill_rate": "charge_rate",
    "markup": "markup_pct",
    "margin": "margin_pct",
    "start_date": "effective_from",
}
_RULES: Mapping[str, tuple[str, ...]] = {
    "daily_overtime": ("after_minutes",),
    "weekly_overtime": ("after_minutes",),
    "day_of_week": ("day",),
    "bank_holiday": ("division",),
    "night": ("start", "end"),
    "minimum_call_out": ("minutes",),
    "allowance": ("per",),
}
_NO_PREMIUM = ("minimum_call_out", "allowance")


@dataclass
class _Version:
    """The rows of one card and first day."""

    head: CardHead
    effective_from: date
    effective_to: date | None
    standard_code: str | None
    rates: dict[str, dict[str, Any]] = field(default_factory=dict)
    rules: dict[str, dict[str, Any]] = field(default_factory=dict)
    rows: list[tuple[int, int]] = field(default_factory=list)


async def import_rate_cards(tx: Tx, *, agency_id: UUID, rows: Rows, by: str) -> list[ImportReceipt]:
    """Columns: rate_card_ref, effective_from; client_ref or placement_ref, effective_to, name, standard_code.

    A rate: rate_code, pay_rate and charge_rate (or one of them with markup_pct or margin_pct), unit, label, applies,
    element. A rule: rule_type and rule_id with pay_multiplier (and charge_multiplier) or rate_code, and after_hours, day,
    division, start and end, minimum_hours, or per. Rows add to a version that is already known for that day.
    """
    receipts: dict[int, ImportReceipt] = {}
    versions: dict[tuple[str, date], _Version] = {}
    parsed = [(index, number, values) for index, (number, values) in enumerate(rows)]
    names = [_cells(values) for _, _, values in parsed]
    clients = await _ids(tx, agency_id, "client", names)
    placements = await _ids(tx, agency_id, "placement", names)
    cards = await card_store.ids_by_external(
        tx, agency_id=agency_id, external_ids=[c.raw("rate_card_ref") or "" for c in names if isinstance(c, Cells)]
    )
    for (index, number, _), cells in zip(parsed, names, strict=True):
        try:
            if isinstance(cells, RowRefused):
                raise cells
            version = _version(cells, agency_id, versions, cards, clients, placements)
            _add(cells, version)
            version.rows.append((index, number))
        except RowRefused as refused:
            receipts[index] = refused.receipt(number)
    ready = await _ready(tx, agency_id, list(versions.values()), receipts)
    changed = await rating.put_versions(
        tx, agency_id=agency_id, cards=[(version.head, card) for version, card in ready], by=by
    )
    for (version, card), is_new in zip(ready, changed, strict=True):
        for index, number in version.rows:
            receipts[index] = ImportReceipt(number, "accepted" if is_new else "duplicate", card.id)
    return [receipts[index] for index in range(len(rows))]


def _cells(values: Mapping[str, str | None]) -> Cells | RowRefused:
    try:
        return Cells(values, _ALIASES)
    except RowRefused as refused:
        return refused


async def _ids(tx: Tx, agency_id: UUID, kind: str, rows: list[Cells | RowRefused]) -> dict[str, UUID]:
    named = [row.raw(f"{kind}_ref") for row in rows if isinstance(row, Cells)]
    return await records.ids_by_reference(
        tx, agency_id=agency_id, kind=KINDS[kind], references=[one for one in named if one is not None]
    )


def _version(
    cells: Cells,
    agency_id: UUID,
    versions: dict[tuple[str, date], _Version],
    cards: Mapping[str, UUID],
    clients: Mapping[str, UUID],
    placements: Mapping[str, UUID],
) -> _Version:
    reference = cells.required("rate_card_ref", length_max=120)
    effective_from = cells.day("effective_from")
    if effective_from is None:
        raise RowRefused(
            "cell_missing", "effective_from is missing", column="effective_from", hint="the card's first day"
        )
    known = versions.get((reference, effective_from))
    if known is not None:
        return known
    owner: dict[str, UUID | None] = {"client": None, "placement": None}
    for kind, ids in (("client", clients), ("placement", placements)):
        named = cells.raw(f"{kind}_ref")
        if named is not None:
            if named not in ids:
                raise cells.refuse(
                    f"{kind}_ref", f"{kind}_unknown", f"no {kind} has this reference", f"import the {kind} first"
                )
            owner[kind] = ids[named]
    if owner["client"] is not None and owner["placement"] is not None:
        raise cells.refuse(
            "placement_ref", "two_owners", "a card is of a client or of a placement", "give one of the two"
        )
    head = CardHead(
        rate_card_id=cards.get(reference) or imported_id("rate_card", agency_id, reference),
        external_id=reference,
        name=cells.text("name", length_max=120) or reference,
        client_id=owner["client"],
        placement_id=owner["placement"],
    )
    made = _Version(head, effective_from, cells.day("effective_to"), cells.text("standard_code", length_max=40))
    versions[(reference, effective_from)] = made
    return made


def _add(cells: Cells, version: _Version) -> None:
    if cells.has("rule_type"):
        rule = _rule(cells)
        _keep(version.rules, str(rule["rule_id"]), rule, cells, "rule_id")
        return
    rate: dict[str, Any] = {"code": cells.required("rate_code", length_max=40).lower()}
    rate["unit"] = cells.choice(
        "unit", {"hour": "hour", "hours": "hour", "day": "day", "days": "day", "each": "each"}, "hour"
    )
    for name in ("pay_rate", "charge_rate", "markup_pct", "margin_pct"):
        number = cells.money(name)
        if number is not None:
            rate[name] = str(number)
    for name in ("label", "applies", "element"):
        text = cells.text(name, length_max=80)
        if text is not None:
            rate[name] = text if name == "label" else text.lower()
    _keep(version.rates, str(rate["code"]), rate, cells, "rate_code")


def _rule(cells: Cells) -> dict[str, Any]:
    kind = cells.choice("rule_type", {name: name for name in _RULES})
    rule: dict[str, Any] = {"type": kind, "rule_id": cells.required("rule_id", length_max=40).lower()}
    for name in _RULES[kind]:
        if name == "after_minutes":
            rule[name] = cells.minutes("after_hours")
        elif name == "minutes":
            rule[name] = cells.minutes("minimum_hours")
        else:
            text = cells.text(name, length_max=40)
            rule[name] = None if text is None else text.lower()
    for name in ("rate_code", *(() if kind in _NO_PREMIUM else ("pay_multiplier", "charge_multiplier"))):
        text = cells.text(name, length_max=40)
        if text is not None:
            rule[name] = text.lower()
    for name in ("day", "counts") if kind.endswith("overtime") else ():
        text = cells.text(name, length_max=40)
        if text is not None:
            rule[name] = text.lower()
    return {name: value for name, value in rule.items() if value is not None}


def _keep(into: dict[str, dict[str, Any]], key: str, row: dict[str, Any], cells: Cells, column: str) -> None:
    if into.get(key, row) != row:
        raise cells.refuse(column, "stands_twice", "an earlier row gives it other values", "keep one of the two rows")
    into[key] = row


async def _ready(
    tx: Tx, agency_id: UUID, versions: list[_Version], receipts: dict[int, ImportReceipt]
) -> list[tuple[_Version, RateCard]]:
    """The versions as cards, joined with what is known for their day; rows of one that cannot be used are refused."""
    division = await rating.default_division(tx, agency_id=agency_id)
    known = await card_store.in_use(
        tx, agency_id=agency_id, rate_card_ids=[version.head.rate_card_id for version in versions]
    )
    heads = await card_store.heads(
        tx, agency_id=agency_id, rate_card_ids=[version.head.rate_card_id for version in versions]
    )
    owned = await card_store.owners(
        tx, agency_id=agency_id, ids=[one for one in (_owner(version.head) for version in versions) if one is not None]
    )
    ready: list[tuple[_Version, RateCard]] = []
    for version in versions:
        owner = _owner(version.head)
        if owner is not None and owned.setdefault(owner, version.head.rate_card_id) != version.head.rate_card_id:
            for index, number in version.rows:
                receipts[index] = ImportReceipt(
                    number,
                    "refused",
                    None,
                    "another_card_stands",
                    "rate_card_ref",
                    version.head.external_id,
                    "its client or placement already has another rate card",
                    "add a version to that card, or leave the owner out and name this card on placements",
                )
            continue
        old = known.get((version.head.rate_card_id, version.effective_from), {})
        head = heads.get(version.head.rate_card_id)
        if head is not None and version.head.client_id is None and version.head.placement_id is None:
            version.head = CardHead(
                head.rate_card_id, version.head.external_id, head.name, head.client_id, head.placement_id
            )
        rates = {rate["code"]: rate for rate in old.get("rates", ())} | version.rates
        rules = {rule["rule_id"]: rule for rule in old.get("rules", {}).get("rules", ())} | version.rules
        end = version.effective_to.isoformat() if version.effective_to else old.get("effective_to")
        document = {
            "effective_from": version.effective_from.isoformat(),
            "effective_to": end,
            "standard_code": version.standard_code or old.get("standard_code"),
            "minutes_per_day": old.get("minutes_per_day"),
            "rates": list(rates.values()),
            "rules": {**old.get("rules", {}), "rules": list(rules.values())},
        }
        try:
            ready.append((version, rating.card_of(version.head.rate_card_id, 1, document, division=division)))
        except FieldRefused as error:
            for index, number in version.rows:
                receipts[index] = ImportReceipt(
                    number,
                    "refused",
                    None,
                    error.code,
                    "rate_card_ref",
                    version.head.external_id,
                    f"the card of {version.effective_from} cannot be used: {error.pointer} {error.fact}",
                    error.hint or None,
                )
    return ready


def _owner(head: CardHead) -> UUID | None:
    return head.client_id or head.placement_id
