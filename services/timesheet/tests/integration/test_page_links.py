"""The e-mail with a worker's link: to the address on file, with an address of ours, and only by somebody who may write."""

from __future__ import annotations

from email import message_from_bytes, policy
from typing import Any

import pytest

from paybill_common.ids import derived_id
from timesheet.usecases import mailing

pytestmark = pytest.mark.integration
BODY = {"token": "A-_9" * 20, "good_until": "2026-04-21"}


async def _letters(house: Any) -> list[Any]:
    settings = house.runtime.settings
    deliver, sender = mailing.deliverer(settings), settings.mail_from
    while await mailing.send_pending(house.runtime.worker_database, house.runtime.clock, deliver, sender=sender):
        pass
    return [
        message_from_bytes(path.read_bytes(), policy=policy.default)
        for path in settings.mail_dir.glob("own_page-*.eml")
    ]


async def test_the_link_goes_to_the_address_on_file_and_nowhere_else(house: Any) -> None:
    path = f"/workers/{house.refs['worker']}/page-links"
    assert await house.post(path, BODY) == {"sent": True}
    (letter,) = await _letters(house)
    assert letter["To"] == "Worker 00001 Testcase <worker1@example.com>"
    for part in ("plain", "html"):
        text = letter.get_body((part,)).get_content()
        assert f"https://pages.test/my/{BODY['token']}" in text
        assert "Tue 21 Apr 2026" in text
        assert "Test Industrial" in text


async def test_what_is_sent_twice_with_one_key_leaves_once(house: Any) -> None:
    path = f"/v1/agencies/{house.agency_id}/workers/{house.refs['worker']}/page-links"
    headers = house.headers | {"Idempotency-Key": "one-press"}
    answers = [(await house.client.post(path, json=BODY, headers=headers)).json() for _ in range(2)]
    assert answers == [{"sent": True}] * 2
    assert len(await _letters(house)) == 1


async def test_without_an_address_nothing_is_sent(house: Any) -> None:
    worker = derived_id("test", "silent", house.agency_id)
    await house.put(f"/workers/{worker}", {"name": "Worker 00003 Testcase", "external_id": "W-3"})
    assert await house.post(f"/workers/{worker}/page-links", BODY) == {"sent": False}
    await house.post(f"/workers/{derived_id('test', 'nobody', house.agency_id)}/page-links", BODY, expect=404)
    assert await _letters(house) == []


@pytest.mark.parametrize(
    "token", ["https://evil.example/", "../../x" * 9, "A" * 39, "A" * 201, "A" * 50 + "?", "A" * 50 + "\n"]
)
async def test_what_is_no_token_cannot_become_an_address(house: Any, token: str) -> None:
    await house.post(f"/workers/{house.refs['worker']}/page-links", BODY | {"token": token}, expect=422)


async def test_reading_is_not_enough(house: Any, keys: Any) -> None:
    path = f"/v1/agencies/{house.agency_id}/workers/{house.refs['worker']}/page-links"
    answer = await house.client.post(
        path, json=BODY, headers=keys.headers(house.agency_id, scopes={"read", "pay:read"})
    )
    assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")
