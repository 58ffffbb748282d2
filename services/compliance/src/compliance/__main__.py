"""`python -m compliance api|worker|all|migrate`."""

from __future__ import annotations

from compliance.app import SPEC
from paybill_common.main import run_service


def main() -> int:
    """Run the service. Returns the exit status."""
    return run_service(SPEC)


if __name__ == "__main__":
    raise SystemExit(main())
