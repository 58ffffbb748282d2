"""The decision rules, without a database."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from compliance.domain.audit import GENESIS, seal, verify
from compliance.domain.decide import ApprovedWeek, HeldDocument, Requirement, decide
from paybill_common.clock import datetime
from paybill_common.ids import derived_id

WORKER, UMBRELLA = derived_id("w"), derived_id("u")
RIGHT_TO_WORK = Requirement("right_to_work", ("entry", "pay", "bill"))
TODAY = date(2026, 4, 7)


def week(basis: str = "paye", payee: UUID | None = None, *, empty: bool = False) -> ApprovedWeek:
    return ApprovedWeek(WORKER, basis, payee, date(2026, 3, 30), date(2026, 4, 3), empty)


def document(start: date = date(2026, 1, 1), end: date | None = None) -> HeldDocument:
    return HeldDocument("right_to_work", start, end)


def made(
    *documents: HeldDocument, of: ApprovedWeek | None = None, blocks: tuple[str, ...] | None = None, **umbrellas: str
):  # type: ignore[no-untyped-def]
    requirement = RIGHT_TO_WORK if blocks is None else Requirement("right_to_work", blocks)  # type: ignore[arg-type]
    status = {UMBRELLA: umbrellas["umbrella"]} if umbrellas else {}
    return decide(of or week(), requirements=[requirement], documents=documents, umbrella_status=status, today=TODAY)


def test_nothing_known_is_a_hold_of_pay_and_bill() -> None:
    decision = made()
    assert decision.blocks == ("pay", "bill")
    assert decision.findings[0].code == "missing_document"


def test_a_valid_document_clears() -> None:
    assert made(document()).cleared
    assert made(document()).findings == ()


def test_a_document_that_lapsed_before_the_last_shift_holds() -> None:
    decision = made(document(end=date(2026, 4, 2)))
    assert (decision.blocks, decision.findings[0].code) == (("pay", "bill"), "document_not_valid_for_shift")


def test_a_lapse_after_the_shift_was_worked_only_warns() -> None:
    decision = made(document(end=date(2026, 4, 5)))
    assert decision.cleared
    assert decision.findings[0].code == "document_lapsed_since"


def test_valid_on_the_last_day_of_work_is_enough() -> None:
    assert made(document(end=date(2026, 4, 3))).cleared


def test_each_requirement_says_what_it_blocks() -> None:
    assert made(blocks=("bill",)).blocks == ("bill",)
    assert made(blocks=()).cleared
    assert made(blocks=("entry",)).cleared


def test_an_umbrella_off_the_list_holds_pay_alone() -> None:
    held = made(document(), of=week("umbrella", UMBRELLA), umbrella="removed")
    assert (held.blocks, held.findings[0].code) == (("pay",), "umbrella_not_approved")
    assert made(document(), of=week("umbrella", UMBRELLA)).findings[0].code == "umbrella_not_on_register"
    assert made(document(), of=week("umbrella", None)).findings[0].code == "umbrella_not_named"
    assert made(document(), of=week("umbrella", UMBRELLA), umbrella="approved").cleared


def test_an_amendment_that_voids_the_week_is_clear() -> None:
    assert made(of=week(empty=True)).cleared


def _chain(length: int):  # type: ignore[no-untyped-def]
    entries, previous = [], GENESIS
    for number in range(1, length + 1):
        entry = seal(
            agency_id=WORKER,
            number=number,
            at=datetime.fromisoformat("2026-04-07T09:00:00+00:00"),
            actor="rule",
            action="held",
            subject_id=UMBRELLA,
            detail={"n": number},
            previous_hash=previous,
        )
        entries.append(entry)
        previous = entry.hash
    return entries


def test_an_untouched_chain_verifies() -> None:
    assert verify(_chain(5)) == (5, [])


def test_a_changed_dropped_or_reordered_entry_is_found() -> None:
    from dataclasses import replace

    changed = _chain(5)
    changed[2] = replace(changed[2], actor="somebody else")
    dropped = _chain(5)
    del dropped[2]
    swapped = _chain(5)
    swapped[1], swapped[2] = swapped[2], swapped[1]
    for entries in (changed, dropped, swapped):
        assert verify(entries)[1]
