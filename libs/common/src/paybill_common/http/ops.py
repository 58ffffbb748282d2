"""Operator endpoints that every service has: dead letters, consumers, rebuilding a lost bus."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, StringConstraints

from paybill_common import dead_letters, outbox, replicas
from paybill_common.auth import Principal
from paybill_common.consumer import Subscription
from paybill_common.db import Tx
from paybill_common.http.problems import ERROR_RESPONSES, Problem, not_found
from paybill_common.http.route import require

router = APIRouter(prefix="/v1/ops", tags=["operations"], responses=ERROR_RESPONSES)


class DeadLetterOut(BaseModel):
    id: int
    consumer: str
    event_id: UUID
    agency_id: UUID | None
    event_type: str
    topic: str
    partition: int
    offset: int
    key: str
    payload: str | None
    payload_base64: str | None
    error_class: str
    error: str
    attempts: int
    dead_at: datetime
    waiting: int


class DiscardIn(BaseModel):
    """Why the event may be given up: kept with it."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=3, max_length=1000, pattern=r"^[^\x00]*$")
    ]


class OutcomeOut(BaseModel):
    """How many events were handled, and the dead letter that stopped it, if one did."""

    handled: int
    dead_letter_id: int | None
    error: str | None


class ResumeOut(BaseModel):
    was_stopped: bool


class RepublishOut(BaseModel):
    events: int


class ReplicaOut(BaseModel):
    """One worker process of the service, as it last told of itself; `lag` null: the bus did not tell it."""

    replica: str
    live: bool
    started_at: datetime
    seen_s_ago: int
    moved_s_ago: int | None
    partitions: int
    lag: int | None


class ConsumerOut(BaseModel):
    """`lag`: events that wait for the live replicas together, some seconds old; null: not known."""

    consumer: str
    stopped: bool
    lag: int | None
    replicas: list[ReplicaOut]
    outbox_unpublished: int
    dead_letters_open: int
    parked: int


def _subscription(request: Request) -> Subscription:
    subscription: Subscription | None = request.app.state.subscription
    if subscription is None:
        raise Problem(404, "no_consumer", "This service reads no topics.")
    return subscription


@router.get("/dead-letters")
async def list_dead_letters(
    request: Request, after_id: int = 0, limit: int = 50, principal: Principal = require("ops:admin")
) -> list[DeadLetterOut]:
    """Open dead letters of the caller's agencies, oldest first.

    Who runs the whole instance (a token for every agency) also sees what nobody can read: `event_type` is `unreadable`,
    `agency_id` null, `payload` has the bytes made printable, `payload_base64` as they came.
    """
    if not 1 <= limit <= 500 or not 0 <= after_id < 2**63:
        raise Problem(
            422, "invalid_request", "limit is 1 to 500 and after_id a dead letter's id.", pointer="query:/limit"
        )
    async with _worker(request) as tx:
        letters = await dead_letters.list_open(
            tx,
            agencies=sorted(principal.agencies),
            of_none=principal.every_agency,
            after_id=after_id,
            most=limit,
        )
    return [DeadLetterOut.model_validate(letter, from_attributes=True) for letter in letters]


@router.post("/dead-letters/{dead_letter_id}/replay")
async def replay_dead_letter(
    request: Request, dead_letter_id: int, principal: Principal = require("ops:admin")
) -> OutcomeOut:
    """Handle it again, then what waits behind it, in order."""
    return await _resolve(request, dead_letter_id, principal, dead_letters.replay)


@router.post("/dead-letters/{dead_letter_id}/discard")
async def discard_dead_letter(
    request: Request, dead_letter_id: int, body: DiscardIn, principal: Principal = require("ops:admin")
) -> OutcomeOut:
    """Give it up for good, with a reason, and handle what waits behind it."""
    return await _resolve(request, dead_letter_id, principal, partial(dead_letters.discard, reason=body.reason))


@router.post("/consumer/resume")
async def resume_consumer(request: Request, principal: Principal = require("ops:admin")) -> ResumeOut:
    """Let a consumer that stopped after too many dead letters read again, for all agencies: only who runs the whole instance may."""
    _runs_the_instance(principal)
    async with _worker(request) as tx:
        was = await dead_letters.resume_consumer(tx, consumer=_subscription(request).consumer)
    return ResumeOut(was_stopped=was)


@router.get("/consumer")
async def consumer_state(request: Request, principal: Principal = require("ops:admin")) -> ConsumerOut:
    """The state of this service's consumer and outbox, with every worker process. It asks the database alone: the bus may be away."""
    subscription: Subscription | None = request.app.state.subscription
    name = subscription.consumer if subscription else request.app.state.service
    async with _worker(request) as tx:
        stopped = await dead_letters.is_stopped(tx, consumer=name)
        counts = (
            await tx.execute(
                "SELECT (SELECT count(*) FROM outbox WHERE published_at IS NULL) AS outbox,"
                " (SELECT count(*) FROM dead_letter WHERE resolved_at IS NULL) AS dead,"
                " (SELECT count(*) FROM parked_event) AS parked"
            )
        ).one()
        known = await replicas.known(tx)
    return ConsumerOut(
        consumer=name,
        stopped=stopped,
        lag=replicas.lag_of(known),
        replicas=[ReplicaOut.model_validate(one, from_attributes=True) for one in known],
        outbox_unpublished=counts.outbox,
        dead_letters_open=counts.dead,
        parked=counts.parked,
    )


@router.post("/outbox/republish")
async def republish_outbox(request: Request, principal: Principal = require("ops:admin")) -> RepublishOut:
    """Publish every kept event again under its own id: how a lost bus is rebuilt. Only who runs the whole instance may."""
    _runs_the_instance(principal)
    async with _worker(request) as tx:
        return RepublishOut(events=await outbox.republish_all(tx.connection))


def _runs_the_instance(principal: Principal) -> None:
    if not principal.every_agency:
        raise Problem(
            403,
            "whole_instance_only",
            "This touches every agency of the instance, and your token is for some of them.",
            hint="Ask who runs the instance: it takes a token for every agency, with the scope ops:admin.",
        )


def _worker(request: Request):  # type: ignore[no-untyped-def]
    return request.app.state.worker_database.transaction(now=request.app.state.clock.now())


async def _resolve(
    request: Request,
    dead_letter_id: int,
    principal: Principal,
    act: Callable[..., Awaitable[dead_letters.Outcome]],
) -> OutcomeOut:
    if not 0 < dead_letter_id < 2**63:
        raise not_found("dead_letter", dead_letter_id)
    try:
        async with _worker(request) as tx:
            assert isinstance(tx, Tx)
            outcome = await act(
                tx,
                handler=_subscription(request).handler,
                dead_letter_id=dead_letter_id,
                by=principal.subject,
                agencies=sorted(principal.agencies),
                of_none=principal.every_agency,
            )
    except dead_letters.DeadLetterNotFound as error:
        raise not_found("dead_letter", dead_letter_id) from error
    return OutcomeOut(handled=outcome.handled, dead_letter_id=outcome.dead_letter_id, error=outcome.error)
