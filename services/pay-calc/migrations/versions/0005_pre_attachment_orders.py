"""Attachment orders on workers' earnings, and the amounts that clerks enter from them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from paybill_common.tables import secure

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "attachment_order",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("worker_id", sa.Uuid(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("jurisdiction", sa.Text(), nullable=True),
        sa.Column("tables_on", sa.Date(), nullable=True),
        sa.Column("rate", sa.Text(), nullable=False),
        sa.Column("protection", sa.Text(), nullable=False),
        sa.Column("normal_pence", sa.BigInteger(), nullable=False),
        sa.Column("protected_pence", sa.BigInteger(), nullable=False),
        sa.Column("arrears_pence", sa.BigInteger(), nullable=False),
        sa.Column("total_pence", sa.BigInteger(), nullable=True),
        sa.Column("document_ref", sa.Text(), nullable=True),
        sa.Column("taken_pence", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("shortfall_pence", sa.BigInteger(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('DEO', 'AEO_priority', 'AEO_non_priority', 'CTAEO', 'DEA', 'scottish_arrestment')",
            name=op.f("ck_attachment_order_kind"),
        ),
        sa.CheckConstraint("jurisdiction IN ('England', 'Wales', 'Scotland')", name=op.f("ck_attachment_order_place")),
        sa.CheckConstraint("rate IN ('standard', 'higher', 'fixed')", name=op.f("ck_attachment_order_rate")),
        sa.CheckConstraint("protection IN ('stated', 'proportion')", name=op.f("ck_attachment_order_protection")),
        sa.CheckConstraint(
            "least(normal_pence, protected_pence, arrears_pence, total_pence, taken_pence, shortfall_pence) >= 0",
            name=op.f("ck_attachment_order_not_negative"),
        ),
        sa.PrimaryKeyConstraint("agency_id", "order_id", name=op.f("pk_attachment_order")),
        sa.UniqueConstraint(
            "agency_id", "worker_id", "reference", name=op.f("uq_attachment_order_agency_id_worker_id_reference")
        ),
        sa.UniqueConstraint("agency_id", "external_id", name=op.f("uq_attachment_order_agency_id_external_id")),
        comment="taken and shortfall are what finalised payslips made of it; the rest is as the order says.",
    )
    op.create_table(
        "attachment_amount",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("week_ending", sa.Date(), nullable=False),
        sa.Column("amount_pence", sa.BigInteger(), nullable=False),
        sa.Column("entered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("entered_by", sa.Text(), nullable=False),
        sa.CheckConstraint("amount_pence >= 0", name=op.f("ck_attachment_amount_not_negative")),
        sa.ForeignKeyConstraint(
            ["agency_id", "order_id"],
            ["attachment_order.agency_id", "attachment_order.order_id"],
            name=op.f("fk_attachment_amount_agency_id_order_id"),
        ),
        sa.PrimaryKeyConstraint("agency_id", "order_id", "week_ending", name=op.f("pk_attachment_amount")),
        comment="A period's amount that a clerk read from the order, where no table is loaded.",
    )
    secure(op, ("attachment_order", "attachment_amount"))


def downgrade() -> None:
    op.drop_table("attachment_amount")
    op.drop_table("attachment_order")
