"""What pydicom says of a header, in the catalogue's types: the independent oracle of the header reader.

pydicom's own parsing, decoding and conversion are used throughout. What the catalogue does otherwise on
purpose is undone here, and only here:

* text is compared without padding at the ends of each value, and names without empty groups at their end;
* of several values where one is expected, the first counts;
* what pydicom cannot convert, or only warns about, is left out of the comparison (:data:`UNKNOWN`);
* names that pydicom decodes wrongly (ISO 2022 IR 58) are left to the tests of text.
"""

from __future__ import annotations

import datetime
import math
import warnings
from typing import TYPE_CHECKING, Any

import pydicom
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence as Items

from catalog.columns import ATTRIBUTES, Column

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydicom.dataset import Dataset

UNKNOWN = object()


def expected(path: Any, *, force: bool = False) -> dict[str, Any]:
    """Every attribute of a file by pydicom; raises what pydicom raises."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data_set = pydicom.dcmread(path, stop_before_pixels=True, force=force)
        return {column.name: _cell(data_set, column) for column in ATTRIBUTES}


def equal(mine: Any, theirs: Any) -> bool:
    """Whether two cells agree."""
    if theirs is UNKNOWN:
        return True
    if isinstance(theirs, list) and isinstance(mine, list):
        return len(mine) == len(theirs) and all(equal(a, b) for a, b in zip(mine, theirs, strict=True))
    return bool(mine == theirs)


def _cell(data_set: Dataset, column: Column) -> Any:
    if column.collect:
        return _collected(data_set, column)
    for path in column.paths:
        values = [v for v in _values(data_set, path, first=True) if not _is_empty(v)]
        if values:
            return _typed(values[0], column)
    if column.name in ("SOPClassUID", "SOPInstanceUID"):
        media = "MediaStorage" + column.name
        return str(data_set.file_meta.get(media, "")) or None if hasattr(data_set, "file_meta") else None
    return None


def _collected(data_set: Dataset, column: Column) -> Any:
    cells: list[Any] = []
    for path in column.paths:
        for value in _values(data_set, path, first=False):
            if not _is_empty(value):
                cell = _typed(value, column)
                cells += cell if isinstance(cell, list) else [cell]
    if any(c is UNKNOWN for c in cells):
        return UNKNOWN
    if column.name == "referenced_series":
        cells = list(dict.fromkeys(cells))
    return cells or None


def _values(data_set: Dataset, path: tuple[int, ...], *, first: bool) -> Iterator[Any]:
    """Yield values at a path, through the first items or through all."""
    if path[0] not in data_set:
        return
    try:
        element = data_set[path[0]]
    except Exception:  # noqa: BLE001 - whatever pydicom cannot convert
        yield UNKNOWN
        return
    if len(path) == 1:
        yield element.value
    elif isinstance(element.value, Items):
        for item in element.value[:1] if first else element.value:
            yield from _values(item, path[1:], first=first)


def _is_empty(value: Any) -> bool:
    if value is UNKNOWN:
        return False
    parts = list(value) if isinstance(value, MultiValue) else [value]
    return all(part is None or str(part).strip(" \0=") == "" for part in parts)


def _typed(value: Any, column: Column) -> Any:
    """Bring pydicom's value to the type of the column."""
    if value is UNKNOWN or isinstance(value, (bytes, Items)):
        return UNKNOWN
    parts = list(value) if isinstance(value, (MultiValue, list)) else [value]
    if column.kind in ("text", "texts"):
        texts = [_text(part, column) for part in parts]
        return UNKNOWN if any("\x1b" in t for t in texts) else "\\".join(texts)
    if column.kind == "date":
        return _date(parts[0])
    try:
        numbers = [float(str(part).replace(",", ".")) for part in parts]
    except ValueError:
        return None
    if column.kind == "reals":
        return numbers if all(math.isfinite(n) for n in numbers) else None
    if not math.isfinite(numbers[0]):
        return None
    if column.kind == "real":
        return numbers[0]
    whole = round(numbers[0])
    return whole if whole == numbers[0] or isinstance(parts[0], float) else None


def _text(part: Any, column: Column) -> str:
    text = str(part)
    if column.vr in ("LT", "ST", "UT"):
        return text.rstrip(" \0")
    text = text.strip(" \0")
    return text.rstrip("= \0") if column.vr == "PN" else text


def _date(part: Any) -> datetime.date | None:
    text = str(part).strip()
    digits = text.replace(text[4], "") if len(text) == 10 and text[4] in ".-" else text
    try:
        return (
            datetime.datetime.strptime(digits, "%Y%m%d").replace(tzinfo=datetime.UTC).date()
            if len(digits) == 8
            else None
        )
    except ValueError:
        return None
