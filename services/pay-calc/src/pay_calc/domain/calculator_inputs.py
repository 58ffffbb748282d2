"""The inputs of the calculator's kinds, read by name; every refusal names the field it is about."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import TypeVar

from pay_calc.domain.engine import loans, nic
from pay_calc.domain.engine.calendar import require_period
from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.parameters import Frequency, YearParameters, require_frequency
from pay_calc.domain.engine.payslip import MAX_PENCE
from pay_calc.domain.engine.tax_code import TaxCode, parse_tax_code
from pay_calc.domain.engine.trace import text_of

Result = dict[str, object]

Read = TypeVar("Read")

_MONEY = re.compile(r"(-?)([0-9]{1,30})(?:\.([0-9]{1,2}))?")
_RATE = re.compile(r"(-?)([0-9]{1,30})(?:\.([0-9]{1,4}))?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_PERCENT = re.compile(r"([0-9]{1,6})(?:\.([0-9]{1,2})0*)?")
MAX_LIST = 400
"""Steps, pays, weeks or lines in one object: more than that is a mistake."""
MAX_PERIOD_MINUTES = 31 * 24 * 60
"""Of the longest pay period, a month."""


def money(pence: int) -> str:
    """Pence as the calculator writes money: pounds with two decimals."""
    return text_of(pence, "pence")


def rate(pounds: Decimal) -> str:
    """An hourly rate as the calculator writes it: pounds with four decimals."""
    return text_of(int(pounds.scaleb(4)), "pounds_4dp")


@contextmanager
def renamed(names: Mapping[str, str]) -> Iterator[None]:
    """The engine's refusals within, with its names of inputs (keys) as the caller wrote them."""
    try:
        yield
    except EngineError as refused:
        where = refused.field
        raise EngineError(refused.code, refused.message, None if where is None else names.get(where, where)) from None


@dataclass(slots=True)
class Inputs:
    """The inputs of one calculation, read by name; every refusal names the field it is about."""

    values: Mapping[str, object]
    prefix: str = ""
    asked: set[str] = field(default_factory=set)

    def path(self, name: str) -> str:
        return f"{self.prefix}{name}"

    def has(self, name: str) -> bool:
        self.asked.add(name)
        return self.values.get(name) is not None

    def raw(self, name: str) -> object:
        self.asked.add(name)
        if name not in self.values:
            raise EngineError("missing_field", f"The input {self.path(name)} is missing.", self.path(name))
        return self.values[name]

    def optional(self, name: str, read: Callable[[str], Read]) -> Read | None:
        """What one of the readers makes of an input that may be left out or be null."""
        return read(name) if self.has(name) else None

    def money(self, name: str, default: int | None = None) -> int:
        """A non-negative amount in pence."""
        if default is not None and not self.has(name):
            return default
        return self._not_negative(name, self.refundable(name))

    def refundable(self, name: str) -> int:
        """An amount in pence that may be below zero, such as tax that is refunded."""
        words = 'pounds as text with two decimals, such as "600.00"'
        return self._scaled(name, _MONEY, 2, "invalid_money", words)

    def rate(self, name: str) -> Decimal:
        """A non-negative hourly rate in pounds."""
        words = 'pounds as text with at most four decimals, such as "12.7100"'
        scaled = self._scaled(name, _RATE, 4, "invalid_rate", words)
        return Decimal(self._not_negative(name, scaled)).scaleb(-4)

    def _scaled(self, name: str, pattern: re.Pattern[str], decimals: int, code: str, words: str) -> int:
        """Text of pounds as an integer of its last decimal."""
        value = self.raw(name)
        match = pattern.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            raise EngineError(code, f"{self.path(name)} must be {words}; got {shown(value)}.", self.path(name))
        scale: int = 10**decimals
        scaled = int(match[2]) * scale + int((match[3] or "0").ljust(decimals, "0"))
        if scaled * 100 > MAX_PENCE * scale:
            raise EngineError(
                "amount_out_of_range", f"{self.path(name)} is above the limit of {money(MAX_PENCE)}.", self.path(name)
            )
        return -scaled if match[1] else scaled

    def _not_negative(self, name: str, amount: int) -> int:
        if amount < 0 or str(self.raw(name)).startswith("-"):  # nought, too, has no sign
            raise EngineError("negative_amount", f"{self.path(name)} may not be negative.", self.path(name))
        return amount

    def day(self, name: str) -> date:
        """A date; the ISO week and other forms are no dates here."""
        value = self.raw(name)
        try:
            return date.fromisoformat(value if isinstance(value, str) and _DATE.fullmatch(value) else "")
        except ValueError:
            raise EngineError(
                "invalid_date",
                f"{self.path(name)} must be a date as 2026-04-10; got {shown(value)}.",
                self.path(name),
            ) from None

    def whole(self, name: str, lowest: int = 0, highest: int = 10**6) -> int:
        """A whole number, as a JSON number."""
        value = self.raw(name)
        if isinstance(value, bool) or not isinstance(value, int):
            raise EngineError(
                "invalid_number", f"{self.path(name)} must be a whole number; got {shown(value)}.", self.path(name)
            )
        if not lowest <= value <= highest:
            raise EngineError(
                "number_out_of_range",
                f"{self.path(name)} must be {lowest} to {highest}; got {shown(value)}.",
                self.path(name),
            )
        return value

    def percent(self, name: str, highest: int = 100) -> int:
        """A percentage in basis points; a number or text, at most two decimals."""
        value = self.raw(name)
        readable = (str, int, float, Decimal)  # not money: a JSON number is taken as its text
        text = str(value) if isinstance(value, readable) and not _unreadable(value) else ""
        match = _PERCENT.fullmatch(text)
        if match is None:
            raise EngineError(
                "invalid_percentage",
                f"{self.path(name)} must be a percentage with at most two decimals; got {shown(value)}.",
                self.path(name),
            )
        points = int(match[1]) * 100 + int((match[2] or "0").ljust(2, "0"))
        if points > highest * 100:
            raise EngineError("percentage_out_of_range", f"{self.path(name)} is more than {highest}.", self.path(name))
        return points

    def text(self, name: str) -> str:
        value = self.raw(name)
        if not isinstance(value, str) or len(value) > 200:
            raise EngineError("invalid_text", f"{self.path(name)} must be text; got {shown(value)}.", self.path(name))
        return value

    def boolean(self, name: str, default: bool | None = None) -> bool:
        if default is not None and not self.has(name):
            return default
        value = self.raw(name)
        if not isinstance(value, bool):
            raise EngineError(
                "invalid_boolean", f"{self.path(name)} must be true or false; got {shown(value)}.", self.path(name)
            )
        return value

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        value = self.raw(name)
        if not isinstance(value, str) or value not in choices:
            raise EngineError(
                "invalid_choice",
                f"{self.path(name)} must be one of {', '.join(choices)}; got {shown(value)}.",
                self.path(name),
            )
        return value

    def frequency(self, name: str = "frequency") -> Frequency:
        return require_frequency(self.text(name), self.path(name))

    def tax_code(self, name: str = "tax_code") -> TaxCode:
        return parse_tax_code(self.text(name), self.path(name))

    def tax_period(self, frequency: Frequency, name: str = "tax_period") -> int:
        value = self.whole(name, -999, 999)
        require_period(value, frequency, self.path(name))
        return value

    def letter(self, parameters: YearParameters, name: str) -> str:
        return nic.require_letter(parameters, self.text(name), self.path(name)).letter

    def plan(self, parameters: YearParameters, name: str) -> str:
        value = self.raw(name)
        text = str(value) if isinstance(value, int) and not _unreadable(value) else value
        if not isinstance(text, str):
            raise EngineError("unknown_loan_plan", f"{self.path(name)} must be 1, 2, 4, 5 or PG.", self.path(name))
        return loans.require_plan(parameters, text[:20], self.path(name)).plan

    def plan_beside_postgraduate(self, parameters: YearParameters, name: str) -> str:
        """A plan that may run beside a postgraduate loan: any but that loan's own."""
        plan = self.plan(parameters, name)
        if plan == "PG":
            raise EngineError(
                "unknown_loan_plan", "PG is set by postgrad_loan, beside plan 1, 2, 4 or 5.", self.path(name)
            )
        return plan

    def items(self, name: str, least: int = 1) -> list[object]:
        value = self.raw(name)
        if not isinstance(value, list) or len(value) < least:
            raise EngineError(
                "invalid_list",
                f"{self.path(name)} must be a list{' with at least one entry' if least else ''}.",
                self.path(name),
            )
        if len(value) > MAX_LIST:
            raise EngineError(
                "list_too_long", f"{self.path(name)} holds more than {MAX_LIST} entries.", self.path(name)
            )
        return value

    def objects(self, name: str, least: int = 1) -> list[Inputs]:
        """The entries of a list of objects, each read by name."""
        where = self.path(name)
        return [
            Inputs(mapping(item, f"{where}[{index}]"), f"{where}[{index}].")
            for index, item in enumerate(self.items(name, least))
        ]

    def nested(self, name: str) -> Inputs:
        return Inputs(mapping(self.raw(name), self.path(name)), f"{self.path(name)}.")

    def refuse_misspelt(self) -> None:
        """An unknown input that looks like a known one that was left out is a misspelling, not a remark to ignore."""
        absent = [name for name in self.asked if name not in self.values]
        for name in self.values:
            if name in self.asked:
                continue
            near = difflib.get_close_matches(name[:80], absent, n=1, cutoff=0.8)  # not money: a likeness
            if near:
                raise EngineError(
                    "unknown_field", f"{self.path(name)} is not an input; did you mean {near[0]}?", self.path(name)
                )


def mapping(value: object, path: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise EngineError("invalid_object", f"{path} must be an object; got {shown(value)}.", path)
    return value


def _unreadable(value: object) -> bool:
    """A boolean, which Python takes for a number, or a number of more digits than it writes."""
    return isinstance(value, bool) or (isinstance(value, int) and value.bit_length() > 64)


def shown(value: object) -> str:
    """A value for a message: short, whatever was sent."""
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    if isinstance(value, int) and value.bit_length() > 64:
        return "a number of many digits"
    return repr(value)[:60]
