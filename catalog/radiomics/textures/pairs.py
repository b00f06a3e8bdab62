"""Grey level co-occurrence: how often levels are neighbours (IBSI-1, 3.6).

Every direction is counted once: the four within slices, slice by slice, and the nine into the slice before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from catalog.kernel import kernel

if TYPE_CHECKING:
    import numpy.typing as npt

    Ints = npt.NDArray[np.int64]
    Levels = npt.NDArray[Any]
    Tables = npt.NDArray[np.uint32]


@kernel
def measure_rows(levels: Levels, spans: npt.NDArray[np.int32], voxels: Ints) -> None:
    """Note of each row where the region begins and ends, and of each slice how many voxels it has."""
    for z in range(1, levels.shape[0] - 1):
        n = 0
        for y in range(1, levels.shape[1] - 1):
            row = levels[z, y]
            inside = 0
            for x in range(len(row)):
                inside += row[x] != 0
            if inside == 0:
                continue
            n += inside
            first, last = 0, len(row)
            while row[first] == 0:
                first += 1
            while row[last - 1] == 0:
                last -= 1
            spans[z, y, 0], spans[z, y, 1] = first, last
        voxels[z] = n


@kernel
def count_pairs_within(
    levels: Levels, spans: npt.NDArray[np.int32], first: int, last: int, pitch: int, tables: Tables
) -> None:
    """Count pairs of slices `first` to `last` into `tables`: shape (slices or 1, 4, cells).

    Whatever lies outside of the region is level 0: no test is made, row and column 0 are left aside. Tables
    that are written in turn hide how long one addition takes to be seen by the next.
    """
    one, width = np.uint64(1), np.uint64(pitch)
    step = 1 if tables.shape[0] > 1 else 0
    for z in range(first, last):
        table = tables[(z - first) * step]
        t0, t1, t2, t3 = table[0], table[1], table[2], table[3]
        for y in range(1, levels.shape[1] - 1):
            row, above = levels[z, y], levels[z, y - 1]
            for x in range(np.uint64(spans[z, y, 0]), np.uint64(spans[z, y, 1])):
                own = np.uint64(row[x]) * width
                t0[own + np.uint64(above[x - one])] += np.uint32(1)
                t1[own + np.uint64(above[x])] += np.uint32(1)
                t2[own + np.uint64(above[x + one])] += np.uint32(1)
                t3[own + np.uint64(row[x - one])] += np.uint32(1)


@kernel
def count_pairs_across(levels: Levels, spans: npt.NDArray[np.int32], pitch: int, tables: Tables) -> None:
    """Count pairs with the slice before into `tables`, shape (9, cells)."""
    one, width = np.uint64(1), np.uint64(pitch)
    t0, t1, t2, t3, t4 = tables[0], tables[1], tables[2], tables[3], tables[4]
    t5, t6, t7, t8 = tables[5], tables[6], tables[7], tables[8]
    for z in range(2, levels.shape[0] - 1):
        for y in range(1, levels.shape[1] - 1):
            row = levels[z, y]
            a, b, c = levels[z - 1, y - 1], levels[z - 1, y], levels[z - 1, y + 1]
            for x in range(np.uint64(spans[z, y, 0]), np.uint64(spans[z, y, 1])):
                own = np.uint64(row[x]) * width
                t0[own + np.uint64(a[x - one])] += np.uint32(1)
                t1[own + np.uint64(a[x])] += np.uint32(1)
                t2[own + np.uint64(a[x + one])] += np.uint32(1)
                t3[own + np.uint64(b[x - one])] += np.uint32(1)
                t4[own + np.uint64(b[x])] += np.uint32(1)
                t5[own + np.uint64(b[x + one])] += np.uint32(1)
                t6[own + np.uint64(c[x - one])] += np.uint32(1)
                t7[own + np.uint64(c[x])] += np.uint32(1)
                t8[own + np.uint64(c[x + one])] += np.uint32(1)
