"""Reading files as people send them: byte marks, encodings, separators, spreadsheets, and what cannot be read."""

from datetime import date, datetime, time, timedelta
from pathlib import Path

import openpyxl
import pytest

from paybill_importer.layouts import Kind, known_headers
from paybill_importer.reading import (
    LINE_BYTES_MAX,
    CannotReadFile,
    Row,
    Source,
    normalised,
    open_source,
    read_mapping,
)

HEADER = "Placement ref,Date,Start,Finish,Break,Hours\n"


def opened(path: Path, *, mapping: dict[str, str] | None = None, encoding: str = "utf-8") -> Source:
    return open_source(path, known=known_headers(Kind.HOURS), mapping=mapping or {}, encoding=encoding)


def rows_of(path: Path, **options: str) -> list[Row]:
    return list(opened(path, **options).rows)  # type: ignore[arg-type]


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_a_byte_mark_and_untidy_headers_do_no_harm(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", b"\xef\xbb\xbf  PLACEMENT Ref ; Date;HOURS \r\nP-1;30/03/2026; 7:30 \r\n")
    assert rows_of(path) == [Row(2, {"placement_ref": "P-1", "date": "30/03/2026", "hours": "7:30"})]


def test_hours_stay_as_they_were_written(tmp_path: Path) -> None:
    path = written(
        tmp_path / "a.csv", HEADER + 'P-1,30/03/2026,,,,7.5\nP-1,31/03/2026,,,,"7,5"\nP-1,01/04/2026,,,,7:30\n'
    )
    assert [row.values["hours"] for row in rows_of(path)] == ["7.5", "7,5", "7:30"]


def test_a_wrong_byte_is_told_with_its_line_before_anything_is_sent(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", (HEADER + "P-1,30/03/2026,,,,8\nCaf\xe9,30/03/2026,,,,8\n").encode("cp1252"))
    with pytest.raises(CannotReadFile, match=r"line 3: byte 0xe9 is not utf-8.*cp1252"):
        opened(path)
    assert rows_of(path, encoding="cp1252")[1].values["placement_ref"] == "Café"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\n\n", "no header"),
        (b"\xff\xfeP\x00", "UTF-16"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old Excel"),
        (b"PK\x03\x04 not a workbook", "not a readable XLSX"),
        (b"Placement ref,Date,placement-ref\n", "two columns for 'placement_ref'"),
        (b"Placement,Placement ref\n", "two columns for 'placement_ref'"),
        (
            b'Placement ref,Date\n"P-1,30/03/2026\n' + b"x" * 200_000 + b"\n" + b"y\n" * 60_000,
            "quote that is never closed",
        ),
    ],
    ids=["empty", "blank", "utf16", "xls", "zip", "same header", "alias", "open quote"],
)
def test_a_file_that_cannot_be_used_says_why(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(CannotReadFile, match=words):
        opened(written(tmp_path / "a.csv", content))


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(CannotReadFile, match="there is no file"):
        opened(tmp_path / "nothing.csv")


def test_a_huge_line_is_refused_and_the_next_one_read(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", HEADER + "x" * (3 * LINE_BYTES_MAX) + "\nP-2,30/03/2026,,,,8\n")
    huge, next_row = rows_of(path)
    assert huge.number == 2
    assert huge.fault is not None
    assert "longer than" in huge.fault.reason
    assert next_row == Row(3, {"placement_ref": "P-2", "date": "30/03/2026", "hours": "8"})


def test_a_line_with_too_many_cells_a_long_cell_or_a_control_character_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", HEADER + "P-1,,,,,8,extra\nP-1,,,,," + "9" * 600 + "\nP-1,,,,,7\x075\n")
    reasons = [row.fault.reason if row.fault else "" for row in rows_of(path)]
    assert "7 cells, the header 6" in reasons[0]
    assert "600 characters" in reasons[1]
    assert "control characters" in reasons[2]


def test_text_after_a_quote_refuses_its_line_alone(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", HEADER + '"P-1" x,30/03/2026,,,,8\nP-2,30/03/2026,,,,8\n')
    first, second = rows_of(path)
    assert first.fault is not None
    assert "after a closing quote" in first.fault.reason
    assert second.values["placement_ref"] == "P-2"


def test_a_short_line_has_empty_cells_and_a_blank_one_is_passed_over(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", HEADER + "P-1,30/03/2026\n,,,,,\nP-2\n")
    assert [(row.number, dict(row.values)) for row in rows_of(path)] == [
        (2, {"placement_ref": "P-1", "date": "30/03/2026"}),
        (4, {"placement_ref": "P-2"}),
    ]


def test_unknown_columns_are_named_and_passed_over(tmp_path: Path) -> None:
    source = opened(written(tmp_path / "a.csv", "Placement ref,Weather,Date\nP-1,rain,30/03/2026\n"))
    assert source.ignored == ("Weather",)
    assert next(iter(source.rows)).values == {"placement_ref": "P-1", "date": "30/03/2026"}


def test_a_mapping_file_renames_their_columns(tmp_path: Path) -> None:
    mapping = read_mapping(written(tmp_path / "m.yaml", "placement_ref: Job No.\nhours: Total worked\n"))
    path = written(tmp_path / "a.csv", "job no,TOTAL WORKED\nP-1,8\n")
    assert list(opened(path, mapping=mapping).rows) == [Row(2, {"placement_ref": "P-1", "hours": "8"})]


@pytest.mark.parametrize("content", ["- a\n- b\n", "a: [1]\n", "a: 1\n", "a: Same\nb: same\n", "{"])
def test_a_mapping_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(CannotReadFile):
        read_mapping(written(tmp_path / "m.yaml", content))


def test_a_workbook_reads_as_its_cells_look(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["Placement ref", "Date", "Start", "Finish", "Break", "Hours"])
    sheet.append(["P-1", date(2026, 3, 30), time(8, 0), time(16, 30), timedelta(minutes=30), None])
    sheet.append(["P-2", datetime(2026, 3, 31), None, None, None, 7.5])  # noqa: DTZ001 - a spreadsheet's date
    sheet.append(["P-3", "01/04/2026", None, None, None, 8])
    sheet.append([None, None, None, None, None, None])
    sheet.append(["P-4", None, None, None, None, "=1+1"])
    book.save(tmp_path / "a.xlsx")
    assert [(row.number, dict(row.values)) for row in rows_of(tmp_path / "a.xlsx")] == [
        (2, {"placement_ref": "P-1", "date": "2026-03-30", "start": "08:00", "finish": "16:30", "break": "0:30"}),
        (3, {"placement_ref": "P-2", "date": "2026-03-31", "hours": "7.5"}),
        (4, {"placement_ref": "P-3", "date": "01/04/2026", "hours": "8"}),
        (6, {"placement_ref": "P-4"}),
    ]


def test_headers_are_compared_without_case_spaces_and_marks() -> None:
    assert {normalised(text) for text in (" Worker Ref. ", "WORKER_REF", "worker-ref", "worker  ref")} == {"worker_ref"}
