"""Inline SVG, drawn on whole numbers: each picture has its figures beside it as text, or says in words what it shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape


def bar(value: int, *, top: int, mark: int | None = None) -> str:
    """One bar of a table's row, as long as its share of `top`; `mark` is last week's. A negative value takes the blocked tone.

    It stretches with its cell, and says nothing to a screen reader: the row has the figures.
    """
    most = max(1, top)
    tone = "blocked" if value < 0 else "accent"
    parts = [_stretched("bar-line", 16), f'<rect y="3" width="{_share(value, most)}" height="10" class="bar {tone}"/>']
    if mark is not None:
        x = _share(mark, most)
        parts.append(f'<line x1="{x}" x2="{x}" y1="0" y2="16" class="mark"/>')
    return "".join([*parts, "</svg>"])


def _share(value: int, top: int) -> int:
    """Of 1,000, at least a sliver of what is not nothing."""
    return min(1000, max(4, 1000 * abs(value) // top)) if value else 0


@dataclass(frozen=True)
class Step:
    """A step of a waterfall: a total starts from zero, a difference hangs from the step before."""

    label: str
    pence: int
    text: str
    total: bool = False


def waterfall(steps: Sequence[Step], *, title: str, width: int = 720, height: int = 230) -> str:
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


def funnel(values: Sequence[int]) -> list[str]:
    """Stages side by side, one picture each, as tall as its share of the tallest and joined to the next so that a fall is seen.

    Each stretches with its column; label and figures stand beside it as text.
    """
    top = max([1, *values])
    tops = [100 - 100 * max(0, value) // top for value in values]
    parts = []
    for index, y in enumerate(tops):
        body = f'<rect width="800" height="100" class="well"/><rect y="{y}" width="800" height="{100 - y}" class="bar accent"/>'
        if index + 1 < len(tops):
            body += f'<polygon points="800,{y} 1000,{tops[index + 1]} 1000,100 800,100" class="join"/>'
        parts.append(f"{_stretched('stage', 100)}{body}</svg>")
    return parts


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


def _open(width: int, height: int, title: str) -> str:
    """A picture is one image to a screen reader."""
    return (
        f'<svg viewBox="0 0 {width} {height}" class="chart" role="img" aria-label="{escape(title, quote=True)}" '
        f'preserveAspectRatio="xMinYMin meet"><title>{escape(title)}</title>'
    )


def _stretched(name: str, height: int) -> str:
    """A picture of marks alone that fills whatever it stands in."""
    return f'<svg viewBox="0 0 1000 {height}" class="{name}" preserveAspectRatio="none" aria-hidden="true">'


def _cut(text: str, most: int) -> str:
    return escape(text if len(text) <= most else f"{text[: most - 1]}…")
