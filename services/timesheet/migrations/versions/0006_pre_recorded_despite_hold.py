"""Evidence that hours were recorded although compliance blocks new hours of the worker."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.drop_constraint(op.f("ck_evidence_decision_known"), "evidence", type_="check")
    op.create_check_constraint(
        op.f("ck_evidence_decision_known"),
        "evidence",
        "decision IN ('approved', 'rejected', 'amended', 'recorded')",
    )
