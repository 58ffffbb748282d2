"""The tables of compliance."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Index,
    Integer,
    Numeric,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from paybill_common.tables import service_metadata

metadata = service_metadata()
_NO_BLOCKS = text("'{}'")
_BLOCKS_CHECK = "blocks <@ ARRAY['entry','pay','bill']::text[]"

worker = Table(
    "worker",
    metadata,
    Column("agency_id", Uuid, primary_key=True),
    Column("worker_id", Uuid, primary_key=True),
    Column("reference", Text),
    Column("status", Text),
    Column("sequence", BigInteger, nullable=False, server_default=text("0")),
    comment="One row a worker: facts known, and the lock that orders decisions about them",
)
requirement = Table(
    "requirement",
    metadata,
    Column("agency_id", Uuid, primary_key=True),
    Column("code", Text, primary_key=True),
    Column("title", Text, nullable=False),
    Column("blocks", ARRAY(Text), nullable=False, server_default=_NO_BLOCKS),
    Column("external_id", Text),
    CheckConstraint(_BLOCKS_CHECK, name="blocks_known"),
    UniqueConstraint("agency_id", "external_id"),
)
client_requirement = Table(
    "client_requirement",
    metadata,
    Column("agency_id", Uuid, primary_key=True),
    Column("client_id", Uuid, primary_key=True),
    Column("code", Text, primary_key=True),
    Column("required", Boolean, nullable=False),
    Column("blocks", ARRAY(Text), nullable=False, server_default=_NO_BLOCKS),
    CheckConstraint(_BLOCKS_CHECK, name="blocks_known"),
    comment="What one client asks for instead of the agency's requirement, or beside them",
)
document = Table(
    "document",
    metadata,
    Column("agency_id", Uuid, primary_key=True),
    Column("document_id", Uuid, primary_key=True),
    Column("worker_id", Uuid, nullable=False),
    Column("requirement", Text, nullable=False),
    Column("valid_from", Date, nullable=False),
    Column("expires_on", Date),
    Column("external_id", Text),
    Column("recorded_at", DateTime(timezone=True), nullable=False),
    Column("recorded_by", Text, nullable=False),
    Column("file_name", Text),
    Column("file_type", Text),
    Column("file_sha256", Text),
    CheckConstraint("expires_on IS NULL OR expires_on >= valid_from", name="valid_before_expiry"),
    UniqueConstraint("agency_id", "external_id"),
    Index("ix_document_worker", "agency_id", "worker_id"),
    Index("ix_document_expires", "agency_id", "expires_on"),
)
umbrella = Table(
    "umbrella",
    metadata,
    Column("agency_id", Uuid, primary_key=True),
    Column("payee_id", Uuid, primary_key=True),
    Column("status", Text, nullable=False),
    Column("external_id", Text),
    Column("changed_at", DateTime(timezone=True), nullable=False),
    Column("changed_by", Text, nullable=False),
    CheckConstraint("status IN ('approved','pending','removed')", name="status_known"),
    UniqueConstraint("agency_id", "external_id"),
)
decision = Table(
    "decision",
    metadata,
    Column("agency_id", Uuid, primary_key=True),
    Column("timesheet_id", Uuid, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("worker_id", Uuid, nullable=False),
    Column("client_id", Uuid, nullable=False),
    Column("placement_id", Uuid, nullable=False),
    Column("consultant_id", Uuid),
    Column("reference", Text, nullable=False),
    Column("week_ending", Date, nullable=False),
    Column("pay_basis", Text, nullable=False),
    Column("payee_id", Uuid),
    Column("first_worked_on", Date, nullable=False),
    Column("last_worked_on", Date, nullable=False),
    Column("is_empty", Boolean, nullable=False),
    Column("minutes", Integer, nullable=False),
    Column("pay_gbp", Numeric(14, 2), nullable=False),
    Column("charge_gbp", Numeric(14, 2), nullable=False),
    Column("decided_sequence", BigInteger, nullable=False, server_default=text("0")),
    Column("blocks", ARRAY(Text), nullable=False, server_default=_NO_BLOCKS),
    Column("findings", JSONB, nullable=False, server_default=text("'[]'")),
    Column("decided_at", DateTime(timezone=True)),
    Column("released_by", Text),
    Column("release_reason", Text),
    Column("finalised_at", DateTime(timezone=True)),
    CheckConstraint(_BLOCKS_CHECK, name="blocks_known"),
    CheckConstraint("(released_by IS NULL) = (release_reason IS NULL)", name="release_has_reason"),
    Index("ix_decision_worker", "agency_id", "worker_id"),
    Index("ix_decision_held", "agency_id", "week_ending", postgresql_where=text("blocks <> '{}'")),
    comment="The current decision of each timesheet; every past one is in the audit trail",
)
audit_entry = Table(
    "audit_entry",
    metadata,
    Column("agency_id", Uuid, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject_id", Uuid, nullable=False),
    Column("detail", JSONB, nullable=False),
    Column("previous_hash", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Index("ix_audit_entry_subject", "agency_id", "subject_id"),
)
audit_head = Table(
    "audit_head",
    metadata,
    Column("agency_id", Uuid, primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("hash", Text, nullable=False),
)
