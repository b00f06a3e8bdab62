"""Grey level run lengths (IBSI-1, 3.7), without walking along runs.

The place of a voxel in its run is one more than that of the voxel before it. So the places of a row follow
from those of the row before in one sweep, and the runs of length l are the voxels at place l less those at
place l + 1. Places are bytes: runs as long as :data:`LONGEST` are left to :mod:`.general`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from catalog.kernel import inlined_kernel, kernel

if TYPE_CHECKING:
    import numpy.typing as npt

    Levels = npt.NDArray[Any]
    Places = npt.NDArray[np.uint8]
    Spans = npt.NDArray[np.int32]
    Tables = npt.NDArray[np.uint32]

LONGEST: Final = 255


@inlined_kernel
def _places(row: Levels, before: Levels, then: Places, now: Places, first: int, last: int, dx: int) -> None:
    """Find the places of a row in its runs from those of the row before, `dx` to its side."""
    n = last - first
    here, there = row[first:last], before[first + dx : last + dx]
    old, new = then[first + dx : last + dx], now[first:last]
    for x in range(n):
        same = np.uint8(-np.int8(here[x] == there[x]))
        inside = np.uint8(-np.int8(here[x] != 0))
        new[x] = np.uint8(np.uint8(np.uint8(old[x] & same) + np.uint8(1)) & inside)


@inlined_kernel
def _places_along(row: Levels, now: Places, first: int, last: int) -> None:
    """Find the places of a row in the runs along it."""
    place, level = np.uint8(0), np.uint8(0)
    for x in range(first, last):
        place = np.uint8(place + np.uint8(1)) if row[x] == level else np.uint8(1)
        level = row[x]
        now[x] = place if level != 0 else np.uint8(0)


@kernel
def count_runs_within(
    levels: Levels, spans: Spans, first: int, last: int, pitch: int, places: Places, tables: Tables
) -> None:
    """Count places of slices `first` to `last` into `tables`, shape (slices, 4, cells): one or all of them.

    `places` is room, shape (7, x); cells are numbered ``place * pitch + level``.
    """
    width = np.uint64(pitch)
    step = 1 if tables.shape[0] > 1 else 0
    along = places[6]
    for z in range(first, last):
        table = tables[(z - first) * step]
        t0, t1, t2, t3 = table[0], table[1], table[2], table[3]
        for y in range(1, levels.shape[1] - 1):
            a, b = spans[z, y, 0], spans[z, y, 1]
            if a == b:
                continue
            row, above, turn = levels[z, y], levels[z, y - 1], 3 * (y & 1)
            for k in range(3):
                _places(row, above, places[3 - turn + k], places[turn + k], a, b, k - 1)
            _places_along(row, along, a, b)
            p0, p1, p2 = places[turn], places[turn + 1], places[turn + 2]
            for x in range(np.uint64(a), np.uint64(b)):
                level = np.uint64(row[x])
                t0[np.uint64(p0[x]) * width + level] += np.uint32(1)
                t1[np.uint64(p1[x]) * width + level] += np.uint32(1)
                t2[np.uint64(p2[x]) * width + level] += np.uint32(1)
                t3[np.uint64(along[x]) * width + level] += np.uint32(1)


@kernel
def count_runs_across(levels: Levels, spans: Spans, pitch: int, places: Places, tables: Tables) -> None:
    """Count places in runs through slices into `tables`, shape (9, cells); `places` is room, (2, 9, y, x)."""
    width = np.uint64(pitch)
    t0, t1, t2, t3, t4 = tables[0], tables[1], tables[2], tables[3], tables[4]
    t5, t6, t7, t8 = tables[5], tables[6], tables[7], tables[8]
    for z in range(1, levels.shape[0] - 1):
        now, then = places[z & 1], places[1 - (z & 1)]
        for y in range(1, levels.shape[1] - 1):
            a, b = spans[z, y, 0], spans[z, y, 1]
            if a == b:
                continue
            row = levels[z, y]
            for k in range(9):
                dy = k // 3 - 1
                _places(row, levels[z - 1, y + dy], then[k, y + dy], now[k, y], a, b, k % 3 - 1)
            p0, p1, p2, p3, p4 = now[0, y], now[1, y], now[2, y], now[3, y], now[4, y]
            p5, p6, p7, p8 = now[5, y], now[6, y], now[7, y], now[8, y]
            for x in range(np.uint64(a), np.uint64(b)):
                level = np.uint64(row[x])
                t0[np.uint64(p0[x]) * width + level] += np.uint32(1)
                t1[np.uint64(p1[x]) * width + level] += np.uint32(1)
                t2[np.uint64(p2[x]) * width + level] += np.uint32(1)
                t3[np.uint64(p3[x]) * width + level] += np.uint32(1)
                t4[np.uint64(p4[x]) * width + level] += np.uint32(1)
                t5[np.uint64(p5[x]) * width + level] += np.uint32(1)
                t6[np.uint64(p6[x]) * width + level] += np.uint32(1)
                t7[np.uint64(p7[x]) * width + level] += np.uint32(1)
                t8[np.uint64(p8[x]) * width + level] += np.uint32(1)
