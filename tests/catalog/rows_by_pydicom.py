"""Rows of instances read by pydicom alone: the second opinion on what the product reads."""

from __future__ import annotations

import hashlib
import warnings
from datetime import date
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pydicom
from pydicom.multival import MultiValue

from catalog.columns import Column, instance_columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

SCHEMA = pa.schema([(column.name, column.arrow()) for column in instance_columns()])


def rows_by_pydicom(files: Iterable[tuple[str, Path]]) -> pa.Table:
    """Read files of sites; of equal copies the first counts, other contents are versions of a UID."""
    seen: dict[tuple[str, str], list[str]] = {}
    rows = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for site, path in files:
            row = _read(path)
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            versions = seen.setdefault((site, row["SOPInstanceUID"]), [])
            if digest not in versions:
                rows.append(row | {"site": site, "file_id": len(rows), "uid_version": len(versions)})
                versions.append(digest)
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _read(path: Path) -> dict[str, Any]:
    data = pydicom.dcmread(path, force=True, defer_size=1024)
    row: dict[str, Any] = {c.name: _cell(data, c) for c in instance_columns() if c.paths}
    row["TransferSyntaxUID"] = data.file_meta.get("TransferSyntaxUID")
    pixels = any(name in data for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData"))
    return row | {"PatientKey": str(data.get("PatientID", "")) or None, "pixel_offset": 0 if pixels else None}


def _cell(data: pydicom.Dataset, column: Column) -> Any:
    if column.collect:
        found = [e.value for path in column.paths for e in _every(data, path) if e.value]
        return [v for value in found for v in _as_list(value)] if found else None
    for path in column.paths:
        value = next((e.value for e in _every(data, path, only_first=True)), None)
        if value not in {None, ""} if not isinstance(value, MultiValue) else len(value):
            return _converted(value, column)
    return None


def _every(data: pydicom.Dataset, path: tuple[int, ...], *, only_first: bool = False) -> Iterator[Any]:
    if path[0] not in data:
        return
    if len(path) == 1:
        yield data[path[0]]
        return
    items = data[path[0]].value or []
    for item in items[:1] if only_first else items:
        yield from _every(item, path[1:], only_first=only_first)


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, MultiValue) else [value]


def _converted(value: Any, column: Column) -> Any:
    try:
        if column.kind == "integer":
            return int(float(_as_list(value)[0]))
        if column.kind == "real":
            return float(_as_list(value)[0])
        if column.kind == "reals":
            return [float(v) for v in _as_list(value)]
        if column.kind == "date":
            return date.fromisoformat(str(value))
    except ValueError:
        return None
    return "\\".join(map(str, _as_list(value)))
