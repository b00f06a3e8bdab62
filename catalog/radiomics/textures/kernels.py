"""Compiled loops that count texture matrices.

They walk arrays of levels of shape (z, y, x), padded by zeros, where 0 is outside of the region. All
accumulators are whole numbers, so that the order of the work does not matter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from catalog.kernel import allocating_kernel

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Ints = npt.NDArray[np.int64]
    Levels = npt.NDArray[Any]

signed = cast("Callable[[Any], int]", np.int64)


@allocating_kernel
def count_pairs(levels: Levels, n_levels: int, offsets: Ints, pad: int) -> Ints:
    """Count pairs of levels: result (n_offsets, n_levels + 1, n_levels + 1), row and column 0 unused."""
    nz, ny, nx = levels.shape
    counts = np.zeros((len(offsets), n_levels + 1, n_levels + 1), np.int64)
    for k in range(len(offsets)):
        dz, dy, dx = offsets[k, 0], offsets[k, 1], offsets[k, 2]
        table = counts[k]
        for z in range(pad, nz - pad):
            for y in range(pad, ny - pad):
                row, other = levels[z, y], levels[z + dz, y + dy]
                for x in range(pad, nx - pad):
                    table[row[x], other[x + dx]] += 1
    return counts


@allocating_kernel
def count_runs(levels: Levels, n_levels: int, offsets: Ints, longest: int) -> Ints:
    """Count runs: result (n_offsets, n_levels + 1, longest + 1).

    A voxel's place in its run is one more than that of the voxel before it; runs of length l are the voxels
    at place l less those at place l + 1.
    """
    nz, ny, nx = levels.shape
    counts = np.zeros((len(offsets), n_levels + 1, longest + 2), np.int64)
    for k in range(len(offsets)):
        dz, dy, dx = offsets[k, 0], offsets[k, 1], offsets[k, 2]
        table = counts[k]
        place = np.zeros((2, ny, nx), np.int32)
        for z in range(1, nz - 1):
            here, before = place[z & 1], place[(z + dz) & 1]
            for y in range(1, ny - 1):
                row, other = levels[z, y], levels[z + dz, y + dy]
                now, then = here[y], before[y + dy]
                for x in range(1, nx - 1):
                    level = row[x]
                    now[x] = then[x + dx] + 1 if other[x + dx] == level else 1
                    table[level, now[x]] += 1
    return counts[:, :, :-1] - counts[:, :, 1:]


@allocating_kernel
def measure_distance(roi: Levels, *, flat: bool) -> npt.NDArray[np.int32]:
    """Return each voxel's city-block distance to the outside of the region, 1 at its border."""
    nz, ny, nx = roi.shape
    distance = np.zeros((nz, ny, nx), np.int32)
    for z in range(1, nz - 1):
        for y in range(1, ny - 1):
            for x in range(1, nx - 1):
                if roi[z, y, x]:
                    least = min(distance[z, y - 1, x], distance[z, y, x - 1])
                    if not flat:
                        least = min(least, distance[z - 1, y, x])
                    distance[z, y, x] = least + 1
    for z in range(nz - 2, 0, -1):
        for y in range(ny - 2, 0, -1):
            for x in range(nx - 2, 0, -1):
                if roi[z, y, x]:
                    least = min(distance[z, y + 1, x], distance[z, y, x + 1])
                    if not flat:
                        least = min(least, distance[z + 1, y, x])
                    distance[z, y, x] = min(distance[z, y, x], least + 1)
    return distance


@allocating_kernel
def find_zones(  # noqa: PLR0912 - one loop over voxels, as a kernel has to be
    levels: Levels, distance: npt.NDArray[np.int32], offsets: Ints
) -> tuple[Ints, Ints, Ints, Ints]:
    """Find connected voxels of one level: level, size, least distance and first slice of each zone.

    `offsets` are the neighbours that come before a voxel: 13 in three dimensions, 4 in a slice.
    """
    nz, ny, nx = levels.shape
    label = np.zeros((nz, ny, nx), np.int32)
    n_voxels = 0
    for level in levels.flat:
        n_voxels += level != 0
    parent = np.empty(n_voxels + 1, np.int32)
    size, least = np.zeros(n_voxels + 1, np.int32), np.zeros(n_voxels + 1, np.int32)
    of_level, of_slice = np.zeros(n_voxels + 1, np.int32), np.zeros(n_voxels + 1, np.int32)
    n = 0
    for z in range(1, nz - 1):
        for y in range(1, ny - 1):
            for x in range(1, nx - 1):
                level = levels[z, y, x]
                if level == 0:
                    continue
                mine = 0
                for k in range(len(offsets)):
                    zz, yy, xx = z + offsets[k, 0], y + offsets[k, 1], x + offsets[k, 2]
                    if levels[zz, yy, xx] != level:
                        continue
                    root = label[zz, yy, xx]
                    while parent[root] != root:
                        parent[root] = parent[parent[root]]
                        root = parent[root]
                    if mine == 0:
                        mine = root
                    elif root != mine:
                        low, high = min(root, mine), max(root, mine)
                        parent[high] = low
                        size[low] += size[high]
                        least[low] = min(least[low], least[high])
                        mine = low
                if mine == 0:
                    n += 1
                    mine = n
                    parent[n], of_level[n], of_slice[n], least[n] = n, level, z, distance[z, y, x]
                size[mine] += 1
                least[mine] = min(least[mine], distance[z, y, x])
                label[z, y, x] = mine
    chosen = np.empty(n, np.int64)
    k = 0
    for i in range(1, n + 1):
        if parent[i] == i:
            chosen[k] = i
            k += 1
    roots = chosen[:k]
    return (
        of_level[roots].astype(np.int64),
        size[roots].astype(np.int64),
        least[roots].astype(np.int64),
        of_slice[roots].astype(np.int64),
    )


@allocating_kernel
def count_neighbours(
    levels: Levels, n_levels: int, reach: int, alpha: float, *, flat: bool
) -> tuple[Ints, Ints, Ints]:
    """Compare each voxel with the neighbours around it.

    Returns
    -------
    tuple of numpy.ndarray
        How many voxels of a level have so many alike around them, themselves included; how many have so many
        neighbours; sums of |level x neighbours - sum of neighbours| by number of neighbours. Each has shape
        (n_levels + 1, greatest number of neighbours + 2).
    """
    nz, ny, nx = levels.shape
    deep = 0 if flat else reach
    width = (2 * deep + 1) * (2 * reach + 1) * (2 * reach + 1) + 1
    alike = np.zeros((n_levels + 1, width), np.int64)
    around = np.zeros((n_levels + 1, width), np.int64)
    sums = np.zeros((n_levels + 1, width), np.int64)
    for z in range(reach, nz - reach):
        for y in range(reach, ny - reach):
            for x in range(reach, nx - reach):
                level = signed(levels[z, y, x])
                if level == 0:
                    continue
                same, n, total = 0, -1, -level
                for dz in range(-deep, deep + 1):
                    for dy in range(-reach, reach + 1):
                        row = levels[z + dz, y + dy]
                        for dx in range(-reach, reach + 1):
                            other = signed(row[x + dx])
                            inside = signed(other != 0)
                            n += inside
                            total += other
                            same += inside & signed(abs(other - level) <= alpha)
                alike[level, same] += 1
                around[level, n] += 1
                sums[level, n] += abs(level * n - total)
    return alike, around, sums
