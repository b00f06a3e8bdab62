"""Do our rows say what pydicom says? `python benchmarks/agreement.py LIST` asks before anything is timed.

Prints one line of JSON: files, cells, different cells; and each difference to stderr.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydicom import dcmread
from pydicom.multival import MultiValue

from catalog.columns import ATTRIBUTES, Column
from catalog.headers import iter_headers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydicom.dataset import Dataset

# pydicom leaves the escape to GB 2312 in the text.
ESCAPE: Final = "\x1b$)A"


def compare(paths: Sequence[bytes]) -> tuple[int, list[str]]:
    """Compare every attribute of every file.

    Returns
    -------
    tuple
        How many cells were compared, and a line for each that differs.
    """
    cells, differences, seen = 0, [], 0
    for batch in iter_headers(paths, keep_raw=False):
        for row in batch.rows.to_pylist():
            seen += 1
            path = os.fsdecode(paths[row["index"]])
            ds = dcmread(path, stop_before_pixels=True)
            for column in ATTRIBUTES:
                cells += 1
                wanted = expected(ds, column)
                if row[column.name] != wanted:
                    differences.append(f"{path}: {column.name}: {row[column.name]!r}, pydicom {wanted!r}")
    if seen != len(paths):
        differences.append(f"{len(paths) - seen} of {len(paths)} files gave no row")
    return cells, differences


def expected(ds: Dataset, column: Column) -> Any:
    """Cell of a column, as pydicom reads it."""
    if column.collect:
        return _collected(ds, column)
    for path in column.paths:
        value = next(_values(ds, path, every=False), None)
        if value is not None:
            return _cell(value, column.kind)
    return None


def _collected(ds: Dataset, column: Column) -> Any:
    found = [value for path in column.paths for value in _values(ds, path, every=True)]
    if column.kind == "reals":
        return [number for value in found for number in _cell(value, "reals")] or None
    texts = [_cell(value, "text") for value in found]
    return (list(dict.fromkeys(texts)) if column.name == "referenced_series" else texts) or None


def _values(ds: Dataset, path: tuple[int, ...], *, every: bool) -> Iterator[Any]:
    """Non-empty values at the end of a path, of first items or of every item."""
    element = ds.get(path[0])
    if element is None or element.value is None or element.value == "":
        return
    if len(path) == 1:
        yield element.value
        return
    for item in element.value if every else element.value[:1]:
        yield from _values(item, path[1:], every=every)


def _cell(value: Any, kind: str) -> Any:
    parts = list(value) if isinstance(value, MultiValue) else [value]
    if kind == "text":
        text = "\\".join(str(part) for part in parts).replace(ESCAPE, "")
        return text.rstrip("=").strip() or None
    if kind == "reals":
        return [float(part) for part in parts]
    return {"integer": int, "real": float, "date": _day}[kind](parts[0])


def _day(text: str) -> date:
    return datetime.strptime(text, "%Y%m%d").date()


def main() -> None:
    paths = Path(sys.argv[1]).read_bytes().split(b"\0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cells, differences = compare(paths)
    for line in differences[:10]:
        print(line, file=sys.stderr)
    print(json.dumps({"files": len(paths), "cells": cells, "different": len(differences)}))


if __name__ == "__main__":
    main()
