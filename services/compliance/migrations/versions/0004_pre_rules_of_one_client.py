"""A client may ask for a document that the agency does not ask for everywhere."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.drop_constraint(op.f("fk_client_requirement_agency_id_code"), "client_requirement", type_="foreignkey")
    op.create_table_comment(
        "client_requirement", "What one client asks for instead of the agency's requirement, or beside them"
    )
