"""`python -m invoicing api|worker|all|migrate`."""

from invoicing.app import SPEC
from paybill_common.main import run_service


def main() -> int:
    return run_service(SPEC)


if __name__ == "__main__":
    raise SystemExit(main())
