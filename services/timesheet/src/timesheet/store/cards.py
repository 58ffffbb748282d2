"""Rate cards: append-only versions, folded into a history without overlaps when read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import lru_cache
from typing import Any
from uuid import UUID

from paybill_common.db import Tx
from paybill_common.rows import rows_json
from timesheet.domain.rates import RateCard, rate_card_from_dict, with_new_version

_RESOLVED = """
    SELECT p.placement_id, coalesce(p.rate_card_id, own.rate_card_id, of_client.rate_card_id) AS rate_card_id
    FROM placement p
    LEFT JOIN rate_card own ON own.agency_id = p.agency_id AND own.placement_id = p.placement_id
    LEFT JOIN rate_card of_client ON of_client.agency_id = p.agency_id AND of_client.client_id = p.client_id
    WHERE p.agency_id = :agency AND p.placement_id = ANY(CAST(:placements AS uuid[]))
"""


async def for_placements(tx: Tx, *, agency_id: UUID, placement_ids: Iterable[UUID]) -> dict[UUID, tuple[RateCard, ...]]:
    """The rate-card history of each placement: the card it names, else its own, else its client's; empty without one."""
    resolved = (await tx.execute(_RESOLVED, agency=agency_id, placements=list(set(placement_ids)))).all()
    histories = await history(
        tx, agency_id=agency_id, rate_card_ids={row.rate_card_id for row in resolved if row.rate_card_id is not None}
    )
    return {row.placement_id: histories.get(row.rate_card_id, ()) for row in resolved}


async def history(tx: Tx, *, agency_id: UUID, rate_card_ids: Iterable[UUID]) -> dict[UUID, tuple[RateCard, ...]]:
    """The versions in use of each card, each ending where the next one starts."""
    result = await tx.execute(
        "SELECT rate_card_id, CAST(card AS text) AS card FROM rate_card_version "
        "WHERE agency_id = :agency AND rate_card_id = ANY(CAST(:ids AS uuid[])) AND superseded_at IS NULL "
        "ORDER BY rate_card_id, effective_from",
        agency=agency_id,
        ids=list(set(rate_card_ids)),
    )
    versions: dict[UUID, list[RateCard]] = {}
    for row in result:
        versions.setdefault(row.rate_card_id, []).append(_parsed(row.card))
    return {card_id: fold(cards) for card_id, cards in versions.items()}


async def in_use(tx: Tx, *, agency_id: UUID, rate_card_ids: Iterable[UUID]) -> dict[tuple[UUID, date], dict[str, Any]]:
    """What the versions in use say, as declared, by card and first day."""
    result = await tx.execute(
        "SELECT rate_card_id, effective_from, card FROM rate_card_version "
        "WHERE agency_id = :agency AND rate_card_id = ANY(CAST(:ids AS uuid[])) AND superseded_at IS NULL",
        agency=agency_id,
        ids=list(set(rate_card_ids)),
    )
    return {(row.rate_card_id, row.effective_from): row.card for row in result}


def fold(versions: Sequence[RateCard]) -> tuple[RateCard, ...]:
    """Versions in date order, each cut where the next starts. Raises RateCardsOverlap for two of the same first day."""
    folded: tuple[RateCard, ...] = ()
    for version in versions:
        folded = with_new_version(folded, version)
    return folded


async def versions_named(
    tx: Tx, *, agency_id: UUID, named: Iterable[tuple[UUID, int]]
) -> dict[tuple[UUID, int], RateCard]:
    """Exactly these versions, superseded ones too: the cards that lines were charged under."""
    pairs = sorted(set(named))
    result = await tx.execute(
        "SELECT CAST(card AS text) AS card FROM rate_card_version WHERE agency_id = :agency AND (rate_card_id, version) "
        "IN (SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:versions AS int[])))",
        agency=agency_id,
        ids=[card_id for card_id, _ in pairs],
        versions=[version for _, version in pairs],
    )
    return {(card.id, card.version): card for card in (_parsed(row.card) for row in result)}


async def heads(tx: Tx, *, agency_id: UUID, rate_card_ids: Iterable[UUID], lock: bool = False) -> dict[UUID, Any]:
    """The cards themselves (without versions) by id, locked in id order when asked."""
    locked = " FOR UPDATE" if lock else ""
    result = await tx.execute(
        f"SELECT * FROM rate_card WHERE agency_id = :agency AND rate_card_id = ANY(CAST(:ids AS uuid[])) "  # noqa: S608
        f"ORDER BY rate_card_id{locked}",
        agency=agency_id,
        ids=list(set(rate_card_ids)),
    )
    return {row.rate_card_id: row for row in result}


async def page(tx: Tx, *, agency_id: UUID, where: Mapping[str, Any], after: UUID | None, most: int) -> list[Any]:
    """Cards by id, filtered by external_id, client_id or placement_id."""
    if unknown := set(where) - {"external_id", "client_id", "placement_id"}:
        raise ValueError(f"rate cards have no filter {unknown}")
    narrowed = "".join(f" AND {name} = :{name}" for name in where) + (" AND rate_card_id > :after" if after else "")
    result = await tx.execute(
        f"SELECT * FROM rate_card WHERE agency_id = :agency{narrowed} ORDER BY rate_card_id LIMIT :most",  # noqa: S608
        agency=agency_id,
        most=most,
        **where,
        **({"after": after} if after else {}),
    )
    return list(result)


async def owners(tx: Tx, *, agency_id: UUID, ids: Iterable[UUID]) -> dict[UUID, UUID]:
    """The card that each of these clients and placements has, by client or placement."""
    result = await tx.execute(
        "SELECT coalesce(client_id, placement_id) AS owner, rate_card_id FROM rate_card WHERE agency_id = :agency "
        "AND (client_id = ANY(CAST(:ids AS uuid[])) OR placement_id = ANY(CAST(:ids AS uuid[])))",
        agency=agency_id,
        ids=list(set(ids)),
    )
    return {row.owner: row.rate_card_id for row in result}


async def ids_by_external(tx: Tx, *, agency_id: UUID, external_ids: Iterable[str]) -> dict[str, UUID]:
    result = await tx.execute(
        "SELECT external_id, rate_card_id FROM rate_card WHERE agency_id = :agency "
        "AND external_id = ANY(CAST(:ids AS text[]))",
        agency=agency_id,
        ids=list(set(external_ids)),
    )
    return {row.external_id: row.rate_card_id for row in result}


async def put_heads(tx: Tx, *, agency_id: UUID, cards: Sequence[Mapping[str, Any]]) -> None:
    """Create or change cards: rate_card_id, external_id, name, client_id, placement_id, version."""
    await tx.execute(
        "INSERT INTO rate_card (agency_id, rate_card_id, external_id, name, client_id, placement_id, version) "
        "SELECT :agency, r.* FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(rate_card_id uuid, external_id text, "
        "name text, client_id uuid, placement_id uuid, version int) "
        "ON CONFLICT (agency_id, rate_card_id) DO UPDATE SET external_id = EXCLUDED.external_id, name = EXCLUDED.name, "
        "client_id = EXCLUDED.client_id, placement_id = EXCLUDED.placement_id, version = EXCLUDED.version",
        agency=agency_id,
        rows=rows_json(cards),
    )


async def add_versions(tx: Tx, *, agency_id: UUID, versions: Sequence[tuple[RateCard, date | None]], by: str) -> None:
    """Record versions with their declared end; one that starts on the same day as an earlier one supersedes it."""
    ids = [card.id for card, _ in versions]
    starts = [card.effective_from for card, _ in versions]
    await tx.execute(
        "UPDATE rate_card_version v SET superseded_at = :now "
        "FROM unnest(CAST(:ids AS uuid[]), CAST(:starts AS date[])) AS new(id, start) "
        "WHERE v.agency_id = :agency AND v.rate_card_id = new.id AND v.effective_from = new.start "
        "AND v.superseded_at IS NULL",
        agency=agency_id,
        now=tx.now,
        ids=ids,
        starts=starts,
    )
    await tx.execute(
        "INSERT INTO rate_card_version (agency_id, rate_card_id, version, effective_from, effective_to, card, "
        "recorded_at, recorded_by) SELECT :agency, i, v, f, t, CAST(c AS jsonb), :now, :by "
        "FROM unnest(CAST(:ids AS uuid[]), CAST(:versions AS int[]), CAST(:starts AS date[]), CAST(:ends AS date[]), "
        "CAST(:cards AS text[])) AS r(i, v, f, t, c)",
        agency=agency_id,
        now=tx.now,
        by=by,
        ids=ids,
        versions=[card.version for card, _ in versions],
        starts=starts,
        ends=[end for _, end in versions],
        cards=[json.dumps(replace(card, effective_to=end).to_dict()) for card, end in versions],
    )


async def listed(tx: Tx, *, agency_id: UUID, rate_card_id: UUID) -> list[Any]:
    """Every recorded version of one card, newest knowledge last."""
    result = await tx.execute(
        "SELECT version, effective_from, effective_to, card, recorded_at, recorded_by, superseded_at "
        "FROM rate_card_version WHERE agency_id = :agency AND rate_card_id = :id ORDER BY version",
        agency=agency_id,
        id=rate_card_id,
    )
    return list(result)


@lru_cache(maxsize=8192)
def _parsed(card: str) -> RateCard:
    return rate_card_from_dict(json.loads(card))
