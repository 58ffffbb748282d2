"""Payrolled benefits, accommodation and the start of an apprenticeship on pay profiles; what the employer's month needs to know."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from paybill_common.tables import secure

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
    op.create_table(
        "employer_year",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("tax_year", sa.Text(), nullable=False),
        sa.Column("employment_allowance", sa.Boolean(), nullable=False),
        sa.Column("allowance_used_elsewhere_pence", sa.BigInteger(), nullable=False),
        sa.Column("levy_share_bp", sa.Integer(), nullable=False),
        sa.Column("class_1_last_year_pence", sa.BigInteger(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.CheckConstraint("levy_share_bp BETWEEN 0 AND 10000", name=op.f("ck_employer_year_levy_share")),
        sa.CheckConstraint(
            "least(allowance_used_elsewhere_pence, class_1_last_year_pence) >= 0",
            name=op.f("ck_employer_year_not_negative"),
        ),
        sa.PrimaryKeyConstraint("agency_id", "tax_year", name=op.f("pk_employer_year")),
        comment="What a person decided for a tax year: Employment Allowance, shares among connected employers, Class 1 of the year before.",
    )
    secure(op, ("employer_year",))
