"""Stacks of texture matrices that are merged over directions or slices: dense ones, and lists of cells."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np

from catalog.radiomics.textures.cells import Cells, joined, merged

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Ints = npt.NDArray[np.int64]


class Matrices(Protocol):
    """Matrices of g groups (slices, or the whole region) and d directions."""

    @property
    def cells(self) -> Cells:
        """Cells of the g * d matrices, those of one group after another."""

    @property
    def n_voxels(self) -> Ints:
        """Voxels that each matrix describes, once for each direction merged into it; shape (g * d,)."""

    def over_directions(self) -> Self:
        """Merge the directions of each group."""

    def over_groups(self, *others: Self) -> Self:
        """Merge the groups, and those of others with the same directions."""

    def beside(self, other: Self) -> Self:
        """Join the directions of another with as many groups."""


@dataclass(frozen=True, slots=True)
class Dense:
    """Matrices as tables.

    Attributes
    ----------
    tables : numpy.ndarray
        Whole numbers, shape (g, d, n).
    n_rows : int
        Greatest level + 1; cells are numbered ``column * n_rows + row``.
    to_cells : callable
        Of :mod:`catalog.radiomics.textures.cells`: what the tables hold.
    voxels : numpy.ndarray
        int64, shape (g,).
    times : int
        Directions merged into each.
    """

    tables: npt.NDArray[Any]
    n_rows: int
    to_cells: Callable[[npt.NDArray[Any], int], Cells]
    voxels: Ints
    times: int = 1

    @property
    def cells(self) -> Cells:
        """Cells of the tables."""
        groups, directions, n = self.tables.shape
        return self.to_cells(self.tables.reshape(groups * directions, n), self.n_rows)

    @property
    def n_voxels(self) -> Ints:
        """Voxels of each matrix, once for each direction merged into it."""
        return np.repeat(self.voxels * self.times, self.tables.shape[1])

    def over_directions(self) -> Dense:
        """Merge the directions of each group."""
        tables = self.tables.sum(axis=1, dtype=np.int64, keepdims=True)
        return replace(self, tables=tables, times=self.times * self.tables.shape[1])

    def over_groups(self, *others: Dense) -> Dense:
        """Merge the groups, and those of others."""
        tables, voxels = np.zeros((1, *self.tables.shape[1:]), np.int64), np.zeros(1, np.int64)
        for part in (self, *others):
            tables[0] += part.tables.sum(axis=0, dtype=np.int64)
            voxels += part.voxels.sum()
        return replace(self, tables=tables, voxels=voxels)

    def beside(self, other: Dense) -> Dense:
        """Join the directions of another."""
        n = max(self.tables.shape[2], other.tables.shape[2])
        groups, mine = self.tables.shape[:2]
        tables = np.zeros((groups, mine + other.tables.shape[1], n), np.int64)
        tables[:, :mine, : self.tables.shape[2]] = self.tables
        tables[:, mine:, : other.tables.shape[2]] = other.tables
        return replace(self, tables=tables)


@dataclass(frozen=True, slots=True)
class Sparse:
    """Matrices as cells: `cells`, int64 `voxels` of shape (g,), `directions` d, `times` merged into each."""

    cells: Cells
    voxels: Ints
    directions: int
    times: int = 1

    @property
    def n_voxels(self) -> Ints:
        """Voxels of each matrix, once for each direction merged into it."""
        return np.repeat(self.voxels * self.times, self.directions)

    def over_directions(self) -> Sparse:
        """Merge the directions of each group."""
        into = np.repeat(np.arange(len(self.voxels)), self.directions)
        return replace(self, cells=merged(self.cells, into), directions=1, times=self.times * self.directions)

    def over_groups(self, *others: Sparse) -> Sparse:
        """Merge the groups, and those of others."""
        cells, voxels = self.cells, self.voxels
        for other in others:
            cells, voxels = joined(cells, other.cells), np.concatenate([voxels, other.voxels])
        into = np.tile(np.arange(self.directions), len(voxels))
        return replace(self, cells=merged(cells, into), voxels=voxels.sum(keepdims=True))

    def beside(self, other: Sparse) -> Sparse:
        """Join the directions of another."""
        return replace(
            self, cells=joined(self.cells, other.cells), directions=self.directions + other.directions
        )


@cache
def stride_of(n_cells: int) -> int:
    """Return how far apart tables of uint32 that are written in turn should begin, in cells.

    The processor takes addresses that differ by a multiple of 4 KiB for the same when it orders loads and
    stores: tables so far apart are written five to twelve times slower.
    """
    stride = (n_cells // 16 + 1) * 16
    while any(min(k * stride % 1024, -k * stride % 1024) < 16 for k in range(1, 9)):
        stride += 16
    return stride
