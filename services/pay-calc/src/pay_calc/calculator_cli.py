"""The calculator over JSON Lines: `python -m pay_calc calc [FILE]` and anything else that has two streams."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TextIO

from pay_calc.domain.calculator import calculate

MAX_LINE = 1_000_000
"""Characters of one line; longer ones are refused, the rest of the file goes on."""


def run_calc(stream_in: TextIO, stream_out: TextIO) -> int:
    """Read one JSON object a line, write one JSON object a line in the same order; blank lines are skipped.

    A bad line answers with an error and never stops the rest; open the input as UTF-8 with errors="replace", so that not even a
    broken byte does. Returns the exit status: 0, or 2 when the input cannot be read as text.
    """
    try:
        for number, line in enumerate(stream_in, start=1):
            if line.strip():
                stream_out.write(json.dumps(_answer(number, line)) + "\n")
    except (UnicodeDecodeError, OSError) as unreadable:
        message = f"The input could not be read to its end: {unreadable}."
        stream_out.write(json.dumps(_refusal("unreadable_input", message)) + "\n")
        return 2
    return 0


def _refusal(code: str, message: str) -> dict[str, object]:
    return {"id": None, "error": {"code": code, "message": message, "field": None}}


def _answer(number: int, line: str) -> dict[str, object]:
    if len(line) > MAX_LINE:
        return _refusal("line_too_long", f"Line {number} is longer than {MAX_LINE} characters.")
    try:
        parsed = json.loads(line.removeprefix("\ufeff"), parse_float=Decimal)
    except (ValueError, RecursionError) as bad:
        return _refusal("invalid_json", f"Line {number} is not JSON: {bad}.")
    return calculate(parsed)
