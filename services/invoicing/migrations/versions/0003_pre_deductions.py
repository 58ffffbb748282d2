"""What is kept back of self-bills (CIS, deemed employment), and the VAT treatment agreed with a supplier."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_MONEY = sa.Numeric(14, 2)


def upgrade() -> None:
    op.add_column("supplier", sa.Column("vat_treatment", sa.Text(), nullable=True))
    op.create_check_constraint(
        op.f("ck_supplier_vat_treatment"), "supplier", "vat_treatment IN ('standard', 'reverse_charge')"
    )
    for name in ("cis_gbp", "cis_labour_gbp", "paye_tax_gbp", "employee_nic_gbp"):
        op.add_column("self_bill_pay", sa.Column(name, _MONEY, server_default=sa.text("0"), nullable=False))
    op.add_column("self_bill_pay", sa.Column("cis_rate_pct", sa.SmallInteger(), nullable=True))
    op.add_column("document", sa.Column("deducted_gbp", _MONEY, server_default=sa.text("0"), nullable=False))
    op.create_check_constraint(
        op.f("ck_document_only_self_bills_deduct"), "document", "kind = 'self_bill' OR deducted_gbp = 0"
    )
    op.drop_constraint(op.f("ck_ledger_entry_account"), "ledger_entry", type_="check")
    op.create_check_constraint(
        op.f("ck_ledger_entry_account"),
        "ledger_entry",
        "account IN ('debtors', 'bank', 'creditors', 'vat_output', 'vat_input', 'sales', 'purchases', 'cis_withheld', "
        "'paye_withheld')",
    )
