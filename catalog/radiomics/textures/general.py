"""Slower loops for what the fast ones leave out: many levels, long runs, wider neighbourhoods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from catalog.kernel import allocating_kernel, kernel

if TYPE_CHECKING:
    import numpy.typing as npt

    Ints = npt.NDArray[np.int64]
    Levels = npt.NDArray[Any]
    Offset = tuple[int, int, int]


def pair_codes(levels: Levels, n_rows: int, offset: Offset) -> Ints:
    """Return a code ``greater * n_rows + lesser`` for each pair of levels.

    Parameters
    ----------
    levels : numpy.ndarray
        uint8 or uint16, shape (z, y, x); 0 is outside the region.
    n_rows : int
        More than the greatest level.
    offset : tuple of int
        (z, y, x) from a voxel to its neighbour, any number of voxels.

    Returns
    -------
    numpy.ndarray
        int64, shape (n,).
    """
    codes = np.empty(np.count_nonzero(levels), np.int64)
    return codes[: _pair_codes(levels, n_rows, *offset, codes)]


def run_codes(levels: Levels, n_rows: int, offset: Offset) -> Ints:
    """Return a code ``length * n_rows + level`` for each run of a direction.

    Parameters
    ----------
    levels : numpy.ndarray
        uint8 or uint16, shape (z, y, x), padded by one voxel of 0 in the axes of `offset`.
    n_rows : int
        More than the greatest level.
    offset : tuple of int
        (z, y, x) from a voxel to the one before it, -1, 0 or 1 each, which comes before it in the array.

    Returns
    -------
    numpy.ndarray
        int64, shape (n,).
    """
    codes = np.empty(np.count_nonzero(levels), np.int64)
    places = np.zeros((2, *levels.shape[1:]), np.int32)
    return codes[: _run_codes(levels, n_rows, *offset, places, codes)]


@kernel
def _pair_codes(levels: Levels, n_rows: int, dz: int, dy: int, dx: int, codes: Ints) -> int:
    nz, ny, nx = levels.shape
    n = 0
    for z in range(max(0, -dz), min(nz, nz - dz)):
        for y in range(max(0, -dy), min(ny, ny - dy)):
            for x in range(max(0, -dx), min(nx, nx - dx)):
                own, other = np.int64(levels[z, y, x]), np.int64(levels[z + dz, y + dy, x + dx])
                if own != 0 and other != 0:
                    codes[n] = max(own, other) * n_rows + min(own, other)
                    n += 1
    return n


@kernel
def _run_codes(levels: Levels, n_rows: int, dz: int, dy: int, dx: int, places: Any, codes: Ints) -> int:
    nz, ny, nx = levels.shape
    n = 0
    for z in range(-dz, nz + dz):
        for y in range(1, ny - 1):
            for x in range(1, nx - 1):
                level = np.int64(levels[z, y, x])
                if level == 0:
                    continue
                place = 1
                if levels[z + dz, y + dy, x + dx] == level:
                    place += places[(z + dz) & 1, y + dy, x + dx]
                places[z & 1, y, x] = place
                if levels[z - dz, y - dy, x - dx] != level:
                    codes[n] = place * n_rows + level
                    n += 1
    return n


@allocating_kernel
def count_neighbours(
    levels: Levels,
    n_levels: int,
    reach: int,
    alpha: float,
    flat: bool,  # noqa: FBT001 - kernels take arguments by place
) -> tuple[Ints, Ints, Ints]:
    """Compare each voxel with those around it.

    Parameters
    ----------
    levels : numpy.ndarray
        uint8 or uint16, shape (z, y, x), 0 outside the region.
    n_levels : int
        Greatest level.
    reach : int
        How far neighbours may be along each axis, in voxels.
    alpha : float
        By how much the levels of voxels that are alike may differ.
    flat : bool
        Whether each slice is on its own.

    Returns
    -------
    tuple of numpy.ndarray
        int64, shape (neighbours + 2, n_levels + 1) each: voxels by how many are alike, themselves included;
        voxels by how many are around; sums of ``|level * around - sum of those around|`` by how many are.
    """
    nz, ny, nx = levels.shape
    deep = 0 if flat else reach
    width = (2 * deep + 1) * (2 * reach + 1) * (2 * reach + 1) + 1
    alike = np.zeros((width, n_levels + 1), np.int64)
    around = np.zeros((width, n_levels + 1), np.int64)
    sums = np.zeros((width, n_levels + 1), np.int64)
    for z in range(nz):
        for y in range(ny):
            for x in range(nx):
                own = np.int64(levels[z, y, x])
                if own == 0:
                    continue
                same, n, total = 0, -1, -own
                for az in range(max(0, z - deep), min(nz, z + deep + 1)):
                    for ay in range(max(0, y - reach), min(ny, y + reach + 1)):
                        for ax in range(max(0, x - reach), min(nx, x + reach + 1)):
                            other = np.int64(levels[az, ay, ax])
                            if other != 0:
                                n += 1
                                total += other
                                same += 1 if abs(other - own) <= alpha else 0
                alike[same, own] += 1
                around[n, own] += 1
                sums[n, own] += abs(own * n - total)
    return alike, around, sums
