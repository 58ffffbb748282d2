"""The ids that invoice runs and credit notes have elsewhere."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    for table in ("invoice_run", "document"):
        comment = "Of a credit note that somebody asked for" if table == "document" else None
        op.add_column(table, sa.Column("external_id", sa.Text(), nullable=True, comment=comment))
        op.create_unique_constraint(op.f(f"uq_{table}_agency_id_external_id"), table, ["agency_id", "external_id"])
