"""Timesheets that compliance has not answered for a while: the drafts of their workers are worked all the same, and say that they wait."""

from __future__ import annotations

from pay_calc.store import facts
from pay_calc.store.facts import Key
from pay_calc.usecases.recalculate import recalculate
from paybill_common.db import Tx

AT_ONCE = 200


async def hold_unanswered(tx: Tx, *, after_s: int, beyond: Key | None = None) -> Key | None:
    """Work the drafts of the next workers beyond this one whose timesheets have waited so long. Returns the last of them, None when there
    was nobody."""
    keys = await facts.unanswered(tx, after_s=after_s, beyond=beyond, most=AT_ONCE)
    if not keys:
        return None
    await facts.share_agencies(tx, {agency for agency, _ in keys})
    await recalculate(tx, keys=await facts.lock_workers(tx, keys))
    return keys[-1]
