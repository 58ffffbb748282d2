"""The read models, sessions and the runtime's tables."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from paybill_common.tables import grant_runtime, secure

revision = "0001"
down_revision = None

PAY_STATE = """CASE
 WHEN status IS DISTINCT FROM 'approved' THEN 'none'
 WHEN paid_version = approved_version THEN 'paid'
 WHEN payable_minutes = 0 AND pay_gbp = 0 AND paid_minutes = 0 AND paid_gbp = 0 THEN 'none'
 WHEN draft_version = approved_version THEN 'draft'
 WHEN pay_held_version = approved_version THEN 'held'
 WHEN compliance_version = approved_version AND compliance_state = 'held' AND 'pay' = ANY (compliance_blocks) THEN 'held'
 WHEN compliance_version IS DISTINCT FROM approved_version THEN 'clearing'
 ELSE 'waiting' END"""
BILL_STATE = """CASE
 WHEN status IS DISTINCT FROM 'approved' THEN 'none'
 WHEN billed_version = approved_version THEN 'billed'
 WHEN billable_minutes = 0 AND charge_gbp = 0 AND billed_minutes = 0 AND billed_gbp = 0 THEN 'none'
 WHEN bill_version = approved_version AND bill_decision = 'ready' THEN 'ready'
 WHEN bill_version = approved_version AND bill_decision = 'held' THEN 'held'
 WHEN compliance_version = approved_version AND compliance_state = 'held' AND 'bill' = ANY (compliance_blocks) THEN 'held'
 WHEN compliance_version IS DISTINCT FROM approved_version THEN 'clearing'
 ELSE 'waiting' END"""

TENANT_TABLES = (
    "agency",
    "party",
    "timesheet",
    "charge_line",
    "payslip",
    "payslip_share",
    "paid_line",
    "pay_hold_state",
    "pay_hold",
    "pay_run",
    "payment",
    "document",
    "billed_line",
    "receipt",
    "invoice_run",
    "week_cut_off",
    "alert",
    "story",
    "pulse",
    "label",
)
EDGE_TABLES = ("web_session", "web_sign_in")


def upgrade() -> None:
    op.create_table(
        "agency",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("bureau_id", sa.Uuid(), nullable=True),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("agency_id", name=op.f("pk_agency")),
    )
    op.create_table(
        "alert",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("alert_id", sa.Uuid(), nullable=False),
        sa.Column("worker_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("requirement", sa.Text(), nullable=True),
        sa.Column("timesheet_id", sa.Uuid(), nullable=True),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("agency_id", "alert_id", name=op.f("pk_alert")),
    )
    op.create_index("ix_alert_raised", "alert", ["agency_id", "raised_at"], unique=False)
    op.create_table(
        "billed_line",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("document_id", sa.Uuid(), nullable=False),
        sa.Column("timesheet_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("charge_line_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("worker_id", sa.Uuid(), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("net_gbp", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.PrimaryKeyConstraint(
            "agency_id", "document_id", "timesheet_id", "version", "charge_line_id", name=op.f("pk_billed_line")
        ),
    )
    op.create_index("ix_billed_line_timesheet", "billed_line", ["agency_id", "timesheet_id"], unique=False)
    op.create_table(
        "charge_line",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("timesheet_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("charge_line_id", sa.Uuid(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("element", sa.Text(), nullable=False),
        sa.Column("rate_code", sa.Text(), nullable=False),
        sa.Column("rate_unit", sa.Text(), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("units", sa.Numeric(precision=12, scale=4), nullable=True),
        sa.Column("pay_rate", sa.Numeric(precision=12, scale=4), nullable=False),
        sa.Column("charge_rate", sa.Numeric(precision=12, scale=4), nullable=False),
        sa.Column("basic_pay_rate", sa.Numeric(precision=12, scale=4), nullable=False),
        sa.Column("pay_gbp", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("charge_gbp", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("payable", sa.Boolean(), nullable=False),
        sa.Column("billable", sa.Boolean(), nullable=False),
        sa.Column("rate_card_version", sa.Integer(), nullable=False),
        sa.Column("rule_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("agency_id", "timesheet_id", "version", "charge_line_id", name=op.f("pk_charge_line")),
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
        "document",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("document_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=True),
        sa.Column("payee_id", sa.Uuid(), nullable=True),
        sa.Column("payee_kind", sa.Text(), nullable=True),
        sa.Column("run_id", sa.Uuid(), nullable=True),
        sa.Column("credits_document_id", sa.Uuid(), nullable=True),
        sa.Column("reason_code", sa.Text(), nullable=True),
        sa.Column("week_ending", sa.Date(), nullable=True),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("tax_point_on", sa.Date(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("net_gbp", sa.Numeric(precision=14, scale=2), server_default=sa.text("0"), nullable=False),
        sa.Column("vat_gbp", sa.Numeric(precision=14, scale=2), server_default=sa.text("0"), nullable=False),
        sa.Column("gross_gbp", sa.Numeric(precision=14, scale=2), server_default=sa.text("0"), nullable=False),
        sa.Column("minutes", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("lines_gbp", sa.Numeric(precision=14, scale=2), server_default=sa.text("0"), nullable=False),
        sa.Column("ledger_balanced", sa.Boolean(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("kind IN ('invoice', 'credit_note', 'self_bill')", name=op.f("ck_document_kind_known")),
        sa.PrimaryKeyConstraint("agency_id", "document_id", name=op.f("pk_document")),
    )
    op.create_index("ix_document_list", "document", ["agency_id", "kind", "week_ending", "number"], unique=False)
    op.create_index("ix_document_run", "document", ["agency_id", "run_id"], unique=False)
    op.create_index(
        "ix_document_undated", "document", ["agency_id"], unique=False, postgresql_where=sa.text("week_ending IS NULL")
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
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("invoice_run_id", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("week_ending", sa.Date(), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("invoices", sa.Integer(), nullable=False),
        sa.Column("net_gbp", sa.Numeric(precision=14, scale=2), server_default=sa.text("0"), nullable=False),
        sa.Column("vat_gbp", sa.Numeric(precision=14, scale=2), server_default=sa.text("0"), nullable=False),
        sa.Column("billed_minutes", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("held_minutes", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("difference_accepted", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("agency_id", "invoice_run_id", name=op.f("pk_invoice_run")),
    )
    op.create_index("ix_invoice_run_week", "invoice_run", ["agency_id", "week_ending"], unique=False)
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
        "paid_line",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("payslip_id", sa.Uuid(), nullable=False),
        sa.Column("timesheet_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("charge_line_id", sa.Uuid(), nullable=False),
        sa.Column("reverses", sa.Boolean(), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("pay_gbp", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("rounding_gbp", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.PrimaryKeyConstraint(
            "agency_id",
            "payslip_id",
            "timesheet_id",
            "version",
            "charge_line_id",
            "reverses",
            name=op.f("pk_paid_line"),
        ),
    )
    op.create_index("ix_paid_line_timesheet", "paid_line", ["agency_id", "timesheet_id"], unique=False)
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
        "party",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("party_id", sa.Uuid(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("kind IN ('worker', 'client', 'placement')", name=op.f("ck_party_kind_known")),
        sa.PrimaryKeyConstraint("agency_id", "kind", "party_id", name=op.f("pk_party")),
    )
    op.create_table(
        "pay_hold",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("payslip_id", sa.Uuid(), nullable=False),
        sa.Column("timesheet_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("minutes", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("pay_gbp", sa.Numeric(precision=14, scale=2), server_default=sa.text("0"), nullable=False),
        sa.Column("reasons", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'"), nullable=False),
        sa.PrimaryKeyConstraint("agency_id", "payslip_id", "timesheet_id", "version", name=op.f("pk_pay_hold")),
    )
    op.create_index("ix_pay_hold_timesheet", "pay_hold", ["agency_id", "timesheet_id"], unique=False)
    op.create_table(
        "pay_hold_state",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("payslip_id", sa.Uuid(), nullable=False),
        sa.Column("worker_id", sa.Uuid(), nullable=False),
        sa.Column("period_to", sa.Date(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("agency_id", "payslip_id", name=op.f("pk_pay_hold_state")),
    )
    op.create_table(
        "pay_run",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("pay_run_id", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("period_to", sa.Date(), nullable=False),
        sa.Column("payday_on", sa.Date(), nullable=False),
        sa.Column("funds_on", sa.Date(), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("payslips", sa.Integer(), nullable=False),
        sa.Column("self_bills", sa.Integer(), nullable=False),
        sa.Column("held_timesheets", sa.Integer(), nullable=False),
        sa.Column("gross_gbp", sa.Numeric(precision=14, scale=2), server_default=sa.text("0"), nullable=False),
        sa.Column("net_gbp", sa.Numeric(precision=14, scale=2), server_default=sa.text("0"), nullable=False),
        sa.Column("paid_minutes", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("held_minutes", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("difference_accepted", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("agency_id", "pay_run_id", name=op.f("pk_pay_run")),
    )
    op.create_index("ix_pay_run_period", "pay_run", ["agency_id", "period_to"], unique=False)
    op.create_table(
        "payment",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column("payment_file_id", sa.Uuid(), nullable=False),
        sa.Column("pay_run_id", sa.Uuid(), nullable=False),
        sa.Column("payee_kind", sa.Text(), nullable=False),
        sa.Column("payee_id", sa.Uuid(), nullable=False),
        sa.Column("amount_gbp", sa.Numeric(precision=14, scale=2), server_default=sa.text("0"), nullable=False),
        sa.Column("funds_on", sa.Date(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("agency_id", "payment_id", name=op.f("pk_payment")),
    )
    op.create_index("ix_payment_run", "payment", ["agency_id", "pay_run_id"], unique=False)
    op.create_table(
        "payslip",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("payslip_id", sa.Uuid(), nullable=False),
        sa.Column("worker_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("pay_basis", sa.Text(), nullable=False),
        sa.Column("payee_id", sa.Uuid(), nullable=True),
        sa.Column("frequency", sa.Text(), nullable=False),
        sa.Column("period_from", sa.Date(), nullable=False),
        sa.Column("period_to", sa.Date(), nullable=False),
        sa.Column("payday_on", sa.Date(), nullable=False),
        sa.Column("tax_year", sa.Text(), nullable=True),
        sa.Column("tax_period", sa.Integer(), nullable=True),
        sa.Column("gross_gbp", sa.Numeric(precision=14, scale=2), server_default=sa.text("0"), nullable=False),
        sa.Column("holiday_pay_gbp", sa.Numeric(precision=14, scale=2), server_default=sa.text("0"), nullable=False),
        sa.Column("tax_gbp", sa.Numeric(precision=14, scale=2), server_default=sa.text("0"), nullable=False),
        sa.Column("employee_nic_gbp", sa.Numeric(precision=14, scale=2), server_default=sa.text("0"), nullable=False),
        sa.Column("employer_nic_gbp", sa.Numeric(precision=14, scale=2), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "other_deductions_gbp", sa.Numeric(precision=14, scale=2), server_default=sa.text("0"), nullable=False
        ),
        sa.Column(
            "employer_pension_gbp", sa.Numeric(precision=14, scale=2), server_default=sa.text("0"), nullable=False
        ),
        sa.Column("levy_gbp", sa.Numeric(precision=14, scale=2), server_default=sa.text("0"), nullable=False),
        sa.Column("net_gbp", sa.Numeric(precision=14, scale=2), server_default=sa.text("0"), nullable=False),
        sa.Column("cost_gbp", sa.Numeric(precision=14, scale=2), server_default=sa.text("0"), nullable=False),
        sa.Column("minutes", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("pay_run_id", sa.Uuid(), nullable=True),
        sa.Column("finalised_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(state = 'finalised') = (pay_run_id IS NOT NULL)", name=op.f("ck_payslip_finalised_by_a_run")
        ),
        sa.CheckConstraint("state IN ('draft', 'finalised')", name=op.f("ck_payslip_state_known")),
        sa.PrimaryKeyConstraint("agency_id", "payslip_id", name=op.f("pk_payslip")),
    )
    op.create_index("ix_payslip_period", "payslip", ["agency_id", "period_to", "payslip_id"], unique=False)
    op.create_index("ix_payslip_run", "payslip", ["agency_id", "pay_run_id"], unique=False)
    op.create_table(
        "payslip_share",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("payslip_id", sa.Uuid(), nullable=False),
        sa.Column("timesheet_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("finalised", sa.Boolean(), nullable=False),
        sa.Column("minutes", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("pay_gbp", sa.Numeric(precision=14, scale=2), server_default=sa.text("0"), nullable=False),
        sa.Column("cost_gbp", sa.Numeric(precision=14, scale=2), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("agency_id", "payslip_id", "timesheet_id", "version", name=op.f("pk_payslip_share")),
    )
    op.create_index("ix_payslip_share_timesheet", "payslip_share", ["agency_id", "timesheet_id"], unique=False)
    op.create_table(
        "pulse",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("facts", sa.BigInteger(), nullable=False),
        sa.Column("last_fact_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("agency_id", name=op.f("pk_pulse")),
    )
    op.create_table(
        "receipt",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("receipt_id", sa.Uuid(), nullable=False),
        sa.Column("document_id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("paid_on", sa.Date(), nullable=False),
        sa.Column("amount_gbp", sa.Numeric(precision=14, scale=2), server_default=sa.text("0"), nullable=False),
        sa.Column("balance_gbp", sa.Numeric(precision=14, scale=2), server_default=sa.text("0"), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("agency_id", "receipt_id", "document_id", name=op.f("pk_receipt")),
    )
    op.create_index("ix_receipt_document", "receipt", ["agency_id", "document_id"], unique=False)
    op.create_table(
        "story",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("timesheet_id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("agency_id", "timesheet_id", "event_id", name=op.f("pk_story")),
    )
    op.create_table(
        "timesheet",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("timesheet_id", sa.Uuid(), nullable=False),
        sa.Column("worker_id", sa.Uuid(), nullable=True),
        sa.Column("placement_id", sa.Uuid(), nullable=True),
        sa.Column("client_id", sa.Uuid(), nullable=True),
        sa.Column("site_id", sa.Uuid(), nullable=True),
        sa.Column("consultant_id", sa.Uuid(), nullable=True),
        sa.Column("branch", sa.Text(), nullable=True),
        sa.Column("week_ending", sa.Date(), nullable=True),
        sa.Column("pay_basis", sa.Text(), nullable=True),
        sa.Column("payee_id", sa.Uuid(), nullable=True),
        sa.Column("purchase_order", sa.Text(), nullable=True),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("sequence", sa.BigInteger(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("expected_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("submitted_sequence", sa.BigInteger(), nullable=True),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("submitted_minutes", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("submitted_pay_gbp", sa.Numeric(precision=14, scale=2), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "submitted_charge_gbp", sa.Numeric(precision=14, scale=2), server_default=sa.text("0"), nullable=False
        ),
        sa.Column("rejected_sequence", sa.BigInteger(), nullable=True),
        sa.Column("rejected_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rejected_by", sa.Text(), nullable=True),
        sa.Column("reject_reason", sa.Text(), nullable=True),
        sa.Column("approved_sequence", sa.BigInteger(), nullable=True),
        sa.Column("approved_version", sa.Integer(), nullable=True),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("approved_by", sa.Text(), nullable=True),
        sa.Column("amended", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("worked_minutes", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("payable_minutes", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("billable_minutes", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("pay_gbp", sa.Numeric(precision=14, scale=2), server_default=sa.text("0"), nullable=False),
        sa.Column("charge_gbp", sa.Numeric(precision=14, scale=2), server_default=sa.text("0"), nullable=False),
        sa.Column("compliance_version", sa.Integer(), nullable=True),
        sa.Column("compliance_sequence", sa.BigInteger(), nullable=True),
        sa.Column("compliance_state", sa.Text(), nullable=True),
        sa.Column("compliance_blocks", sa.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column(
            "compliance_reasons",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'"),
            nullable=False,
        ),
        sa.Column("compliance_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("released_by", sa.Text(), nullable=True),
        sa.Column("draft_version", sa.Integer(), nullable=True),
        sa.Column("draft_minutes", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("draft_gbp", sa.Numeric(precision=14, scale=2), server_default=sa.text("0"), nullable=False),
        sa.Column("paid_version", sa.Integer(), nullable=True),
        sa.Column("paid_minutes", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("paid_gbp", sa.Numeric(precision=14, scale=2), server_default=sa.text("0"), nullable=False),
        sa.Column("cost_gbp", sa.Numeric(precision=14, scale=2), nullable=True),
        sa.Column("pay_held_version", sa.Integer(), nullable=True),
        sa.Column("pay_held_minutes", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("pay_held_gbp", sa.Numeric(precision=14, scale=2), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "pay_reasons", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'"), nullable=False
        ),
        sa.Column("bill_version", sa.Integer(), nullable=True),
        sa.Column("bill_sequence", sa.BigInteger(), nullable=True),
        sa.Column("bill_decision", sa.Text(), nullable=True),
        sa.Column("bill_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "bill_reasons", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'"), nullable=False
        ),
        sa.Column("billed_version", sa.Integer(), nullable=True),
        sa.Column("billed_minutes", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("billed_gbp", sa.Numeric(precision=14, scale=2), server_default=sa.text("0"), nullable=False),
        sa.Column("pay_state", sa.Text(), sa.Computed(PAY_STATE, persisted=True), nullable=True),
        sa.Column("bill_state", sa.Text(), sa.Computed(BILL_STATE, persisted=True), nullable=True),
        sa.CheckConstraint(
            "status IN ('expected', 'submitted', 'rejected', 'approved')", name=op.f("ck_timesheet_status_known")
        ),
        sa.PrimaryKeyConstraint("agency_id", "timesheet_id", name=op.f("pk_timesheet")),
    )
    op.create_index(
        "ix_timesheet_week", "timesheet", ["agency_id", "week_ending", "reference", "timesheet_id"], unique=False
    )
    op.create_index("ix_timesheet_worker", "timesheet", ["agency_id", "worker_id", "week_ending"], unique=False)
    op.create_table(
        "web_session",
        sa.Column("token_sha256", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("csrf", sa.Text(), nullable=False),
        sa.Column("flash", sa.Text(), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("token_sha256", name=op.f("pk_web_session")),
    )
    op.create_index("ix_web_session_expires", "web_session", ["expires_at"], unique=False)
    op.create_table(
        "web_sign_in",
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("nonce", sa.Text(), nullable=False),
        sa.Column("verifier", sa.Text(), nullable=False),
        sa.Column("next_path", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("state", name=op.f("pk_web_sign_in")),
    )
    op.create_table(
        "week_cut_off",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("week_ending", sa.Date(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("cut_off_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("timesheets", sa.Integer(), nullable=False),
        sa.Column("payable_minutes", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("billable_minutes", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("pay_gbp", sa.Numeric(precision=14, scale=2), server_default=sa.text("0"), nullable=False),
        sa.Column("charge_gbp", sa.Numeric(precision=14, scale=2), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("agency_id", "week_ending", name=op.f("pk_week_cut_off")),
    )
    # Each timesheet is updated by every stage: room on the page keeps those updates off the indexes.
    op.execute("ALTER TABLE timesheet SET (fillfactor = 60)")
    secure(op, TENANT_TABLES)
    for table in EDGE_TABLES:
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO paybill_api, paybill_worker")
    grant_runtime(op)
