"""Voxels and those around them: grey tone differences (IBSI-1, 3.10) and dependences (IBSI-1, 3.11)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from catalog.kernel import inlined_kernel, kernel

if TYPE_CHECKING:
    import numpy.typing as npt

    Levels = npt.NDArray[Any]
    Bytes = npt.NDArray[np.uint8]
    Sums = npt.NDArray[np.uint16]
    Spans = npt.NDArray[np.int32]
    Tables = npt.NDArray[np.int64]


@inlined_kernel
def _compare(row: Levels, other: Levels, alike: Bytes) -> None:
    """Add how many of the three voxels of another row at each voxel's side are of its level."""
    for x in range(1, len(row) - 1):
        own = row[x]
        n = np.uint8(other[x - 1] == own) + np.uint8(other[x] == own) + np.uint8(other[x + 1] == own)
        alike[x] = np.uint8(alike[x] + np.uint8(n))


@inlined_kernel
def _add_column(other: Levels, sums: Sums, inside: Bytes) -> None:
    for x in range(len(other)):
        sums[x] = np.uint16(sums[x] + np.uint16(other[x]))
        inside[x] = np.uint8(inside[x] + np.uint8(other[x] != 0))


@inlined_kernel
def _add_sides(row: Levels, sums: Sums, inside: Bytes, total: Sums, around: Bytes) -> None:
    """Add the columns at each voxel's sides, without the voxel itself."""
    for x in range(1, len(row) - 1):
        both = np.uint16(np.uint16(sums[x - 1] + sums[x]) + sums[x + 1])
        total[x] = np.uint16(both - np.uint16(row[x]))
        n = np.uint8(np.uint8(inside[x - 1] + inside[x]) + inside[x + 1])
        around[x] = np.uint8(n - np.uint8(1))


@kernel
def count_near(
    levels: Levels,
    spans: Spans,
    first: int,
    last: int,
    flat: bool,  # noqa: FBT001 - kernels take arguments by place
    sums: npt.NDArray[np.uint16],
    marks: npt.NDArray[np.uint8],
    by_alike: Tables,
    by_around: Tables,
    by_sum: Tables,
) -> None:
    """Compare the voxels of slices `first` to `last`, levels of one byte, with the 26 or 8 around them.

    Parameters
    ----------
    flat : bool
        Whether each slice is on its own.
    sums, marks : numpy.ndarray
        Room, shape (2, x) and (3, x).
    by_alike, by_around, by_sum : numpy.ndarray
        int64, shape (slices or 1, 28, n_levels + 1): voxels by how many are alike, themselves included;
        voxels by how many are around; sums of ``|level * around - sum of those around|`` by how many are.
    """
    deep = 0 if flat else 1
    step = 1 if by_alike.shape[0] > 1 else 0
    alike, inside, around = marks[0], marks[1], marks[2]
    columns, total = sums[0], sums[1]
    for z in range(first, last):
        k = (z - first) * step
        t0, t1, t2 = by_alike[k], by_around[k], by_sum[k]
        for y in range(1, levels.shape[1] - 1):
            a, b = spans[z, y, 0], spans[z, y, 1]
            if a == b:
                continue
            row = levels[z, y]
            marks[:, :] = 0
            sums[:, :] = 0
            for dz in range(-deep, deep + 1):
                for dy in range(-1, 2):
                    other = levels[z + dz, y + dy]
                    _compare(row, other, alike)
                    _add_column(other, columns, inside)
            _add_sides(row, columns, inside, total, around)
            for x in range(np.uint64(a), np.uint64(b)):
                own = np.int64(row[x])
                if own == 0:
                    continue
                n = np.int64(around[x])
                t0[np.uint64(alike[x]), np.uint64(own)] += 1
                t1[np.uint64(n), np.uint64(own)] += 1
                t2[np.uint64(n), np.uint64(own)] += abs(own * n - np.int64(total[x]))
