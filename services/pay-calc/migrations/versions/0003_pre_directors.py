"""How a director's National Insurance is worked out."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("pay_profile", sa.Column("director_method", sa.Text(), nullable=True))
    op.add_column("pay_profile", sa.Column("director_appointed_on", sa.Date(), nullable=True))
    op.add_column("pay_profile", sa.Column("director_settle_on", sa.Date(), nullable=True))
    op.create_check_constraint(
        op.f("ck_pay_profile_director_method"), "pay_profile", "director_method IN ('standard', 'alternative')"
    )
    op.create_check_constraint(
        op.f("ck_pay_profile_director_whole"),
        "pay_profile",
        "(director_method IS NULL) = (director_appointed_on IS NULL)",
    )
