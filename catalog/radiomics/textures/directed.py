"""Matrices with directions, pairs and runs: within slices and between them, each direction counted once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from catalog.radiomics.textures import pairs, runs
from catalog.radiomics.textures.cells import cells_of_codes, cells_of_pairs, cells_of_places, joined
from catalog.radiomics.textures.general import pair_codes, run_codes
from catalog.radiomics.textures.matrices import Dense, Sparse, stride_of
from catalog.radiomics.textures.zones import BEFORE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

    Ints = npt.NDArray[np.int64]
    Levels = npt.NDArray[Any]
    Tables = npt.NDArray[np.uint32]
    Offset = tuple[int, int, int]
    Codes = Callable[[Levels, Offset], Ints]

ACROSS: Final = BEFORE[:9]  # directions into the slice before, (z, y, x)
WITHIN: Final = BEFORE[9:]
CHUNK: Final = 1 << 20  # cells of tables of slices that are held at a time


class LongRunError(ValueError):
    """A run is too long for the fast loops."""


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Levels and where the region lies in them.

    Attributes
    ----------
    levels : numpy.ndarray
        uint8 or uint16, shape (z, y, x), padded by one voxel of 0.
    n_levels : int
        Number of grey levels.
    spans : numpy.ndarray
        int32, shape (z, y, 2): first voxel of each row and the one after the last; equal in rows without any.
    voxels : numpy.ndarray
        int64, shape (z,).
    """

    levels: Levels
    n_levels: int
    spans: npt.NDArray[np.int32]
    voxels: Ints

    @classmethod
    def of(cls, levels: Levels, n_levels: int) -> Grid:
        """Measure levels; they are bytes if their number allows."""
        levels = np.ascontiguousarray(levels, np.uint8 if n_levels <= 255 else None)
        spans, voxels = np.zeros((*levels.shape[:2], 2), np.int32), np.zeros(len(levels), np.int64)
        pairs.measure_rows(levels, spans, voxels)
        return cls(levels, n_levels, spans, voxels)

    @property
    def is_fast(self) -> bool:
        """Whether levels are bytes, as the fast loops need."""
        return self.levels.dtype == np.uint8

    def chunks(self, n_cells: int, *, by_slice: bool) -> Iterator[tuple[int, int, int]]:
        """Give first slice, slice after the last, and number of tables; tables have `n_cells` a slice."""
        last = len(self.levels) - 1
        if not by_slice:
            yield 1, last, 1
            return
        step = max(2, CHUNK // n_cells)
        for first in range(1, last, step):
            yield first, min(first + step, last), min(step, last - first)

    def voxels_of(self, first: int, last: int, tables: int) -> Ints:
        """Count the voxels of each slice, or of all of them for one table."""
        own = self.voxels[first:last]
        return own if tables == len(own) else own.sum(keepdims=True)


class DensePairs:
    """Pairs of neighbours, levels of bytes."""

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self.n_rows = grid.n_levels + 1
        self.stride = stride_of(self.n_rows**2)

    def within(self, *, by_slice: bool) -> Iterator[Dense]:
        """Give the four directions within slices, slice by slice or of all."""
        grid = self.grid
        for first, last, n in grid.chunks(4 * self.stride, by_slice=by_slice):
            tables = np.zeros((n, 4, self.stride), np.uint32)
            pairs.count_pairs_within(grid.levels, grid.spans, first, last, self.n_rows, tables)
            yield Dense(tables, self.n_rows, cells_of_pairs, grid.voxels_of(first, last, n))

    def across(self) -> Dense:
        """Give the nine directions into the slice before."""
        grid = self.grid
        tables = np.zeros((1, 9, self.stride), np.uint32)
        pairs.count_pairs_across(grid.levels, grid.spans, self.n_rows, tables[0])
        return Dense(tables, self.n_rows, cells_of_pairs, grid.voxels.sum(keepdims=True))


class DenseRuns:
    """Runs, levels of bytes.

    Raises
    ------
    LongRunError
        From its methods: a run has 255 voxels or more.
    """

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self.n_rows = grid.n_levels + 1

    def within(self, *, by_slice: bool) -> Iterator[Dense]:
        """Give the four directions within slices, slice by slice or of all."""
        grid = self.grid
        stride, longest = self._room(max(grid.levels.shape[1:]) - 2)
        for first, last, n in grid.chunks(4 * stride, by_slice=by_slice):
            places = np.zeros((7, grid.levels.shape[2]), np.uint8)
            tables = np.zeros((n, 4, stride), np.uint32)
            runs.count_runs_within(grid.levels, grid.spans, first, last, self.n_rows, places, tables)
            self._check(tables, longest)
            yield Dense(tables, self.n_rows, cells_of_places, grid.voxels_of(first, last, n))

    def across(self) -> Dense:
        """Give the nine directions into the slice before."""
        grid = self.grid
        stride, longest = self._room(len(grid.levels) - 2)
        places = np.zeros((2, 9, *grid.levels.shape[1:]), np.uint8)
        tables = np.zeros((1, 9, stride), np.uint32)
        runs.count_runs_across(grid.levels, grid.spans, self.n_rows, places, tables[0])
        self._check(tables, longest)
        return Dense(tables, self.n_rows, cells_of_places, grid.voxels.sum(keepdims=True))

    def _room(self, length: int) -> tuple[int, int]:
        longest = min(length, runs.LONGEST)
        return stride_of((longest + 2) * self.n_rows), longest

    def _check(self, tables: Tables, longest: int) -> None:
        start = runs.LONGEST * self.n_rows
        if longest == runs.LONGEST and tables[:, :, start + 1 : start + self.n_rows].any():
            raise LongRunError


class SparsePairs:
    """Pairs of neighbours at any distance, of any number of levels."""

    def __init__(self, grid: Grid, distance: int) -> None:
        self.grid = grid
        self.distance = distance

    def within(self, *, by_slice: bool) -> Iterator[Sparse]:
        """Give the four directions within slices, slice by slice or of all."""
        yield from map(_both_ways, _within(self.grid, self._codes, by_slice=by_slice))

    def across(self) -> Sparse:
        """Give the nine directions into the slice before."""
        return _both_ways(_across(self.grid, self._codes))

    def _codes(self, levels: Levels, offset: Offset) -> Ints:
        z, y, x = (self.distance * step for step in offset)
        return pair_codes(levels, self.grid.n_levels + 1, (z, y, x))


class SparseRuns:
    """Runs of any length, of any number of levels."""

    def __init__(self, grid: Grid) -> None:
        self.grid = grid

    def within(self, *, by_slice: bool) -> Iterator[Sparse]:
        """Give the four directions within slices, slice by slice or of all."""
        yield from _within(self.grid, self._codes, by_slice=by_slice)

    def across(self) -> Sparse:
        """Give the nine directions into the slice before."""
        return _across(self.grid, self._codes)

    def _codes(self, levels: Levels, offset: Offset) -> Ints:
        return run_codes(levels, self.grid.n_levels + 1, offset)


def _within(grid: Grid, codes: Codes, *, by_slice: bool) -> Iterator[Sparse]:
    for first, last, n in grid.chunks(4 * grid.levels[0].size, by_slice=by_slice):
        parts = [grid.levels[z : z + 1] for z in range(first, last)] if n > 1 else [grid.levels[first:last]]
        found = cells_of_codes([codes(part, way) for part in parts for way in WITHIN], grid.n_levels + 1)
        yield Sparse(found, grid.voxels_of(first, last, n), len(WITHIN))


def _across(grid: Grid, codes: Codes) -> Sparse:
    found = [cells_of_codes([codes(grid.levels, way)], grid.n_levels + 1) for way in ACROSS]
    return Sparse(reduce(joined, found), grid.voxels.sum(keepdims=True), len(ACROSS))


def _both_ways(part: Sparse) -> Sparse:
    """Count pairs of equal levels twice, as those of unequal ones are: once from each side."""
    cells = part.cells
    counts = np.where(cells.row == cells.column, 2 * cells.counts, cells.counts)
    return replace(part, cells=cells._replace(counts=counts))
