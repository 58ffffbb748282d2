"""A payroll clerk asks why a figure of a payslip is what it is, by keyboard alone, and on a phone."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from playwright.async_api import expect

from tests.e2e.conftest import Visits
from tests.e2e.instance import Week

PHONE = {"viewport": {"width": 390, "height": 844}}


async def taxed_payslip(week: Week) -> Any:
    """A draft PAYE payslip with tax and National Insurance on it."""
    agency = week.industrial
    for slip in await agency.all("pay-calc", "payslips", week_ending=agency.week, pay_basis="paye"):
        found = await agency.get("pay-calc", f"payslips/{slip['payslip_id']}")
        if Decimal(found["figures"].get("tax_gbp", 0)) > 0 and Decimal(found["figures"]["employee_nic_gbp"]) > 0:
            return found
    raise AssertionError("no payslip of the week is taxed")


async def test_why_is_my_tax(visits: Visits, week: Week) -> None:
    slip = await taxed_payslip(week)
    tax, nic = slip["figures"]["tax_gbp"], slip["figures"]["employee_nic_gbp"]
    keys = await visits.person("paula")
    page, path = keys.page, f"/agencies/{week.industrial.id}/payslips/{slip['payslip_id']}"
    await page.goto(week.ui + path)
    panel = page.locator("#why")
    await expect(panel.get_by_role("heading", name="Why is net pay")).to_be_visible()
    figure = page.locator('table a[href$="figure=tax"]')
    await keys.to(figure)
    await keys.press("Enter")
    asked = panel.get_by_role("heading", name=f"Why is income tax £{tax}?")
    await expect(asked).to_be_focused()
    await expect(panel).to_contain_text(re.compile(r"Taxable pay is £[\d,.]+ now"))
    await expect(panel).to_contain_text("Rule paye.tax: HMRC")
    folded = panel.locator("summary", has_text="The most that may be taken")
    await keys.to(folded)
    await keys.press("Enter")
    await expect(panel.get_by_text("half of the pay in money")).to_be_visible()
    assert page.url == week.ui + path, "the answer is beside the payslip, not another page"

    phone = await visits.page(**PHONE, storage_state=await page.context.storage_state(), java_script_enabled=False)
    await phone.goto(f"{week.ui}{path}/explanation?figure=nic")
    await expect(phone.get_by_role("heading", level=1, name=f"Why is National Insurance £{nic}?")).to_be_visible()
    await expect(phone.get_by_text("Primary threshold", exact=False).last).to_be_visible()
    amounts = [box for one in await phone.locator(".worked b").all() if (box := await one.bounding_box()) is not None]
    assert amounts
    assert all(box["x"] + box["width"] <= 390 for box in amounts)
