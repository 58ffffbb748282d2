"""Pay profiles, payees, the employer and the pay calendar: facts that come through the API and never travel on the bus."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from paybill_common.db import Tx

PROFILE_FIELDS = (
    "external_id",
    "given_name",
    "family_name",
    "gender",
    "address",
    "ni_number",
    "birth_on",
    "tax_code",
    "tax_basis",
    "ni_letter",
    "ni_letter_until",
    "student_loan_plan",
    "postgrad_loan",
    "pension",
    "apprentice",
    "apprenticeship_started_on",
    "tax_code_from",
    "p45_issued_on",
    "accommodation",
    "payrolled_benefits",
    "director",
    "director_method",
    "director_appointed_on",
    "director_settle_on",
    "attachment_of_earnings",
    "previous_tax_year",
    "previous_pay_gbp",
    "previous_tax_gbp",
    "starter_declaration",
    "starter",
    "employment_no",
    "sort_code",
    "account_number",
    "account_name",
)
PAYEE_FIELDS = (
    "external_id",
    "sort_code",
    "account_number",
    "account_name",
    "cis_utr",
    "cis_rate_pct",
    "cis_verification_number",
    "cis_verified_on",
    "agency_rules",
)
EMPLOYER_FIELDS = (
    "legal_name",
    "address",
    "paye_reference",
    "accounts_office_reference",
    "levy_payer",
    "pension_re_enrolment_on",
    "service_user_number",
    "sort_code",
    "account_number",
    "account_name",
)
CALENDAR_FIELDS = ("payday_days_after", "late_pay")
_TYPES = {
    "address": "jsonb",
    "pension": "jsonb",
    "agency_rules": "jsonb",
    "accommodation": "jsonb",
    "payrolled_benefits": "jsonb",
    "starter": "jsonb",
    "apprenticeship_started_on": "date",
    "tax_code_from": "date",
    "ni_letter_until": "date",
    "p45_issued_on": "date",
    "birth_on": "date",
    "postgrad_loan": "bool",
    "apprentice": "bool",
    "director": "bool",
    "director_appointed_on": "date",
    "director_settle_on": "date",
    "attachment_of_earnings": "bool",
    "levy_payer": "bool",
    "pension_re_enrolment_on": "date",
    "previous_pay_gbp": "numeric",
    "previous_tax_gbp": "numeric",
    "employment_no": "int",
    "payday_days_after": "int",
    "cis_rate_pct": "int",
    "cis_verified_on": "date",
}


async def upsert_profiles(tx: Tx, *, agency_id: UUID, rows: Sequence[tuple[UUID, Mapping[str, Any]]], by: str) -> None:
    """Store whole profiles; each write raises the profile's version."""
    await _upsert_many(tx, "pay_profile", "worker_id", PROFILE_FIELDS, agency_id, rows, by)


async def upsert_payees(tx: Tx, *, agency_id: UUID, rows: Sequence[tuple[UUID, Mapping[str, Any]]], by: str) -> None:
    """Store whole payees."""
    await _upsert_many(tx, "payee", "payee_id", PAYEE_FIELDS, agency_id, rows, by)


async def _upsert_many(
    tx: Tx,
    table: str,
    key: str,
    fields: Sequence[str],
    agency_id: UUID,
    rows: Sequence[tuple[UUID, Mapping[str, Any]]],
    by: str,
) -> None:
    types = [_TYPES.get(name, "text") for name in fields]
    arrays = ", ".join(
        f"CAST(:{name} AS {'text' if kind == 'jsonb' else kind}[])" for name, kind in zip(fields, types, strict=True)
    )
    values = ", ".join(
        f"CAST(i.{name} AS jsonb)" if kind == "jsonb" else f"i.{name}" for name, kind in zip(fields, types, strict=True)
    )
    await tx.execute(
        f"""
        INSERT INTO {table} (agency_id, {key}, {", ".join(fields)}, version, updated_at, updated_by)
        SELECT :agency, i.id, {values}, 1, :now, :by
        FROM unnest(CAST(:ids AS uuid[]), {arrays}) AS i(id, {", ".join(fields)})
        ON CONFLICT (agency_id, {key}) DO UPDATE
          SET {", ".join(f"{name} = EXCLUDED.{name}" for name in fields)}, version = {table}.version + 1,
              updated_at = EXCLUDED.updated_at, updated_by = EXCLUDED.updated_by
        """,  # noqa: S608  constant names
        agency=agency_id,
        now=tx.now,
        by=by,
        ids=[record_id for record_id, _ in rows],
        **{
            name: [
                json.dumps(values_[name]) if kind == "jsonb" and values_[name] is not None else values_[name]
                for _, values_ in rows
            ]
            for name, kind in zip(fields, types, strict=True)
        },
    )


async def upsert_employer(tx: Tx, *, agency_id: UUID, values: Mapping[str, Any], by: str) -> None:
    await _upsert_one(tx, "employer", EMPLOYER_FIELDS, agency_id, values, by)


async def upsert_calendar(tx: Tx, *, agency_id: UUID, values: Mapping[str, Any], by: str) -> None:
    await _upsert_one(tx, "pay_calendar", CALENDAR_FIELDS, agency_id, values, by)


async def _upsert_one(
    tx: Tx, table: str, fields: Sequence[str], agency_id: UUID, values: Mapping[str, Any], by: str
) -> None:
    casts = ", ".join(f"CAST(:{name} AS {_TYPES.get(name, 'text')})" for name in fields)
    await tx.execute(
        f"""
        INSERT INTO {table} (agency_id, {", ".join(fields)}, updated_at, updated_by)
        VALUES (:agency, {casts}, :now, :by)
        ON CONFLICT (agency_id) DO UPDATE SET {", ".join(f"{name} = EXCLUDED.{name}" for name in fields)},
            updated_at = EXCLUDED.updated_at, updated_by = EXCLUDED.updated_by
        """,  # noqa: S608  constant names
        agency=agency_id,
        now=tx.now,
        by=by,
        **{name: json.dumps(values[name]) if _TYPES.get(name) == "jsonb" else values[name] for name in fields},
    )


async def taken_external_ids(
    tx: Tx, *, table: str, key: str, agency_id: UUID, external_ids: Sequence[str]
) -> dict[str, UUID]:
    """Which of these external ids already name a record, and which one. `table` and `key` are this module's own names."""
    if (table, key) not in (("pay_profile", "worker_id"), ("payee", "payee_id")):
        raise ValueError(f"{table}.{key} has no external ids here")
    found = await tx.execute(
        f"SELECT external_id, {key} AS id FROM {table} "  # noqa: S608  constant names
        "WHERE agency_id = :agency AND external_id = ANY(CAST(:ids AS text[]))",
        agency=agency_id,
        ids=list(external_ids),
    )
    return {row.external_id: row.id for row in found}


async def profile(tx: Tx, *, agency_id: UUID, worker_id: UUID) -> Any | None:
    found = await tx.execute(
        "SELECT * FROM pay_profile WHERE agency_id = :agency AND worker_id = :id", agency=agency_id, id=worker_id
    )
    return found.first()


async def profiles(tx: Tx, *, agency_id: UUID, external_id: str | None, after: UUID | None, most: int) -> list[Any]:
    found = await tx.execute(
        """
        SELECT * FROM pay_profile WHERE agency_id = :agency
          AND (CAST(:external AS text) IS NULL OR external_id = :external)
          AND (CAST(:after AS uuid) IS NULL OR worker_id > :after)
        ORDER BY worker_id LIMIT :most
        """,
        agency=agency_id,
        external=external_id,
        after=after,
        most=most,
    )
    return list(found.all())


async def payee(tx: Tx, *, agency_id: UUID, payee_id: UUID) -> Any | None:
    found = await tx.execute(
        "SELECT * FROM payee WHERE agency_id = :agency AND payee_id = :id", agency=agency_id, id=payee_id
    )
    return found.first()


async def payees(tx: Tx, *, agency_id: UUID, external_id: str | None, after: UUID | None, most: int) -> list[Any]:
    found = await tx.execute(
        """
        SELECT * FROM payee WHERE agency_id = :agency
          AND (CAST(:external AS text) IS NULL OR external_id = :external)
          AND (CAST(:after AS uuid) IS NULL OR payee_id > :after)
        ORDER BY payee_id LIMIT :most
        """,
        agency=agency_id,
        external=external_id,
        after=after,
        most=most,
    )
    return list(found.all())


async def employer(tx: Tx, *, agency_id: UUID) -> Any | None:
    found = await tx.execute("SELECT * FROM employer WHERE agency_id = :agency", agency=agency_id)
    return found.first()


async def calendar(tx: Tx, *, agency_id: UUID) -> Any | None:
    found = await tx.execute("SELECT * FROM pay_calendar WHERE agency_id = :agency", agency=agency_id)
    return found.first()


async def on_paper(tx: Tx, *, agency_id: UUID, workers: Sequence[UUID]) -> dict[UUID, Any]:
    """What payslips and submissions print of these workers: profile, reference, label."""
    found = await tx.execute(
        """
        SELECT w.worker_id, coalesce(w.reference, l.reference) AS reference, w.started_on, w.left_on, l.display_name,
               p.given_name, p.family_name, p.gender, p.address, p.ni_number, p.birth_on, p.starter_declaration, p.account_number,
               p.sort_code, p.account_name
        FROM worker w
        LEFT JOIN pay_profile p ON p.agency_id = w.agency_id AND p.worker_id = w.worker_id
        LEFT JOIN label l ON l.kind = 'worker' AND l.entry_id = w.worker_id AND l.agency_id = w.agency_id
        WHERE w.agency_id = :agency AND w.worker_id = ANY(CAST(:workers AS uuid[]))
        """,
        agency=agency_id,
        workers=list(set(workers)),
    )
    return {row.worker_id: row for row in found}


async def placements_on_paper(tx: Tx, *, agency_id: UUID, placements: Sequence[UUID]) -> dict[UUID, str]:
    """The client and job title of these placements, as far as the directory names them."""
    found = await tx.execute(
        """
        SELECT p.placement_id, job.display_name AS job, client.display_name AS client
        FROM (SELECT DISTINCT ON (placement_id) placement_id, client_id FROM timesheet_version
              WHERE agency_id = :agency AND placement_id = ANY(CAST(:placements AS uuid[]))
              ORDER BY placement_id, applied_no DESC) AS p
        LEFT JOIN label job ON job.kind = 'placement' AND job.entry_id = p.placement_id AND job.agency_id = :agency
        LEFT JOIN label client ON client.kind = 'client' AND client.entry_id = p.client_id AND client.agency_id = :agency
        """,
        agency=agency_id,
        placements=list(set(placements)),
    )
    return {
        row.placement_id: " · ".join(part for part in (row.client, row.job) if part) or f"Placement {row.placement_id}"
        for row in found
    }
