"""Rate cards: a version takes over on its first day; one that starts on a known version's day corrects it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from paybill_common.db import Tx
from paybill_common.http.problems import Problem, conflict, invalid
from timesheet.domain.fields import Fields
from timesheet.domain.rates import (
    MarginInvalid,
    RateCard,
    RateCardInvalid,
    charge_from_margin,
    charge_from_markup,
    pay_from_charge_and_margin,
    pay_from_charge_and_markup,
    rate_card_from_dict,
)
from timesheet.store import cards as store
from timesheet.store import records
from timesheet.store.records import KINDS

_DERIVED = ("markup_pct", "margin_pct")


@dataclass(frozen=True)
class CardHead:
    """The card itself: whose rates they are. Neither client nor placement: used by placements that name it."""

    rate_card_id: UUID
    external_id: str | None
    name: str
    client_id: UUID | None
    placement_id: UUID | None


async def put_version(tx: Tx, *, agency_id: UUID, head: CardHead, version: Mapping[str, Any], by: str) -> bool:
    """Add one version (its dates, rates and rules). The same again changes nothing and gives False.

    Raises RateCardInvalid or RuleInvalid naming the field, and a problem when the card points to nothing.
    """
    division = await default_division(tx, agency_id=agency_id)
    card = card_of(head.rate_card_id, 1, version, division=division)
    await _check_head(tx, agency_id=agency_id, head=head)
    outcome = await put_versions(tx, agency_id=agency_id, cards=[(head, card)], by=by)
    return outcome[0]


async def put_versions(tx: Tx, *, agency_id: UUID, cards: Sequence[tuple[CardHead, RateCard]], by: str) -> list[bool]:
    """Add versions of many cards, each numbered after its card's last; for each whether anything changed."""
    await tx.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('paybill.rate-cards.' || :agency, 0))", agency=str(agency_id)
    )
    ids = {head.rate_card_id for head, _ in cards}
    stored = await store.heads(tx, agency_id=agency_id, rate_card_ids=ids, lock=True)
    in_use = await store.in_use(tx, agency_id=agency_id, rate_card_ids=stored)
    current = {key: _said(said) for key, said in in_use.items()}
    numbers = {card_id: row.version for card_id, row in stored.items()}
    heads: dict[UUID, dict[str, Any]] = {}
    added: list[tuple[RateCard, date | None]] = []
    changed: list[bool] = []
    for head, card in cards:
        known = stored.get(head.rate_card_id)
        same_head = known is not None and (known.external_id, known.name, known.client_id, known.placement_id) == (
            head.external_id,
            head.name,
            head.client_id,
            head.placement_id,
        )
        key = (head.rate_card_id, card.effective_from)
        same = current.get(key) == _said(card.to_dict())
        if not same:
            numbers[head.rate_card_id] = numbers.get(head.rate_card_id, 0) + 1
            numbered = replace(card, version=numbers[head.rate_card_id])
            current[key] = _said(numbered.to_dict())
            added.append((numbered, numbered.effective_to))
        if not (same and same_head):
            heads[head.rate_card_id] = {
                "rate_card_id": head.rate_card_id,
                "external_id": head.external_id,
                "name": head.name,
                "client_id": head.client_id,
                "placement_id": head.placement_id,
                "version": numbers.get(head.rate_card_id, 0),
            }
        changed.append(not (same and same_head))
    if heads:
        await store.put_heads(tx, agency_id=agency_id, cards=list(heads.values()))
    if added:
        await store.add_versions(tx, agency_id=agency_id, versions=added, by=by)
    return changed


def card_of(card_id: UUID, number: int, version: Mapping[str, Any], *, division: str) -> RateCard:
    """Read a version as sent: a rate may give its other side by markup or margin; a bank-holiday rule without a division
    takes the agency's. Raises RateCardInvalid or RuleInvalid.
    """
    data = {name: value for name, value in version.items() if value is not None}
    data |= {"id": str(card_id), "version": number}
    if isinstance(data.get("rates"), list):
        data["rates"] = [_with_both_sides(rate, f"/rates/{index}") for index, rate in enumerate(data["rates"])]
    rules = data.get("rules")
    if isinstance(rules, dict) and isinstance(rules.get("rules"), list):
        data["rules"] = {**rules, "rules": [_with_division(rule, division) for rule in rules["rules"]]}
    return rate_card_from_dict(data)


async def default_division(tx: Tx, *, agency_id: UUID) -> str:
    """The bank-holiday division of the agency; England and Wales while the agency is not recorded."""
    found = await records.by_id(tx, agency_id=agency_id, kind=KINDS["agency"], ids=[agency_id])
    return str(found[agency_id]["bank_holiday_division"]) if found else "england-and-wales"


def _with_both_sides(rate: object, pointer: str) -> object:
    if not isinstance(rate, dict):
        return rate
    rate = {name: value for name, value in rate.items() if value is not None}
    given = [name for name in _DERIVED if name in rate]
    if not given:
        return rate
    if len(given) == 2:
        raise RateCardInvalid(f"{pointer}/margin_pct", "margin_pct stands beside markup_pct", "give one of the two")
    sides = [name for name in ("pay_rate", "charge_rate") if name in rate]
    if len(sides) != 1:
        raise RateCardInvalid(
            f"{pointer}/{given[0]}", f"{given[0]} needs exactly one of pay_rate and charge_rate", "it gives the other"
        )
    fields = Fields(rate, pointer, RateCardInvalid)
    share = fields.decimal(given[0], places=4, low=Decimal(-100), high=Decimal(100_000))
    side = fields.decimal(sides[0], places=4, low=Decimal(0), high=Decimal("999999.9999"))
    work = {
        ("pay_rate", "markup_pct"): ("charge_rate", charge_from_markup),
        ("pay_rate", "margin_pct"): ("charge_rate", charge_from_margin),
        ("charge_rate", "markup_pct"): ("pay_rate", pay_from_charge_and_markup),
        ("charge_rate", "margin_pct"): ("pay_rate", pay_from_charge_and_margin),
    }
    other, derive = work[(sides[0], given[0])]
    try:
        derived = derive(side, share)
    except MarginInvalid as error:
        raise RateCardInvalid(f"{pointer}/{given[0]}", str(error)) from None
    return {name: value for name, value in rate.items() if name not in _DERIVED} | {other: str(derived)}


def _with_division(rule: object, division: str) -> object:
    if isinstance(rule, dict) and rule.get("type") == "bank_holiday" and rule.get("division") is None:
        return {**rule, "division": division}
    return rule


def _said(card: Mapping[str, Any]) -> str:
    return json.dumps({name: value for name, value in card.items() if name != "version"}, sort_keys=True)


async def _check_head(tx: Tx, *, agency_id: UUID, head: CardHead) -> None:
    owner = head.client_id or head.placement_id
    if owner is not None:
        owned = await store.owners(tx, agency_id=agency_id, ids=[owner])
        if owned.get(owner, head.rate_card_id) != head.rate_card_id:
            raise conflict(
                "another_card_stands",
                f"Rate card {owned[owner]} already stands for {owner}.",
                hint="Add a version to that card, or name this card on the placements that use it.",
            )
    for kind, record_id in (("client", head.client_id), ("placement", head.placement_id)):
        if record_id is not None:
            found = await records.by_id(tx, agency_id=agency_id, kind=KINDS[kind], ids=[record_id])
            if record_id not in found:
                raise _unknown(kind, record_id)


def _unknown(kind: str, record_id: UUID) -> Problem:
    return invalid(f"{kind}_unknown", f"There is no {kind} {record_id} in this agency.", pointer=f"#/{kind}_id")
