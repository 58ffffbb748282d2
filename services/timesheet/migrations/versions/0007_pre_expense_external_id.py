"""The id that an expense has elsewhere."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("expense", sa.Column("external_id", sa.Text(), nullable=True))
    op.create_unique_constraint(op.f("uq_expense_agency_id_external_id"), "expense", ["agency_id", "external_id"])
