"""pay-calc's explanation of a payslip as the page shows it: one figure, in a sentence, then step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

STEPS_MAX = 400
DEPTH_MAX = 14
OPEN_DEPTH = 5
FIGURES = {
    "gross": "pay",
    "pay": "pay",
    "holiday": "holiday pay",
    "tax": "income tax",
    "nic": "National Insurance",
    "other": "other deductions",
    "net": "net pay",
    "employer_nic": "employer National Insurance",
    "employer_pension": "employer pension",
    "levy": "apprenticeship levy",
    "leave": "leave earned",
}
"""What can be clicked on a payslip, and its words in a question."""
_PARTS = {
    "gross": ("pay", "holiday"),
    "other": ("pension", "sacrifice", "loan", "attachment", "deduction"),
}
"""Figures of the page that are several of pay-calc's."""


@dataclass(frozen=True)
class Step:
    """A line of an explanation. `lead`: `plus` or `less` in a sum. `how`: the formula and what was rounded. `source`: where the rule is
    written, where it is not that of the step above. `open`: shown at once."""

    label: str
    shown: str
    lead: str
    how: str
    source: str
    rule_id: str
    open: bool
    children: tuple[Step, ...]


@dataclass(frozen=True)
class Why:
    """The answer to one question about a payslip. `others`: (figure, label, amount) of what else may be asked."""

    question: str
    sentences: tuple[str, ...]
    steps: tuple[Step, ...]
    others: tuple[tuple[str, str, str], ...]
    note: str | None
    change_reason: str | None
    versions: str


def why(answer: Mapping[str, Any], figure: str | None) -> Why:
    """The answer about a figure, or about net pay when nothing or something else was asked."""
    net = _mapping(answer.get("tree"))
    top = [net, *_list(net.get("children")), *_list(answer.get("employer"))]
    told = _list(answer.get("figures"))
    wanted = _PARTS.get(figure or "", (figure,))
    chosen = [step for step in top if step.get("figure") in wanted]
    sentences = [str(one.get("summary")) for one in told if one.get("figure") in wanted]
    if not chosen:
        chosen = [net]
        sentences = [str(one.get("summary")) for one in told[:1]]
        asked_none = figure in FIGURES and figure != "net"
        question = f"No {FIGURES[figure or 'net']} on this payslip" if asked_none else _question([net], "net")
    else:
        question = _question(chosen, figure or "net")
    left = [STEPS_MAX]
    worked = _mapping(answer.get("worked_by"))
    return Why(
        question=question,
        sentences=tuple(sentences),
        steps=tuple(_step(one, "", left, 0, 1 if one.get("figure") == "net" else OPEN_DEPTH) for one in chosen),
        others=tuple(
            (str(one.get("figure")), str(one.get("label")), _amount(one.get("shown"))) for one in told if one.get("figure") not in wanted
        ),
        note=_text(answer.get("note")) or None,
        change_reason=_text(answer.get("change_reason")) or None if figure in (None, "net", "gross") else None,
        versions=f"engine {worked.get('engine', 'unknown')}, statutory figures {worked.get('parameters', 'unknown')}",
    )  # fmt: skip


@dataclass(frozen=True)
class Told:
    """One line of a payslip for its worker: the amount, its sentence and its steps. `sign`: 1 earned, -1 taken off, 0 what is left."""

    figure: str
    label: str
    shown: str
    sign: int
    sentence: str
    steps: tuple[Step, ...]


def told(answer: Mapping[str, Any]) -> tuple[Told, ...]:
    """Every line of a payslip that is the worker's own business, net pay last; what the employer bears is left out."""
    net = _mapping(answer.get("tree"))
    lines = [net, *_list(net.get("children"))]
    sentences = [_text(one.get("summary")) for one in _list(answer.get("figures"))]
    left = [STEPS_MAX]
    found = [
        Told(
            figure=_text(line.get("figure")) or "other",
            label=_text(line.get("label")),
            shown=_amount(line.get("shown")),
            sign=int(line.get("sign", 0)) if line is not net else 0,
            sentence=sentence.removeprefix(f"{_text(line.get('label'))} is ")
            if line.get("figure") == "pay"
            else sentence,
            steps=tuple(_step(line, "", left, 0, 1 if line is net else OPEN_DEPTH).children),
        )
        for line, sentence in zip(lines, sentences, strict=False)
        if not line.get("quiet")
    ]
    return (*found[1:], *found[:1])


def _question(chosen: Sequence[Mapping[str, Any]], figure: str) -> str:
    name = FIGURES.get(figure) or str(chosen[0].get("label", "this")).lower()
    shown = " and ".join(_amount(one.get("shown")) for one in chosen[:3])
    verb = "are" if figure == "other" else "is"
    return f"Why {verb} {name} {shown}?" if len(chosen) <= 3 else f"What makes up {name}?"


def _step(raw: Mapping[str, Any], source_above: str, left: list[int], depth: int, opened: int) -> Step:
    left[0] -= 1
    source = _text(raw.get("source"))
    children = [child for child in _list(raw.get("children")) if not child.get("quiet")]
    return Step(
        label=_text(raw.get("label")) or _text(raw.get("rule_id")) or "Step",
        shown=_amount(raw.get("shown") or raw.get("result")),
        lead={-1: "less", 1: "plus"}.get(raw.get("sign", 0), "") if depth else "",
        how=_how(raw),
        source="" if source == source_above else source,
        rule_id=_text(raw.get("rule_id")),
        open=depth < opened,
        children=tuple(
            _step(child, source, left, depth + 1, opened if _matters(raw, child) else 0)
            for child in children
            if left[0] > 0 and depth < DEPTH_MAX
        ),
    )


def _matters(raw: Mapping[str, Any], child: Mapping[str, Any]) -> bool:
    """Of the smallest or largest of several only the one that was taken is shown at once, and nothing that comes to nothing."""
    several = raw.get("operation") in ("smallest", "largest")
    return child.get("result") == raw.get("result") if several else child.get("result") != "0.00"


def _how(raw: Mapping[str, Any]) -> str:
    """The formula in words, then what rounding did, where it did something."""
    parts = [_text(raw.get("formula"))]
    exact = raw.get("unrounded")
    if exact and raw.get("unit") == "pounds" and not _same(str(exact), _text(raw.get("result"))):
        parts.append(f"£{exact} before rounding: {_text(raw.get('rounding_words'))}".rstrip(": "))
    return "; ".join(part.rstrip(".") for part in parts if part)


def _same(exact: str, rounded: str) -> bool:
    return exact.rstrip("0").rstrip(".") == rounded.rstrip("0").rstrip(".")


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _amount(value: object) -> str:
    """An amount with a minus sign."""
    return _text(value).replace("-", "−", 1)


def _text(value: object) -> str:
    return "" if value is None else str(value)
