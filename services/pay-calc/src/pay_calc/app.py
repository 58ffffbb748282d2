"""The wiring of pay-calc."""

from __future__ import annotations

import pay_calc
from pay_calc.api import (
    attachments,
    calculations,
    cis,
    deductions,
    employer_years,
    leave,
    nil_weeks,
    pay_runs,
    payment_files,
    payslips,
    pension_records,
    profiles,
    replays,
    statutory,
    what_if,
    working_weeks,
)
from pay_calc.closing import keep_closing
from pay_calc.holding import keep_holding
from pay_calc.replaying import keep_replaying
from pay_calc.store.tables import metadata
from pay_calc.subscriptions import SUBSCRIPTION
from paybill_common.migrations import migrations_folder
from paybill_common.service import ServiceSpec

SPEC = ServiceSpec(
    name="pay-calc",
    title="Paybill pay-calc",
    description="Pay profiles, draft and final payslips, pay runs, payments, submissions, and the statutory calculator.",
    metadata=metadata,
    migrations=migrations_folder(str(pay_calc.__file__)),
    subscription=lambda _runtime: SUBSCRIPTION,
    routers=(
        profiles.router,
        employer_years.router,
        pension_records.router,
        nil_weeks.router,
        attachments.router,
        deductions.router,
        statutory.router,
        leave.router,
        working_weeks.router,
        pay_runs.own_transactions,
        pay_runs.router,
        payment_files.router,
        payslips.own_transactions,
        payslips.router,
        cis.router,
        cis.own_transactions,
        calculations.router,
        what_if.router,
        replays.router,
    ),
    background=(keep_closing, keep_holding, keep_replaying),
)
