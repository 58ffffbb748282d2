"""Files that are imported: how far each is, its refused lines, and of those sent from a page the file and the receipts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from paybill_common.tables import secure

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "file_import",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("import_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("rows_total", sa.Integer(), nullable=True),
        sa.Column("accepted", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("duplicate", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("refused", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("here", sa.Boolean(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("hint", sa.Text(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("moved_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("encoding", sa.Text(), nullable=True),
        sa.Column("headers", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("batch_rows", sa.Integer(), nullable=True),
        sa.Column("batches_done", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tries", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("leased_by", sa.Uuid(), nullable=True),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('waiting', 'running', 'stopped', 'done', 'failed')", name=op.f("ck_file_import_known_state")
        ),
        sa.CheckConstraint("(ended_at IS NULL) = (state IN ('waiting', 'running'))", name=op.f("ck_file_import_over")),
        sa.PrimaryKeyConstraint("agency_id", "import_id", name=op.f("pk_file_import")),
    )
    op.create_index("ix_file_import_began", "file_import", ["agency_id", "began_at"])
    op.create_index(
        "ix_file_import_to_send", "file_import", ["began_at"], postgresql_where=sa.text("here AND ended_at IS NULL")
    )
    op.create_table(
        "import_refusal",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("import_id", sa.Uuid(), nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("column", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("hint", sa.Text(), nullable=False),
        sa.Column("private", sa.Boolean(), nullable=False),
        _of_import("import_refusal"),
        sa.PrimaryKeyConstraint("agency_id", "import_id", "row", name=op.f("pk_import_refusal")),
    )
    op.create_table(
        "import_content",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("import_id", sa.Uuid(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        _of_import("import_content"),
        sa.PrimaryKeyConstraint("agency_id", "import_id", "part", name=op.f("pk_import_content")),
    )
    op.create_table(
        "import_receipts",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("import_id", sa.Uuid(), nullable=False),
        sa.Column("batch", sa.Integer(), nullable=False),
        sa.Column("lines", sa.Text(), nullable=False),
        _of_import("import_receipts"),
        sa.PrimaryKeyConstraint("agency_id", "import_id", "batch", name=op.f("pk_import_receipts")),
    )
    op.create_table(
        "import_headers",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("headers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("agency_id", "kind", name=op.f("pk_import_headers")),
    )
    secure(op, ("file_import", "import_refusal", "import_content", "import_receipts", "import_headers"))


def _of_import(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["agency_id", "import_id"],
        ["file_import.agency_id", "file_import.import_id"],
        name=op.f(f"fk_{table}_agency_id_import_id"),
        ondelete="CASCADE",
    )


def downgrade() -> None:
    for table in ("import_headers", "import_receipts", "import_content", "import_refusal", "file_import"):
        op.drop_table(table)
