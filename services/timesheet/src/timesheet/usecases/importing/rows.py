"""Rows of a file and their receipts, and how one row's cells are read."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Literal, TypeVar
from uuid import UUID

from timesheet.domain.parsing import CannotRead, parse_date, parse_minutes, parse_money
from timesheet.usecases.recording import CODE

VALUE_LENGTH_MAX = 80
_T = TypeVar("_T")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63}){1,8}")


@dataclass(frozen=True)
class ImportReceipt:
    """The answer to one row. A refusal names column, value, reason and what to do."""

    row: int
    status: Literal["accepted", "duplicate", "refused"]
    record_id: UUID | None = None
    code: str | None = None
    column: str | None = None
    value: str | None = None
    reason: str | None = None
    hint: str | None = None


class RowRefused(Exception):
    """One row that cannot be taken."""

    def __init__(
        self, code: str, reason: str, *, column: str | None = None, value: str | None = None, hint: str | None = None
    ) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.column = column
        self.value = value
        self.hint = hint

    def receipt(self, row: int) -> ImportReceipt:
        value = None if self.value is None else self.value[:VALUE_LENGTH_MAX]
        return ImportReceipt(row, "refused", None, self.code, self.column, value, self.reason, self.hint or None)


class Cells:
    """One row's cells by column. Headers are compared without case, spaces and punctuation; empty cells are absent."""

    def __init__(self, values: Mapping[str, str | None], aliases: Mapping[str, str]) -> None:
        self._cells: dict[str, str] = {}
        for header, text in values.items():
            name = re.sub(r"[^a-z0-9]+", "_", header.lower()).strip("_")
            name = aliases.get(name, name)
            cleaned = (text or "").replace("\N{NO-BREAK SPACE}", " ").strip()
            if _CONTROL.search(cleaned):
                raise RowRefused(
                    "forbidden_character",
                    "the cell has a control character",
                    column=name,
                    value=_CONTROL.sub("?", cleaned),
                    hint="remove it and send the row again",
                )
            if cleaned:
                self._cells.setdefault(name, cleaned)

    @property
    def all(self) -> dict[str, str]:
        """Every cell that is not empty, by column."""
        return dict(self._cells)

    def has(self, *names: str) -> bool:
        return any(name in self._cells for name in names)

    def raw(self, name: str) -> str | None:
        return self._cells.get(name)

    def text(self, name: str, *, length_max: int = 200) -> str | None:
        value = self._cells.get(name)
        if value is not None and len(value) > length_max:
            raise self.refuse(
                name, "too_long", f"the text has {len(value)} characters", f"at most {length_max} characters"
            )
        return value

    def required(self, name: str, *, length_max: int = 200) -> str:
        value = self.text(name, length_max=length_max)
        if value is None:
            raise RowRefused("cell_missing", f"{name} is missing", column=name, hint=f"fill the column {name}")
        return value

    def code(self, name: str) -> str | None:
        value = self.text(name, length_max=80)
        if value is not None and not CODE.fullmatch(value):
            raise self.refuse(
                name,
                "not_a_code",
                "this is not a code",
                "letters, digits and _ . : / - without spaces, starting with a letter or digit",
            )
        return value

    def choice(self, name: str, choices: Mapping[str, str], default: str | None = None) -> str:
        value = self._cells.get(name)
        if value is None:
            if default is None:
                raise RowRefused(
                    "cell_missing", f"{name} is missing", column=name, hint="one of " + ", ".join(sorted(choices))
                )
            return default
        found = choices.get(re.sub(r"[\s-]+", "_", value.lower()))
        if found is None:
            raise self.refuse(name, "not_a_choice", f"this is no {name}", "one of " + ", ".join(sorted(choices)))
        return found

    def email(self, name: str) -> str | None:
        value = self.text(name, length_max=200)
        if value is not None and not EMAIL.fullmatch(value):
            raise self.refuse(name, "not_an_email", "this is not an e-mail address", "for example name@example.com")
        return value

    def read(self, name: str, parse: Callable[[str], _T]) -> _T | None:
        """Read a cell by one of the domain's parsers."""
        value = self._cells.get(name)
        if value is None:
            return None
        try:
            return parse(value)
        except CannotRead as error:
            raise self.refuse(name, error.code, error.reason, error.hint) from None

    def day(self, name: str) -> date | None:
        found = self.read(name, parse_date)
        if found is not None and not 1990 <= found.year <= 2099:
            raise self.refuse(name, "date_out_of_range", f"{found} is out of range", "from 1990 to 2099")
        return found

    def end(self) -> date | None:
        """The exclusive end: `ends_on` as it is, or the day after `last_day`."""
        if self.has("ends_on") and self.has("last_day"):
            raise self.refuse("last_day", "two_ends", "ends_on and last_day are both given", "give one of the two")
        last = self.day("last_day")
        return last + timedelta(days=1) if last is not None else self.day("ends_on")

    def minutes(self, name: str) -> int | None:
        return self.read(name, parse_minutes)

    def money(self, name: str) -> Decimal | None:
        return self.read(name, parse_money)

    def refuse(self, name: str, code: str, reason: str, hint: str | None = None) -> RowRefused:
        return RowRefused(code, reason, column=name, value=self._cells.get(name), hint=hint)
