"""Whether the agency rules take a self-employed subcontractor, as a person decided."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.add_column("payee", sa.Column("agency_rules", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
