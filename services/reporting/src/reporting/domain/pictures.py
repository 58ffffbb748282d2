"""Inline SVG, drawn on whole numbers: each picture has its table beside it and says in words what it shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True)
class Bar:
    """One bar: its label, how long it is, the text at its end, an optional mark (last week), where a click goes."""

    label: str
    value: int
    text: str
    mark: int | None = None
    href: str | None = None
    tone: str = "accent"


def bars(items: Sequence[Bar], *, title: str, label_width: int = 190, width: int = 960, row: int = 28) -> str:
    """Horizontal bars, longest as long as there is room for. Negative values are drawn in the blocked tone."""
    top = max([1, *(abs(item.value) for item in items), *(abs(item.mark or 0) for item in items)])
    room = width - label_width - 150
    height = row * len(items)
    parts = [_open(width, height, title, links=any(item.href for item in items))]
    for index, item in enumerate(items):
        y = index * row
        length = max(2, room * abs(item.value) // top) if item.value else 0
        tone = "blocked" if item.value < 0 else item.tone
        body = (
            f'<text x="{label_width - 10}" y="{y + row // 2 + 4}" text-anchor="end" class="lbl">{_cut(item.label, 24)}</text>'
            f'<rect x="{label_width}" y="{y + 6}" width="{length}" height="{row - 12}" rx="2" class="bar {tone}"/>'
        )
        if item.mark is not None:
            x = label_width + room * abs(item.mark) // top
            body += f'<line x1="{x}" x2="{x}" y1="{y + 3}" y2="{y + row - 3}" class="mark"/>'
        past = max(length, room * abs(item.mark or 0) // top)
        body += f'<text x="{label_width + past + 8}" y="{y + row // 2 + 4}" class="num">{escape(item.text)}</text>'
        parts.append(_linked(body, item.href, f"{item.label}: {item.text}"))
    return "".join([*parts, "</svg>"])


@dataclass(frozen=True)
class Step:
    """A step of a waterfall: a total starts from zero, a difference hangs from the step before."""

    label: str
    pence: int
    text: str
    total: bool = False


def waterfall(steps: Sequence[Step], *, title: str, width: int = 960, height: int = 230) -> str:
    """From charge to margin: how each cost takes its part."""
    levels, at = [], 0
    for step in steps:
        start = 0 if step.total else at
        at = start + step.pence
        levels.append((start, at))
    top = max([1, *(max(pair) for pair in levels)])
    low = min([0, *(min(pair) for pair in levels)])
    span, base = top - low, height - 44
    column = width // max(1, len(steps))
    parts = [_open(width, height, title)]

    def y_of(level: int) -> int:
        return 18 + (base - 18) * (top - level) // span

    for index, (step, (start, end)) in enumerate(zip(steps, levels, strict=True)):
        x = index * column + column // 8
        bar = column - column // 4
        y, tall = y_of(max(start, end)), max(1, abs(y_of(start) - y_of(end)))
        tone = "accent" if step.total else "cost"
        if not step.total:
            parts.append(f'<line x1="{x - column // 4}" x2="{x}" y1="{y_of(start)}" y2="{y_of(start)}" class="tie"/>')
        parts.append(
            f"<g><title>{escape(step.label)}: {escape(step.text)}</title>"
            f'<rect x="{x}" y="{y}" width="{bar}" height="{tall}" rx="2" class="bar {tone}"/>'
            f'<text x="{x + bar // 2}" y="{y - 5}" text-anchor="middle" class="num">{escape(step.text)}</text>'
            f'<text x="{x + bar // 2}" y="{height - 22}" text-anchor="middle" class="lbl">{_cut(step.label, 18)}</text></g>'
        )
    parts.append(f'<line x1="0" x2="{width}" y1="{y_of(0)}" y2="{y_of(0)}" class="axis"/>')
    return "".join([*parts, "</svg>"])


@dataclass(frozen=True)
class Stage:
    """One stage of the funnel: the share that reached it, split into settled and waiting."""

    label: str
    value: int
    text: str
    under: str
    href: str | None = None
    tone: str = "accent"
    key: str = ""


def funnel(stages: Sequence[Stage], *, title: str, width: int = 1160, height: int = 136) -> str:
    """Stages side by side, each as tall as its share of the tallest, joined so that a fall is seen."""
    top = max([1, *(stage.value for stage in stages)])
    gap = 38
    column = (width + gap) // max(1, len(stages))
    room = height - 60
    parts = [_open(width, height, title, links=any(stage.href for stage in stages))]
    tops = [34 + room - room * max(0, stage.value) // top for stage in stages]
    for index, stage in enumerate(stages):
        x, y = index * column, tops[index]
        wide = column - gap
        body = (
            f'<rect x="{x}" y="34" width="{wide}" height="{room}" rx="2" class="well"/>'
            f'<rect x="{x}" y="{y}" width="{wide}" height="{34 + room - y}" rx="2" class="bar {stage.tone}"/>'
            f'<text x="{x}" y="12" class="lbl">{escape(stage.label)}</text>'
            f'<text x="{x}" y="28" class="num" data-live="{stage.key}">{escape(stage.text)}</text>'
            f'<text x="{x}" y="{height - 8}" class="lbl small">{escape(stage.under)}</text>'
        )
        parts.append(_linked(body, stage.href, f"{stage.label}: {stage.text}, {stage.under}"))
        if index + 1 < len(stages):
            left, right, bottom = x + wide, x + column, 34 + room
            parts.append(
                f'<polygon points="{left},{y} {right},{tops[index + 1]} {right},{bottom} {left},{bottom}" class="join"/>'
            )
    return "".join([*parts, "</svg>"])


def strip(parts_of: Sequence[tuple[str, int, str]], *, title: str, width: int = 220, height: int = 14) -> str:
    """A queue's ages as one strip: (label, how many, tone), youngest first."""
    whole = sum(number for _, number, _ in parts_of)
    parts, x = [_open(width, height, title)], 0
    for label, number, tone in parts_of:
        if number:
            wide = max(3, width * number // max(1, whole))
            parts.append(
                f'<rect x="{x}" y="0" width="{wide - 1}" height="{height}" class="age {tone}">'
                f"<title>{escape(label)}: {number}</title></rect>"
            )
            x += wide
    return "".join([*parts, "</svg>"])


def _open(width: int, height: int, title: str, *, links: bool = False) -> str:
    """A picture is one image to a screen reader, unless its parts can be followed."""
    role = "group" if links else "img"
    return (
        f'<svg viewBox="0 0 {width} {height}" class="chart" role="{role}" aria-label="{escape(title, quote=True)}" '
        f'preserveAspectRatio="xMinYMin meet"><title>{escape(title)}</title>'
    )


def _linked(body: str, href: str | None, label: str) -> str:
    if href is None:
        return f"<g><title>{escape(label)}</title>{body}</g>"
    return f'<a href="{escape(href, quote=True)}"><title>{escape(label)}</title>{body}</a>'


def _cut(text: str, most: int) -> str:
    return escape(text if len(text) <= most else f"{text[: most - 1]}…")
