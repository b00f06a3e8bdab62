"""How every command prints a table: aligned text for people, CSV and JSON for programs."""

from __future__ import annotations

import csv
import json
import math
import os
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from enum import StrEnum
from types import NoneType
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

Row = Sequence[object]


class Format(StrEnum):
    """How a table is printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


FormatOption = Annotated[Format, typer.Option("--format", help="How to print the table.")]


def print_table(
    columns: Sequence[str],
    rows: Iterable[Row],
    form: Format = Format.TABLE,
    stream: TextIO | None = None,
) -> None:
    r"""Write a table to standard output, or to another stream.

    Parameters
    ----------
    columns : sequence of str
        Names of the columns.
    rows : iterable of sequence
        The rows; CSV and JSON are written as they come, a table once all are there.
    form : Format
        ``table``: columns aligned by spaces, nothing cut off. ``csv``: a header, then rows (RFC 4180 with
        ``\n``), nulls empty, lists joined by a backslash as DICOM joins values. ``json``: one array of
        objects, nulls and numbers that are not finite ``null``. Dates are ISO 8601 in all three.
    """
    _WRITERS[form](columns, rows, stream or sys.stdout)


def plain(value: object) -> str:
    """Return a cell as text: null as nothing, dates as ISO 8601, lists joined by a backslash."""
    return _PLAIN.get(type(value), str)(value)


def plain_json(value: object) -> Any:
    """Return a cell as JSON knows it."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, Decimal) and value == value.to_integral_value():
        return int(value)
    if isinstance(value, float | Decimal):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, list | tuple):
        return [plain_json(v) for v in value]
    if isinstance(value, Mapping):
        return {str(k): plain_json(v) for k, v in value.items()}
    return plain(value)


def visible(text: str) -> str:
    """Return the text with control characters spelt out, so that no cell can move the cursor or the line."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _write_aligned(columns: Sequence[str], rows: Iterable[Row], stream: TextIO) -> None:
    header = [visible(c) for c in columns]
    numeric = [True] * len(header)
    body = []
    for row in rows:
        body.append([visible(plain(v)) for v in row])
        numeric = [n and (v is None or _is_number(v)) for n, v in zip(numeric, row, strict=True)]
    widths = [max(map(_width, cells)) for cells in zip(header, *body, strict=True)]
    bold = stream.isatty() and "NO_COLOR" not in os.environ
    line = _aligned(header, widths, numeric)
    stream.write(f"\x1b[1m{line}\x1b[0m\n" if bold else f"{line}\n")
    stream.writelines(f"{_aligned(cells, widths, numeric)}\n" for cells in body)


def _aligned(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    padded = []
    for cell, width, to_right in zip(cells, widths, right, strict=True):
        space = " " * (width - _width(cell))
        padded.append(space + cell if to_right else cell + space)
    return "  ".join(padded).rstrip()


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _width(text: str) -> int:
    """Columns of a terminal that the text takes: two for wide characters, none for combining ones."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(unicodedata.combining(c) > 0 for c in text)


def _write_csv(columns: Sequence[str], rows: Iterable[Row], stream: TextIO) -> None:
    usual = csv.writer(stream, lineterminator="\n")
    careful = csv.writer(stream, lineterminator="\n", quoting=csv.QUOTE_ALL)
    usual.writerow(columns)
    for row in rows:
        cells = [plain(v) for v in row]
        # Python's writer quotes a carriage return only where it ends the lines; readers see a new row.
        (careful if any("\r" in c for c in cells) else usual).writerow(cells)


def _write_json(columns: Sequence[str], rows: Iterable[Row], stream: TextIO) -> None:
    stream.write("[")
    stream.writelines(_json_lines(columns, rows))
    stream.write("\n]\n")


def _json_lines(columns: Sequence[str], rows: Iterable[Row]) -> Iterator[str]:
    for number, row in enumerate(rows):
        cells = {c: plain_json(v) for c, v in zip(columns, row, strict=True)}
        yield f"{',' if number else ''}\n{json.dumps(cells, ensure_ascii=False)}"


def _joined(values: Sequence[object]) -> str:
    return "\\".join(plain(v) for v in values)


_PLAIN: Mapping[type, Callable[[Any], str]] = {
    NoneType: lambda _: "",
    bool: lambda value: "true" if value else "false",
    datetime: lambda value: value.isoformat(sep=" "),
    date: date.isoformat,
    time: time.isoformat,
    bytes: bytes.hex,
    list: _joined,
    tuple: _joined,
    dict: lambda value: json.dumps(plain_json(value), ensure_ascii=False),
}
_WRITERS: Mapping[Format, Callable[[Sequence[str], Iterable[Row], TextIO], None]] = {
    Format.TABLE: _write_aligned,
    Format.CSV: _write_csv,
    Format.JSON: _write_json,
}
