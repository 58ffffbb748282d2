"""Reading a JSON object field by field, so that every refusal names the field (RFC 6901 pointer), the fact and a hint."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, time
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import TypeVar

SLUG = re.compile(r"[a-z0-9_-]{1,40}")
_Choice = TypeVar("_Choice", bound=StrEnum)


class FieldRefused(ValueError):
    """A value that cannot be accepted: `code` is stable, `pointer` finds the field, `hint` says what to do."""

    code = "field_refused"

    def __init__(self, pointer: str, fact: str, hint: str = "") -> None:
        self.pointer = pointer
        self.fact = fact
        self.hint = hint
        super().__init__(f"{pointer or '/'}: {fact}" + (f" ({hint})" if hint else ""))


class Fields:
    """One JSON object being read. `done()` refuses the names that nobody asked for."""

    def __init__(self, data: object, pointer: str, refused: type[FieldRefused]) -> None:
        if not isinstance(data, Mapping):
            raise refused(pointer, f"an object is needed here, not {_kind(data)}")
        self._data = data
        self._pointer = pointer
        self._refused = refused
        self._read: set[str] = set()

    def refuse(self, name: str, fact: str, hint: str = "") -> FieldRefused:
        return self._refused(self.pointer(name), fact, hint)

    def pointer(self, name: str) -> str:
        return f"{self._pointer}/{name}"

    def has(self, name: str) -> bool:
        return self._data.get(name) is not None

    def _value(self, name: str) -> object:
        self._read.add(name)
        value: object = self._data.get(name)
        if value is None:
            raise self.refuse(name, f"{name} is missing")
        return value

    def text(self, name: str, *, length_max: int = 200) -> str:
        value = self._value(name)
        if not isinstance(value, str) or not value.strip():
            raise self.refuse(name, f"{name} must be text, not {_kind(value)}")
        if len(value) > length_max:
            raise self.refuse(name, f"{name} has {len(value)} characters", f"at most {length_max}")
        return value.strip()

    def slug(self, name: str) -> str:
        value = self.text(name)
        if not SLUG.fullmatch(value):
            raise self.refuse(name, f"{value!r} is not a code", "1 to 40 of a-z, 0-9, _ and -")
        return value

    def choice(self, name: str, choices: type[_Choice]) -> _Choice:
        value = self._value(name)
        try:
            return choices(str(value))
        except ValueError:
            raise self.refuse(name, f"{value!r} is not a {name}", "one of " + ", ".join(choices)) from None

    def integer(self, name: str, *, low: int, high: int) -> int:
        value = self._value(name)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.refuse(name, f"{name} must be a whole number, not {_kind(value)}")
        if not low <= value <= high:
            raise self.refuse(name, f"{name} is {value}", f"from {low} to {high}")
        return value

    def decimal(self, name: str, *, places: int, low: Decimal, high: Decimal) -> Decimal:
        """An exact decimal, given as a string or a whole number; a JSON fraction is refused as it is already inexact."""
        value = self._value(name)
        if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
            raise self.refuse(name, f"{name} must be a decimal in quotes, not {_kind(value)}", 'for example "12.7100"')
        try:
            number = Decimal(str(value).strip())
        except InvalidOperation:
            raise self.refuse(name, f"{value!r} is not a number", 'for example "12.7100"') from None
        fact = decimal_problem(number, places=places, low=low, high=high)
        if fact:
            raise self.refuse(name, f"{name} {fact}")
        return number

    def day(self, name: str) -> date:
        value = self._value(name)
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(str(value))
        except ValueError:
            raise self.refuse(name, f"{value!r} is not a date", "YYYY-MM-DD, for example 2026-04-03") from None

    def clock(self, name: str) -> time:
        value = self._value(name)
        if isinstance(value, time):
            return value
        if isinstance(value, str) and re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value):
            return time.fromisoformat(value)
        raise self.refuse(name, f"{value!r} is not a time of day", "HH:MM from 00:00 to 23:59")

    def items(self, name: str, *, count_max: int) -> Iterator[tuple[str, object]]:
        value = self._value(name)
        if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
            raise self.refuse(name, f"{name} must be a list, not {_kind(value)}")
        if len(value) > count_max:
            raise self.refuse(name, f"{name} has {len(value)} items", f"at most {count_max}")
        for index, item in enumerate(value):
            yield f"{self.pointer(name)}/{index}", item

    def done(self) -> None:
        for name in self._data:
            if name not in self._read:
                raise self.refuse(str(name), f"{name!r} is not a field here", "known: " + ", ".join(sorted(self._read)))

    def ignore(self, *names: str) -> None:
        self._read.update(names)


def decimal_problem(number: Decimal, *, places: int, low: Decimal, high: Decimal) -> str:
    """What is wrong with a number, as the end of a sentence; empty when nothing is."""
    if not number.is_finite():
        return f"is {number}, not a number"
    if not low <= number <= high:
        return f"is {number}; it must be from {low} to {high}"
    if number != number.quantize(Decimal(1).scaleb(-places)):
        return f"is {number}; it can have {places} decimals"
    return ""


def _kind(value: object) -> str:
    names = {type(None): "null", bool: "true or false", str: "text", dict: "an object", list: "a list"}
    return names.get(type(value), "a number")
