"""Payrolled benefits, accommodation and the start of an apprenticeship on pay profiles; what the employer's month needs to know."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0010"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("pay_profile", sa.Column("apprenticeship_started_on", sa.Date(), nullable=True))
    op.add_column("pay_profile", sa.Column("accommodation", JSONB(), nullable=True))
    op.add_column(
        "pay_profile",
        sa.Column("payrolled_benefits", JSONB(), server_default=sa.text("'[]'::jsonb"), nullable=False),
    )
    op.add_column(
        "year_to_date",
        sa.Column("payrolled_benefits_pence", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
    )
