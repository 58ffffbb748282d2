"""`python -m invoicing api|worker|all|migrate`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paybill_common.main import run_service

if TYPE_CHECKING:
    from paybill_common.service import ServiceSpec


def main() -> int:
    """Run the service in the role named on the command line; returns the exit status."""
    return run_service(__file__, _spec)


def _spec() -> ServiceSpec:
    from invoicing.app import SPEC

    return SPEC


if __name__ == "__main__":
    raise SystemExit(main())
