"""Write a new migration of a service from the difference between its models and an empty or migrated database.

`python -m tools.new_revision timesheet 0001_pre_initial`: runs on the test instance, in databases of its own.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path

from alembic import command
from alembic.script import ScriptDirectory

from paybill_common.migrations import config
from paybill_stack.testing import fresh_databases, shared_stack

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    """Autogenerate one revision file. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("service", choices=["timesheet", "pay-calc", "invoicing", "compliance", "reporting"])
    parser.add_argument("name", help="NNNN_pre_words or NNNN_post_words")
    wanted = parser.parse_args()
    spec = import_module(f"{wanted.service.replace('-', '_')}.app").SPEC
    number, _, words = wanted.name.partition("_")
    with fresh_databases(shared_stack()) as urls:
        configuration = config(spec.migrations, urls[wanted.service].owner)
        if ScriptDirectory.from_config(configuration).get_current_head():
            command.upgrade(configuration, "head")
        command.revision(configuration, message=words, rev_id=number, autogenerate=True)
    sys.stdout.write(f"read and edit {spec.migrations / 'versions'}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
