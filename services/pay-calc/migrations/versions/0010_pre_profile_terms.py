"""Payrolled benefits, accommodation and the start of an apprenticeship on pay profiles; an employer's decisions of a year; pension records."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from paybill_common.tables import secure

revision = "0010"
down_revision = "0009"


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
    op.add_column("employer", sa.Column("pension_re_enrolment_on", sa.Date(), nullable=True))
    op.create_table(
        "pension_record",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("worker_id", sa.Uuid(), nullable=False),
        *(
            sa.Column(name, sa.Date(), nullable=True)
            for name in (
                "member_since",
                "information_given_on",
                "postponed_from",
                "postponed_to",
                "postponed_notice_on",
                "opted_out_on",
                "ceased_on",
                "opt_in_from",
                "join_from",
                "informed_on",
            )
        ),
        sa.Column("exempt_reason", sa.Text(), nullable=False),
        sa.Column("document_ref", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "(postponed_from IS NULL) = (postponed_to IS NULL) AND (postponed_from IS NULL) = (postponed_notice_on IS NULL)",
            name=op.f("ck_pension_record_postponement_whole"),
        ),
        sa.PrimaryKeyConstraint("agency_id", "worker_id", name=op.f("pk_pension_record")),
        comment="What persons recorded of a worker's workplace pension. The terms of contributions are on the pay profile.",
    )
    secure(op, ("employer_year", "pension_record"))
