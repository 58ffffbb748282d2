"""The runtime's tables, the tables of billing, and the checks that the database itself keeps."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from paybill_common.tables import grant_runtime, secure

revision = "0001"
down_revision = None

TENANT_TABLES = (
    "issuer",
    "client_terms",
    "supplier",
    "timesheet",
    "charge",
    "clearance",
    "week_control",
    "number_counter",
    "invoice_run",
    "invoice_run_client",
    "document",
    "document_line",
    "ledger_entry",
    "receipt",
    "receipt_allocation",
    "pay_run",
    "self_bill_pay",
    "self_bill_charge",
    "label",
)
APPEND_ONLY = ("document_line", "ledger_entry", "receipt", "receipt_allocation")


def upgrade() -> None:
    op.create_table(
        "clearance",
        sa.Column("timesheet_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("blocks_bill", sa.Boolean(), nullable=False),
        sa.Column("reasons", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("timesheet_id", "version", "agency_id", name=op.f("pk_clearance")),
    )
    op.create_table(
        "client_terms",
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("legal_name", sa.Text(), nullable=False),
        sa.Column("address", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("vat_number", sa.Text(), nullable=True),
        sa.Column("company_number", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("attention", sa.Text(), nullable=True),
        sa.Column("customer_reference", sa.Text(), nullable=True),
        sa.Column("purchase_order", sa.Text(), nullable=True),
        sa.Column("po_required", sa.Boolean(), nullable=False),
        sa.Column("group_by", sa.Text(), nullable=False),
        sa.Column("payment_days", sa.SmallInteger(), nullable=False),
        sa.Column("vat_treatment", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("group_by IN ('client', 'site', 'worker')", name=op.f("ck_client_terms_group_by")),
        sa.CheckConstraint(
            "vat_treatment <> 'reverse_charge' OR vat_number IS NOT NULL",
            name=op.f("ck_client_terms_reverse_charge_vat_number"),
        ),
        sa.CheckConstraint(
            "vat_treatment IN ('standard', 'zero', 'exempt', 'reverse_charge')",
            name=op.f("ck_client_terms_vat_treatment"),
        ),
        sa.CheckConstraint("payment_days BETWEEN 0 AND 180", name=op.f("ck_client_terms_payment_days")),
        sa.PrimaryKeyConstraint("client_id", "agency_id", name=op.f("pk_client_terms")),
        sa.UniqueConstraint("agency_id", "external_id", name=op.f("uq_client_terms_agency_id_external_id")),
    )
    op.create_table(
        "consumer_state",
        sa.Column("consumer", sa.Text(), nullable=False),
        sa.Column("dead_letters_in_a_row", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("stopped", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("stopped_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("consumer", name=op.f("pk_consumer_state")),
    )
    op.create_table(
        "dead_letter",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("consumer", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("agency_id", sa.Uuid(), nullable=True),
        sa.Column("event_type", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=True),
        sa.Column("headers", sa.Text(), nullable=False),
        sa.Column("error_class", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("dead_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolution", sa.Text(), nullable=True),
        sa.Column("resolved_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dead_letter")),
        sa.UniqueConstraint("consumer", "event_id", name=op.f("uq_dead_letter_consumer_event_id")),
    )
    op.create_index(
        "ix_dead_letter_open",
        "dead_letter",
        ["consumer", "id"],
        unique=False,
        postgresql_where=sa.text("resolved_at IS NULL"),
    )
    op.create_table(
        "idempotency_key",
        sa.Column("caller", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("request_hash", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("caller", "key", name=op.f("pk_idempotency_key")),
    )
    op.create_table(
        "inbox",
        sa.Column("consumer", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column(
            "received_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("consumer", "event_id", name=op.f("pk_inbox")),
    )
    op.create_table(
        "invoice_run",
        sa.Column("invoice_run_id", sa.Uuid(), nullable=False),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("week_ending", sa.Date(), nullable=False),
        sa.Column("ordinal", sa.SmallInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("opened_by", sa.Text(), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("differences", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("accepted_by", sa.Text(), nullable=True),
        sa.Column("accepted_reason", sa.Text(), nullable=True),
        sa.Column("left_out_workers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("clients", sa.Integer(), nullable=False),
        sa.Column("clients_done", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("invoices", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("credit_notes", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("net_gbp", sa.Numeric(precision=14, scale=2), server_default=sa.text("0"), nullable=False),
        sa.Column("vat_gbp", sa.Numeric(precision=14, scale=2), server_default=sa.text("0"), nullable=False),
        sa.Column("billed_minutes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("held_minutes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint(
            "status <> 'closed' OR (clients_done = clients AND closed_at IS NOT NULL)",
            name=op.f("ck_invoice_run_closed_is_done"),
        ),
        sa.CheckConstraint("status IN ('open', 'closed')", name=op.f("ck_invoice_run_status")),
        sa.CheckConstraint("clients_done <= clients", name=op.f("ck_invoice_run_clients_done")),
        sa.PrimaryKeyConstraint("invoice_run_id", "agency_id", name=op.f("pk_invoice_run")),
        sa.UniqueConstraint(
            "agency_id", "week_ending", "ordinal", name=op.f("uq_invoice_run_agency_id_week_ending_ordinal")
        ),
    )
    op.create_table(
        "issuer",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("legal_name", sa.Text(), nullable=False),
        sa.Column("address", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("vat_number", sa.Text(), nullable=True),
        sa.Column("company_number", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("accent", sa.Text(), nullable=False),
        sa.Column("account_name", sa.Text(), nullable=False),
        sa.Column("sort_code", sa.Text(), nullable=False),
        sa.Column("account_number", sa.Text(), nullable=False),
        sa.Column("bank_name", sa.Text(), nullable=True),
        sa.Column("iban", sa.Text(), nullable=True),
        sa.Column("invoice_prefix", sa.Text(), nullable=False),
        sa.Column("credit_note_prefix", sa.Text(), nullable=False),
        sa.Column("self_bill_prefix", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("agency_id", name=op.f("pk_issuer")),
    )
    op.create_table(
        "label",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "entry_id", name=op.f("pk_label")),
    )
    op.create_index(op.f("ix_label_agency_id"), "label", ["agency_id"], unique=False)
    op.create_table(
        "ledger_entry",
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("source_kind", sa.Text(), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("amount_gbp", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("posted_on", sa.Date(), nullable=False),
        sa.Column("posted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=True),
        sa.Column("payee_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "account IN ('debtors', 'bank', 'creditors', 'vat_output', 'vat_input', 'sales', 'purchases')",
            name=op.f("ck_ledger_entry_account"),
        ),
        sa.CheckConstraint(
            "source_kind IN ('invoice', 'credit_note', 'self_bill', 'receipt')",
            name=op.f("ck_ledger_entry_source_kind"),
        ),
        sa.CheckConstraint("amount_gbp <> 0", name=op.f("ck_ledger_entry_not_nil")),
        sa.PrimaryKeyConstraint("entry_id", "agency_id", name=op.f("pk_ledger_entry")),
        sa.UniqueConstraint(
            "source_id", "account", "agency_id", name=op.f("uq_ledger_entry_source_id_account_agency_id")
        ),
    )
    op.create_table(
        "number_counter",
        sa.Column("series", sa.Text(), nullable=False),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("last_serial", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("series IN ('invoice', 'credit_note', 'self_bill')", name=op.f("ck_number_counter_series")),
        sa.CheckConstraint("last_serial >= 0", name=op.f("ck_number_counter_last_serial")),
        sa.PrimaryKeyConstraint("series", "agency_id", name=op.f("pk_number_counter")),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("shard", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("payload", sa.Text(), nullable=True),
        sa.Column("headers", sa.Text(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("event_id", name=op.f("uq_outbox_event_id")),
    )
    op.create_index("ix_outbox_topic_key", "outbox", ["topic", "key"], unique=False)
    op.create_index(
        "ix_outbox_unpublished",
        "outbox",
        ["shard", "id"],
        unique=False,
        postgresql_where=sa.text("published_at IS NULL"),
    )
    op.create_table(
        "parked_event",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("consumer", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("agency_id", sa.Uuid(), nullable=True),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=True),
        sa.Column("headers", sa.Text(), nullable=False),
        sa.Column("parked_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_parked_event")),
        sa.UniqueConstraint("consumer", "event_id", name=op.f("uq_parked_event_consumer_event_id")),
    )
    op.create_index("ix_parked_event_key", "parked_event", ["consumer", "key", "id"], unique=False)
    op.create_table(
        "parked_key",
        sa.Column("consumer", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("dead_letter_id", sa.BigInteger(), nullable=False),
        sa.Column("parked_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.PrimaryKeyConstraint("consumer", "key", name=op.f("pk_parked_key")),
    )
    op.create_table(
        "pay_run",
        sa.Column("pay_run_id", sa.Uuid(), nullable=False),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("period_to", sa.Date(), nullable=False),
        sa.Column("payday_on", sa.Date(), nullable=False),
        sa.Column("self_bills", sa.Integer(), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("pay_run_id", "agency_id", name=op.f("pk_pay_run")),
    )
    op.create_table(
        "receipt",
        sa.Column("receipt_id", sa.Uuid(), nullable=False),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("received_on", sa.Date(), nullable=False),
        sa.Column("amount_gbp", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount_gbp > 0", name=op.f("ck_receipt_amount")),
        sa.PrimaryKeyConstraint("receipt_id", "agency_id", name=op.f("pk_receipt")),
        sa.UniqueConstraint("agency_id", "external_id", name=op.f("uq_receipt_agency_id_external_id")),
    )
    op.create_table(
        "self_bill_pay",
        sa.Column("payslip_id", sa.Uuid(), nullable=False),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("pay_run_id", sa.Uuid(), nullable=False),
        sa.Column("worker_id", sa.Uuid(), nullable=False),
        sa.Column("payee_id", sa.Uuid(), nullable=True),
        sa.Column("pay_basis", sa.Text(), nullable=False),
        sa.Column("period_from", sa.Date(), nullable=False),
        sa.Column("period_to", sa.Date(), nullable=False),
        sa.Column("net_gbp", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("document_id", sa.Uuid(), nullable=True),
        sa.PrimaryKeyConstraint("payslip_id", "agency_id", name=op.f("pk_self_bill_pay")),
    )
    op.create_index(
        "ix_self_bill_pay_payee",
        "self_bill_pay",
        ["payee_id", "agency_id"],
        unique=False,
        postgresql_where=sa.text("document_id IS NULL"),
    )
    op.create_index("ix_self_bill_pay_run", "self_bill_pay", ["pay_run_id", "payee_id", "agency_id"], unique=False)
    op.create_table(
        "supplier",
        sa.Column("payee_id", sa.Uuid(), nullable=False),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("legal_name", sa.Text(), nullable=False),
        sa.Column("address", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("vat_number", sa.Text(), nullable=True),
        sa.Column("company_number", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("agreement_reference", sa.Text(), nullable=True),
        sa.Column("agreement_from", sa.Date(), nullable=True),
        sa.Column("agreement_to", sa.Date(), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "agreement_to IS NULL OR agreement_to > agreement_from", name=op.f("ck_supplier_agreement_period")
        ),
        sa.PrimaryKeyConstraint("payee_id", "agency_id", name=op.f("pk_supplier")),
        sa.UniqueConstraint("agency_id", "external_id", name=op.f("uq_supplier_agency_id_external_id")),
    )
    op.create_table(
        "timesheet",
        sa.Column("timesheet_id", sa.Uuid(), nullable=False),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("worker_id", sa.Uuid(), nullable=False),
        sa.Column("placement_id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=True),
        sa.Column("consultant_id", sa.Uuid(), nullable=True),
        sa.Column("branch", sa.Text(), nullable=True),
        sa.Column("week_ending", sa.Date(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("purchase_order", sa.Text(), nullable=True),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("billable_minutes", sa.Integer(), nullable=False),
        sa.Column("billable_units", sa.Numeric(precision=14, scale=4), nullable=False),
        sa.Column("charge_gbp", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("state", sa.Text(), nullable=True),
        sa.Column("reasons", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("decided_version", sa.Integer(), nullable=True),
        sa.Column("state_sequence", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("billed_version", sa.Integer(), nullable=True),
        sa.CheckConstraint("state IN ('ready', 'held')", name=op.f("ck_timesheet_state")),
        sa.CheckConstraint("billed_version <= version", name=op.f("ck_timesheet_billed_version")),
        sa.PrimaryKeyConstraint("timesheet_id", "agency_id", name=op.f("pk_timesheet")),
    )
    op.create_index("ix_timesheet_client", "timesheet", ["client_id", "agency_id", "week_ending"], unique=False)
    op.create_index("ix_timesheet_week", "timesheet", ["week_ending", "agency_id"], unique=False)
    op.create_index("ix_timesheet_worker", "timesheet", ["worker_id", "agency_id"], unique=False)
    op.create_table(
        "week_control",
        sa.Column("week_ending", sa.Date(), nullable=False),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("cut_off_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("timesheets", sa.Integer(), nullable=False),
        sa.Column("billable_minutes", sa.BigInteger(), nullable=False),
        sa.Column("billable_units", sa.Numeric(precision=14, scale=4), nullable=False),
        sa.Column("charge_gbp", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.PrimaryKeyConstraint("week_ending", "agency_id", name=op.f("pk_week_control")),
    )
    op.create_table(
        "charge",
        sa.Column("charge_line_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("timesheet_id", sa.Uuid(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("element", sa.Text(), nullable=False),
        sa.Column("rate_code", sa.Text(), nullable=False),
        sa.Column("rate_unit", sa.Text(), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("units", sa.Numeric(precision=12, scale=4), nullable=True),
        sa.Column("pay_rate", sa.Numeric(precision=12, scale=4), nullable=False),
        sa.Column("charge_rate", sa.Numeric(precision=12, scale=4), nullable=False),
        sa.Column("charge_gbp", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("billable", sa.Boolean(), nullable=False),
        sa.Column("rate_card_version", sa.Integer(), nullable=False),
        sa.Column("rule_id", sa.Text(), nullable=False),
        sa.Column("first_on", sa.Date(), nullable=False),
        sa.Column("last_on", sa.Date(), nullable=False),
        sa.Column("billed_document_id", sa.Uuid(), nullable=True),
        sa.Column("billed_ordinal", sa.Integer(), nullable=True),
        sa.Column("rounds", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("written_off", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.CheckConstraint(
            "(billed_document_id IS NULL) = (billed_ordinal IS NULL)", name=op.f("ck_charge_billed_line")
        ),
        sa.CheckConstraint("billed_document_id IS NULL OR billable", name=op.f("ck_charge_only_billable_is_billed")),
        sa.ForeignKeyConstraint(
            ["agency_id", "timesheet_id"],
            ["timesheet.agency_id", "timesheet.timesheet_id"],
            name=op.f("fk_charge_agency_id_timesheet_id"),
        ),
        sa.PrimaryKeyConstraint("charge_line_id", "version", "agency_id", name=op.f("pk_charge")),
    )
    op.create_index(
        "ix_charge_billed",
        "charge",
        ["billed_document_id"],
        unique=False,
        postgresql_where=sa.text("billed_document_id IS NOT NULL"),
    )
    op.create_index("ix_charge_timesheet", "charge", ["timesheet_id", "agency_id"], unique=False)
    op.create_table(
        "document",
        sa.Column("document_id", sa.Uuid(), nullable=False),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("serial", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=True),
        sa.Column("payee_id", sa.Uuid(), nullable=True),
        sa.Column("payee_kind", sa.Text(), nullable=True),
        sa.Column("invoice_run_id", sa.Uuid(), nullable=True),
        sa.Column("pay_run_id", sa.Uuid(), nullable=True),
        sa.Column("group_key", sa.Text(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=True),
        sa.Column("worker_id", sa.Uuid(), nullable=True),
        sa.Column("grouping", sa.Text(), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tax_point_on", sa.Date(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("week_ending", sa.Date(), nullable=False),
        sa.Column("payment_days", sa.SmallInteger(), nullable=True),
        sa.Column("purchase_order", sa.Text(), nullable=True),
        sa.Column("vat_treatment", sa.Text(), nullable=False),
        sa.Column("vat_percent", sa.Numeric(precision=5, scale=2), nullable=True),
        sa.Column("net_gbp", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("vat_gbp", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("gross_gbp", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("reverse_charge_vat_gbp", sa.Numeric(precision=14, scale=2), nullable=True),
        sa.Column("paid_gbp", sa.Numeric(precision=14, scale=2), server_default=sa.text("0"), nullable=False),
        sa.Column("credited_gbp", sa.Numeric(precision=14, scale=2), server_default=sa.text("0"), nullable=False),
        sa.Column("credits_document_id", sa.Uuid(), nullable=True),
        sa.Column("reason_code", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("supplier", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("customer", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("extra", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("revision", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint(
            "(kind = 'self_bill') = (payee_id IS NOT NULL) AND (kind = 'self_bill') = (client_id IS NULL)",
            name=op.f("ck_document_party"),
        ),
        sa.CheckConstraint(
            "kind <> 'credit_note' OR (credits_document_id IS NOT NULL AND reason_code IS NOT NULL)",
            name=op.f("ck_document_credits"),
        ),
        sa.CheckConstraint(
            "kind <> 'credit_note' OR (net_gbp <= 0 AND vat_gbp <= 0)", name=op.f("ck_document_credit_is_negative")
        ),
        sa.CheckConstraint(
            "kind <> 'invoice' OR (net_gbp >= 0 AND vat_gbp >= 0)", name=op.f("ck_document_invoice_is_not_negative")
        ),
        sa.CheckConstraint(
            "kind <> 'invoice' OR paid_gbp + credited_gbp <= gross_gbp", name=op.f("ck_document_not_overpaid")
        ),
        sa.CheckConstraint("kind IN ('invoice', 'credit_note', 'self_bill')", name=op.f("ck_document_kind")),
        sa.CheckConstraint("vat_treatment = 'standard' OR vat_gbp = 0", name=op.f("ck_document_vat_only_when_charged")),
        sa.CheckConstraint(
            "vat_treatment IN ('standard', 'zero', 'exempt', 'reverse_charge', 'not_registered')",
            name=op.f("ck_document_vat_treatment"),
        ),
        sa.CheckConstraint("gross_gbp = net_gbp + vat_gbp", name=op.f("ck_document_gross_is_net_plus_vat")),
        sa.CheckConstraint("paid_gbp >= 0 AND credited_gbp >= 0", name=op.f("ck_document_settled_is_positive")),
        sa.ForeignKeyConstraint(
            ["agency_id", "credits_document_id"],
            ["document.agency_id", "document.document_id"],
            name=op.f("fk_document_agency_id_credits_document_id"),
        ),
        sa.ForeignKeyConstraint(
            ["agency_id", "invoice_run_id"],
            ["invoice_run.agency_id", "invoice_run.invoice_run_id"],
            name=op.f("fk_document_agency_id_invoice_run_id"),
        ),
        sa.PrimaryKeyConstraint("document_id", "agency_id", name=op.f("pk_document")),
        sa.UniqueConstraint("agency_id", "group_key", name=op.f("uq_document_agency_id_group_key")),
        sa.UniqueConstraint("agency_id", "kind", "serial", name=op.f("uq_document_agency_id_kind_serial")),
        sa.UniqueConstraint("agency_id", "number", name=op.f("uq_document_agency_id_number")),
    )
    op.create_index("ix_document_client", "document", ["client_id", "agency_id"], unique=False)
    op.create_index("ix_document_credits", "document", ["credits_document_id", "agency_id"], unique=False)
    op.create_index("ix_document_week", "document", ["week_ending", "kind", "agency_id"], unique=False)
    op.create_table(
        "invoice_run_client",
        sa.Column("invoice_run_id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("documents", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(
            ["agency_id", "invoice_run_id"],
            ["invoice_run.agency_id", "invoice_run.invoice_run_id"],
            name=op.f("fk_invoice_run_client_agency_id_invoice_run_id"),
        ),
        sa.PrimaryKeyConstraint("invoice_run_id", "client_id", "agency_id", name=op.f("pk_invoice_run_client")),
    )
    op.create_table(
        "self_bill_charge",
        sa.Column("payslip_id", sa.Uuid(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("charge_line_id", sa.Uuid(), nullable=False),
        sa.Column("timesheet_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("pay_gbp", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("reverses", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["agency_id", "payslip_id"],
            ["self_bill_pay.agency_id", "self_bill_pay.payslip_id"],
            name=op.f("fk_self_bill_charge_agency_id_payslip_id"),
        ),
        sa.PrimaryKeyConstraint("payslip_id", "ordinal", "agency_id", name=op.f("pk_self_bill_charge")),
    )
    op.create_index("ix_self_bill_charge_timesheet", "self_bill_charge", ["timesheet_id", "agency_id"], unique=False)
    op.create_table(
        "document_line",
        sa.Column("document_id", sa.Uuid(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("charge_line_id", sa.Uuid(), nullable=True),
        sa.Column("timesheet_id", sa.Uuid(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("round", sa.SmallInteger(), nullable=True),
        sa.Column("reverses_document_id", sa.Uuid(), nullable=True),
        sa.Column("reverses_ordinal", sa.Integer(), nullable=True),
        sa.Column("worker_id", sa.Uuid(), nullable=False),
        sa.Column("worker_name", sa.Text(), nullable=False),
        sa.Column("worker_reference", sa.Text(), nullable=False),
        sa.Column("job_title", sa.Text(), nullable=False),
        sa.Column("site_name", sa.Text(), nullable=False),
        sa.Column("timesheet_reference", sa.Text(), nullable=False),
        sa.Column("purchase_order", sa.Text(), nullable=True),
        sa.Column("element", sa.Text(), nullable=False),
        sa.Column("rate_code", sa.Text(), nullable=False),
        sa.Column("rate_unit", sa.Text(), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("units", sa.Numeric(precision=12, scale=4), nullable=True),
        sa.Column("rate_gbp", sa.Numeric(precision=12, scale=4), nullable=False),
        sa.Column("net_gbp", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("first_on", sa.Date(), nullable=False),
        sa.Column("last_on", sa.Date(), nullable=False),
        sa.CheckConstraint(
            "(kind = 'reversal') = (reverses_document_id IS NOT NULL)", name=op.f("ck_document_line_reversal")
        ),
        sa.CheckConstraint(
            "(kind IN ('charge', 'reversal')) = (round IS NOT NULL)", name=op.f("ck_document_line_round")
        ),
        sa.CheckConstraint(
            "kind = 'adjustment' OR (charge_line_id IS NOT NULL AND version IS NOT NULL)",
            name=op.f("ck_document_line_source"),
        ),
        sa.CheckConstraint("kind IN ('charge', 'reversal', 'pay', 'adjustment')", name=op.f("ck_document_line_kind")),
        sa.ForeignKeyConstraint(
            ["agency_id", "document_id"],
            ["document.agency_id", "document.document_id"],
            name=op.f("fk_document_line_agency_id_document_id"),
        ),
        sa.PrimaryKeyConstraint("document_id", "ordinal", "agency_id", name=op.f("pk_document_line")),
    )
    op.create_index("ix_document_line_timesheet", "document_line", ["timesheet_id", "agency_id"], unique=False)
    op.create_index(
        "uq_document_line_billed_once",
        "document_line",
        ["charge_line_id", "version", "round", "kind", "agency_id"],
        unique=True,
        postgresql_where=sa.text("kind IN ('charge', 'reversal')"),
    )
    op.create_table(
        "receipt_allocation",
        sa.Column("receipt_id", sa.Uuid(), nullable=False),
        sa.Column("document_id", sa.Uuid(), nullable=False),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("amount_gbp", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.CheckConstraint("amount_gbp > 0", name=op.f("ck_receipt_allocation_amount")),
        sa.ForeignKeyConstraint(
            ["agency_id", "document_id"],
            ["document.agency_id", "document.document_id"],
            name=op.f("fk_receipt_allocation_agency_id_document_id"),
        ),
        sa.ForeignKeyConstraint(
            ["agency_id", "receipt_id"],
            ["receipt.agency_id", "receipt.receipt_id"],
            name=op.f("fk_receipt_allocation_agency_id_receipt_id"),
        ),
        sa.PrimaryKeyConstraint("receipt_id", "document_id", "agency_id", name=op.f("pk_receipt_allocation")),
    )

    secure(op, TENANT_TABLES)
    for table in APPEND_ONLY:
        op.execute(f"REVOKE UPDATE, DELETE ON {table} FROM paybill_api, paybill_worker")
    op.execute("REVOKE DELETE ON document, timesheet, charge, number_counter FROM paybill_api, paybill_worker")
    _balance_every_source()
    grant_runtime(op)


def _balance_every_source() -> None:
    """At commit, the entries of each document and receipt must sum to zero."""
    op.execute(
        """
        CREATE FUNCTION ledger_source_balances() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE difference numeric;
        BEGIN
            SELECT sum(amount_gbp) INTO difference FROM ledger_entry
            WHERE agency_id = NEW.agency_id AND source_id = NEW.source_id;
            IF difference <> 0 THEN
                RAISE EXCEPTION 'the ledger entries of % % differ by % pounds', NEW.source_kind, NEW.source_id, difference
                    USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_source_balances';
            END IF;
            RETURN NULL;
        END $$
        """
    )
    op.execute(
        "CREATE CONSTRAINT TRIGGER ledger_source_balances AFTER INSERT OR UPDATE ON ledger_entry "
        "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_source_balances()"
    )


def downgrade() -> None:
    raise NotImplementedError("The first revision has nothing to go back to; restore a backup instead.")
