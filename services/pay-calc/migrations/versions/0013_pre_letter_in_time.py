"""Until when a National Insurance letter holds that a certificate or a veteran's first year gave."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.add_column("pay_profile", sa.Column("ni_letter_until", sa.Date(), nullable=True))
