"""CSV and XLSX as a stream of rows with normalised column names, in constant memory."""

import csv
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

import openpyxl
import yaml
from openpyxl.utils.exceptions import InvalidFileException

LINE_BYTES_MAX = 100_000
CELL_CHARS_MAX = 500
COLUMNS_MAX = 200
_XLSX_UNPACKED_BYTES_MAX = 300_000_000
_XLSX_TEXTS_BYTES_MAX = 30_000_000
"""The table of texts is held in memory, at several times its size."""
_HEADER_CHARS_MAX = 120
_DAMAGED = (
    zipfile.BadZipFile,
    InvalidFileException,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    OSError,
    EOFError,
    SyntaxError,
    RuntimeError,
    zlib.error,
)
"""What a workbook that is no whole workbook makes its reader raise; a broken XML is a SyntaxError."""
_DELIMITERS = (",", ";", "\t")
_BOM = b"\xef\xbb\xbf"
_WIDE_BOMS = (b"\xff\xfe", b"\xfe\xff")
_TOO_LONG = "\x1eline too long\n"


class CannotReadFile(Exception):
    """The file as a whole cannot be used; the message says where and what to do. Lines read before it were sent."""


@dataclass(frozen=True)
class Fault:
    """Why a line is refused: the column and value where one is to blame, the reason, and what to do."""

    reason: str
    hint: str = ""
    column: str = ""
    value: str = ""
    private: bool = False
    """It speaks of what only payroll may read."""


class BadCell(ValueError):
    """A cell that the importer itself has to understand and cannot."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        super().__init__(fault.reason)


@dataclass(frozen=True)
class Row:
    """One line. `number` counts as a spreadsheet does: the header is 1. `fault` is set when it cannot be read."""

    number: int
    values: Mapping[str, str] = field(default_factory=dict)
    fault: Fault | None = None


@dataclass(frozen=True)
class Source:
    """An open file: its columns under our names, those nobody knows, and how many rows it seems to have (None: unknown)."""

    headers: Mapping[str, str]
    """Our name of each column to its own header."""
    ignored: tuple[str, ...]
    rows: Iterator[Row]
    expected_rows: int | None = None


def normalised(header: str) -> str:
    """`  Worker Ref. ` becomes `worker_ref`: trimmed, lower case, one underscore for anything else."""
    return re.sub(r"[^0-9a-z]+", "_", header.strip().casefold()).strip("_")


def read_mapping(path: Path | None) -> dict[str, str]:
    """A column mapping file (YAML, `our_column: Their header`) as their normalised header to our column.

    Raises:
        CannotReadFile: not YAML, or not a flat mapping of text to text.
    """
    if path is None:
        return {}
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CannotReadFile(f"{path} cannot be read as a column mapping: {error}") from error
    if not isinstance(loaded, dict) or not all(isinstance(v, str) and isinstance(k, str) for k, v in loaded.items()):
        raise CannotReadFile(f"{path} is not a column mapping; write one `our_column: Their header` a line")
    return mapping_of(loaded, where=str(path))


def mapping_of(headers: Mapping[str, str], *, where: str) -> dict[str, str]:
    """Our column to their header, as their normalised header to our column. Raises CannotReadFile: one header named twice."""
    mapping = {normalised(theirs): normalised(ours) for ours, theirs in headers.items()}
    if len(mapping) != len(headers):
        raise CannotReadFile(f"{where} maps one header to two of our columns")
    return mapping


def open_source(
    path: Path, *, known: Mapping[str, str], mapping: Mapping[str, str], encoding: str = "utf-8", checked: bool = False
) -> Source:
    """Open a file and read its header.

    Args:
        known: normalised names and aliases to our column names.
        mapping: their normalised header to our column, see `read_mapping`; it goes before `known`.
        checked: a CSV was read to its end before, so it is not read once more to count its rows.

    Raises:
        CannotReadFile: no such file, empty, not CSV or XLSX, a wrong encoding, or two columns of one name.
    """
    if not path.is_file():
        raise CannotReadFile(f"there is no file {path}")
    with path.open("rb") as raw:
        start = raw.read(4)
    if not start:
        raise CannotReadFile(f"{path} is empty; it needs a header line and at least one row")
    if start[:2] == b"PK":
        expected, cells = None, _xlsx_cells(path)
    elif start.startswith(b"\xd0\xcf\x11\xe0"):
        raise CannotReadFile(f"{path} is an old Excel file (.xls); save it as .xlsx or CSV")
    elif start.startswith(_WIDE_BOMS):
        raise CannotReadFile(f"{path} is UTF-16 text; save it as `CSV UTF-8`")
    else:
        expected, cells = None if checked else _check_csv(path, encoding), _csv_cells(path, encoding)
    header = next(cells, None)
    if header is None or isinstance(header[1], Fault) or not any(cell.strip() for cell in header[1]):
        raise CannotReadFile(f"{path} has no header line; its first row names the columns")
    columns, ignored = _columns(path, header[1], known, mapping)
    headers = {ours: _shown(text) for ours, text in zip(columns, header[1], strict=False) if ours}
    return Source(headers, ignored, _rows(cells, columns), expected)


def _shown(header: str) -> str:
    """A header as receipts show it: without what cannot be shown, and not too long."""
    return "".join(ch for ch in header if ch.isprintable()).strip()[:_HEADER_CHARS_MAX]


def _columns(
    path: Path, header: list[str], known: Mapping[str, str], mapping: Mapping[str, str]
) -> tuple[list[str], tuple[str, ...]]:
    """Our name of each column ("" for one to pass over), and the headers that nobody knows."""
    while header and not header[-1].strip():
        header.pop()
    if len(header) > COLUMNS_MAX:
        raise CannotReadFile(f"{path} has {len(header)} columns; at most {COLUMNS_MAX}")
    columns: list[str] = []
    ignored: list[str] = []
    for text in header:
        name = normalised(text)
        ours = known.get(mapping.get(name, name), "")
        if ours and ours in columns:
            raise CannotReadFile(
                f"{path} has two columns for {ours!r} (the second is headed {text.strip()[:60]!r}); remove or rename one"
            )
        if not ours and text.strip():
            ignored.append(text.strip()[:60])
        columns.append(ours)
    return columns, tuple(ignored)


def _rows(cells: Iterable[tuple[int, list[str] | Fault]], columns: list[str]) -> Iterator[Row]:
    for number, found in cells:
        if isinstance(found, Fault):
            yield Row(number, fault=found)
            continue
        if not any(cell.strip() for cell in found):
            continue
        extra = [cell for cell in found[len(columns) :] if cell.strip()]
        if extra:
            hint = "put text that contains the separator in quotes"
            yield Row(number, fault=Fault(f"the line has {len(found)} cells, the header {len(columns)}", hint))
            continue
        values = {name: cell.strip() for name, cell in zip(columns, found, strict=False) if name and cell.strip()}
        bad = next(((name, cell) for name, cell in values.items() if _unusable(cell)), None)
        if bad is not None:
            yield Row(number, values, _cell_fault(*bad))
            continue
        yield Row(number, values)


def _unusable(cell: str) -> bool:
    return len(cell) > CELL_CHARS_MAX or any(ord(c) < 32 and c not in "\t\n\r" for c in cell)


def _cell_fault(column: str, cell: str) -> Fault:
    if len(cell) > CELL_CHARS_MAX:
        reason = f"the cell has {len(cell)} characters, at most {CELL_CHARS_MAX} are read"
        return Fault(reason, "look for a missing quote", column, cell[:40])
    shown = "".join(c if ord(c) >= 32 else "\N{REPLACEMENT CHARACTER}" for c in cell)[:40]
    return Fault("the cell has control characters", "type the value again", column, shown)


# --- CSV ---------------------------------------------------------------------------------------------------------------


def _lines(raw: BinaryIO, path: Path, encoding: str) -> Iterator[str]:
    """Lines as text; one that is too long becomes a mark, so that its row is refused and the rest goes on."""
    number = 0
    while line := raw.readline(LINE_BYTES_MAX + 1):
        number += 1
        if number == 1 and line.startswith(_BOM):
            line = line[len(_BOM) :]
        if len(line) > LINE_BYTES_MAX:
            while line and not line.endswith(b"\n"):
                line = raw.readline(LINE_BYTES_MAX)
            yield _TOO_LONG
            continue
        try:
            yield line.decode(encoding)
        except UnicodeDecodeError as error:
            raise CannotReadFile(
                f"{path} line {number}: byte {line[error.start]:#04x} is not {encoding}; "
                "save the file as `CSV UTF-8`, or name its encoding (Excel's plain CSV is cp1252)"
            ) from error
        except LookupError as error:
            raise CannotReadFile(f"there is no encoding {encoding!r}; usual ones are utf-8 and cp1252") from error


def _csv_cells(path: Path, encoding: str) -> Iterator[tuple[int, list[str] | Fault]]:
    with path.open("rb") as raw:
        delimiter = _delimiter(raw.readline(LINE_BYTES_MAX).decode("latin-1"))
        raw.seek(0)
        reader = csv.reader(_lines(raw, path, encoding), delimiter=delimiter, strict=True)
        number = 0
        while True:
            number += 1
            try:
                record = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                if "expected after" in str(error):
                    hint = "put the whole cell in quotes and write a quote inside it twice"
                    yield number, Fault("there is text after a closing quote", hint)
                    continue
                raise CannotReadFile(
                    f"{path} row {number} (line {reader.line_num}) cannot be read as CSV: {error}; "
                    "look for a quote that is never closed"
                ) from error
            if any(_TOO_LONG.strip() in cell for cell in record):
                reason = f"the line is longer than {LINE_BYTES_MAX} bytes"
                yield number, Fault(reason, "look for a missing line break")
            else:
                yield number, record


def _check_csv(path: Path, encoding: str) -> int:
    """Read the file once to its end, so that an unreadable one is refused before anything is sent; returns its rows that are not blank."""
    return max(
        0,
        sum(1 for _, cells in _csv_cells(path, encoding) if isinstance(cells, Fault) or any(map(str.strip, cells))) - 1,
    )


def _delimiter(header: str) -> str:
    counts = {delimiter: header.count(delimiter) for delimiter in _DELIMITERS}
    return max(_DELIMITERS, key=lambda delimiter: counts[delimiter])


# --- XLSX --------------------------------------------------------------------------------------------------------------


def _xlsx_cells(path: Path) -> Iterator[tuple[int, list[str] | Fault]]:
    with path.open("rb") as raw:  # openpyxl takes a path only if it ends in .xlsx
        try:
            _check_size(path, raw)
            book = openpyxl.load_workbook(raw, read_only=True, data_only=True)
            if not book.worksheets:
                raise CannotReadFile(f"{path} has no worksheet")
            rows = enumerate(_sheet_rows(book.worksheets[0]), start=1)
        except _DAMAGED as error:
            raise CannotReadFile(f"{path} is not a readable XLSX workbook: {error}") from error
        try:
            while True:
                try:
                    number, cells = next(rows)
                except StopIteration:
                    return
                except _DAMAGED as error:
                    raise CannotReadFile(f"{path} is damaged, or no XLSX workbook any more: {error}") from error
                yield number, [_text_of(cell) for cell in cells]
        finally:
            book.close()


def _sheet_rows(sheet: Any) -> Iterator[tuple[object, ...]]:
    sheet.reset_dimensions()
    return iter(sheet.iter_rows(values_only=True))


def _check_size(path: Path, raw: BinaryIO) -> None:
    """A small file may unpack to anything."""
    with zipfile.ZipFile(raw) as archive:
        sizes = {entry.filename.casefold(): entry.file_size for entry in archive.infolist()}
    if sum(sizes.values()) > _XLSX_UNPACKED_BYTES_MAX:
        raise CannotReadFile(f"{path} unpacks to over {_XLSX_UNPACKED_BYTES_MAX:,} bytes; send it as CSV")
    if sum(size for name, size in sizes.items() if name.endswith("sharedstrings.xml")) > _XLSX_TEXTS_BYTES_MAX:
        raise CannotReadFile(f"{path} has over {_XLSX_TEXTS_BYTES_MAX:,} bytes of texts; send it as CSV")


def _text_of(cell: object) -> str:
    """What a person sees in the cell, in a form that the services read."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, datetime):
        day = cell.date().isoformat()
        return day if cell.time() == time(0) else f"{day} {cell:%H:%M}"
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, time):
        return f"{cell:%H:%M}"
    if isinstance(cell, timedelta):
        minutes = round(cell / timedelta(minutes=1))
        return f"{minutes // 60}:{minutes % 60:02}"
    if isinstance(cell, int):
        return str(cell)
    try:
        return f"{Decimal(repr(cell)).normalize():f}"
    except ArithmeticError:
        return str(cell)
