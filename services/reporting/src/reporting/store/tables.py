"""The read models: one row a timesheet with the state of each stage, the lines behind the tie-out, documents and runs.

Every row is guarded by the `sequence` of the fact it came from, so redelivery and reordering change nothing. Facts of
different topics arrive in any order: a timesheet's row may exist before its timesheet facts do (`week_ending` null).
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    Date,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    Table,
    Text,
    Uuid,
    false,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from paybill_common.tables import service_metadata

metadata = service_metadata()


def _gbp(name: str, *, nullable: bool = False) -> Column[Decimal]:
    return Column(name, Numeric(14, 2), nullable=nullable, server_default=None if nullable else text("0"))


def _minutes(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False, server_default=text("0"))


def _at(name: str, *, nullable: bool = True) -> Column[datetime]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


def _reasons(name: str) -> Column[object]:
    return Column(name, JSONB, nullable=False, server_default=text("'[]'"))


PAY_STATE = """CASE
 WHEN status IS DISTINCT FROM 'approved' THEN 'none'
 WHEN paid_version = approved_version THEN 'paid'
 WHEN payable_minutes = 0 AND pay_gbp = 0 AND paid_minutes = 0 AND paid_gbp = 0 THEN 'none'
 WHEN draft_version = approved_version THEN 'draft'
 WHEN pay_held_version = approved_version THEN 'held'
 WHEN compliance_version = approved_version AND compliance_state = 'held' AND 'pay' = ANY (compliance_blocks) THEN 'held'
 WHEN compliance_version IS DISTINCT FROM approved_version THEN 'clearing'
 ELSE 'waiting' END"""
"""paid: finalised in this version. draft: in an open payslip. held: a reason is recorded. clearing: compliance has not
answered. waiting: cleared, but pay has not answered. none: not approved, or nothing to pay."""

BILL_STATE = """CASE
 WHEN status IS DISTINCT FROM 'approved' THEN 'none'
 WHEN billed_version = approved_version THEN 'billed'
 WHEN billable_minutes = 0 AND charge_gbp = 0 AND billed_minutes = 0 AND billed_gbp = 0 THEN 'none'
 WHEN bill_version = approved_version AND bill_decision = 'ready' THEN 'ready'
 WHEN bill_version = approved_version AND bill_decision = 'held' THEN 'held'
 WHEN compliance_version = approved_version AND compliance_state = 'held' AND 'bill' = ANY (compliance_blocks) THEN 'held'
 WHEN compliance_version IS DISTINCT FROM approved_version THEN 'clearing'
 ELSE 'waiting' END"""

agency = Table(
    "agency",
    metadata,
    Column("agency_id", Uuid, primary_key=True),
    Column("reference", Text, nullable=False),
    Column("bureau_id", Uuid),
    Column("sequence", BigInteger, nullable=False),
)

party = Table(
    "party",
    metadata,
    Column("agency_id", Uuid, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("party_id", Uuid, primary_key=True),
    Column("reference", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    CheckConstraint("kind IN ('worker', 'client', 'placement')", name="kind_known"),
)
"""References of workers, clients and placements: what is shown until a name arrives on the directory."""

timesheet = Table(
    "timesheet",
    metadata,
    Column("agency_id", Uuid, primary_key=True),
    Column("timesheet_id", Uuid, primary_key=True),
    Column("worker_id", Uuid),
    Column("placement_id", Uuid),
    Column("client_id", Uuid),
    Column("site_id", Uuid),
    Column("consultant_id", Uuid),
    Column("branch", Text),
    Column("week_ending", Date),
    Column("pay_basis", Text),
    Column("payee_id", Uuid),
    Column("purchase_order", Text),
    Column("reference", Text),
    Column("status", Text),
    Column("sequence", BigInteger),
    Column("version", Integer),
    _at("expected_at"),
    Column("submitted_sequence", BigInteger),
    _at("submitted_at"),
    Column("source", Text),
    _minutes("submitted_minutes"),
    _gbp("submitted_pay_gbp"),
    _gbp("submitted_charge_gbp"),
    Column("rejected_sequence", BigInteger),
    _at("rejected_at"),
    Column("rejected_by", Text),
    Column("reject_reason", Text),
    Column("approved_sequence", BigInteger),
    Column("approved_version", Integer),
    _at("approved_at"),
    Column("approved_by", Text),
    Column("amended", Boolean, nullable=False, server_default=text("false")),
    _minutes("worked_minutes"),
    _minutes("payable_minutes"),
    _minutes("billable_minutes"),
    _gbp("pay_gbp"),
    _gbp("charge_gbp"),
    Column("compliance_version", Integer),
    Column("compliance_sequence", BigInteger),
    Column("compliance_state", Text),
    Column("compliance_blocks", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    _reasons("compliance_reasons"),
    _at("compliance_at"),
    Column("released_by", Text),
    Column("draft_version", Integer),
    _minutes("draft_minutes"),
    _gbp("draft_gbp"),
    Column("paid_version", Integer),
    _minutes("paid_minutes"),
    _gbp("paid_gbp"),
    _gbp("cost_gbp", nullable=True),
    Column("pay_held_version", Integer),
    _minutes("pay_held_minutes"),
    _gbp("pay_held_gbp"),
    _reasons("pay_reasons"),
    Column("bill_version", Integer),
    Column("bill_sequence", BigInteger),
    Column("bill_decision", Text),
    _at("bill_at"),
    _reasons("bill_reasons"),
    Column("billed_version", Integer),
    _minutes("billed_minutes"),
    _gbp("billed_gbp"),
    Column("pay_state", Text, Computed(PAY_STATE, persisted=True)),
    Column("bill_state", Text, Computed(BILL_STATE, persisted=True)),
    CheckConstraint("status IN ('expected', 'not_worked', 'submitted', 'rejected', 'approved')", name="status_known"),
    Index("ix_timesheet_week", "agency_id", "week_ending", "reference", "timesheet_id"),
    Index("ix_timesheet_worker", "agency_id", "worker_id", "week_ending"),
)

charge_line = Table(
    "charge_line",
    metadata,
    Column("agency_id", Uuid, primary_key=True),
    Column("timesheet_id", Uuid, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("charge_line_id", Uuid, primary_key=True),
    Column("ordinal", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("element", Text, nullable=False),
    Column("rate_code", Text, nullable=False),
    Column("rate_unit", Text, nullable=False),
    Column("minutes", Integer, nullable=False),
    Column("units", Numeric(12, 4)),
    Column("pay_rate", Numeric(12, 4), nullable=False),
    Column("charge_rate", Numeric(12, 4), nullable=False),
    Column("basic_pay_rate", Numeric(12, 4), nullable=False),
    Column("pay_gbp", Numeric(14, 2), nullable=False),
    Column("charge_gbp", Numeric(14, 2), nullable=False),
    Column("payable", Boolean, nullable=False),
    Column("billable", Boolean, nullable=False),
    Column("rate_card_version", Integer, nullable=False),
    Column("rule_id", Text, nullable=False),
)
"""Approved charge lines of every version: one side of the tie-out."""

payslip = Table(
    "payslip",
    metadata,
    Column("agency_id", Uuid, primary_key=True),
    Column("payslip_id", Uuid, primary_key=True),
    Column("worker_id", Uuid, nullable=False),
    Column("state", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("pay_basis", Text, nullable=False),
    Column("payee_id", Uuid),
    Column("frequency", Text, nullable=False),
    Column("period_from", Date, nullable=False),
    Column("period_to", Date, nullable=False),
    Column("payday_on", Date, nullable=False),
    Column("tax_year", Text),
    Column("tax_period", Integer),
    _gbp("gross_gbp"),
    _gbp("holiday_pay_gbp"),
    _gbp("tax_gbp"),
    _gbp("employee_nic_gbp"),
    _gbp("employer_nic_gbp"),
    _gbp("other_deductions_gbp"),
    _gbp("employer_pension_gbp"),
    _gbp("levy_gbp"),
    _gbp("net_gbp"),
    _gbp("cost_gbp"),
    _gbp("statutory_pay_gbp"),
    _gbp("cis_gbp"),
    _gbp("cis_labour_gbp"),
    Column("cis_rate_pct", Integer),
    _gbp("holiday_taken_pay_gbp"),
    Column("leave_earned_minutes", Integer),
    Column("leave_taken_minutes", Integer),
    _minutes("minutes"),
    Column("pay_run_id", Uuid),
    _at("finalised_at"),
    CheckConstraint("state IN ('draft', 'finalised')", name="state_known"),
    CheckConstraint("(state = 'finalised') = (pay_run_id IS NOT NULL)", name="finalised_by_a_run"),
    Index("ix_payslip_period", "agency_id", "period_to", "payslip_id"),
    Index("ix_payslip_run", "agency_id", "pay_run_id"),
)

payslip_share = Table(
    "payslip_share",
    metadata,
    Column("agency_id", Uuid, primary_key=True),
    Column("payslip_id", Uuid, primary_key=True),
    Column("timesheet_id", Uuid, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("finalised", Boolean, nullable=False),
    _minutes("minutes"),
    _gbp("pay_gbp"),
    _gbp("cost_gbp"),
    Index("ix_payslip_share_timesheet", "agency_id", "timesheet_id"),
)
"""What one timesheet version has in one payslip, corrections netted; `cost_gbp` its share of the agency's cost."""

paid_line = Table(
    "paid_line",
    metadata,
    Column("agency_id", Uuid, primary_key=True),
    Column("payslip_id", Uuid, primary_key=True),
    Column("timesheet_id", Uuid, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("charge_line_id", Uuid, primary_key=True),
    Column("reverses", Boolean, primary_key=True),
    Column("minutes", Integer, nullable=False),
    Column("pay_gbp", Numeric(14, 2), nullable=False),
    Column("rounding_gbp", Numeric(14, 2), nullable=False),
    Index("ix_paid_line_timesheet", "agency_id", "timesheet_id"),
)
"""Finalised pay of each charge line."""

pay_hold_state = Table(
    "pay_hold_state",
    metadata,
    Column("agency_id", Uuid, primary_key=True),
    Column("payslip_id", Uuid, primary_key=True),
    Column("worker_id", Uuid, nullable=False),
    Column("period_to", Date, nullable=False),
    Column("sequence", BigInteger, nullable=False),
)

pay_hold = Table(
    "pay_hold",
    metadata,
    Column("agency_id", Uuid, primary_key=True),
    Column("payslip_id", Uuid, primary_key=True),
    Column("timesheet_id", Uuid, primary_key=True),
    Column("version", Integer, primary_key=True),
    _minutes("minutes"),
    _gbp("pay_gbp"),
    _reasons("reasons"),
    Index("ix_pay_hold_timesheet", "agency_id", "timesheet_id"),
)

pay_run = Table(
    "pay_run",
    metadata,
    Column("agency_id", Uuid, primary_key=True),
    Column("pay_run_id", Uuid, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("period_to", Date, nullable=False),
    Column("payday_on", Date, nullable=False),
    Column("funds_on", Date, nullable=False),
    _at("closed_at", nullable=False),
    Column("payslips", Integer, nullable=False),
    Column("self_bills", Integer, nullable=False),
    Column("held_timesheets", Integer, nullable=False),
    _gbp("gross_gbp"),
    _gbp("net_gbp"),
    _minutes("paid_minutes"),
    _minutes("held_minutes"),
    Column("difference_accepted", Boolean, nullable=False),
    Index("ix_pay_run_period", "agency_id", "period_to"),
)

payment = Table(
    "payment",
    metadata,
    Column("agency_id", Uuid, primary_key=True),
    Column("payment_id", Uuid, primary_key=True),
    Column("payment_file_id", Uuid, nullable=False),
    Column("pay_run_id", Uuid, nullable=False),
    Column("payee_kind", Text, nullable=False),
    Column("payee_id", Uuid, nullable=False),
    _gbp("amount_gbp"),
    Column("funds_on", Date, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Index("ix_payment_run", "agency_id", "pay_run_id"),
)

document = Table(
    "document",
    metadata,
    Column("agency_id", Uuid, primary_key=True),
    Column("document_id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("number", Text, nullable=False),
    Column("client_id", Uuid),
    Column("payee_id", Uuid),
    Column("payee_kind", Text),
    Column("run_id", Uuid),
    Column("credits_document_id", Uuid),
    Column("reason_code", Text),
    Column("week_ending", Date),
    Column("issued_on", Date, nullable=False),
    Column("tax_point_on", Date, nullable=False),
    Column("due_on", Date),
    _gbp("net_gbp"),
    _gbp("vat_gbp"),
    _gbp("gross_gbp"),
    Column("payable_gbp", Numeric(14, 2)),
    _minutes("minutes"),
    _gbp("lines_gbp"),
    Column("ledger_balanced", Boolean, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    CheckConstraint("kind IN ('invoice', 'credit_note', 'self_bill')", name="kind_known"),
    Index("ix_document_list", "agency_id", "kind", "week_ending", "number"),
    Index("ix_document_run", "agency_id", "run_id"),
    Index("ix_document_undated", "agency_id", postgresql_where=text("week_ending IS NULL")),
)
"""Invoices, credit notes and self-bills. `week_ending` of the last two is that of the timesheets in them."""

billed_line = Table(
    "billed_line",
    metadata,
    Column("agency_id", Uuid, primary_key=True),
    Column("document_id", Uuid, primary_key=True),
    Column("timesheet_id", Uuid, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("charge_line_id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("worker_id", Uuid, nullable=False),
    Column("minutes", Integer, nullable=False),
    Column("net_gbp", Numeric(14, 2), nullable=False),
    Index("ix_billed_line_timesheet", "agency_id", "timesheet_id"),
)

receipt = Table(
    "receipt",
    metadata,
    Column("agency_id", Uuid, primary_key=True),
    Column("receipt_id", Uuid, primary_key=True),
    Column("document_id", Uuid, primary_key=True),
    Column("client_id", Uuid, nullable=False),
    Column("paid_on", Date, nullable=False),
    _gbp("amount_gbp"),
    _gbp("balance_gbp"),
    Column("sequence", BigInteger, nullable=False),
    Index("ix_receipt_document", "agency_id", "document_id"),
)

invoice_run = Table(
    "invoice_run",
    metadata,
    Column("agency_id", Uuid, primary_key=True),
    Column("invoice_run_id", Uuid, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("week_ending", Date, nullable=False),
    _at("closed_at", nullable=False),
    Column("invoices", Integer, nullable=False),
    _gbp("net_gbp"),
    _gbp("vat_gbp"),
    _minutes("billed_minutes"),
    _minutes("held_minutes"),
    Column("difference_accepted", Boolean, nullable=False),
    Index("ix_invoice_run_week", "agency_id", "week_ending"),
)

week_cut_off = Table(
    "week_cut_off",
    metadata,
    Column("agency_id", Uuid, primary_key=True),
    Column("week_ending", Date, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    _at("cut_off_at", nullable=False),
    Column("timesheets", Integer, nullable=False),
    _minutes("payable_minutes"),
    _minutes("billable_minutes"),
    _gbp("pay_gbp"),
    _gbp("charge_gbp"),
)

alert = Table(
    "alert",
    metadata,
    Column("agency_id", Uuid, primary_key=True),
    Column("alert_id", Uuid, primary_key=True),
    Column("worker_id", Uuid, nullable=False),
    Column("code", Text, nullable=False),
    Column("requirement", Text),
    Column("timesheet_id", Uuid),
    _at("raised_at", nullable=False),
    Index("ix_alert_raised", "agency_id", "raised_at"),
)

story = Table(
    "story",
    metadata,
    Column("agency_id", Uuid, primary_key=True),
    Column("timesheet_id", Uuid, primary_key=True),
    Column("event_id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    _at("happened_at", nullable=False),
    Column("detail", JSONB, nullable=False),
)
"""What happened to a timesheet, across services, in words of codes and amounts."""

pulse = Table(
    "pulse",
    metadata,
    Column("agency_id", Uuid, primary_key=True),
    Column("facts", BigInteger, nullable=False),
    _at("last_fact_at", nullable=False),
)
"""How many facts of an agency were taken and when the last one happened: what live pages watch."""

web_session = Table(
    "web_session",
    metadata,
    Column("token_sha256", Text, primary_key=True),
    Column("subject", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("csrf", Text, nullable=False),
    Column("flash", Text),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    _at("expires_at", nullable=False),
    Index("ix_web_session_expires", "expires_at"),
)
"""People who are signed in. Real time: a session's life is not business time."""

web_sign_in = Table(
    "web_sign_in",
    metadata,
    Column("state", Text, primary_key=True),
    Column("nonce", Text, nullable=False),
    Column("verifier", Text, nullable=False),
    Column("next_path", Text, nullable=False),
    _at("expires_at", nullable=False),
)
"""Sign-ins on their way through the OpenID Connect issuer."""

saved_view = Table(
    "saved_view",
    metadata,
    Column("agency_id", Uuid, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("query", Text, nullable=False),
)
"""Lists of timesheets that a person named."""

long_work = Table(
    "long_work",
    metadata,
    Column("agency_id", Uuid, primary_key=True),
    Column("work_id", Uuid, primary_key=True),
    Column("command", Text, nullable=False),
    Column("week_ending", Date),
    Column("words", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("asked_at", DateTime(timezone=True), nullable=False),
    Column("runs_before", Integer, nullable=False),
    Column("began_at", DateTime(timezone=True), nullable=False, server_default=text("clock_timestamp()")),
    Column("goes_on", Boolean, nullable=False, server_default=false()),
    Column("ended_at", DateTime(timezone=True)),
    Column("outcome", Text),
    Column("failure", JSONB),
    CheckConstraint("failure IS NULL OR ended_at IS NOT NULL", name="failed_is_over"),
    Index("ix_long_work_began", "agency_id", "began_at"),
)
"""Commands that outlast a request: who asked for what, and what was heard of it. How far it is, its owner knows."""

file_import = Table(
    "file_import",
    metadata,
    Column("agency_id", Uuid, primary_key=True),
    Column("import_id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("file_name", Text, nullable=False),
    Column("rows_total", Integer),
    Column("accepted", Integer, nullable=False, server_default=text("0")),
    Column("duplicate", Integer, nullable=False, server_default=text("0")),
    Column("refused", Integer, nullable=False, server_default=text("0")),
    Column("state", Text, nullable=False),
    Column("here", Boolean, nullable=False),
    Column("error", Text),
    Column("hint", Text),
    Column("subject", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("asked_at", DateTime(timezone=True), nullable=False),
    Column("began_at", DateTime(timezone=True), nullable=False, server_default=text("clock_timestamp()")),
    Column("moved_at", DateTime(timezone=True), nullable=False, server_default=text("clock_timestamp()")),
    Column("ended_at", DateTime(timezone=True)),
    Column("encoding", Text),
    Column("headers", JSONB),
    Column("batch_rows", Integer),
    Column("batches_done", Integer, nullable=False, server_default=text("0")),
    Column("started_at", DateTime(timezone=True)),
    Column("tries", Integer, nullable=False, server_default=text("0")),
    Column("leased_by", Uuid),
    Column("leased_until", DateTime(timezone=True)),
    CheckConstraint("state IN ('waiting', 'running', 'stopped', 'done', 'failed')", name="known_state"),
    CheckConstraint("(ended_at IS NULL) = (state IN ('waiting', 'running'))", name="over"),
    Index("ix_file_import_began", "agency_id", "began_at"),
    Index("ix_file_import_to_send", "began_at", postgresql_where=text("here AND ended_at IS NULL")),
)
"""Files that are imported. `here`: sent from a page, by this service; the others are told by the program that sends them."""


def _of_import(name: str, key: str, *columns: Column[Any]) -> Table:
    return Table(
        name,
        metadata,
        Column("agency_id", Uuid, primary_key=True),
        Column("import_id", Uuid, primary_key=True),
        Column(key, Integer, primary_key=True, autoincrement=False),
        *columns,
        ForeignKeyConstraint(
            ["agency_id", "import_id"], ["file_import.agency_id", "file_import.import_id"], ondelete="CASCADE"
        ),
    )


import_refusal = _of_import(
    "import_refusal",
    "row",
    *(Column(name, Text, nullable=False) for name in ("column", "value", "reason", "hint")),
    Column("private", Boolean, nullable=False),
)
"""Refused lines that the pages show. `private`: without the value, and only payroll reads why."""

import_content = _of_import("import_content", "part", Column("content", LargeBinary, nullable=False))
"""A file that was sent from a page, in parts, until its import is over."""

import_receipts = _of_import("import_receipts", "batch", Column("lines", Text, nullable=False))
"""The receipts of a file that was sent from a page: lines of CSV, a batch each."""

import_headers = Table(
    "import_headers",
    metadata,
    Column("agency_id", Uuid, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("headers", JSONB, nullable=False),
    Column("name", Text, nullable=False),
)
"""How an agency's own files head our columns, by kind of file; `name` is who said so."""

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
    "saved_view",
    "long_work",
    "import_refusal",
    "import_content",
    "import_receipts",
    "file_import",
    "import_headers",
)
EDGE_TABLES = ("web_session", "web_sign_in")
