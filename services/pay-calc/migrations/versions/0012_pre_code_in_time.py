"""Since when a tax code is operated, and when a P45 was issued.

Codes of before count as recorded on the day of the profile's last change.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.add_column("pay_profile", sa.Column("tax_code_from", sa.Date(), nullable=True))
    op.add_column("pay_profile", sa.Column("p45_issued_on", sa.Date(), nullable=True))
    op.execute("UPDATE pay_profile SET tax_code_from = CAST(updated_at AT TIME ZONE 'Europe/London' AS date)")
    op.alter_column("pay_profile", "tax_code_from", nullable=False)
