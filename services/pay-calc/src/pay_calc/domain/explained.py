"""An explanation as people read it: the trace's steps with amounts in pounds, each with its rule's source and the versions behind it.

A step is what a node of the trace is, said for a payroll clerk: nothing here computes a figure of pay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from pay_calc.domain.engine.rounding import ROUNDINGS
from pay_calc.domain.engine.trace import Node, text_of, unrounded_text

FIGURES = {
    "net": "Net pay",
    "pay": "Pay",
    "holiday": "Holiday pay",
    "sacrifice": "Salary sacrifice",
    "pension": "Pension",
    "tax": "Income tax",
    "nic": "National Insurance",
    "loan": "Student or postgraduate loan",
    "attachment": "Attachment of earnings",
    "deduction": "Other deductions",
    "employer_nic": "Employer National Insurance",
    "employer_pension": "Employer pension",
    "levy": "Apprenticeship levy",
    "cis": "CIS deduction",
    "leave": "Leave earned",
}
"""What a clerk may ask about, by the name that filters take."""
_FIGURE_OF = {
    "pay.net": "net",
    "self_bill.net": "net",
    "pay.line": "pay",
    "pay.fixed": "pay",
    "pay.statutory": "pay",
    "pay.holiday": "holiday",
    "leave": "leave",
    "pay.sacrifice": "sacrifice",
    "pay.deduction": "deduction",
    "holiday": "holiday",
    "paye": "tax",
    "nic.employer": "employer_nic",
    "nic.director.employer": "employer_nic",
    "nic": "nic",
    "order.loan": "loan",
    "order": "attachment",
    "loan": "loan",
    "pension.employer": "employer_pension",
    "pension.employer_all": "employer_pension",
    "pension": "pension",
    "levy": "levy",
    "cis": "cis",
}
_SOURCES = {
    "pay": "Approved timesheets and the placement's rate card",
    "pay.fixed": "Approved timesheets; what was paid before, for a correction",
    "pay.net": "Employment Rights Act 1996 s.8: the order of work of a payslip",
    "pay.statutory": "Social Security Contributions and Benefits Act 1992",
    "pay.sacrifice": "The worker's agreement with the employer",
    "pay.deduction": "Employment Rights Act 1996 s.13: the worker's written consent",
    "self_bill": "Approved timesheets and the placement's rate card; what the law takes of a payment to a supplier",
    "cis": "Finance Act 2004 ss.60 and 61; HMRC, CIS340",
    "pay.holiday": "Working Time Regulations 1998 regs 14 and 16",
    "holiday": "Working Time Regulations 1998 reg. 16A",
    "holiday.leave": "Working Time Regulations 1998 reg. 16; Employment Rights Act 1996 ss.221 to 224",
    "holiday.total": "Final payslips of the weeks before the leave, or the contract",
    "leave": "Working Time Regulations 1998 reg. 15B",
    "paye": "HMRC, Specification for PAYE tax table routines v24.0, section 4",
    "paye.free_pay": "HMRC, Specification for PAYE tax table routines v24.0, section 4.3.1",
    "paye.free_pay_period_1": "HMRC, Specification for PAYE tax table routines v24.0, section 4.3.1",
    "paye.limit": "HMRC, Specification for PAYE tax table routines v24.0, section 4.5; PAYE Regulations 2003 reg. 23",
    "nic": "Social Security Contributions and Benefits Act 1992 ss.8 and 9; HMRC, exact percentage method",
    "nic.director": "Social Security (Contributions) Regulations 2001 reg. 8; HMRC, CA44",
    "period": "Social Security (Contributions) Regulations 2001 reg. 3: one charge for an earnings period",
    "period.each": "Social Security (Contributions) Regulations 2001 reg. 7; HMRC, NIM08710: late pay belongs to its own payday",
    "loan": "Education (Student Loans) (Repayment) Regulations 2009; HMRC, student loan deduction specification",
    "pension": "Pensions Act 2008 ss.13 and 20; the scheme's rules",
    "pension.refund": "Pensions Act 2008 s.8; SI 2010/772 reg. 11: an opt-out gives back all that was taken",
    "pension.employer.returned": "SI 2010/772 reg. 11: the scheme returns the contributions to the employer",
    "order": "The order that was served on the employer, and the law it names",
    "table": "The statutory table of the order's kind and date",
    "levy": "Finance Act 2016 Part 6",
    "ssp": "Social Security Contributions and Benefits Act 1992 ss.151 to 163; HMRC, Statutory Payments Manual",
    "family": "Social Security Contributions and Benefits Act 1992 Parts 12 to 12ZE; HMRC, Statutory Payments Manual",
    "average": "HMRC, Statutory Payments Manual: average weekly earnings",
    "advance": "Employment Rights Act 1996 s.14(4): the worker's agreement with the employer",
    "deduction": "Employment Rights Act 1996 s.13: the worker's written consent",
}
_OPERATIONS = {"given": "given", "sum": "sum", "ratio": "product", "min": "smallest", "max": "largest"}


@dataclass(frozen=True, slots=True)
class Versions:
    """The engine and statutory figures that worked a payslip."""

    engine: str
    parameters: str


@dataclass(frozen=True, slots=True)
class Step:
    """One step. `result` and `unrounded` are plain numbers in `unit`'s own measure (pounds, hours, units); `shown` is the result as people
    read it. `sign`: how it enters the step above, -1 taken off, 1 added, 0 not a term of a sum. `quiet`: says nothing to a reader."""

    figure: str | None
    rule_id: str
    label: str
    operation: str
    formula: str
    inputs: Mapping[str, str]
    sign: int
    unit: str
    unrounded: str | None
    rounding: str | None
    rounding_words: str | None
    rounding_source: str | None
    result: str
    shown: str
    source: str
    versions: Versions
    quiet: bool
    children: tuple[Step, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "figure": self.figure,
            "rule_id": self.rule_id,
            "engine_version": self.versions.engine,
            "parameter_version": self.versions.parameters,
            "label": self.label,
            "operation": self.operation,
            "formula": self.formula,
            "inputs": dict(self.inputs),
            "sign": self.sign,
            "unit": self.unit,
            "unrounded": self.unrounded,
            "rounding": self.rounding,
            "rounding_words": self.rounding_words,
            "rounding_source": self.rounding_source,
            "result": self.result,
            "shown": self.shown,
            "source": self.source,
            "quiet": self.quiet,
            "children": [child.as_json() for child in self.children],
        }


def explained(node: Node, versions: Versions, names: Mapping[str, str], sign: int = 0, *, top: bool = True) -> Step:
    """A node and what it stands on as steps. `names`: placements by id, for the labels of pay lines. `top`: the
    node is a figure of the payslip, not a step of one."""
    signs = node.signs if node.op == "sum" else (0,) * len(node.children)
    whole = node.rule_id in ("pay.net", "self_bill.net")
    return Step(
        figure=figure_of(node) if top else None,
        rule_id=node.rule_id,
        label=_label(node, names),
        operation=_OPERATIONS[node.op],
        formula=_line_formula(node) if node.rule_id == "pay.line" else node.formula,
        inputs=dict(node.inputs),
        sign=(sign > 0) - (sign < 0),
        unit=_UNIT[node.unit],
        unrounded=unrounded_text(node),
        rounding=node.rounding,
        rounding_words=None if node.rounding is None else _rounding(node.rounding)[0],
        rounding_source=None if node.rounding is None else _rounding(node.rounding)[1],
        result=text_of(node.result, node.unit),
        shown=shown(node),
        source=source_of(node),
        versions=versions,
        quiet=node.rule_id.endswith(".zero"),
        children=tuple(
            explained(child, versions, names, sign_of, top=whole)
            for child, sign_of in zip(node.children, signs, strict=True)
        ),
    )


_UNIT = {
    "pence": "pounds",
    "pounds": "pounds",
    "pounds_4dp": "pounds",
    "units_4dp": "units",
    "minutes": "minutes",
    "hours": "hours",
}


def _by_prefix(table: Mapping[str, str], rule_id: str) -> str | None:
    """The entry of the longest prefix of a rule's dotted id."""
    parts = rule_id.split(".")
    while parts:
        found = table.get(".".join(parts))
        if found is not None:
            return found
        parts.pop()
    return None


def figure_of(node: Node) -> str | None:
    """The figure of a payslip that a node makes; the rest of a period is the figure of what it is the rest of."""
    if node.rule_id in ("period.rest", "period.each"):
        return figure_of(node.children[0])
    return _by_prefix(_FIGURE_OF, node.rule_id)


def source_of(node: Node) -> str:
    """Where a node's rule is written down; every rule of a payslip has a place."""
    stated = dict(node.inputs).get("source")
    return stated or _by_prefix(_SOURCES, node.rule_id) or f"Rule {node.rule_id} of the engine"


def shown(node: Node) -> str:
    """A node's result as people read it: £1,234.50, 37:30, 2.5."""
    if node.unit == "minutes":
        sign, size = ("-", -node.result) if node.result < 0 else ("", node.result)
        return f"{sign}{size // 60}:{size % 60:02d}"
    text = text_of(node.result, node.unit)
    if node.unit in ("hours", "units_4dp"):
        return text.rstrip("0").rstrip(".") if "." in text else text
    return pounds(text)


def pounds(text: str) -> str:
    """£1,234.50 of 1234.5000; decimals past the penny stay only where they say something."""
    sign, size = ("-", text[1:]) if text.startswith("-") else ("", text)
    whole, _, decimals = size.partition(".")
    return f"{sign}£{int(whole):,}.{decimals.rstrip('0').ljust(2, '0')}"


def _rounding(name: str) -> tuple[str, str]:
    """(what a rounding rule does, where it is written): its own documentation."""
    words, _, source = " ".join((ROUNDINGS[name].__doc__ or "").split()).partition(" Source: ")
    return words, source


def _label(node: Node, names: Mapping[str, str]) -> str:
    """A node's label, with the names and dates that a pay line has codes for."""
    if node.rule_id in ("pay.line", "pay.fixed"):
        return _line_label(node.label, names)
    if node.rule_id == "pay.statutory":
        kind, _, week = node.label.partition(", week ending ")
        return f"{kind}, week ending {_day(week)}"
    return node.label


def _line_label(label: str, names: Mapping[str, str]) -> str:
    """`Basic pay, Northgate · Driver, week ending 29 March 2026` of `basic, <placement>@2026-03-29`."""
    element, _, reference = label.partition(", ")
    placement, _, week = reference.partition("@")
    words = element.replace("_", " ").capitalize()
    told = [words if element == "expense" else f"{words} pay", names.get(placement, placement)]
    if week:
        told.append(f"week ending {_day(week)}")
    return ", ".join(told)


def _day(text: str) -> str:
    day = date.fromisoformat(text)
    return f"{day.day} {day:%B %Y}"


def _line_formula(node: Node) -> str:
    """`37:30 hours × £12.71 an hour` of a pay line's units and rate."""
    (units,), (rate,) = node.children, node.factors
    per = node.formula.partition(" x ")[2].partition(" ")[2]
    hours = " hours" if units.unit == "minutes" else ""
    return f"{shown(units)}{hours} × {pounds(text_of(rate, 'pounds_4dp'))} {per}"


def find(step: Step, rule_id: str) -> Step | None:
    """The first step of this rule, top down."""
    return next((each for each in every(step) if each.rule_id == rule_id), None)


def every(step: Step) -> Iterator[Step]:
    """A step and all below it."""
    yield step
    for child in step.children:
        yield from every(child)


def summary(step: Step) -> str:
    """How a figure came about in two or three sentences: what a clerk would say on the telephone."""
    words = _SUMMARIES.get(step.figure or "", _other)
    if step.rule_id == "period.each":
        return " ".join([_other(step), *(words(child) for child in step.children)])
    return words(step)


def _other(step: Step) -> str:
    return f"{step.label} is {step.shown}: {step.formula}."


def _net(step: Step) -> str:
    added = [f"{child.label} {child.shown}" for child in step.children if child.sign > 0]
    taken = [
        f"{child.label.lower() if child.figure != 'nic' else child.label} {child.shown}"
        for child in step.children
        if child.sign < 0
    ]
    less = f" Taken from it: {', '.join(taken)}." if taken else " Nothing is taken from it."
    return f"{step.label} is {step.shown}. It is made of {', '.join(added) or 'nothing'}.{less}"


def _pay(step: Step) -> str:
    if step.rule_id != "pay.line":
        return _other(step)
    return f"{step.label} is {step.formula} = {step.shown}."


def _tax(step: Step) -> str:
    after, due, before = find(step, "paye.after_code"), find(step, "paye.due"), find(step, "paye.tax_before")
    limit, owed = find(step, "paye.limit"), find(step, "paye.owed")
    if after is None or due is None or before is None or limit is None or owed is None:
        return _other(step)
    free, earlier, now = find(after, "paye.free_pay"), find(after, "paye.pay_before"), after.children[0]
    code, period = step.inputs["tax code"], step.inputs["tax period"]
    if earlier is not None:
        so_far = earlier.shown if earlier.result != "0.00" else "nothing"
        told = [f"Taxable pay is {now.shown} now and {so_far} before in this tax year, to tax period {period}."]
    else:
        told = [f"Tax is worked out on this payment alone: taxable pay is {now.shown}."]
    if free is not None and free.result != "0.00":
        gives = (
            f"Code {code} adds {free.shown}"
            if free.label == "Additional pay"
            else f"Code {code} leaves {free.shown} free of tax"
        )
        told.append(f"{gives}, so {after.shown if not after.result.startswith('-') else 'nothing'} is taxed.")
    if "code from" in step.inputs:
        told.append(f"Code {code} is operated because of what was brought at the start: {step.inputs['code from']}.")
    told.append(f"The tax on that is {due.shown}.")
    if before.result != "0.00":
        told.append(f"{before.shown} of tax was taken before.")
    if step.result == limit.result and step.result != owed.result:
        told.append(f"No more than half of the pay may be taken, so it is {step.shown} now and the rest later.")
    elif step.result.startswith("-"):
        told.append(f"{step.shown[1:]} is given back.")
    else:
        told.append(f"{step.shown} is taken now.")
    return " ".join(told)


def _nic(step: Step) -> str:
    told = []
    for rule in ("nic.employee_main", "nic.employee_upper", "nic.employer"):
        band = find(step, rule)
        earnings = find(band, f"{rule}.earnings") if band is not None else None
        if band is not None and earnings is not None and band.result != "0.00":
            threshold = find(earnings, "nic.threshold")
            over = f" over the {_small(threshold.label)} of {threshold.shown}" if threshold is not None else ""
            told.append(
                f"{earnings.shown} of pay{over} at {band.inputs['rate'].replace('.00 %', '%').replace(' %', '%')} is {band.shown}."
            )
    letter = step.inputs.get("letter")
    if not told:
        return f"{step.label} is {step.shown}: the pay does not reach the threshold, or its letter asks for none."
    return f"{step.label} is {step.shown}{f' under letter {letter}' if letter else ''}. {' '.join(told)}"


def _loan(step: Step) -> str:
    earnings, threshold, over = (
        find(step, "loan.earnings"),
        find(step, "loan.threshold"),
        find(step, "loan.over_threshold"),
    )
    if earnings is None or threshold is None or over is None:
        return _other(step)
    whole = find(step, "loan.whole_pounds")
    rate = whole.inputs["rate"].replace(" %", "%") if whole is not None else ""
    return (
        f"Pay of {earnings.shown} is {over.shown} over the threshold of {threshold.shown}; "
        f"{rate} of that, in whole pounds, is {step.shown}."
    )


def _pension(step: Step) -> str:
    earnings = find(step, "pension.earnings")
    if earnings is None:
        return _other(step)
    worked = find(step, "pension.employee") or find(step, "pension.employer") or step
    of = f"{_small(earnings.label)} of {earnings.shown}"
    return f"{step.label} is {step.shown}: {worked.formula.replace('earnings', of, 1)}."


def _small(label: str) -> str:
    return f"{label[:1].lower()}{label[1:]}"


_SUMMARIES: dict[str, Callable[[Step], str]] = {
    "net": _net,
    "pay": _pay,
    "tax": _tax,
    "nic": _nic,
    "employer_nic": _nic,
    "loan": _loan,
    "pension": _pension,
    "employer_pension": _pension,
}


def as_text(step: Step) -> str:
    """A figure and what it stands on as indented lines, for a terminal: the rule's source below the figure itself."""
    return "\n".join(_text_lines(replace(step, sign=0), 0))


def _text_lines(step: Step, depth: int) -> Iterator[str]:
    less = "less " if step.sign < 0 else ""
    rounded = f"; £{step.unrounded} before rounding" if step.unit == "pounds" and _was_rounded(step) else ""
    facts = "".join(f"; {name} {value}" for name, value in step.inputs.items() if name not in ("rate", "source"))
    yield f"{'  ' * depth}{less}{step.label}  {step.shown}  ({step.formula}{rounded}{facts})"
    if step.figure is not None:
        yield f"{'  ' * depth}  {step.rule_id}: {step.source}"
    for child in step.children:
        if not child.quiet:
            yield from _text_lines(child, depth + 1)


def _was_rounded(step: Step) -> bool:
    return step.unrounded is not None and step.unrounded.rstrip("0").rstrip(".") != step.result.rstrip("0").rstrip(".")
