"""One line of rate columns as the rows of a rate card: its standard rate, and one row for each rule that the line gives."""

from collections.abc import Mapping

from paybill_importer.reading import BadCell, Fault

STANDARD = "standard"
_DAYS = (("saturday_multiplier", "saturday"), ("sunday_multiplier", "sunday"))


def rows_of_placement(values: Mapping[str, str]) -> list[dict[str, str]]:
    """The placement's own card, in force from its first day unless the line says otherwise."""
    named = {"placement_ref": values["reference"], "rate_card_ref": values["reference"]}
    starts = {"rates_from": values["starts_on"]} if "starts_on" in values else {}
    rest = {name: text for name, text in values.items() if name not in ("client_ref", "rate_card_ref", "starts_on")}
    return rows_of({**starts, **rest, **named})


def rows_of(values: Mapping[str, str]) -> list[dict[str, str]]:
    """The rows that the timesheet service's rate-card import reads. Raises BadCell when the line names no card or no rate."""
    reference = values.get("rate_card_ref") or values.get("placement_ref") or values.get("client_ref")
    if reference is None:
        hint = "fill in rate_card_ref, placement_ref or client_ref"
        raise BadCell(Fault("the line names no rate card", hint, "rate_card_ref"))
    for name in ("pay_rate", "charge_rate"):
        if name not in values:
            raise BadCell(Fault(f"{name.replace('_', ' ')} is missing", "pounds, such as 12.71", name))
    head = {"rate_card_ref": reference, "effective_from": values.get("rates_from", "")}
    head |= {name: values[name] for name in ("placement_ref", "client_ref") if name in values}
    standard = {
        "rate_code": STANDARD,
        "unit": values.get("rate_unit", "hour"),
        "pay_rate": values["pay_rate"],
        "charge_rate": values["charge_rate"],
    }
    return [head | standard, *(head | rule for rule in _rules(values))]


def _rules(values: Mapping[str, str]) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    for kind in ("daily", "weekly"):
        after = values.get(f"overtime_{kind}_after")
        if after is not None:
            multiplier = _beside(values, "overtime_multiplier", f"overtime_{kind}_after")
            rule = {"rule_type": f"{kind}_overtime", "rule_id": f"overtime-{kind}", "after_hours": after}
            found.append(rule | {"pay_multiplier": multiplier})
    for name, day in _DAYS:
        if name in values:
            found.append({"rule_type": "day_of_week", "rule_id": day, "day": day, "pay_multiplier": values[name]})
    if "bank_holiday_multiplier" in values:
        multiplier = values["bank_holiday_multiplier"]
        found.append({"rule_type": "bank_holiday", "rule_id": "bank-holiday", "pay_multiplier": multiplier})
    if "night_multiplier" in values:
        window = {
            "start": _beside(values, "night_from", "night_multiplier"),
            "end": _beside(values, "night_to", "night_multiplier"),
        }
        night = {"rule_type": "night", "rule_id": "night", "pay_multiplier": values["night_multiplier"]}
        found.append(night | window)
    if "minimum_call_out" in values:
        call_out = {"rule_type": "minimum_call_out", "rule_id": "call-out", "minimum_hours": values["minimum_call_out"]}
        found.append(call_out)
    return found


def _beside(values: Mapping[str, str], name: str, other: str) -> str:
    """A column that another one needs."""
    if name not in values:
        text = f"{name.replace('_', ' ')} is missing beside {other.replace('_', ' ')}"
        raise BadCell(Fault(text, "fill in both or neither", name))
    return values[name]
