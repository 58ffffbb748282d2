"""The first tables of pay-calc."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from paybill_common.tables import grant_runtime, secure

revision = "0001_pre_initial"
down_revision = None
branch_labels = None
depends_on = None

_TENANT_TABLES = (
    "worker",
    "pay_profile",
    "payee",
    "employer",
    "pay_calendar",
    "timesheet_version",
    "clearance",
    "week_cut_off",
    "pay_run",
    "pay_run_worker",
    "payslip",
    "paid_charge",
    "year_to_date",
    "year_to_date_nic",
    "self_bill",
    "payment_file",
    "payment",
    "label",
)


def upgrade() -> None:
    op.create_table(
        "clearance",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("timesheet_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("worker_id", sa.Uuid(), nullable=False),
        sa.Column("blocks_pay", sa.Boolean(), nullable=False),
        sa.Column("reasons", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("agency_id", "timesheet_id", "version", name=op.f("pk_clearance")),
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
        "employer",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("legal_name", sa.Text(), nullable=False),
        sa.Column(
            "address", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False
        ),
        sa.Column("paye_reference", sa.Text(), nullable=True),
        sa.Column("accounts_office_reference", sa.Text(), nullable=True),
        sa.Column("levy_payer", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("service_user_number", sa.Text(), nullable=True),
        sa.Column("sort_code", sa.Text(), nullable=True),
        sa.Column("account_number", sa.Text(), nullable=True),
        sa.Column("account_name", sa.Text(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("agency_id", name=op.f("pk_employer")),
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
        "pay_calendar",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("payday_days_after", sa.Integer(), nullable=False),
        sa.Column("late_pay", sa.Text(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.CheckConstraint("late_pay IN ('with_current_pay', 'usual_payday')", name=op.f("ck_pay_calendar_late_pay")),
        sa.CheckConstraint("payday_days_after BETWEEN 0 AND 28", name=op.f("ck_pay_calendar_payday")),
        sa.PrimaryKeyConstraint("agency_id", name=op.f("pk_pay_calendar")),
    )
    op.create_table(
        "pay_profile",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("worker_id", sa.Uuid(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("given_name", sa.Text(), nullable=True),
        sa.Column("family_name", sa.Text(), nullable=True),
        sa.Column("gender", sa.Text(), nullable=True),
        sa.Column(
            "address", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False
        ),
        sa.Column("ni_number", sa.Text(), nullable=True),
        sa.Column("birth_on", sa.Date(), nullable=True),
        sa.Column("tax_code", sa.Text(), nullable=False),
        sa.Column("tax_basis", sa.Text(), nullable=False),
        sa.Column("ni_letter", sa.Text(), nullable=False),
        sa.Column("student_loan_plan", sa.Text(), nullable=True),
        sa.Column("postgrad_loan", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("pension", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("apprentice", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("director", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("attachment_of_earnings", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("previous_tax_year", sa.Text(), nullable=True),
        sa.Column("previous_pay_gbp", sa.Numeric(precision=14, scale=2), server_default=sa.text("0"), nullable=False),
        sa.Column("previous_tax_gbp", sa.Numeric(precision=14, scale=2), server_default=sa.text("0"), nullable=False),
        sa.Column("starter_declaration", sa.Text(), nullable=True),
        sa.Column("employment_no", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("sort_code", sa.Text(), nullable=True),
        sa.Column("account_number", sa.Text(), nullable=True),
        sa.Column("account_name", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.CheckConstraint("tax_basis IN ('cumulative', 'week1')", name=op.f("ck_pay_profile_basis")),
        sa.CheckConstraint("(sort_code IS NULL) = (account_number IS NULL)", name=op.f("ck_pay_profile_bank_whole")),
        sa.PrimaryKeyConstraint("agency_id", "worker_id", name=op.f("pk_pay_profile")),
        sa.UniqueConstraint("agency_id", "external_id", name=op.f("uq_pay_profile_agency_id_external_id")),
    )
    op.create_table(
        "pay_run",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("pay_run_id", sa.Uuid(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("week_ending", sa.Date(), nullable=False),
        sa.Column("period_to", sa.Date(), nullable=False),
        sa.Column("payday_on", sa.Date(), nullable=False),
        sa.Column("funds_on", sa.Date(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("cut_off_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cut_off_no", sa.BigInteger(), nullable=False),
        sa.Column("control_totals", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("own_totals", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("difference_accepted", sa.Boolean(), nullable=False),
        sa.Column("accepted_by", sa.Text(), nullable=True),
        sa.Column("accepted_reason", sa.Text(), nullable=True),
        sa.Column("opened_by", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("workers_total", sa.Integer(), nullable=False),
        sa.Column("workers_done", sa.Integer(), nullable=False),
        sa.Column(
            "progressed_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("payslips", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("self_bills", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("held_timesheets", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("gross_gbp", sa.Numeric(precision=14, scale=2), server_default=sa.text("0"), nullable=False),
        sa.Column("net_gbp", sa.Numeric(precision=14, scale=2), server_default=sa.text("0"), nullable=False),
        sa.Column("cost_gbp", sa.Numeric(precision=14, scale=2), server_default=sa.text("0"), nullable=False),
        sa.Column("paid_minutes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("held_minutes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint("state IN ('closing', 'closed')", name=op.f("ck_pay_run_state")),
        sa.CheckConstraint("(accepted_by IS NOT NULL) = difference_accepted", name=op.f("ck_pay_run_accepted_by_name")),
        sa.CheckConstraint("workers_done BETWEEN 0 AND workers_total", name=op.f("ck_pay_run_progress")),
        sa.PrimaryKeyConstraint("agency_id", "pay_run_id", name=op.f("pk_pay_run")),
        sa.UniqueConstraint("agency_id", "period_to", name=op.f("uq_pay_run_agency_id_period_to")),
    )
    op.create_index(
        "uq_pay_run_closing", "pay_run", ["agency_id"], unique=True, postgresql_where=sa.text("state = 'closing'")
    )
    op.create_table(
        "payee",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("payee_id", sa.Uuid(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("sort_code", sa.Text(), nullable=True),
        sa.Column("account_number", sa.Text(), nullable=True),
        sa.Column("account_name", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.CheckConstraint("(sort_code IS NULL) = (account_number IS NULL)", name=op.f("ck_payee_bank_whole")),
        sa.PrimaryKeyConstraint("agency_id", "payee_id", name=op.f("pk_payee")),
        sa.UniqueConstraint("agency_id", "external_id", name=op.f("uq_payee_agency_id_external_id")),
    )
    op.create_table(
        "self_bill",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("document_id", sa.Uuid(), nullable=False),
        sa.Column("pay_run_id", sa.Uuid(), nullable=False),
        sa.Column("payee_id", sa.Uuid(), nullable=False),
        sa.Column("payee_kind", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("net_gbp", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("vat_gbp", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("gross_gbp", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("agency_id", "document_id", name=op.f("pk_self_bill")),
    )
    op.create_index("ix_self_bill_run", "self_bill", ["agency_id", "pay_run_id"], unique=False)
    op.create_table(
        "timesheet_version",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("timesheet_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("worker_id", sa.Uuid(), nullable=False),
        sa.Column("placement_id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("week_ending", sa.Date(), nullable=False),
        sa.Column("pay_basis", sa.Text(), nullable=False),
        sa.Column("payee_id", sa.Uuid(), nullable=True),
        sa.Column("holiday_pay", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("payable_minutes", sa.Integer(), nullable=False),
        sa.Column("payable_units", sa.Numeric(precision=14, scale=4), nullable=False),
        sa.Column("pay_gbp", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("lines", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("applied_no", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("settled_payslip_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "state IN ('open', 'superseded', 'settled', 'reversed')", name=op.f("ck_timesheet_version_state")
        ),
        sa.PrimaryKeyConstraint("agency_id", "timesheet_id", "version", name=op.f("pk_timesheet_version")),
        comment="Each approved version as it arrived. open: may be paid; settled: in a finalised payslip; reversed: corrected since.",
    )
    op.create_index(
        "ix_timesheet_version_open",
        "timesheet_version",
        ["agency_id", "worker_id"],
        unique=False,
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_index("ix_timesheet_version_week", "timesheet_version", ["agency_id", "week_ending"], unique=False)
    op.create_table(
        "week_cut_off",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("week_ending", sa.Date(), nullable=False),
        sa.Column("cut_off_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("timesheets", sa.Integer(), nullable=False),
        sa.Column("payable_minutes", sa.BigInteger(), nullable=False),
        sa.Column("payable_units", sa.Numeric(precision=14, scale=4), nullable=False),
        sa.Column("pay_gbp", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("agency_id", "week_ending", name=op.f("pk_week_cut_off")),
    )
    op.create_table(
        "worker",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("worker_id", sa.Uuid(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("started_on", sa.Date(), nullable=True),
        sa.Column("left_on", sa.Date(), nullable=True),
        sa.Column("sequence", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("agency_id", "worker_id", name=op.f("pk_worker")),
        comment="One row a worker: the lock that consumers, the API and the pay run take, in worker order.",
    )
    op.create_table(
        "year_to_date",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("worker_id", sa.Uuid(), nullable=False),
        sa.Column("tax_year", sa.Text(), nullable=False),
        sa.Column("employment_no", sa.Integer(), nullable=False),
        sa.Column("gross_pence", sa.BigInteger(), nullable=False),
        sa.Column("taxable_pence", sa.BigInteger(), nullable=False),
        sa.Column("tax_pence", sa.BigInteger(), nullable=False),
        sa.Column("student_loan_pence", sa.BigInteger(), nullable=False),
        sa.Column("postgrad_loan_pence", sa.BigInteger(), nullable=False),
        sa.Column("employee_pension_pence", sa.BigInteger(), nullable=False),
        sa.Column("employer_pension_pence", sa.BigInteger(), nullable=False),
        sa.Column("net_pence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("agency_id", "worker_id", "tax_year", "employment_no", name=op.f("pk_year_to_date")),
        comment="This employment only; previous employment stays on the pay profile.",
    )
    op.create_table(
        "year_to_date_nic",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("worker_id", sa.Uuid(), nullable=False),
        sa.Column("tax_year", sa.Text(), nullable=False),
        sa.Column("employment_no", sa.Integer(), nullable=False),
        sa.Column("letter", sa.Text(), nullable=False),
        sa.Column("niable_pence", sa.BigInteger(), nullable=False),
        sa.Column("at_lel_pence", sa.BigInteger(), nullable=False),
        sa.Column("lel_to_pt_pence", sa.BigInteger(), nullable=False),
        sa.Column("pt_to_uel_pence", sa.BigInteger(), nullable=False),
        sa.Column("employee_pence", sa.BigInteger(), nullable=False),
        sa.Column("employer_pence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "agency_id", "worker_id", "tax_year", "employment_no", "letter", name=op.f("pk_year_to_date_nic")
        ),
    )
    op.create_table(
        "pay_run_worker",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("pay_run_id", sa.Uuid(), nullable=False),
        sa.Column("worker_id", sa.Uuid(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("held_timesheets", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("held_minutes", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint(
            "outcome IN ('finalised', 'nothing_payable', 'left_out')", name=op.f("ck_pay_run_worker_outcome")
        ),
        sa.ForeignKeyConstraint(
            ["agency_id", "pay_run_id"],
            ["pay_run.agency_id", "pay_run.pay_run_id"],
            name=op.f("fk_pay_run_worker_agency_id_pay_run_id"),
        ),
        sa.PrimaryKeyConstraint("agency_id", "pay_run_id", "worker_id", name=op.f("pk_pay_run_worker")),
        comment="The workers that a run closes over, fixed with its cut-off. outcome null: not yet done.",
    )
    op.create_index(
        "ix_pay_run_worker_pending",
        "pay_run_worker",
        ["agency_id", "worker_id"],
        unique=False,
        postgresql_where=sa.text("outcome IS NULL"),
    )
    op.create_table(
        "payment_file",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("payment_file_id", sa.Uuid(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("pay_run_id", sa.Uuid(), nullable=False),
        sa.Column("serial", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("funds_on", sa.Date(), nullable=False),
        sa.Column("payments", sa.Integer(), nullable=False),
        sa.Column("total_gbp", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("prepared_by", sa.Text(), nullable=False),
        sa.Column("prepared_by_name", sa.Text(), nullable=False),
        sa.Column("prepared_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("released_by", sa.Text(), nullable=True),
        sa.Column("released_by_name", sa.Text(), nullable=True),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(state = 'released') = (released_by IS NOT NULL)", name=op.f("ck_payment_file_released_by_somebody")
        ),
        sa.CheckConstraint("state IN ('prepared', 'released')", name=op.f("ck_payment_file_state")),
        sa.CheckConstraint("released_by <> prepared_by", name=op.f("ck_payment_file_two_people")),
        sa.ForeignKeyConstraint(
            ["agency_id", "pay_run_id"],
            ["pay_run.agency_id", "pay_run.pay_run_id"],
            name=op.f("fk_payment_file_agency_id_pay_run_id"),
        ),
        sa.PrimaryKeyConstraint("agency_id", "payment_file_id", name=op.f("pk_payment_file")),
        sa.UniqueConstraint("agency_id", "serial", name=op.f("uq_payment_file_agency_id_serial")),
    )
    op.create_table(
        "payslip",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("payslip_id", sa.Uuid(), nullable=False),
        sa.Column("worker_id", sa.Uuid(), nullable=False),
        sa.Column("period_from", sa.Date(), nullable=False),
        sa.Column("period_to", sa.Date(), nullable=False),
        sa.Column("payday_on", sa.Date(), nullable=False),
        sa.Column("pay_basis", sa.Text(), nullable=False),
        sa.Column("payee_id", sa.Uuid(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("held_fingerprint", sa.Text(), nullable=False),
        sa.Column("gross_gbp", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("net_gbp", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("cost_gbp", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("worked_minutes", sa.Integer(), nullable=False),
        sa.Column("charges", sa.Integer(), nullable=False),
        sa.Column("nmw", sa.Text(), nullable=True),
        sa.Column("result", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("inputs", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("to_date", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("held", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("held_minutes", sa.Integer(), nullable=False),
        sa.Column("pay_run_id", sa.Uuid(), nullable=True),
        sa.Column("finalised_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(state = 'finalised') = (pay_run_id IS NOT NULL AND inputs IS NOT NULL AND finalised_at IS NOT NULL)",
            name=op.f("ck_payslip_finalised_whole"),
        ),
        sa.CheckConstraint("state = 'draft' OR net_gbp >= 0", name=op.f("ck_payslip_never_negative")),
        sa.CheckConstraint("state IN ('draft', 'finalised')", name=op.f("ck_payslip_state")),
        sa.ForeignKeyConstraint(
            ["agency_id", "pay_run_id"],
            ["pay_run.agency_id", "pay_run.pay_run_id"],
            name=op.f("fk_payslip_agency_id_pay_run_id"),
        ),
        sa.PrimaryKeyConstraint("agency_id", "payslip_id", name=op.f("pk_payslip")),
    )
    op.create_index("ix_payslip_period", "payslip", ["agency_id", "period_to", "payslip_id"], unique=False)
    op.create_index("ix_payslip_run", "payslip", ["agency_id", "pay_run_id", "worker_id"], unique=False)
    op.create_index("ix_payslip_worker", "payslip", ["agency_id", "worker_id", "period_to"], unique=False)
    op.create_table(
        "paid_charge",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("charge_line_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("reverses", sa.Boolean(), nullable=False),
        sa.Column("timesheet_id", sa.Uuid(), nullable=False),
        sa.Column("payslip_id", sa.Uuid(), nullable=False),
        sa.Column("pay_basis", sa.Text(), nullable=False),
        sa.Column("payee_id", sa.Uuid(), nullable=True),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("pay_pence", sa.BigInteger(), nullable=False),
        sa.Column("rounding_pence", sa.BigInteger(), nullable=False),
        sa.Column("line", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["agency_id", "payslip_id"],
            ["payslip.agency_id", "payslip.payslip_id"],
            name=op.f("fk_paid_charge_agency_id_payslip_id"),
        ),
        sa.PrimaryKeyConstraint("agency_id", "charge_line_id", "version", "reverses", name=op.f("pk_paid_charge")),
        comment="Each charge line that was paid, and each that was reversed: once, by its key.",
    )
    op.create_index("ix_paid_charge_timesheet", "paid_charge", ["agency_id", "timesheet_id", "version"], unique=False)
    op.create_table(
        "payment",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column("payment_file_id", sa.Uuid(), nullable=False),
        sa.Column("payee_kind", sa.Text(), nullable=False),
        sa.Column("payee_id", sa.Uuid(), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("amount_gbp", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("sort_code", sa.Text(), nullable=False),
        sa.Column("account_number", sa.Text(), nullable=False),
        sa.Column("account_name", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.CheckConstraint("payee_kind IN ('worker', 'supplier')", name=op.f("ck_payment_payee_kind")),
        sa.CheckConstraint("amount_gbp > 0", name=op.f("ck_payment_positive")),
        sa.ForeignKeyConstraint(
            ["agency_id", "payment_file_id"],
            ["payment_file.agency_id", "payment_file.payment_file_id"],
            name=op.f("fk_payment_agency_id_payment_file_id"),
        ),
        sa.PrimaryKeyConstraint("agency_id", "payment_id", name=op.f("pk_payment")),
        sa.UniqueConstraint("agency_id", "source_id", name=op.f("uq_payment_agency_id_source_id")),
        comment="source_id: the payslip or self-bill that is paid; unique, so nothing is paid twice.",
    )
    secure(op, _TENANT_TABLES)
    grant_runtime(op)


def downgrade() -> None:
    op.drop_table("payment")
    op.drop_table("paid_charge")
    op.drop_table("payslip")
    op.drop_table("payment_file")
    op.drop_table("pay_run_worker")
    op.drop_table("year_to_date_nic")
    op.drop_table("year_to_date")
    op.drop_table("worker")
    op.drop_table("week_cut_off")
    op.drop_table("timesheet_version")
    op.drop_table("self_bill")
    op.drop_table("payee")
    op.drop_table("pay_run")
    op.drop_table("pay_profile")
    op.drop_table("pay_calendar")
    op.drop_table("parked_key")
    op.drop_table("parked_event")
    op.drop_table("outbox")
    op.drop_table("label")
    op.drop_table("inbox")
    op.drop_table("idempotency_key")
    op.drop_table("employer")
    op.drop_table("dead_letter")
    op.drop_table("consumer_state")
    op.drop_table("clearance")
