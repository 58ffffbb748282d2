"""The first tables of timesheet."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from paybill_common.tables import grant_runtime, secure

revision = "0001_pre_initial"
down_revision = None
TENANT_TABLES = (
    "agency",
    "counter",
    "client",
    "site",
    "consultant",
    "payee",
    "worker",
    "rate_card",
    "rate_card_version",
    "placement",
    "timesheet",
    "entry",
    "expense",
    "timesheet_version",
    "evidence",
    "approval_request",
    "import_row",
    "chase",
    "week_cut_off",
    "compliance_decision",
    "mail",
    "label",
)
APPEND_ONLY = ("timesheet_version", "evidence", "import_row")


def upgrade() -> None:
    op.create_table(
        "agency",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("bureau_id", sa.Uuid(), nullable=True),
        sa.Column("bank_holiday_division", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "bank_holiday_division IN ('england-and-wales', 'scotland', 'northern-ireland')",
            name=op.f("ck_agency_division_known"),
        ),
        sa.PrimaryKeyConstraint("agency_id", name=op.f("pk_agency")),
    )
    op.create_table(
        "approval_request",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("approval_request_id", sa.Uuid(), nullable=False),
        sa.Column("week_ending", sa.Date(), nullable=False),
        sa.Column("approver_email", sa.Text(), nullable=False),
        sa.Column("approver_name", sa.Text(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("times_sent", sa.Integer(), nullable=False),
        sa.Column("waiting", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("agency_id", "approval_request_id", name=op.f("pk_approval_request")),
        sa.UniqueConstraint(
            "agency_id",
            "week_ending",
            "approver_email",
            name=op.f("uq_approval_request_agency_id_week_ending_approver_email"),
        ),
    )
    op.create_table(
        "client",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("approver_name", sa.Text(), nullable=True),
        sa.Column("approver_email", sa.Text(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("status IN ('active', 'closed')", name=op.f("ck_client_status_known")),
        sa.PrimaryKeyConstraint("agency_id", "client_id", name=op.f("pk_client")),
        sa.UniqueConstraint("agency_id", "external_id", name=op.f("uq_client_agency_id_external_id")),
    )
    op.create_index("ix_client_reference", "client", ["agency_id", "reference"], unique=False)
    op.create_table(
        "compliance_decision",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("timesheet_id", sa.Uuid(), nullable=False),
        sa.Column("worker_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("held", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("reasons", postgresql.JSONB(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("agency_id", "timesheet_id", name=op.f("pk_compliance_decision")),
        comment="The newest decision of compliance about each timesheet",
    )
    op.create_index("ix_compliance_decision_worker", "compliance_decision", ["agency_id", "worker_id"], unique=False)
    op.create_table(
        "consultant",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("consultant_id", sa.Uuid(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("branch", sa.Text(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("agency_id", "consultant_id", name=op.f("pk_consultant")),
        sa.UniqueConstraint("agency_id", "external_id", name=op.f("uq_consultant_agency_id_external_id")),
    )
    op.create_index("ix_consultant_reference", "consultant", ["agency_id", "reference"], unique=False)
    op.create_table(
        "consumer_state",
        sa.Column("consumer", sa.Text(), nullable=False),
        sa.Column("dead_letters_in_a_row", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("stopped", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("stopped_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("consumer", name=op.f("pk_consumer_state")),
    )
    op.create_table(
        "counter",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("agency_id", "name", name=op.f("pk_counter")),
        comment="Numbers that an agency counts up, under the row's lock",
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
        "import_row",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("row_key", sa.Uuid(), nullable=False),
        sa.Column("import_id", sa.Uuid(), nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("record_id", sa.Uuid(), nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("agency_id", "row_key", name=op.f("pk_import_row")),
        comment="Hours rows taken from files, by their content: the same row again is a duplicate",
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
        "mail",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("mail_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("to_name", sa.Text(), nullable=False),
        sa.Column("to_email", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("body_text", sa.Text(), nullable=False),
        sa.Column("body_html", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("agency_id", "mail_id", name=op.f("pk_mail")),
        comment="E-mails written with the change they tell of; sent afterwards",
    )
    op.create_index("ix_mail_unsent", "mail", ["created_at"], unique=False, postgresql_where=sa.text("sent_at IS NULL"))
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
        "payee",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("payee_id", sa.Uuid(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('umbrella', 'limited', 'cis')", name=op.f("ck_payee_kind_known")),
        sa.PrimaryKeyConstraint("agency_id", "payee_id", name=op.f("pk_payee")),
        sa.UniqueConstraint("agency_id", "external_id", name=op.f("uq_payee_agency_id_external_id")),
    )
    op.create_index("ix_payee_reference", "payee", ["agency_id", "reference"], unique=False)
    op.create_table(
        "rate_card",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("rate_card_id", sa.Uuid(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=True),
        sa.Column("placement_id", sa.Uuid(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("client_id IS NULL OR placement_id IS NULL", name=op.f("ck_rate_card_one_level")),
        sa.PrimaryKeyConstraint("agency_id", "rate_card_id", name=op.f("pk_rate_card")),
        sa.UniqueConstraint("agency_id", "external_id", name=op.f("uq_rate_card_agency_id_external_id")),
        comment="A card of a client or of a placement; one of neither is used by the placements that name it",
    )
    op.create_index(
        "uq_rate_card_client",
        "rate_card",
        ["agency_id", "client_id"],
        unique=True,
        postgresql_where=sa.text("client_id IS NOT NULL"),
    )
    op.create_index(
        "uq_rate_card_placement",
        "rate_card",
        ["agency_id", "placement_id"],
        unique=True,
        postgresql_where=sa.text("placement_id IS NOT NULL"),
    )
    op.create_table(
        "week_cut_off",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("week_ending", sa.Date(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("cut_off_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cut_off_by", sa.Text(), nullable=False),
        sa.Column("timesheets", sa.Integer(), nullable=False),
        sa.Column("payable_minutes", sa.BigInteger(), nullable=False),
        sa.Column("billable_minutes", sa.BigInteger(), nullable=False),
        sa.Column("payable_units", sa.Numeric(precision=14, scale=4), nullable=False),
        sa.Column("billable_units", sa.Numeric(precision=14, scale=4), nullable=False),
        sa.Column("pay_gbp", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("charge_gbp", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.PrimaryKeyConstraint("agency_id", "week_ending", name=op.f("pk_week_cut_off")),
    )
    op.create_table(
        "worker",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("worker_id", sa.Uuid(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("started_on", sa.Date(), nullable=True),
        sa.Column("left_on", sa.Date(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("status IN ('active', 'left')", name=op.f("ck_worker_status_known")),
        sa.CheckConstraint(
            "left_on IS NULL OR started_on IS NULL OR left_on > started_on", name=op.f("ck_worker_left_after_start")
        ),
        sa.PrimaryKeyConstraint("agency_id", "worker_id", name=op.f("pk_worker")),
        sa.UniqueConstraint("agency_id", "external_id", name=op.f("uq_worker_agency_id_external_id")),
    )
    op.create_index("ix_worker_reference", "worker", ["agency_id", "reference"], unique=False)
    op.create_table(
        "rate_card_version",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("rate_card_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("effective_from", sa.Date(), nullable=False),
        sa.Column("effective_to", sa.Date(), nullable=True),
        sa.Column("card", postgresql.JSONB(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.Column("superseded_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "effective_to IS NULL OR effective_to > effective_from", name=op.f("ck_rate_card_version_ends_after_start")
        ),
        sa.ForeignKeyConstraint(
            ["agency_id", "rate_card_id"],
            ["rate_card.agency_id", "rate_card.rate_card_id"],
            name=op.f("fk_rate_card_version_agency_id_rate_card_id"),
        ),
        sa.PrimaryKeyConstraint("agency_id", "rate_card_id", "version", name=op.f("pk_rate_card_version")),
        comment="What a card said, from when, and when we knew it; a correction supersedes and never edits",
    )
    op.create_index(
        "uq_rate_card_version_in_use",
        "rate_card_version",
        ["agency_id", "rate_card_id", "effective_from"],
        unique=True,
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    op.create_table(
        "site",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["agency_id", "client_id"],
            ["client.agency_id", "client.client_id"],
            name=op.f("fk_site_agency_id_client_id"),
        ),
        sa.PrimaryKeyConstraint("agency_id", "site_id", name=op.f("pk_site")),
        sa.UniqueConstraint("agency_id", "external_id", name=op.f("uq_site_agency_id_external_id")),
    )
    op.create_index("ix_site_reference", "site", ["agency_id", "reference"], unique=False)
    op.create_table(
        "placement",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("placement_id", sa.Uuid(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False, comment="Job title"),
        sa.Column("worker_id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=True),
        sa.Column("consultant_id", sa.Uuid(), nullable=True),
        sa.Column("branch", sa.Text(), nullable=True),
        sa.Column("pay_basis", sa.Text(), nullable=False),
        sa.Column("payee_id", sa.Uuid(), nullable=True),
        sa.Column("holiday_pay", sa.Text(), nullable=False),
        sa.Column("purchase_order", sa.Text(), nullable=True),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=True, comment="Exclusive"),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("rate_card_id", sa.Uuid(), nullable=True),
        sa.Column("approver_name", sa.Text(), nullable=True),
        sa.Column("approver_email", sa.Text(), nullable=True),
        sa.Column("booked_minutes", sa.Integer(), nullable=True, comment="Minutes a week that the client booked"),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(pay_basis = 'paye') = (payee_id IS NULL)", name=op.f("ck_placement_payee_unless_paye")),
        sa.CheckConstraint(
            "holiday_pay IN ('rolled_up', 'accrued', 'none')", name=op.f("ck_placement_holiday_pay_known")
        ),
        sa.CheckConstraint(
            "pay_basis IN ('paye', 'umbrella', 'limited', 'cis')", name=op.f("ck_placement_pay_basis_known")
        ),
        sa.CheckConstraint("status IN ('active', 'ended')", name=op.f("ck_placement_status_known")),
        sa.CheckConstraint("ends_on IS NULL OR ends_on > starts_on", name=op.f("ck_placement_ends_after_start")),
        sa.ForeignKeyConstraint(
            ["agency_id", "client_id"],
            ["client.agency_id", "client.client_id"],
            name=op.f("fk_placement_agency_id_client_id"),
        ),
        sa.ForeignKeyConstraint(
            ["agency_id", "consultant_id"],
            ["consultant.agency_id", "consultant.consultant_id"],
            name=op.f("fk_placement_agency_id_consultant_id"),
        ),
        sa.ForeignKeyConstraint(
            ["agency_id", "payee_id"],
            ["payee.agency_id", "payee.payee_id"],
            name=op.f("fk_placement_agency_id_payee_id"),
        ),
        sa.ForeignKeyConstraint(
            ["agency_id", "rate_card_id"],
            ["rate_card.agency_id", "rate_card.rate_card_id"],
            name=op.f("fk_placement_agency_id_rate_card_id"),
        ),
        sa.ForeignKeyConstraint(
            ["agency_id", "site_id"], ["site.agency_id", "site.site_id"], name=op.f("fk_placement_agency_id_site_id")
        ),
        sa.ForeignKeyConstraint(
            ["agency_id", "worker_id"],
            ["worker.agency_id", "worker.worker_id"],
            name=op.f("fk_placement_agency_id_worker_id"),
        ),
        sa.PrimaryKeyConstraint("agency_id", "placement_id", name=op.f("pk_placement")),
        sa.UniqueConstraint("agency_id", "external_id", name=op.f("uq_placement_agency_id_external_id")),
    )
    op.create_index("ix_placement_client", "placement", ["agency_id", "client_id"], unique=False)
    op.create_index("ix_placement_reference", "placement", ["agency_id", "reference"], unique=False)
    op.create_index("ix_placement_worker", "placement", ["agency_id", "worker_id"], unique=False)
    op.create_table(
        "timesheet",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("timesheet_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("placement_id", sa.Uuid(), nullable=False),
        sa.Column("worker_id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("week_ending", sa.Date(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False, comment="Goes up with every event"),
        sa.Column(
            "reason", sa.Text(), nullable=True, comment="Why it was rejected or amended; never leaves this service"
        ),
        sa.Column("reason_code", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("minutes", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("pay_gbp", sa.Numeric(precision=14, scale=2), server_default=sa.text("0"), nullable=False),
        sa.Column("charge_gbp", sa.Numeric(precision=14, scale=2), server_default=sa.text("0"), nullable=False),
        sa.Column("expected_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("chased_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("source IN ('api', 'file', 'portal')", name=op.f("ck_timesheet_source_known")),
        sa.CheckConstraint(
            "status IN ('draft', 'submitted', 'approved', 'rejected', 'amended')",
            name=op.f("ck_timesheet_status_known"),
        ),
        sa.CheckConstraint("extract(isodow FROM week_ending) = 7", name=op.f("ck_timesheet_week_ends_on_sunday")),
        sa.CheckConstraint("version >= 1", name=op.f("ck_timesheet_version_counts")),
        sa.ForeignKeyConstraint(
            ["agency_id", "placement_id"],
            ["placement.agency_id", "placement.placement_id"],
            name=op.f("fk_timesheet_agency_id_placement_id"),
        ),
        sa.PrimaryKeyConstraint("agency_id", "timesheet_id", name=op.f("pk_timesheet")),
        sa.UniqueConstraint("agency_id", "external_id", name=op.f("uq_timesheet_agency_id_external_id")),
        sa.UniqueConstraint("agency_id", "number", name=op.f("uq_timesheet_agency_id_number")),
        sa.UniqueConstraint(
            "agency_id", "placement_id", "week_ending", name=op.f("uq_timesheet_agency_id_placement_id_week_ending")
        ),
    )
    op.create_index("ix_timesheet_week", "timesheet", ["agency_id", "week_ending", "status"], unique=False)
    op.create_index("ix_timesheet_worker", "timesheet", ["agency_id", "worker_id", "week_ending"], unique=False)
    op.create_table(
        "chase",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("chase_id", sa.Uuid(), nullable=False),
        sa.Column("timesheet_id", sa.Uuid(), nullable=False),
        sa.Column("chased_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("chased_by", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("mail_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint("what IN ('hours', 'approval')", name=op.f("ck_chase_what_known")),
        sa.ForeignKeyConstraint(
            ["agency_id", "timesheet_id"],
            ["timesheet.agency_id", "timesheet.timesheet_id"],
            name=op.f("fk_chase_agency_id_timesheet_id"),
        ),
        sa.PrimaryKeyConstraint("agency_id", "chase_id", name=op.f("pk_chase")),
    )
    op.create_index("ix_chase_timesheet", "chase", ["agency_id", "timesheet_id"], unique=False)
    op.create_table(
        "entry",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("timesheet_id", sa.Uuid(), nullable=False),
        sa.Column("worker_id", sa.Uuid(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("worked_on", sa.Date(), nullable=False),
        sa.Column("start", sa.Time(), nullable=True),
        sa.Column("finish", sa.Time(), nullable=True),
        sa.Column("finish_on", sa.Date(), nullable=True),
        sa.Column("break_minutes", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("break_start", sa.Time(), nullable=True),
        sa.Column("start_fold", sa.SmallInteger(), nullable=True),
        sa.Column("finish_fold", sa.SmallInteger(), nullable=True),
        sa.Column("unit", sa.Text(), nullable=True),
        sa.Column("units", sa.Numeric(precision=14, scale=4), nullable=True),
        sa.Column("rate_code", sa.Text(), nullable=True),
        sa.CheckConstraint("(start IS NULL) <> (units IS NULL)", name=op.f("ck_entry_clock_or_units")),
        sa.CheckConstraint("(start IS NULL) = (finish IS NULL)", name=op.f("ck_entry_start_and_finish")),
        sa.CheckConstraint("(unit IS NULL) = (units IS NULL)", name=op.f("ck_entry_units_have_unit")),
        sa.CheckConstraint("units >= 0 AND break_minutes >= 0", name=op.f("ck_entry_not_negative")),
        sa.ForeignKeyConstraint(
            ["agency_id", "timesheet_id"],
            ["timesheet.agency_id", "timesheet.timesheet_id"],
            name=op.f("fk_entry_agency_id_timesheet_id"),
        ),
        sa.PrimaryKeyConstraint("agency_id", "entry_id", name=op.f("pk_entry")),
    )
    op.create_index("ix_entry_timesheet", "entry", ["agency_id", "timesheet_id"], unique=False)
    op.create_index("ix_entry_worker", "entry", ["agency_id", "worker_id", "worked_on"], unique=False)
    op.create_table(
        "evidence",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("evidence_id", sa.Uuid(), nullable=False),
        sa.Column("timesheet_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "by_subject",
            sa.Text(),
            nullable=False,
            comment="The signed-in subject, or the e-mail that the link went to",
        ),
        sa.Column("by_name", sa.Text(), nullable=False),
        sa.Column("ip", sa.Text(), nullable=True),
        sa.Column("user_agent", sa.Text(), nullable=True),
        sa.Column("approval_request_id", sa.Uuid(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("seen", postgresql.JSONB(), nullable=False),
        sa.Column("seen_sha256", sa.Text(), nullable=False),
        sa.CheckConstraint("decision IN ('approved', 'rejected', 'amended')", name=op.f("ck_evidence_decision_known")),
        sa.CheckConstraint("kind IN ('client', 'agency')", name=op.f("ck_evidence_kind_known")),
        sa.ForeignKeyConstraint(
            ["agency_id", "timesheet_id"],
            ["timesheet.agency_id", "timesheet.timesheet_id"],
            name=op.f("fk_evidence_agency_id_timesheet_id"),
        ),
        sa.PrimaryKeyConstraint("agency_id", "evidence_id", name=op.f("pk_evidence")),
        comment="Who decided, when, from where, and what they saw",
    )
    op.create_index("ix_evidence_timesheet", "evidence", ["agency_id", "timesheet_id"], unique=False)
    op.create_table(
        "expense",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("expense_id", sa.Uuid(), nullable=False),
        sa.Column("timesheet_id", sa.Uuid(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("spent_on", sa.Date(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("pay_gbp", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("charge_gbp", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("applies", sa.Text(), nullable=False),
        sa.CheckConstraint("applies IN ('both', 'pay_only', 'bill_only')", name=op.f("ck_expense_applies_known")),
        sa.CheckConstraint("pay_gbp >= 0 AND charge_gbp >= 0", name=op.f("ck_expense_not_negative")),
        sa.ForeignKeyConstraint(
            ["agency_id", "timesheet_id"],
            ["timesheet.agency_id", "timesheet.timesheet_id"],
            name=op.f("fk_expense_agency_id_timesheet_id"),
        ),
        sa.PrimaryKeyConstraint("agency_id", "expense_id", name=op.f("pk_expense")),
    )
    op.create_index("ix_expense_timesheet", "expense", ["agency_id", "timesheet_id"], unique=False)
    op.create_table(
        "timesheet_version",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("timesheet_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("approved_by", sa.Text(), nullable=False),
        sa.Column("evidence_id", sa.Uuid(), nullable=False),
        sa.Column("reason_code", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column(
            "placement",
            postgresql.JSONB(),
            nullable=False,
            comment="Facts of the placement as approved; an amendment keeps them",
        ),
        sa.Column("entries", postgresql.JSONB(), nullable=False),
        sa.Column("lines", postgresql.JSONB(), nullable=False),
        sa.Column("worked_minutes", sa.Integer(), nullable=False),
        sa.Column("payable_minutes", sa.Integer(), nullable=False),
        sa.Column("billable_minutes", sa.Integer(), nullable=False),
        sa.Column("payable_units", sa.Numeric(precision=14, scale=4), nullable=False),
        sa.Column("billable_units", sa.Numeric(precision=14, scale=4), nullable=False),
        sa.Column("pay_gbp", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("charge_gbp", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.CheckConstraint("approved_by IN ('client', 'agency')", name=op.f("ck_timesheet_version_approved_by_known")),
        sa.CheckConstraint(
            "version = 1 OR reason_code IS NOT NULL", name=op.f("ck_timesheet_version_amendment_has_reason")
        ),
        sa.ForeignKeyConstraint(
            ["agency_id", "timesheet_id"],
            ["timesheet.agency_id", "timesheet.timesheet_id"],
            name=op.f("fk_timesheet_version_agency_id_timesheet_id"),
        ),
        sa.PrimaryKeyConstraint("agency_id", "timesheet_id", "version", name=op.f("pk_timesheet_version")),
        comment="What each approval and amendment charged; never changed afterwards",
    )

    secure(op, TENANT_TABLES)
    grant_runtime(op)
    for table in APPEND_ONLY:
        op.execute(f"REVOKE UPDATE, DELETE ON {table} FROM paybill_api, paybill_worker")
    op.execute(
        """
        CREATE FUNCTION erase_directory_copies(agency uuid, directory_key text, record_id text) RETURNS void
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
        BEGIN
            IF NOT agency = ANY (paybill_agencies()) THEN
                RAISE EXCEPTION 'agency % is not one of this transaction', agency USING ERRCODE = '42501';
            END IF;
            DELETE FROM outbox o WHERE o.topic = 'paybill.directory' AND o.key = directory_key AND o.agency_id = agency
                AND o.payload IS NOT NULL;
            DELETE FROM idempotency_key i WHERE position(convert_to(record_id, 'UTF8') IN i.body) > 0;
        END $$
        """
    )
    op.execute("REVOKE ALL ON FUNCTION erase_directory_copies FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION erase_directory_copies TO paybill_api, paybill_worker")
