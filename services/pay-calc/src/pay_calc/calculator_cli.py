"""The calculator over JSON Lines: `python -m pay_calc calc [FILE]`, and `paybill calc` through it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import BinaryIO, TextIO

from pay_calc.domain.calculator import calculate

MAX_LINE_BYTES = 1_000_000
"""A longer line is refused without being held, and the rest of the file goes on."""


def run_calc(stream_in: BinaryIO, stream_out: TextIO) -> int:
    """Read one JSON object a line, write one JSON object a line in the same order; blank lines are skipped.

    A bad line (no JSON, no UTF-8, too long) answers with an error and never stops the rest. Memory does not grow with the input. Returns
    the exit status: 0, or 2 when the input cannot be read to its end, said in a last line.
    """
    lines = _lines(stream_in)
    while True:
        try:
            number, line = next(lines, (0, b""))
        except OSError as unreadable:
            answer = _refusal("unreadable_input", f"The input could not be read to its end: {unreadable}.")
            stream_out.write(json.dumps(answer) + "\n")
            return 2
        if not number:
            return 0
        if line is None or line.strip():
            stream_out.write(json.dumps(_answer(number, line)) + "\n")


def _lines(stream: BinaryIO) -> Iterator[tuple[int, bytes | None]]:
    """(number from 1, line) of each line; None for one that is too long, whose bytes are dropped as they come."""
    number = 0
    while part := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        fits = len(part) <= MAX_LINE_BYTES or part.endswith(b"\n")
        while part and not fits and not part.endswith(b"\n"):
            part = stream.readline(MAX_LINE_BYTES)
        yield number, part if fits else None


def _refusal(code: str, message: str) -> dict[str, object]:
    return {"id": None, "error": {"code": code, "message": message, "field": None}}


def _answer(number: int, line: bytes | None) -> dict[str, object]:
    if line is None:
        return _refusal("line_too_long", f"Line {number} is longer than {MAX_LINE_BYTES} bytes.")
    try:
        parsed = json.loads(line.decode("utf-8-sig"), parse_float=Decimal)
    except UnicodeDecodeError as bad:
        return _refusal("invalid_utf8", f"Line {number} is not UTF-8 at byte {bad.start + 1}.")
    except (ValueError, RecursionError) as bad:
        return _refusal("invalid_json", f"Line {number} is not JSON: {bad}.")
    return calculate(parsed)
