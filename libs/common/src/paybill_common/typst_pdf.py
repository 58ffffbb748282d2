"""PDF documents with typst: one compiler per process, house fonts, and the same bytes for the same document.

A service keeps its templates beside its code and renders them with :class:`PdfTemplates`. The data of a document travels
as one JSON string in ``sys.inputs``: it is text to the template, never markup, so ``#``, ``*``, ``$`` and ``@`` in a name
are printed as they are. Templates import the house style with ``#import "@paybill/house:1.0.0": *``.

What makes the bytes repeatable: fonts from this package only, no clock (the creation date is the document's own date),
and no network. The functions below turn facts into the words a document prints; no template does arithmetic.
"""

from __future__ import annotations

import base64
import json
import re
import threading
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import typst

HOUSE = Path(__file__).parent / "typst"
MINUS = "\N{MINUS SIGN}"
NO_BREAK = "\N{NO-BREAK SPACE}"
EN_DASH = "\N{EN DASH}"

_LARGE_PAYLOAD_CHARS = 20_000
_COMPILATIONS_REMEMBERED = 11

_PENNY = Decimal("0.01")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTHS_LONG = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


class DocumentFailed(RuntimeError):
    """A template refused its data; the message names the template and carries typst's own diagnosis."""


class AmountNotInPence(ValueError):
    """A document was given an amount that is not a whole number of pence: round it where the rule says, not here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Branding:
    """An agency's look: a name for the corner, one accent colour (``#rrggbb``, dark enough to read), a logo as PNG or SVG."""

    name: str
    accent: str = "#0b6e6e"
    logo: bytes | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(r"#[0-9a-fA-F]{6}", self.accent):
            raise ValueError(f"An accent colour is written #rrggbb, not {self.accent!r}")

    def view(self) -> dict[str, str | None]:
        """The keys that the house style reads."""
        return {
            "brand": self.name,
            "accent": self.accent,
            "logo": None if self.logo is None else logo_as_svg(self.logo),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """A quantity in whole minutes, printed ``37:30`` with ``37.50`` beside it."""

    minutes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Units:
    """A quantity that is counted: days, shifts, miles. ``unit`` is its plural or symbol, such as ``days``."""

    value: Decimal
    unit: str


class PdfTemplates:
    """The templates of one folder, rendered by one compiler that is reused (and guarded by a lock, for threads).

    The first render of a process parses fonts and template; later ones reuse both. Rendering is CPU work without I/O: call
    it from a thread (``asyncio.to_thread``) in a service. After a fork, make a new instance in the child.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._compiler: typst.Compiler | None = None

    def render(self, template: str, data: Mapping[str, Any], *, dated: date) -> bytes:
        """Return the tagged PDF (PDF/UA-1) of ``template`` for ``data``; ``dated`` becomes the creation date.

        ``data`` is JSON-serialisable; every string in it is cleaned by :func:`clean`. Raises :class:`DocumentFailed`.
        """
        payload = json.dumps(_cleaned(data), ensure_ascii=False, separators=(",", ":"))
        # Noon, so that the date is the same day in every viewer's time zone.
        created = datetime.combine(dated, time(12), tzinfo=UTC)
        with self._lock:
            compiler = self._compiler or self._open()
            try:
                pdf = compiler.compile(
                    input=str(self._folder / template),
                    format="pdf",
                    sys_inputs={"data": payload},
                    timestamp=created,
                    pdf_standards=["ua-1"],
                )
            except typst.TypstError as error:
                raise DocumentFailed(f"{template}: {error.message} {error.diagnostic or ''}".strip()) from error
            finally:
                if len(payload) > _LARGE_PAYLOAD_CHARS:
                    _forget(compiler)
        return cast(bytes, pdf)

    def _open(self) -> typst.Compiler:
        self._compiler = typst.Compiler(
            root=str(self._folder),
            font_paths=typst.Fonts(
                include_system_fonts=False, include_embedded_fonts=True, font_paths=[str(HOUSE / "fonts")]
            ),
            ignore_system_fonts=True,
            package_path=str(HOUSE / "packages"),
        )
        return self._compiler


def _forget(compiler: typst.Compiler) -> None:
    """Drop the layout of a large document: typst keeps what the last compilations made, some 100 kB for each line of a table.

    Measured on invoices of 500 lines: 600 MB after twelve of them without this, 120 MB with it.
    """
    for _ in range(_COMPILATIONS_REMEMBERED):
        compiler.compile(input=b"", format="pdf", sys_inputs={})


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return {key: _cleaned(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(item) for item in value]
    return value


def clean(text: str) -> str:
    """Return ``text`` in composed form without control and direction-override characters, which can forge what is read.

    Line breaks stay, tabs become spaces.
    """
    if text.isascii() and text.isprintable():
        return text
    composed = unicodedata.normalize("NFC", text.replace("\t", " "))
    return "".join(ch for ch in composed if ch == "\n" or unicodedata.category(ch) not in {"Cc", "Cf", "Cs", "Co"})


def logo_as_svg(image: bytes) -> str:
    """Return a logo as the SVG text that templates take; ``image`` is SVG or PNG. Raises ``ValueError`` on anything else."""
    if image.startswith(b"\x89PNG\r\n\x1a\n") and len(image) > 24:
        width, height = int.from_bytes(image[16:20]), int.from_bytes(image[20:24])
        encoded = base64.b64encode(image).decode("ascii")
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
            f'<image width="{width}" height="{height}" href="data:image/png;base64,{encoded}"/></svg>'
        )
    text = image.decode("utf-8", errors="strict")
    if "<svg" not in text:
        raise ValueError("A logo must be a PNG or SVG file")
    return text


def money(amount_gbp: Decimal) -> str:
    """``Decimal("-1234.5")`` -> ``−1,234.50``: no pound sign (the heading has it). Raises :class:`AmountNotInPence`."""
    if not amount_gbp.is_finite() or amount_gbp != amount_gbp.quantize(_PENNY):
        raise AmountNotInPence(f"{amount_gbp} is not a whole number of pence")
    return _signed(f"{abs(amount_gbp):,.2f}", negative=amount_gbp < 0)


def pounds(amount_gbp: Decimal) -> str:
    """As :func:`money` with the pound sign: ``−£1,234.50``."""
    text = money(amount_gbp)
    return f"{MINUS}£{text[1:]}" if text.startswith(MINUS) else f"£{text}"


def rate(amount_gbp: Decimal) -> str:
    """A unit price: two decimals, more only where the price has them (``18.425`` -> ``18.425``)."""
    decimals = max(2, -_exponent(amount_gbp.normalize()))
    return _signed(f"{abs(amount_gbp):,.{decimals}f}", negative=amount_gbp < 0)


def percent(value: Decimal) -> str:
    """``Decimal("20.00")`` -> ``20%``, ``Decimal("12.07")`` -> ``12.07%``."""
    return _signed(f"{_plain(abs(value))}%", negative=value < 0)


def hours_clock(minutes: int) -> str:
    """``2250`` -> ``37:30``."""
    return _signed(f"{abs(minutes) // 60}:{abs(minutes) % 60:02d}", negative=minutes < 0)


def hours_decimal(minutes: int) -> str:
    """``2250`` -> ``37.50`` (half up to two places; the clock form beside it is exact)."""
    hundredths = (abs(minutes) * 10 + 3) // 6
    return _signed(f"{hundredths // 100:,}.{hundredths % 100:02d}", negative=minutes < 0)


def quantity(value: Decimal) -> str:
    """``Decimal("3.00")`` -> ``3``, ``Decimal("2.5")`` -> ``2.5``."""
    return _signed(_plain(abs(value)), negative=value < 0)


def day(value: date) -> str:
    """``5 Apr 2026``, unbreakable."""
    return f"{value.day}{NO_BREAK}{_MONTHS[value.month - 1]}{NO_BREAK}{value.year}"


def long_day(value: date) -> str:
    """``5 April 2026``, unbreakable."""
    return f"{value.day}{NO_BREAK}{_MONTHS_LONG[value.month - 1]}{NO_BREAK}{value.year}"


def span(first: date, last: date) -> str:
    """``30 Mar – 5 Apr`` (years only where they differ); one day is ``5 Apr``. Both days are included."""
    if first == last:
        return _day_month(first)
    if first.year != last.year:
        return f"{day(first)} {EN_DASH} {day(last)}"
    if first.month == last.month:
        return f"{first.day}{EN_DASH}{_day_month(last)}"
    return f"{_day_month(first)} {EN_DASH} {_day_month(last)}"


def long_span(first: date, last: date) -> str:
    """``30 March 2026 to 5 April 2026``, the year once where it is the same."""
    if first == last:
        return long_day(first)
    start = long_day(first) if first.year != last.year else f"{first.day}{NO_BREAK}{_MONTHS_LONG[first.month - 1]}"
    return f"{start} to {long_day(last)}"


def sort_code(digits: str) -> str:
    """``000012`` or ``00-00-12`` -> ``00-00-12``. Raises ``ValueError`` unless there are six digits."""
    only = digits.replace("-", "").replace(" ", "")
    if len(only) != 6 or not only.isdigit():
        raise ValueError("A sort code has six digits")
    return f"{only[:2]}-{only[2:4]}-{only[4:]}"


def _day_month(value: date) -> str:
    return f"{value.day}{NO_BREAK}{_MONTHS[value.month - 1]}"


def _plain(value: Decimal) -> str:
    decimals = max(0, -_exponent(value.normalize()))
    return f"{value:,.{decimals}f}"


def _exponent(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int):
        raise ValueError(f"{value} is not a number")
    return exponent


def _signed(text: str, *, negative: bool) -> str:
    return MINUS + text if negative else text
