"""What a starter brought, in the place of a tax code."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.add_column("pay_profile", sa.Column("starter", JSONB(), nullable=True))
    op.alter_column("pay_profile", "tax_code", nullable=True)
    op.alter_column("pay_profile", "tax_code_from", nullable=True)
    op.create_check_constraint(
        op.f("ck_pay_profile_code_or_starter"), "pay_profile", "tax_code IS NOT NULL OR starter IS NOT NULL"
    )
    op.create_check_constraint(
        op.f("ck_pay_profile_code_whole"), "pay_profile", "(tax_code IS NULL) = (tax_code_from IS NULL)"
    )
