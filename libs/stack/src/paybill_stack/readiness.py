"""Whether service replicas live and are ready, and what to say when one is not."""

import time
from collections.abc import Sequence

import httpx

from paybill_stack import StackError, ports, processes
from paybill_stack.settings import ServiceSettings

_HTTP = httpx.Timeout(3.0)
_POLL_S = 0.1


class ServiceError(StackError):
    """A service did not migrate, start, become ready, or is not there."""


def alive(replica: ServiceSettings) -> bool:
    """Whether the replica's process lives."""
    return replica.process is not None and replica.process.alive()


def label(replica: ServiceSettings) -> str:
    """`pay-calc-2`: what logs and messages call it."""
    return f"{replica.service}-{replica.replica}"


def base_url(replica: ServiceSettings) -> str:
    """Where it answers HTTP."""
    return f"http://{ports.LOOPBACK}:{replica.port}"


def wait_until_ready(replicas: Sequence[ServiceSettings], timeout_s: float) -> None:
    """Wait until `GET /health/ready` of each says 200.

    Raises:
        ServiceError: one ended, or is not ready in time; names it, its last answer and its log.
    """
    waiting = list(replicas)
    said = dict.fromkeys(map(label, replicas), "no answer yet")
    deadline = time.monotonic() + timeout_s
    with httpx.Client(timeout=_HTTP, trust_env=False) as client:
        while waiting:
            for replica in list(waiting):
                if not alive(replica):
                    raise ServiceError(f"{label(replica)} ended while starting; {_log_of(replica)}")
                said[label(replica)] = _ask(client, replica)
                if said[label(replica)] == "ready":
                    waiting.remove(replica)
            if waiting and time.monotonic() > deadline:
                late = waiting[0]
                raise ServiceError(
                    f"{label(late)} is not ready after {timeout_s:.0f} s ({said[label(late)]}); {_log_of(late)}"
                )
            if waiting:
                time.sleep(_POLL_S)


def _log_of(replica: ServiceSettings) -> str:
    return f"{replica.log} ends with:\n{processes.tail(replica.log)}"


def _ask(client: httpx.Client, replica: ServiceSettings) -> str:
    try:
        answer = client.get(f"{base_url(replica)}/health/ready")
    except httpx.HTTPError as error:
        return f"no answer: {type(error).__name__}"
    return "ready" if answer.status_code == httpx.codes.OK else f"status {answer.status_code}: {answer.text[:300]}"
