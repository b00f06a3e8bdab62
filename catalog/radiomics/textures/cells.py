"""Cells of texture matrices that are not zero, for many matrices at once: what the formulas read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from catalog.kernel import kernel

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Ints = npt.NDArray[np.int64]
    Counts = npt.NDArray[Any]

MOST_COUNTED: Final = 1 << 24  # codes up to here are counted in an array of all of them, others by sorting


class Cells(NamedTuple):
    """Cells of m matrices, one matrix after another, within each in the order of columns, then rows.

    Attributes
    ----------
    starts : numpy.ndarray
        int64, shape (m + 1,): matrix k has the cells from ``starts[k]`` to ``starts[k + 1]``.
    row, column, counts : numpy.ndarray
        int64, shape (n,). Rows are grey levels; columns are levels, lengths, sizes, distances or numbers of
        neighbours. All begin at 1.
    """

    starts: Ints
    row: Ints
    column: Ints
    counts: Ints


def cells_of_sizes(tables: Counts, n_rows: int) -> Cells:
    """Return the cells of tables, shape (m, n), numbered ``column * n_rows + row``; 0 is left aside."""
    return _gather(tables, n_rows, _count_sizes, _fill_sizes)


def cells_of_places(tables: Counts, n_rows: int) -> Cells:
    """Return the cells of run length matrices from tables of voxels by their place in their run.

    The runs of length l are the voxels at place l less those at place l + 1; the last place is empty.
    """
    return _gather(tables, n_rows, _count_lengths, _fill_lengths)


def cells_of_pairs(tables: Counts, n_rows: int) -> Cells:
    """Return the cells on and above the diagonal of square tables plus their transposes."""
    return _gather(tables, n_rows, _count_pairs, _fill_pairs)


def cells_of_codes(parts: Sequence[Counts], n_rows: int) -> Cells:
    """Count codes ``column * n_rows + row``; each part is one matrix."""
    found = [_tally(codes) for codes in parts]
    code, count = (np.concatenate([pair[k] for pair in found]) for k in (0, 1))
    starts = np.concatenate([[0], np.cumsum([len(codes) for codes, _ in found])])
    return Cells(starts, code % n_rows, code // n_rows, count)


def joined(first: Cells, second: Cells) -> Cells:
    """Put the matrices of one behind those of another."""
    starts = np.concatenate([first.starts, second.starts[1:] + first.starts[-1]])
    pairs = zip(first[1:], second[1:], strict=True)
    return Cells(starts, *(np.concatenate(pair) for pair in pairs))


def merged(cells: Cells, into: Ints) -> Cells:
    """Add matrices up: matrix k into ``into[k]``, which are 0 to a number."""
    n_rows, n_columns = (int(axis.max(initial=0)) + 1 for axis in cells[1:3])
    target = np.repeat(into, np.diff(cells.starts))
    code = (target * n_columns + cells.column) * n_rows + cells.row
    code, place = np.unique(code, return_inverse=True)
    count = np.zeros(len(code), np.int64)
    np.add.at(count, place, cells.counts)
    starts = np.searchsorted(code, np.arange(int(into.max()) + 2) * (n_columns * n_rows))
    return Cells(starts.astype(np.int64), code % n_rows, code // n_rows % n_columns, count)


def _tally(codes: Counts) -> tuple[Ints, Ints]:
    if len(codes) and codes.max() < min(MOST_COUNTED, 64 * len(codes)):
        counts = np.bincount(codes)
        code = np.flatnonzero(counts)
        return code, counts[code]
    code, counts = np.unique(codes, return_counts=True)
    return code.astype(np.int64), counts.astype(np.int64)


def _gather(tables: Counts, n_rows: int, count: Any, fill: Any) -> Cells:
    starts = np.zeros(len(tables) + 1, np.int64)
    count(tables, n_rows, tables.shape[1] // n_rows, starts)
    np.cumsum(starts, out=starts)
    cells = Cells(starts, *(np.empty(int(starts[-1]), np.int64) for _ in range(3)))
    fill(tables, n_rows, *cells)
    return cells


@kernel
def _count_sizes(tables: Counts, n_rows: int, n_columns: int, starts: Ints) -> None:
    for k in range(tables.shape[0]):
        table, n = tables[k], 0
        for j in range(1, n_columns):
            for i in range(1, n_rows):
                n += table[j * n_rows + i] != 0
        starts[k + 1] = n


@kernel
def _fill_sizes(tables: Counts, n_rows: int, starts: Ints, row: Ints, column: Ints, count: Ints) -> None:
    n = 0
    for k in range(tables.shape[0]):
        table, j = tables[k], 1
        while n < starts[k + 1]:
            for i in range(1, n_rows):
                if table[j * n_rows + i] != 0:
                    row[n], column[n], count[n] = i, j, table[j * n_rows + i]
                    n += 1
            j += 1


@kernel
def _count_lengths(tables: Counts, n_rows: int, n_columns: int, starts: Ints) -> None:
    for k in range(tables.shape[0]):
        table, n, j, more = tables[k], 0, 1, True
        while more and j + 1 < n_columns:  # a run at one place was at the one before: an empty place ends all
            more = False
            for i in range(1, n_rows):
                here = table[j * n_rows + i]
                more |= here != 0
                n += here != table[(j + 1) * n_rows + i]
            j += 1
        starts[k + 1] = n


@kernel
def _fill_lengths(tables: Counts, n_rows: int, starts: Ints, row: Ints, column: Ints, count: Ints) -> None:
    n = 0
    for k in range(tables.shape[0]):
        table, j = tables[k], 1
        while n < starts[k + 1]:
            for i in range(1, n_rows):
                ended = np.int64(table[j * n_rows + i]) - np.int64(table[(j + 1) * n_rows + i])
                if ended != 0:
                    row[n], column[n], count[n] = i, j, ended
                    n += 1
            j += 1


@kernel
def _count_pairs(tables: Counts, n_rows: int, n_columns: int, starts: Ints) -> None:  # noqa: ARG001 - as the others
    for k in range(tables.shape[0]):
        table, n = tables[k], 0
        for j in range(1, n_rows):
            for i in range(1, j + 1):
                n += (table[i * n_rows + j] | table[j * n_rows + i]) != 0
        starts[k + 1] = n


@kernel
def _fill_pairs(
    tables: Counts,
    n_rows: int,
    starts: Ints,  # noqa: ARG001 - as the others
    row: Ints,
    column: Ints,
    count: Ints,
) -> None:
    n = 0
    for k in range(tables.shape[0]):
        table = tables[k]
        for j in range(1, n_rows):
            for i in range(1, j + 1):
                both = np.int64(table[i * n_rows + j]) + np.int64(table[j * n_rows + i])
                if both != 0:
                    row[n], column[n], count[n] = i, j, both
                    n += 1
