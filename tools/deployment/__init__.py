"""What compose and Kubernetes are made of, kept in agreement with the code: generated files, and secrets made on the spot.

`python -m tools.deployment` writes the generated files, `--check` says which are stale; `secrets` makes what must never be committed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HTTP_PORT = 8000
VERSION = "0.1.0"
NAMESPACE = "paybill"


@dataclass(frozen=True)
class Service:
    """How a service is placed: its size and what only it has."""

    name: str
    memory_api: str = "384Mi"
    memory_worker: str = "384Mi"
    keeps_files: bool = False
    issues_tokens: bool = False
    mails_links: bool = False
    scales_on_lag: bool = False
    """Its workers are scaled by KEDA on Kafka lag."""

    @property
    def variable(self) -> str:
        """`PAY_CALC` for "pay-calc": first part of its password variables."""
        return self.name.upper().replace("-", "_")


SERVICES = (
    Service("timesheet", mails_links=True),
    Service("pay-calc", memory_api="512Mi", scales_on_lag=True),
    Service("invoicing", memory_api="512Mi"),
    Service("compliance", keeps_files=True),
    Service("reporting", issues_tokens=True),
)
