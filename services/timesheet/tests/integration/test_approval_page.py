"""The client's link: opening shows, only the button decides, deciding twice decides once, and evidence is kept."""

from __future__ import annotations

import re
import string
import struct
from dataclasses import replace
from datetime import date, datetime, timedelta
from email import message_from_bytes, policy
from typing import Any
from uuid import UUID

import pytest

from paybill_common.clock import ManualClock
from paybill_common.envelope import Batch, Event
from paybill_common.sealed import seal
from paybill_contracts.base import Reason
from paybill_contracts.compliance import ComplianceCleared, ComplianceHeld
from timesheet.app import SPEC
from timesheet.subscriptions import handle
from timesheet.usecases import mailing
from timesheet.usecases.asking import BadLink, Link, LinkSigner, NoKey

pytestmark = pytest.mark.integration
WEEK = "2026-04-05"
SATURDAY = [{"worked_on": "2026-04-04", "unit": "hour", "units": "4"}]
LINK = Link(UUID(int=1), UUID(int=2), date(2026, 4, 5))
SECRET = "a secret that every replica reads"
AGENT = {"user-agent": "TestPhone/1.0", "content-type": "application/x-www-form-urlencoded"}


async def _written(house: Any) -> set[str]:
    """Ids of this agency's e-mails, sent or about to be: tests of a file share the database."""
    async with house.runtime.worker_database.transaction(now=house.runtime.clock.now()) as tx:
        found = await tx.execute("SELECT mail_id FROM mail WHERE agency_id = :agency", agency=house.agency_id)
        return {str(row.mail_id) for row in found}


async def _links(house: Any) -> list[str]:
    """The links in the e-mails of the sink folder, after the outgoing mail has left."""
    settings = house.runtime.settings
    deliver, sender = mailing.deliverer(settings), settings.mail_from
    while await mailing.send_pending(house.runtime.worker_database, house.runtime.clock, deliver, sender=sender):
        pass
    links = []
    for mail_id in sorted(await _written(house)):
        path = settings.mail_dir / f"approval_wanted-{mail_id}.eml"
        message = message_from_bytes(path.read_bytes(), policy=policy.default)
        assert message["To"] == "Pat Approver <pat@example.com>"
        text = message.get_body(("plain",)).get_content()  # type: ignore[union-attr]
        links.append(re.search(r"http://service\.test(/approve/\S+)", text)[1])  # type: ignore[index]
    return links


def _fields(page: str, decisions: dict[str, str], **more: str) -> dict[str, str]:
    fields = dict(re.findall(r'name="(seen:[0-9a-f-]+)" value="([0-9a-f]+)"', page))
    for timesheet_id, decision in decisions.items():
        fields[f"decision:{timesheet_id}"] = decision
    return fields | more


async def test_one_link_lists_all_that_waits_and_decides_once(house: Any) -> None:
    first, second = await house.submitted(), await house.submitted("second_job", SATURDAY)
    asked = await house.post(f"/weeks/{WEEK}/approval-requests")
    assert (asked["sent"], asked["requests"][0]["timesheets"], asked["without_approver"]) == (1, 2, 0)
    assert "approve/" not in str(asked)
    assert (await house.post(f"/weeks/{WEEK}/approval-requests"))["sent"] == 0
    (link,) = await _links(house)

    for _ in range(3):
        page = await house.client.get(link, headers=AGENT)
        assert page.status_code == 200
    assert "2 timesheets to approve" in page.text
    assert "Worker 00001 Testcase" in page.text
    assert "12.71" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert (await house.get(f"/timesheets/{first}"))["status"] == "submitted"

    no_reason = await house.client.post(
        link, data=_fields(page.text, {first: "approve", second: "reject"}), headers=AGENT
    )
    assert no_reason.status_code == 422
    assert "Say why it is not right." in no_reason.text
    assert (await house.get(f"/timesheets/{first}"))["status"] == "submitted"

    decisions = _fields(
        page.text,
        {first: "approve", second: "reject"},
        **{f"reason_code:{second}": "hours_wrong", f"reason:{second}": "Only <b>three</b> hours"},
    )
    done = await house.client.post(link, data=decisions, headers=AGENT)
    assert done.status_code == 303
    shown = await house.client.get(done.headers["location"])
    assert "1 approved." in shown.text
    assert "1 sent back" in shown.text
    assert "Only &lt;b&gt;three&lt;/b&gt; hours" in shown.text
    again = await house.client.post(link, data=decisions, headers=AGENT)
    assert again.headers["location"].endswith("approved=0&rejected=0")

    story = await house.get(f"/timesheets/{first}")
    assert story["status"] == "approved"
    (proof,) = story["evidence"]
    assert (proof["kind"], proof["by_name"], proof["by_subject"]) == ("client", "Pat Approver", "pat@example.com")
    assert (proof["ip"], proof["user_agent"]) == ("127.0.0.1", "TestPhone/1.0")
    assert proof["approval_request_id"] == asked["requests"][0]["approval_request_id"]
    assert proof["seen_sha256"] in decisions.values()
    rejected = await house.get(f"/timesheets/{second}")
    assert (rejected["status"], rejected["reason_code"]) == ("rejected", "hours_wrong")
    assert [e["data"]["approved_by"] for e in await house.events("timesheet.approved")] == ["client"]


async def _ask(house: Any, **body: Any) -> int:
    return int((await house.post(f"/weeks/{WEEK}/approval-requests", body))["sent"])


async def test_an_approver_is_told_of_other_timesheets_even_when_as_many_wait(house: Any) -> None:
    first = await house.submitted()
    assert [await _ask(house), await _ask(house)] == [1, 0]
    await house.post(f"/timesheets/{first}/approve")
    assert await _ask(house) == 0
    await house.submitted("second_job", SATURDAY)
    assert [await _ask(house), await _ask(house)] == [1, 0]
    assert len(await _written(house)) == 2


async def test_what_was_decided_meanwhile_is_no_news_and_what_was_sent_again_is(house: Any) -> None:
    first, second = await house.submitted(), await house.submitted("second_job", SATURDAY)
    assert await _ask(house) == 1
    await house.post(f"/timesheets/{first}/approve")
    assert await _ask(house) == 0
    await house.post(f"/timesheets/{second}/reject", {"reason_code": "other", "reason": "Not these"})
    await house.post(f"/timesheets/{second}/reopen")
    await house.post(f"/timesheets/{second}/submit")
    assert [await _ask(house), await _ask(house)] == [1, 0]


async def test_a_silent_approver_is_reminded_when_somebody_says_so(house: Any, clock: ManualClock) -> None:
    await house.submitted()
    [waits] = (await house.get(f"/weeks/{WEEK}/approval-requests"))["items"]
    assert (waits["timesheets"], waits["new"], waits["last_asked_at"], waits["times_asked"]) == (1, 1, None, 0)
    assert await _ask(house) == 1
    asked_at = clock.now()
    clock.advance(timedelta(hours=5))
    assert await _ask(house, resend=True, approval_request_id=str(UUID(int=9))) == 0
    [silent] = (await house.get(f"/weeks/{WEEK}/approval-requests"))["items"]
    assert (silent["new"], datetime.fromisoformat(silent["last_asked_at"]), silent["times_asked"]) == (0, asked_at, 1)
    assert await _ask(house, resend=True, approval_request_id=silent["approval_request_id"]) == 1
    [reminded] = (await house.get(f"/weeks/{WEEK}/approval-requests"))["items"]
    assert (datetime.fromisoformat(reminded["last_asked_at"]), reminded["times_asked"]) == (clock.now(), 2)
    assert len(await _written(house)) == 2


async def test_a_reminder_pressed_twice_leaves_once(house: Any) -> None:
    await house.submitted()
    assert await _ask(house) == 1
    path = f"/v1/agencies/{house.agency_id}/weeks/{WEEK}/approval-requests"
    headers = house.headers | {"Idempotency-Key": "one-reminder"}
    answers = [(await house.client.post(path, json={"resend": True}, headers=headers)).json() for _ in range(2)]
    assert [answer["sent"] for answer in answers] == [1, 1]
    assert len(await _written(house)) == 2


async def test_approvers_are_listed_page_by_page(house: Any) -> None:
    await house.submitted()
    await house.put(
        f"/placements/{house.refs['second_job']}",
        {
            **{"client_id": str(house.refs["client"]), "worker_id": str(house.refs["worker"]), "name": "Packer"},
            **{"starts_on": "2026-01-05", "approver_name": "Ann Other", "approver_email": "Ann@example.com"},
        },
    )
    await house.submitted("second_job", SATURDAY)
    first = await house.get(f"/weeks/{WEEK}/approval-requests?limit=1")
    rest = await house.get(f"/weeks/{WEEK}/approval-requests?limit=1&cursor={first['next_cursor']}")
    assert [one["approver_email"] for one in first["items"] + rest["items"]] == ["ann@example.com", "pat@example.com"]
    assert rest["next_cursor"] is None


async def test_hours_that_changed_since_they_were_shown_are_not_approved(house: Any) -> None:
    timesheet_id = await house.submitted()
    await house.post(f"/weeks/{WEEK}/approval-requests")
    (link,) = await _links(house)
    page = await house.client.get(link)
    await house.post(f"/timesheets/{timesheet_id}/reopen")
    await house.put(f"/timesheets/{timesheet_id}/entries", {"entries": house.five_days("07:00", "16:00")})
    await house.post(f"/timesheets/{timesheet_id}/submit")
    answer = await house.client.post(link, data=_fields(page.text, {timesheet_id: "approve"}), headers=AGENT)
    assert answer.status_code == 409
    assert "changed since it was shown" in answer.text
    assert (await house.get(f"/timesheets/{timesheet_id}"))["status"] == "submitted"


async def test_links_of_others_are_refused(house: Any, new_house: Any, tmp_path: Any) -> None:
    await house.submitted()
    await house.post(f"/weeks/{WEEK}/approval-requests")
    (link,) = await _links(house)
    garbage = [f"/approve/{text}" for text in ("x", "%00", "é", "%FF%FE", "%ED%A0%80", "A" * 3_000)]
    for bad in (link[:-2], link[:-1] + ("A" if link[-1] != "A" else "B"), *garbage):
        assert (await house.client.get(bad)).status_code == 404
        assert (await house.client.post(bad, data={"x": "y"})).status_code == 404
    other = await new_house()
    foreign = await other.submitted()
    page = await house.client.get(link)
    fields = _fields(page.text, {}) | {f"seen:{foreign}": "0", f"decision:{foreign}": "approve"}
    assert (await house.client.post(link, data=fields, headers=AGENT)).status_code == 303
    assert (await other.get(f"/timesheets/{foreign}"))["status"] == "submitted"
    broken = await house.client.post(link, content=b"\xff\xfe", headers=AGENT)
    assert broken.status_code == 400


async def test_every_replica_reads_the_links_of_every_other(
    house: Any, runtime_of: Any, client_of: Any, tmp_path: Any
) -> None:
    await house.submitted()
    await house.post(f"/weeks/{WEEK}/approval-requests")
    (link,) = await _links(house)
    other = await client_of(runtime_of(SPEC, files_dir=tmp_path / "another-disk"))
    assert (await other.get(link)).status_code == 200
    assert not (tmp_path / "another-disk").exists()


async def test_without_a_secret_no_link_leaves(house: Any, runtime_of: Any, client_of: Any) -> None:
    await house.submitted()
    keyless = await client_of(runtime_of(SPEC, link_key_file=None))
    path = f"/v1/agencies/{house.agency_id}/weeks/{WEEK}/approval-requests"
    answer = await keyless.post(path, headers=house.headers)
    assert (answer.status_code, answer.json()["code"]) == (503, "no_link_key")
    assert await _written(house) == set()
    assert (await house.post(f"/weeks/{WEEK}/approval-requests"))["sent"] == 1


async def test_a_link_of_one_agency_to_another_ones_request_opens_nothing(house: Any, new_house: Any) -> None:
    foreign = await house.submitted()
    await house.post(f"/weeks/{WEEK}/approval-requests")
    (theirs,) = await _links(house)
    page = await house.client.get(theirs)
    signer = LinkSigner(house.runtime.settings.link_key_file.read_text())
    link = signer.read(theirs.rpartition("/")[2], now_s=0)
    other = await new_house()
    crossed = f"/approve/{signer.sign(replace(link, agency_id=other.agency_id), expires_s=2**40)}"
    answers = [
        await house.client.get(crossed),
        await house.client.post(crossed, data=_fields(page.text, {foreign: "approve"}), headers=AGENT),
    ]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert "Testcase" not in "".join(answer.text for answer in answers)
    assert (await house.get(f"/timesheets/{foreign}"))["status"] == "submitted"


def test_a_link_expires_and_is_known_by_its_secret() -> None:
    signer = LinkSigner(SECRET)
    token = signer.sign(LINK, expires_s=1000)
    assert LinkSigner(f"{SECRET}\n").read(token, now_s=1000) == LINK
    with pytest.raises(BadLink, match="expired"):
        signer.read(token, now_s=1001)
    for other in (LinkSigner("another secret, of the same length"), LinkSigner(None)):
        with pytest.raises(BadLink, match="not one of ours"):
            other.read(token, now_s=1)
    with pytest.raises(NoKey):
        LinkSigner(None).sign(LINK, expires_s=1000)
    with pytest.raises(ValueError, match="fewer than 32"):
        LinkSigner("short\n")


def test_a_link_signed_with_a_replicas_own_key_is_read_until_it_expires(tmp_path: Any) -> None:
    """As links were signed before every replica had one secret: with the key in the file itself."""
    own = bytes(range(32))
    (tmp_path / "approval-link.key").write_text(own.hex())
    body = struct.pack(">B16s16sIQ", 1, UUID(int=1).bytes, UUID(int=2).bytes, LINK.week_ending.toordinal(), 1000)
    signer = LinkSigner(SECRET, old_key_file=tmp_path / "approval-link.key")
    assert signer.read(seal(own, body), now_s=1000) == LINK
    with pytest.raises(BadLink, match="not one of ours"):
        LinkSigner(SECRET, old_key_file=tmp_path / "gone.key").read(seal(own, body), now_s=1000)
    with pytest.raises(BadLink, match="not one of ours"):
        signer.read(seal(bytes(32), body), now_s=1000)
    assert LinkSigner(SECRET).read(signer.sign(LINK, expires_s=1000), now_s=1000) == LINK


def test_a_link_has_one_spelling() -> None:
    signer = LinkSigner(SECRET)
    alphabet = string.ascii_letters + string.digits + "-_"
    for week in range(32):
        token = signer.sign(Link(UUID(int=1), UUID(int=2), date(2026, 4, 5) + timedelta(weeks=week)), expires_s=1000)
        for other in (set(alphabet) | {"=", ""}) - {token[-1]}:
            with pytest.raises(BadLink):
                signer.read(token[:-1] + other, now_s=1)
        with pytest.raises(BadLink):
            signer.read(token + "=", now_s=1)


async def test_a_hold_is_shown_where_hours_are_entered(house: Any, clock: ManualClock) -> None:
    timesheet_id = await house.submitted()
    await house.post(f"/timesheets/{timesheet_id}/approve")
    decision = {
        "agency_id": house.agency_id,
        "worker_id": house.refs["worker"],
        "timesheet_id": UUID(timesheet_id),
        "version": 1,
        "decided_at": clock.now(),
        "audit_entry": 1,
    }
    reason = Reason(code="right_to_work_missing", blocks=("entry", "pay"), requirement="right_to_work")
    held = ComplianceHeld(**decision, reasons=(reason,), blocks=("pay",))
    await _tell(house, held, 2)
    story = await house.get(f"/timesheets/{timesheet_id}")
    assert (story["held"], story["holds"][0]["code"]) == (True, "right_to_work_missing")
    second = await house.draft("second_job")
    assert (await house.get(f"/timesheets/{second}"))["entry_blocks"][0]["requirement"] == "right_to_work"
    await _tell(house, ComplianceCleared(**decision), 1)
    assert (await house.get(f"/timesheets/{timesheet_id}"))["held"] is True
    await _tell(house, ComplianceCleared(**decision), 3)
    assert (await house.get(f"/timesheets/{timesheet_id}"))["held"] is False


async def _tell(house: Any, data: Any, sequence: int) -> None:
    async with house.runtime.worker_database.transaction(now=house.runtime.clock.now()) as tx:
        event = Event(
            id=UUID(int=sequence),
            type=data.TYPE,
            agency_id=data.agency_id,
            key=data.partition_key(),
            subject=data.subject(),
            sequence=sequence,
            time=house.runtime.clock.now(),
            data=data,
            traceparent=None,
            correlation_id="",
            record=None,  # type: ignore[arg-type]
        )
        await handle(tx, Batch([event]))
