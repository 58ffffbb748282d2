"""The client's status determination (off-payroll working) of a limited company's placement."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("placement", sa.Column("sds", sa.Text(), nullable=True))
    op.create_check_constraint(
        op.f("ck_placement_sds_known"), "placement", "sds IN ('inside', 'outside', 'not_required')"
    )
    op.create_check_constraint(op.f("ck_placement_sds_of_limited"), "placement", "sds IS NULL OR pay_basis = 'limited'")
