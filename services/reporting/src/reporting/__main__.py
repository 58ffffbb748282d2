"""`python -m reporting api|worker|all|migrate`."""

from __future__ import annotations

from paybill_common.main import run_service
from reporting.app import SPEC


def main() -> int:
    """Run reporting in the role named on the command line; returns the exit status."""
    return run_service(SPEC)


if __name__ == "__main__":
    raise SystemExit(main())
