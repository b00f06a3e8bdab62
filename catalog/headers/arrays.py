"""Arrow columns from the rows that the kernels have filled, without copying what need not be copied."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

from catalog.columns import ATTRIBUTES, Column
from catalog.headers.cells import (
    R_HEADER,
    R_INDEX,
    R_MTIME,
    R_PIXEL_LENGTH,
    R_PIXEL_OFFSET,
    R_SIZE,
    R_SOURCE,
    R_TRUNCATED,
    SOURCE_SLOW,
    Rows,
)
from catalog.headers.distinct import (
    E_CHARSET,
    E_CLEAN,
    E_LENGTH,
    E_LOCAL,
    E_START,
    E_TARGET,
    ENTRIES,
    NO_CHARSET,
    PLAIN,
    ROWS,
    merge_texts,
)
from catalog.headers.elements import load
from catalog.headers.kernel import SLACK, overlapping_words, unsigned
from catalog.headers.slots import (
    DISTINCT,
    KIND_DATE,
    KIND_INTEGER,
    KIND_REAL,
    KIND_REALS,
    KIND_TEXT,
    KIND_TEXTS,
    LEADING_SPACES_COUNT,
    NONE,
    TRANSFER_SYNTAX,
    columns_of,
    kernel_columns,
)
from catalog.headers.text import decode
from catalog.kernel import kernel

if TYPE_CHECKING:
    import numpy.typing as npt

    from catalog.headers.kernel import Bytes, Ints, Words

READERS: Final = ("kernel", "pydicom")


class Texts(NamedTuple):
    """Distinct texts of one column, and how their codes and rows change when they are decoded."""

    values: pa.Array
    codes: npt.NDArray[np.int32] | None  # new code of each old one, where two spellings read alike
    repaired: npt.NDArray[np.bool_] | None  # of each old code
    empty: int | None  # new code of what decodes to nothing, and is null


@kernel
def arrange(
    entries: Ints, count: int, bounds: Ints, order: Ints, ends: npt.NDArray[np.int32], decoded: Bytes
) -> None:
    """Sort distinct texts by column and code.

    Parameters
    ----------
    bounds
        First place of the texts of each column.
    order, ends
        Filled for each place: the entry, and the end of its text when all are laid one after another.
    decoded
        Set for each column of which a text must be decoded or tidied.
    """
    for entry in range(count):
        target = entries[entry, E_TARGET]
        order[bounds[target] + entries[entry, E_LOCAL]] = entry
        decoded[target] |= entries[entry, E_CLEAN]
    for place in range(count):
        ends[place + 1] = ends[place] + entries[order[place], E_LENGTH]


@kernel
def gather(words: Words, entries: Ints, order: Ints, ends: npt.NDArray[np.int32], out: Words) -> None:
    """Copy texts one after another; the one at place ``i`` ends at ``ends[i + 1]`` of the output."""
    for place in range(len(order)):
        to = ends[place]
        start = entries[order[place], E_START]
        for k in range(0, ends[place + 1] - to, 8):
            out[unsigned(to + k)] = load(words, start + k)


def rows_table(rows: Rows) -> pa.Table:
    """Return the table of all rows stored so far."""
    n = int(rows.counters[ROWS])
    record = rows.record[:n]
    repaired = np.zeros(n, np.bool_)
    columns = _attribute_columns(rows, n, repaired)
    offset, length = record[:, R_PIXEL_OFFSET], record[:, R_PIXEL_LENGTH]
    slow = (record[:, R_SOURCE] == SOURCE_SLOW).astype(np.int32)
    first = {
        "index": pa.array(record[:, R_INDEX].copy()),
        "size": pa.array(record[:, R_SIZE].copy()),
        "mtime_ns": pa.array(record[:, R_MTIME].copy()),
        "header_bytes": pa.array(record[:, R_HEADER].copy()),
        "reader": pa.DictionaryArray.from_arrays(pa.array(slow), pa.array(READERS)),
        "text_repaired": pa.array(repaired),
        TRANSFER_SYNTAX.name: columns[TRANSFER_SYNTAX.name],
        "pixel_offset": pa.array(offset.copy(), mask=offset < 0),
        "pixel_length": pa.array(length.copy(), mask=length < 0),
        "pixel_truncated": pa.array(record[:, R_TRUNCATED] == 1, mask=offset < 0),
    }
    return pa.table(first | {c.name: columns[c.name] for c in ATTRIBUTES})


def _attribute_columns(rows: Rows, n: int, repaired: npt.NDArray[np.bool_]) -> dict[str, pa.Array]:
    """Build the columns of all attributes; mark in ``repaired`` the rows of which a text was repaired."""
    texts = _Dictionaries(rows)
    columns = kernel_columns()
    built: dict[str, pa.Array] = {}
    for number in columns_of(KIND_TEXT)[1:]:
        built[columns[number].name] = _text_column(rows, number, n, texts, repaired)
    for kind, cells, arrow in (
        (KIND_DATE, rows.dates, pa.date32()),
        (KIND_INTEGER, rows.integers, pa.int64()),
        (KIND_REAL, rows.reals, pa.float64()),
    ):
        for target, number in enumerate(columns_of(kind)):
            buffers = [pa.py_buffer(rows.valid[number]), pa.py_buffer(cells[target])]
            built[columns[number].name] = pa.Array.from_buffers(arrow, n, buffers)
    for target, number in enumerate(columns_of(KIND_REALS)):
        children = pa.array(rows.children[target, : rows.ends[target, n]])
        built[columns[number].name] = _list_column(rows, number, target, n, children)
    reals = len(columns_of(KIND_REALS))
    for target, number in enumerate(columns_of(KIND_TEXTS)):
        list_target = reals + target
        codes = rows.child_codes[target, : rows.ends[list_target, n]]
        text = texts.column(len(rows.codes) + target, columns[number])
        if text.repaired is not None:
            repeats = np.diff(rows.ends[list_target, : n + 1])
            np.logical_or.at(repaired, np.repeat(np.arange(n), repeats), text.repaired[codes])
        children = text.values.take(pa.array(codes if text.codes is None else text.codes[codes]))
        built[columns[number].name] = _list_column(rows, number, list_target, n, children)
    return built


def _text_column(
    rows: Rows, number: int, n: int, texts: _Dictionaries, repaired: npt.NDArray[np.bool_]
) -> pa.Array:
    """Text column: a dictionary array, or plain text where rows are never alike."""
    column = kernel_columns()[number]
    codes, valid = rows.codes[number], rows.valid[number]
    text = texts.column(number, column)
    if text.repaired is not None:
        filled = np.unpackbits(valid, bitorder="little")[:n].astype(np.bool_)
        repaired |= filled & text.repaired[codes[:n]]
    if text.codes is not None:
        codes = text.codes[codes]
        if text.empty is not None:
            valid = valid & ~np.packbits(codes == text.empty, bitorder="little")
    indices = pa.Array.from_buffers(pa.int32(), n, [pa.py_buffer(valid), pa.py_buffer(codes)])
    if column.name in DISTINCT:
        return text.values.take(indices)
    return pa.DictionaryArray.from_arrays(indices, text.values, safe=False)


def _list_column(rows: Rows, number: int, target: int, n: int, children: pa.Array) -> pa.Array:
    buffers = [pa.py_buffer(rows.valid[number]), pa.py_buffer(rows.ends[target])]
    return pa.Array.from_buffers(pa.list_(children.type), n, buffers, children=[children])


class _Dictionaries:
    """The distinct texts of a batch, sorted by column."""

    def __init__(self, rows: Rows) -> None:
        count = int(rows.counters[ENTRIES])
        self._rows = rows
        self._bounds: Ints = np.concatenate([[0], np.cumsum(rows.counts)])
        self._order: Ints = np.empty(count, np.int64)
        self._ends = np.zeros(count + 1, np.int32)
        self._decode = np.zeros(len(rows.counts), np.uint8)
        arrange(rows.entries, count, self._bounds, self._order, self._ends, self._decode)
        self._data: Bytes = np.empty(int(self._ends[-1]) + SLACK, np.uint8)
        self._words: Words = overlapping_words(self._data)
        gather(rows.store_words, rows.entries, self._order, self._ends, self._words)

    def column(self, target: int, column: Column) -> Texts:
        """Texts of one column in the order of their codes."""
        low, high = self._bounds[target : target + 2]
        if self._decode[target]:
            return self._decoded(low, high, column)
        buffers = [None, pa.py_buffer(self._ends[low : high + 1]), pa.py_buffer(self._data)]
        values = pa.Array.from_buffers(pa.string(), high - low, buffers)
        if self._rows.loose[target] and column.name not in DISTINCT:
            return self._merged(low, high, values)
        return Texts(values, None, None, None)

    def _merged(self, low: int, high: int, values: pa.Array) -> Texts:
        """Let equal texts, which the kernels did not look up, share a code."""
        table = np.full(2 << int(high - low).bit_length(), NONE, np.int32)
        codes = np.empty(high - low, np.int32)
        if merge_texts(self._words, self._ends[low : high + 1], table, codes) == high - low:
            return Texts(values, None, None, None)
        first = np.unique(codes, return_index=True)[1]
        return Texts(values.take(pa.array(first)), codes, None, None)

    def _decoded(self, low: int, high: int, column: Column) -> Texts:
        """Decode what is not plain ASCII, and tidy what holds several values."""
        numbers: dict[str, int] = {}
        codes = np.empty(high - low, np.int32)
        repaired = np.zeros(high - low, np.bool_)
        for code, at in enumerate(range(low, high)):
            raw = self._data[self._ends[at] : self._ends[at + 1]].tobytes()
            text, repaired[code] = decode(raw, self._charset(self._rows.entries[self._order[at]]), column.vr)
            text = tidy(text, column.vr)
            codes[code] = numbers.setdefault(text, len(numbers))
        values = pa.array(list(numbers), pa.string())
        return Texts(values, codes, repaired if repaired.any() else None, numbers.get(""))

    def _charset(self, entry: Any) -> str:
        """Return the name of the character set of an entry; empty where there is none, or none is needed."""
        if entry[E_CHARSET] in (PLAIN, NO_CHARSET):
            return ""
        name = self._rows.entries[entry[E_CHARSET]]
        stored = self._rows.store[name[E_START] : name[E_START] + name[E_LENGTH]]
        return stored.tobytes().decode("ascii", "replace")


def tidy(text: str, vr: str) -> str:
    """Trim each of several values as a single one is trimmed (PS3.5 6.2)."""
    if vr in LEADING_SPACES_COUNT or "\\" not in text:
        return text
    values = (value.strip(" \0") for value in text.split("\\"))
    return "\\".join(value.rstrip("=") if vr == "PN" else value for value in values)
