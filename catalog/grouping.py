"""Rows of series gathered without sorting them: every column is cut into runs of one value.

Files of a series lie beside each other nearly always, and most attributes are constant in it. So a column of
many rows is few runs, found by comparing neighbours; only runs are gathered, counted and sorted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

    Ints = npt.NDArray[np.int64]
    Reals = npt.NDArray[np.float64]
    Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Groups:
    """The series of a table of instances.

    Attributes
    ----------
    keys : pyarrow.Table
        Key columns, one row per group, sorted.
    of_row : numpy.ndarray
        Group of each row of the instances; -1 where a key is null.
    starts_run : numpy.ndarray
        True at each row whose group differs from that of the row before it.
    """

    keys: pa.Table
    of_row: Ints
    starts_run: Flags

    @property
    def count(self) -> int:
        """Number of groups."""
        return int(self.keys.num_rows)

    def total(self, weights: npt.NDArray[Any]) -> Ints:
        """Sum whole numbers, or count true values, of the rows of each group."""
        inside = self.of_row >= 0
        sums = np.bincount(self.of_row[inside], weights[inside], minlength=self.count)
        return sums.astype(np.int64)


def group_rows(rows: pa.Table, keys: tuple[str, ...]) -> Groups:
    """Find the groups of rows that agree in all keys."""
    import pyarrow as pa

    columns = [plain(rows.column(key)) for key in keys]
    starts_run = np.zeros(rows.num_rows, np.bool_)
    for column in columns:
        starts_run |= changes(column)
    at = np.flatnonzero(starts_run)
    heads = [decoded(column.take(pa.array(at))) for column in columns]
    code, known = np.zeros(len(at), np.int64), np.ones(len(at), np.bool_)
    for head in heads:
        known &= valid(head)
        code = code * (len(at) + 1) + dense_rank(head)
    _, first, inverse = np.unique(code[known], return_index=True, return_inverse=True)
    of_run = np.full(len(at), -1, np.int64)
    of_run[known] = inverse
    chosen = pa.array(np.flatnonzero(known)[first])
    table = pa.table({key: head.take(chosen) for key, head in zip(keys, heads, strict=True)})
    return Groups(table, of_run.repeat(np.diff(at, append=rows.num_rows)), starts_run)


def most_frequent(column: pa.ChunkedArray, groups: Groups) -> tuple[pa.Array, Ints]:
    """Return the most frequent value of each group, and how many different ones there are.

    Nulls do not count. Of values that are equally frequent the smallest wins, so that the order of the rows
    does not matter.
    """
    import pyarrow as pa

    whole = plain(column)
    if whole.null_count == len(whole):
        return pa.nulls(groups.count, decoded(whole[:0]).type), np.zeros(groups.count, np.int64)
    at = np.flatnonzero(groups.starts_run | changes(whole))
    values = positive_zero(decoded(whole.take(pa.array(at))))
    group, rows = groups.of_row[at], np.diff(at, append=len(whole))
    kept = np.flatnonzero(valid(values) & (group >= 0))
    rank = dense_rank(values)
    key = group[kept] * (int(rank.max()) + 1) + rank[kept]
    unique, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    frequency = np.bincount(inverse, rows[kept])
    of_value = group[kept][first]
    best = np.lexsort((unique, -frequency, of_value))
    best = best[np.flatnonzero(np.diff(of_value[best], prepend=-1))]
    chosen = np.full(groups.count, -1, np.int64)
    chosen[of_value[best]] = kept[first[best]]
    return values.take(pa.array(chosen, mask=chosen < 0)), np.bincount(of_value, minlength=groups.count)


def plain(column: pa.ChunkedArray) -> pa.Array:
    """Return a column as one array: text as it is or as one dictionary."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        return column.unify_dictionaries().combine_chunks()
    if pa.types.is_string_view(column.type) or pa.types.is_large_string(column.type):
        column = column.cast(pa.string())
    return column.combine_chunks()


def decoded(array: pa.Array) -> pa.Array:
    """Return an array without a dictionary."""
    import pyarrow as pa

    return array.cast(array.type.value_type) if pa.types.is_dictionary(array.type) else array


def valid(array: pa.Array) -> Flags:
    """Tell which values are not null."""
    flags: Flags = array.is_valid().to_numpy(zero_copy_only=False)
    return flags


def changes(array: pa.Array) -> Flags:
    """Tell which values differ from the one before them; null differs from all, the first row counts."""
    import pyarrow as pa
    import pyarrow.compute as pc

    changed = np.ones(len(array), np.bool_)
    if len(array) < 2:
        return changed
    if pa.types.is_string(array.type):
        differ = pc.fill_null(pc.not_equal(array[1:], array[:-1]), fill_value=False)
        changed[1:] = differ.to_numpy(zero_copy_only=False)
        if array.null_count:
            known = valid(array)
            changed[1:] |= known[1:] != known[:-1]
        return changed
    numbers = _bits(array)
    differs = numbers[1:] != numbers[:-1]
    changed[1:] = differs.any(axis=1) if differs.ndim == 2 else differs
    return changed


def dense_rank(array: pa.Array) -> Ints:
    """Rank values from 1, equal values alike; nulls last."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_list(array.type):
        _, inverse = np.unique(matrix(array), axis=0, return_inverse=True)
        return inverse.reshape(-1).astype(np.int64) + 1
    ranks: Ints = pc.rank(array, tiebreaker="dense").to_numpy().astype(np.int64)
    return ranks


def positive_zero(array: pa.Array) -> pa.Array:
    """Return reals with 0 for -0, which are equal and yet written differently."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_floating(array.type):
        return pc.add(array, 0.0)
    if pa.types.is_list(array.type):
        flat = pc.add(array.flatten(), 0.0)
        ends = np.cumsum(pc.fill_null(pc.list_value_length(array), 0).to_numpy())
        offsets = np.concatenate([[0], ends]).astype(np.int32)
        return pa.ListArray.from_arrays(offsets, flat, type=array.type, mask=array.is_null())
    return array


def matrix(array: pa.Array, width: int | None = None) -> Reals:
    """Return lists of numbers as rows of a matrix.

    Parameters
    ----------
    array : pyarrow.ListArray
        The lists.
    width : int, optional
        Width of the matrix; lists of any other length become rows of NaN. Without it the longest list gives
        the width, and shorter ones are filled up with minus infinity.
    """
    import pyarrow.compute as pc

    lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy().astype(np.int64)
    flat = array.flatten().to_numpy(zero_copy_only=False).astype(np.float64, copy=False)
    filling = -np.inf if width is None else np.nan
    columns = int(lengths.max(initial=0)) if width is None else width
    full = lengths == columns
    table: Reals
    if bool(full.all()):
        table = flat.reshape(-1, columns)
        return table
    table = np.full((len(array), columns), filling)
    if len(flat) == np.count_nonzero(full) * columns:
        table[full] = flat.reshape(-1, columns)
        return table
    row = np.arange(len(array)).repeat(lengths)
    column = np.arange(len(flat)) - (np.cumsum(lengths) - lengths).repeat(lengths)
    kept = np.ones(len(flat), np.bool_) if width is None else full[row]
    table[row[kept], column[kept]] = flat[kept]
    return table


def _bits(array: pa.Array) -> npt.NDArray[Any]:
    """Numbers that are equal exactly where the values, or the nulls, are."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_list(array.type):
        return matrix(array)
    numbers: npt.NDArray[Any]
    if pa.types.is_dictionary(array.type):
        numbers = pc.fill_null(array.indices, -1).to_numpy()
    elif pa.types.is_floating(array.type):
        numbers = (pc.fill_null(array, np.nan).to_numpy() + 0.0).view(np.int64)
    else:
        whole = array.view(pa.int32()) if pa.types.is_date32(array.type) else array
        numbers = pc.fill_null(whole.cast(pa.int64()), np.iinfo(np.int64).min).to_numpy()
    return numbers
