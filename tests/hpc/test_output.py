"""Printed tables: what a program reads back is what was there."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hpc.output import Format, print_table

PLAIN = [
    (None, "", None),
    (True, "true", True),
    (3, "3", 3),
    (1.5, "1.5", 1.5),
    (float("nan"), "nan", None),
    (float("inf"), "inf", None),
    (Decimal(12345678901234567890123), "12345678901234567890123", 12345678901234567890123),
    (Decimal("1.25"), "1.25", 1.25),
    (date(2024, 5, 1), "2024-05-01", "2024-05-01"),
    (datetime(2024, 5, 1, 12, 30, tzinfo=UTC), "2024-05-01 12:30:00+00:00", "2024-05-01 12:30:00+00:00"),
    (time(12, 30), "12:30:00", "12:30:00"),
    (b"\x00\xff", "00ff", "00ff"),
    ([1.0, None, 2.5], "1.0\\\\2.5", [1.0, None, 2.5]),
    (["a", "b"], "a\\b", ["a", "b"]),
    ({"a": [1, date(2024, 5, 1)]}, '{"a": [1, "2024-05-01"]}', {"a": [1, "2024-05-01"]}),
    ("胸部, \"x\"\nline", "胸部, \"x\"\nline", "胸部, \"x\"\nline"),
]  # fmt: skip


def printed(columns: list[str], rows: list[tuple[Any, ...]], form: Format) -> str:
    stream = io.StringIO()
    print_table(columns, rows, form, stream)
    return stream.getvalue()


@pytest.mark.parametrize(("value", "text", "in_json"), PLAIN)
def test_a_cell_reads_back(value: object, text: str, in_json: object) -> None:
    assert json.loads(printed(["a", "b"], [(value, 1)], Format.JSON)) == [{"a": in_json, "b": 1}]
    rows = list(csv.reader(io.StringIO(printed(["a", "b"], [(value, 1)], Format.CSV), newline="")))
    assert rows == [["a", "b"], [text, "1"]]


CELLS = st.none() | st.text(st.characters(exclude_categories=["Cs"])) | st.integers() | st.booleans()


@example([("\r",)])
@given(st.integers(1, 4).flatmap(lambda n: st.lists(st.tuples(*[CELLS] * n))))
def test_json_and_csv_round_trip(rows: list[tuple[Any, ...]]) -> None:
    names = [f"c{i}" for i in range(len(rows[0]) if rows else 1)]
    assert json.loads(printed(names, rows, Format.JSON)) == [dict(zip(names, r, strict=True)) for r in rows]
    read = list(csv.reader(io.StringIO(printed(names, rows, Format.CSV), newline="")))
    as_text = [
        ["" if v is None else str(v).lower() if isinstance(v, bool) else str(v) for v in r] for r in rows
    ]
    assert read == [names, *as_text]


@given(st.lists(st.tuples(CELLS, CELLS), max_size=5))
def test_an_aligned_table_has_one_line_a_row_and_no_control_characters(rows: list[tuple[Any, ...]]) -> None:
    lines = printed(["first", "second"], rows, Format.TABLE).split("\n")
    assert len(lines) == len(rows) + 2
    assert lines[-1] == ""
    assert all(line.isprintable() for line in lines)


def test_columns_are_aligned_and_nothing_is_cut() -> None:
    long = "x" * 300
    rows = [("胸部", 5, long), ("chest", 1000, None), (None, None, "\x1b[31m\tred")]
    assert printed(["name", "n", "text"], rows, Format.TABLE) == (
        f"name      n  text\n胸部      5  {long}\nchest  1000\n             \\x1b[31m\\tred\n"
    )


def test_no_rows_still_have_a_header() -> None:
    assert printed(["a", "b"], [], Format.TABLE) == "a  b\n"
    assert printed(["a", "b"], [], Format.CSV) == "a,b\n"
    assert json.loads(printed(["a", "b"], [], Format.JSON)) == []


def test_rows_are_written_as_they_come() -> None:
    stream = io.StringIO()

    def rows() -> Any:
        for i in range(3):
            yield (i,)
            assert str(i) in stream.getvalue()

    print_table(["a"], rows(), Format.JSON, stream)


def test_a_terminal_shows_the_header_in_bold(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    bold, plain = Terminal(), Terminal()
    print_table(["a"], [(1,)], Format.TABLE, bold)
    monkeypatch.setenv("NO_COLOR", "1")
    print_table(["a"], [(1,)], Format.TABLE, plain)
    assert bold.getvalue() == "\x1b[1ma\x1b[0m\n1\n"
    assert plain.getvalue() == "a\n1\n"
