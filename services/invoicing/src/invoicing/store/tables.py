"""The tables of invoicing. Every tenant table carries the agency; document lines and ledger entries are append-only.

Keys and indexes begin with the most selective column and carry the agency behind it: on a table that is filled but not
analysed yet, Postgres takes the agency for selective, and would read a whole agency for one record.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    Numeric,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    false,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from paybill_common.tables import service_metadata

metadata = service_metadata()

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
)
"""Tables under row-level security; `label` comes on top."""

APPEND_ONLY = ("document_line", "ledger_entry", "receipt", "receipt_allocation")
"""Tables in which no role of the service may change or delete a row."""


def _agency(*, key: bool = True) -> Column[Any]:
    return Column("agency_id", Uuid, primary_key=key, nullable=False)


def _gbp(name: str, *, nullable: bool = False, default: str | None = None) -> Column[Any]:
    return Column(name, Numeric(14, 2), nullable=nullable, server_default=text(default) if default else None)


def _at(name: str, *, nullable: bool = False) -> Column[Any]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


def _json(name: str, *, nullable: bool = False) -> Column[Any]:
    return Column(name, JSONB, nullable=nullable)


issuer = Table(
    "issuer",
    metadata,
    _agency(),
    Column("external_id", Text),
    Column("legal_name", Text, nullable=False),
    _json("address"),
    Column("vat_number", Text),
    Column("company_number", Text),
    Column("email", Text),
    Column("phone", Text),
    Column("accent", Text, nullable=False),
    Column("account_name", Text, nullable=False),
    Column("sort_code", Text, nullable=False),
    Column("account_number", Text, nullable=False),
    Column("bank_name", Text),
    Column("iban", Text),
    Column("invoice_prefix", Text, nullable=False),
    Column("credit_note_prefix", Text, nullable=False),
    Column("self_bill_prefix", Text, nullable=False),
    _at("changed_at"),
)

client_terms = Table(
    "client_terms",
    metadata,
    Column("client_id", Uuid, primary_key=True),
    _agency(),
    Column("external_id", Text),
    Column("legal_name", Text, nullable=False),
    _json("address"),
    Column("vat_number", Text),
    Column("company_number", Text),
    Column("email", Text),
    Column("attention", Text),
    Column("customer_reference", Text),
    Column("purchase_order", Text),
    Column("po_required", Boolean, nullable=False),
    Column("group_by", Text, nullable=False),
    Column("payment_days", SmallInteger, nullable=False),
    Column("vat_treatment", Text, nullable=False),
    _at("changed_at"),
    UniqueConstraint("agency_id", "external_id"),
    CheckConstraint("group_by IN ('client', 'site', 'worker')", name="group_by"),
    CheckConstraint("payment_days BETWEEN 0 AND 180", name="payment_days"),
    CheckConstraint("vat_treatment IN ('standard', 'zero', 'exempt', 'reverse_charge')", name="vat_treatment"),
    CheckConstraint("vat_treatment <> 'reverse_charge' OR vat_number IS NOT NULL", name="reverse_charge_vat_number"),
)

supplier = Table(
    "supplier",
    metadata,
    Column("payee_id", Uuid, primary_key=True),
    _agency(),
    Column("external_id", Text),
    Column("legal_name", Text, nullable=False),
    _json("address"),
    Column("vat_number", Text),
    Column("company_number", Text),
    Column("email", Text),
    Column("agreement_reference", Text),
    Column("agreement_from", Date),
    Column("agreement_to", Date),
    Column("vat_treatment", Text),
    _at("changed_at"),
    UniqueConstraint("agency_id", "external_id"),
    CheckConstraint("vat_treatment IN ('standard', 'reverse_charge')", name="vat_treatment"),
    CheckConstraint("agreement_to IS NULL OR agreement_to > agreement_from", name="agreement_period"),
)

timesheet = Table(
    "timesheet",
    metadata,
    Column("timesheet_id", Uuid, primary_key=True),
    _agency(),
    Column("version", Integer, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("worker_id", Uuid, nullable=False),
    Column("placement_id", Uuid, nullable=False),
    Column("client_id", Uuid, nullable=False),
    Column("site_id", Uuid),
    Column("consultant_id", Uuid),
    Column("branch", Text),
    Column("week_ending", Date, nullable=False),
    Column("reference", Text, nullable=False),
    Column("purchase_order", Text),
    _at("approved_at"),
    Column("billable_minutes", Integer, nullable=False),
    Column("billable_units", Numeric(14, 4), nullable=False),
    _gbp("charge_gbp"),
    Column("state", Text),
    _json("reasons", nullable=True),
    Column("decided_version", Integer),
    Column("state_sequence", BigInteger, nullable=False, server_default=text("0")),
    Column("billed_version", Integer),
    Column("traceparent", Text, comment="Of the event that approved this version; an invoice links to it"),
    CheckConstraint("state IN ('ready', 'held')", name="state"),
    CheckConstraint("billed_version <= version", name="billed_version"),
    Index("ix_timesheet_client", "client_id", "agency_id", "week_ending"),
    Index("ix_timesheet_week", "week_ending", "agency_id"),
    Index("ix_timesheet_worker", "worker_id", "agency_id"),
)

charge = Table(
    "charge",
    metadata,
    Column("charge_line_id", Uuid, primary_key=True),
    Column("version", Integer, primary_key=True),
    _agency(),
    Column("timesheet_id", Uuid, nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("element", Text, nullable=False),
    Column("rate_code", Text, nullable=False),
    Column("rate_unit", Text, nullable=False),
    Column("minutes", Integer, nullable=False),
    Column("units", Numeric(12, 4)),
    Column("pay_rate", Numeric(12, 4), nullable=False),
    Column("charge_rate", Numeric(12, 4), nullable=False),
    _gbp("charge_gbp"),
    Column("billable", Boolean, nullable=False),
    Column("rate_card_version", Integer, nullable=False),
    Column("rule_id", Text, nullable=False),
    Column("first_on", Date, nullable=False),
    Column("last_on", Date, nullable=False),
    Column("billed_document_id", Uuid),
    Column("billed_ordinal", Integer),
    Column("rounds", SmallInteger, nullable=False, server_default=text("0")),
    Column("written_off", Boolean, nullable=False, server_default=false()),
    ForeignKeyConstraint(["agency_id", "timesheet_id"], ["timesheet.agency_id", "timesheet.timesheet_id"]),
    CheckConstraint("billed_document_id IS NULL OR billable", name="only_billable_is_billed"),
    CheckConstraint("(billed_document_id IS NULL) = (billed_ordinal IS NULL)", name="billed_line"),
    Index("ix_charge_timesheet", "timesheet_id", "agency_id"),
    Index("ix_charge_billed", "billed_document_id", postgresql_where=text("billed_document_id IS NOT NULL")),
)

clearance = Table(
    "clearance",
    metadata,
    Column("timesheet_id", Uuid, primary_key=True),
    Column("version", Integer, primary_key=True),
    _agency(),
    Column("sequence", BigInteger, nullable=False),
    Column("blocks_bill", Boolean, nullable=False),
    _json("reasons"),
    _at("decided_at"),
)

week_control = Table(
    "week_control",
    metadata,
    Column("week_ending", Date, primary_key=True),
    _agency(),
    Column("sequence", BigInteger, nullable=False),
    _at("cut_off_at"),
    Column("timesheets", Integer, nullable=False),
    Column("billable_minutes", BigInteger, nullable=False),
    Column("billable_units", Numeric(14, 4), nullable=False),
    _gbp("charge_gbp"),
)

number_counter = Table(
    "number_counter",
    metadata,
    Column("series", Text, primary_key=True),
    _agency(),
    Column("last_serial", BigInteger, nullable=False),
    CheckConstraint("series IN ('invoice', 'credit_note', 'self_bill')", name="series"),
    CheckConstraint("last_serial >= 0", name="last_serial"),
)

invoice_run = Table(
    "invoice_run",
    metadata,
    Column("invoice_run_id", Uuid, primary_key=True),
    _agency(),
    Column("external_id", Text),
    Column("week_ending", Date, nullable=False),
    Column("ordinal", SmallInteger, nullable=False),
    Column("status", Text, nullable=False),
    _at("opened_at"),
    Column("opened_by", Text, nullable=False),
    _at("closed_at", nullable=True),
    Column("began_at", DateTime(timezone=True), server_default=func.clock_timestamp()),
    Column("progressed_at", DateTime(timezone=True), server_default=func.clock_timestamp()),
    _json("differences"),
    Column("accepted_by", Text),
    Column("accepted_reason", Text),
    _json("left_out_workers"),
    Column("clients", Integer, nullable=False),
    Column("clients_done", Integer, nullable=False, server_default=text("0")),
    Column("invoices", Integer, nullable=False, server_default=text("0")),
    Column("credit_notes", Integer, nullable=False, server_default=text("0")),
    _gbp("net_gbp", default="0"),
    _gbp("vat_gbp", default="0"),
    Column("billed_minutes", BigInteger, nullable=False, server_default=text("0")),
    Column("held_minutes", BigInteger, nullable=False, server_default=text("0")),
    UniqueConstraint("agency_id", "week_ending", "ordinal"),
    UniqueConstraint("agency_id", "external_id"),
    CheckConstraint("status IN ('open', 'closed')", name="status"),
    CheckConstraint("clients_done <= clients", name="clients_done"),
    CheckConstraint("status <> 'closed' OR (clients_done = clients AND closed_at IS NOT NULL)", name="closed_is_done"),
)

invoice_run_client = Table(
    "invoice_run_client",
    metadata,
    Column("invoice_run_id", Uuid, primary_key=True),
    Column("client_id", Uuid, primary_key=True),
    _agency(),
    _at("done_at", nullable=True),
    Column("documents", Integer, nullable=False, server_default=text("0")),
    ForeignKeyConstraint(["agency_id", "invoice_run_id"], ["invoice_run.agency_id", "invoice_run.invoice_run_id"]),
)

document = Table(
    "document",
    metadata,
    Column("document_id", Uuid, primary_key=True),
    _agency(),
    Column("external_id", Text, comment="Of a credit note that somebody asked for"),
    Column("kind", Text, nullable=False),
    Column("serial", BigInteger, nullable=False),
    Column("number", Text, nullable=False),
    Column("client_id", Uuid),
    Column("payee_id", Uuid),
    Column("payee_kind", Text),
    Column("invoice_run_id", Uuid),
    Column("pay_run_id", Uuid),
    Column("group_key", Text, nullable=False),
    Column("site_id", Uuid),
    Column("worker_id", Uuid),
    Column("grouping", Text, nullable=False),
    Column("issued_on", Date, nullable=False),
    _at("issued_at"),
    Column("tax_point_on", Date, nullable=False),
    Column("due_on", Date, nullable=False),
    Column("week_ending", Date, nullable=False),
    Column("payment_days", SmallInteger),
    Column("purchase_order", Text),
    Column("vat_treatment", Text, nullable=False),
    Column("vat_percent", Numeric(5, 2)),
    _gbp("net_gbp"),
    _gbp("vat_gbp"),
    _gbp("gross_gbp"),
    _gbp("reverse_charge_vat_gbp", nullable=True),
    _gbp("paid_gbp", default="0"),
    _gbp("credited_gbp", default="0"),
    _gbp("deducted_gbp", default="0"),
    Column("credits_document_id", Uuid),
    Column("reason_code", Text),
    Column("reason", Text),
    _json("supplier"),
    _json("customer"),
    _json("extra"),
    Column("revision", BigInteger, nullable=False, server_default=text("1")),
    UniqueConstraint("agency_id", "kind", "serial"),
    UniqueConstraint("agency_id", "number"),
    UniqueConstraint("agency_id", "group_key"),
    UniqueConstraint("agency_id", "external_id"),
    ForeignKeyConstraint(["agency_id", "invoice_run_id"], ["invoice_run.agency_id", "invoice_run.invoice_run_id"]),
    ForeignKeyConstraint(["agency_id", "credits_document_id"], ["document.agency_id", "document.document_id"]),
    CheckConstraint("kind IN ('invoice', 'credit_note', 'self_bill')", name="kind"),
    CheckConstraint("gross_gbp = net_gbp + vat_gbp", name="gross_is_net_plus_vat"),
    CheckConstraint("kind <> 'credit_note' OR (net_gbp <= 0 AND vat_gbp <= 0)", name="credit_is_negative"),
    CheckConstraint("kind <> 'invoice' OR (net_gbp >= 0 AND vat_gbp >= 0)", name="invoice_is_not_negative"),
    CheckConstraint(
        "(kind = 'self_bill') = (payee_id IS NOT NULL) AND (kind = 'self_bill') = (client_id IS NULL)", name="party"
    ),
    CheckConstraint(
        "kind <> 'credit_note' OR (credits_document_id IS NOT NULL AND reason_code IS NOT NULL)", name="credits"
    ),
    CheckConstraint("kind = 'self_bill' OR deducted_gbp = 0", name="only_self_bills_deduct"),
    CheckConstraint("paid_gbp >= 0 AND credited_gbp >= 0", name="settled_is_positive"),
    CheckConstraint("kind <> 'invoice' OR paid_gbp + credited_gbp <= gross_gbp", name="not_overpaid"),
    CheckConstraint(
        "vat_treatment IN ('standard', 'zero', 'exempt', 'reverse_charge', 'not_registered')", name="vat_treatment"
    ),
    CheckConstraint("vat_treatment = 'standard' OR vat_gbp = 0", name="vat_only_when_charged"),
    Index("ix_document_client", "client_id", "agency_id"),
    Index("ix_document_week", "week_ending", "kind", "agency_id"),
    Index("ix_document_credits", "credits_document_id", "agency_id"),
)

document_line = Table(
    "document_line",
    metadata,
    Column("document_id", Uuid, primary_key=True),
    Column("ordinal", Integer, primary_key=True),
    _agency(),
    Column("kind", Text, nullable=False),
    Column("charge_line_id", Uuid),
    Column("timesheet_id", Uuid),
    Column("version", Integer),
    Column("round", SmallInteger),
    Column("reverses_document_id", Uuid),
    Column("reverses_ordinal", Integer),
    Column("worker_id", Uuid, nullable=False),
    Column("worker_name", Text, nullable=False),
    Column("worker_reference", Text, nullable=False),
    Column("job_title", Text, nullable=False),
    Column("site_name", Text, nullable=False),
    Column("timesheet_reference", Text, nullable=False),
    Column("purchase_order", Text),
    Column("element", Text, nullable=False),
    Column("rate_code", Text, nullable=False),
    Column("rate_unit", Text, nullable=False),
    Column("minutes", Integer, nullable=False),
    Column("units", Numeric(12, 4)),
    Column("rate_gbp", Numeric(12, 4), nullable=False),
    _gbp("net_gbp"),
    Column("first_on", Date, nullable=False),
    Column("last_on", Date, nullable=False),
    ForeignKeyConstraint(["agency_id", "document_id"], ["document.agency_id", "document.document_id"]),
    CheckConstraint("kind IN ('charge', 'reversal', 'pay', 'adjustment')", name="kind"),
    CheckConstraint("kind = 'adjustment' OR (charge_line_id IS NOT NULL AND version IS NOT NULL)", name="source"),
    CheckConstraint("(kind IN ('charge', 'reversal')) = (round IS NOT NULL)", name="round"),
    CheckConstraint("(kind = 'reversal') = (reverses_document_id IS NOT NULL)", name="reversal"),
    # A charge is billed once a round and reversed at most once: the business keys behind inbox and run.
    Index(
        "uq_document_line_billed_once",
        "charge_line_id",
        "version",
        "round",
        "kind",
        "agency_id",
        unique=True,
        postgresql_where=text("kind IN ('charge', 'reversal')"),
    ),
    Index("ix_document_line_timesheet", "timesheet_id", "agency_id"),
)

ledger_entry = Table(
    "ledger_entry",
    metadata,
    Column("entry_id", Uuid, primary_key=True),
    _agency(),
    Column("source_kind", Text, nullable=False),
    Column("source_id", Uuid, nullable=False),
    Column("account", Text, nullable=False),
    _gbp("amount_gbp"),
    Column("posted_on", Date, nullable=False),
    _at("posted_at"),
    Column("client_id", Uuid),
    Column("payee_id", Uuid),
    UniqueConstraint("source_id", "account", "agency_id"),
    CheckConstraint(
        "account IN ('debtors', 'bank', 'creditors', 'vat_output', 'vat_input', 'sales', 'purchases', 'cis_withheld', "
        "'paye_withheld')",
        name="account",
    ),
    CheckConstraint("source_kind IN ('invoice', 'credit_note', 'self_bill', 'receipt')", name="source_kind"),
    CheckConstraint("amount_gbp <> 0", name="not_nil"),
)

receipt = Table(
    "receipt",
    metadata,
    Column("receipt_id", Uuid, primary_key=True),
    _agency(),
    Column("external_id", Text),
    Column("client_id", Uuid, nullable=False),
    Column("received_on", Date, nullable=False),
    _gbp("amount_gbp"),
    Column("reference", Text),
    Column("recorded_by", Text, nullable=False),
    _at("recorded_at"),
    UniqueConstraint("agency_id", "external_id"),
    CheckConstraint("amount_gbp > 0", name="amount"),
)

receipt_allocation = Table(
    "receipt_allocation",
    metadata,
    Column("receipt_id", Uuid, primary_key=True),
    Column("document_id", Uuid, primary_key=True),
    _agency(),
    _gbp("amount_gbp"),
    ForeignKeyConstraint(["agency_id", "receipt_id"], ["receipt.agency_id", "receipt.receipt_id"]),
    ForeignKeyConstraint(["agency_id", "document_id"], ["document.agency_id", "document.document_id"]),
    CheckConstraint("amount_gbp > 0", name="amount"),
)

pay_run = Table(
    "pay_run",
    metadata,
    Column("pay_run_id", Uuid, primary_key=True),
    _agency(),
    Column("sequence", BigInteger, nullable=False),
    Column("period_to", Date, nullable=False),
    Column("payday_on", Date, nullable=False),
    Column("self_bills", Integer, nullable=False),
    _at("closed_at"),
)

self_bill_pay = Table(
    "self_bill_pay",
    metadata,
    Column("payslip_id", Uuid, primary_key=True),
    _agency(),
    Column("pay_run_id", Uuid, nullable=False),
    Column("worker_id", Uuid, nullable=False),
    Column("payee_id", Uuid),
    Column("pay_basis", Text, nullable=False),
    Column("period_from", Date, nullable=False),
    Column("period_to", Date, nullable=False),
    _gbp("net_gbp"),
    _gbp("cis_gbp", default="0"),
    _gbp("cis_labour_gbp", default="0"),
    Column("cis_rate_pct", SmallInteger),
    _gbp("paye_tax_gbp", default="0"),
    _gbp("employee_nic_gbp", default="0"),
    Column("document_id", Uuid),
    Index("ix_self_bill_pay_run", "pay_run_id", "payee_id", "agency_id"),
    Index("ix_self_bill_pay_payee", "payee_id", "agency_id", postgresql_where=text("document_id IS NULL")),
)

self_bill_charge = Table(
    "self_bill_charge",
    metadata,
    Column("payslip_id", Uuid, primary_key=True),
    Column("ordinal", Integer, primary_key=True),
    _agency(),
    Column("charge_line_id", Uuid, nullable=False),
    Column("timesheet_id", Uuid, nullable=False),
    Column("version", Integer, nullable=False),
    Column("minutes", Integer, nullable=False),
    _gbp("pay_gbp"),
    Column("reverses", Boolean, nullable=False),
    ForeignKeyConstraint(["agency_id", "payslip_id"], ["self_bill_pay.agency_id", "self_bill_pay.payslip_id"]),
    Index("ix_self_bill_charge_timesheet", "timesheet_id", "agency_id"),
)
