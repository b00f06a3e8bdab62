"""Zones: connected voxels of one level (IBSI-1, 3.8), and distances to the region's border (IBSI-1, 3.9)."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from catalog.kernel import inlined_kernel, kernel

if TYPE_CHECKING:
    import numpy.typing as npt

    Ints = npt.NDArray[np.int64]
    Words = npt.NDArray[np.uint32]
    Levels = npt.NDArray[Any]
    Spans = npt.NDArray[np.int32]
    Distances = npt.NDArray[np.uint16]

# neighbours before a voxel in the order of the array, (z, y, x): a bit for each
BEFORE = tuple((z, y, x) for z in (-1, 0) for y in (-1, 0, 1) for x in (-1, 0, 1) if (z, y, x) < (0, 0, 0))


class Zones(NamedTuple):
    """Zones, shape (n,), those that begin in a slice before those that begin in the next."""

    level: Ints
    size: Ints
    distance: Ints
    slice: Ints


def find_zones(
    levels: Levels, spans: Spans, voxels: Ints, distance: Distances | None, *, flat: bool
) -> Zones:
    """Find the zones of a region: voxels of one level that touch by a face, an edge or a corner.

    Parameters
    ----------
    levels : numpy.ndarray
        uint8 or uint16, shape (z, y, x), padded by one voxel of 0.
    spans, voxels : numpy.ndarray
        Of :func:`catalog.radiomics.textures.pairs.measure_rows`.
    distance : numpy.ndarray or None
        Of :func:`measure_distance`; None leaves the zones' distances 0.
    flat : bool
        Whether each slice is on its own.

    Returns
    -------
    Zones
        Grey level, number of voxels, least distance and first slice of each.
    """
    n = int(voxels.sum()) + 1
    labels = np.zeros((2, *levels.shape[1:]), np.uint32)
    parent, size = np.empty(n, np.uint32), np.empty(n, np.uint32)
    least, of_level = np.empty(n, np.uint16), np.empty(n, levels.dtype)
    ends = np.zeros(len(levels) + 1, np.int64)
    if distance is None:
        distance = np.zeros((1, 1, 1), np.uint16)
    bits = np.zeros(levels.shape[2], np.uint16)
    found = _join(
        levels, spans, distance, _first_of_groups(), flat, labels, bits, parent, size, least, of_level, ends
    )
    n_zones = _gather_roots(found, parent, size, least)
    zones = Zones(*np.zeros((4, n_zones), np.int64))
    _fill_zones(found, parent, size, least, of_level, ends, *zones)
    return zones


@cache
def _first_of_groups() -> npt.NDArray[np.uint8]:
    """Return for each set of neighbours one of each group of those that touch, at most four: (8192, 5).

    Neighbours that touch one another are of one zone already, so that a voxel need look at one of them. The
    first number is how many groups there are.
    """
    touches = [[max(abs(a - b) for a, b in zip(p, q, strict=True)) <= 1 for q in BEFORE] for p in BEFORE]
    table = np.zeros((1 << len(BEFORE), 5), np.uint8)
    for k in range(len(table)):
        left = {bit for bit in range(len(BEFORE)) if k >> bit & 1}
        while left:
            group = [max(left)]
            for member in group:
                group += [bit for bit in left - set(group) if touches[member][bit]]
            left -= set(group)
            table[k, 0] += 1
            table[k, table[k, 0]] = group[0]
    return table


@inlined_kernel
def _root(parent: Words, label: Any) -> Any:
    while parent[label] != label:
        parent[label] = parent[parent[label]]
        label = parent[label]
    return label


@inlined_kernel
def _equal_in_slice(row: Levels, above: Levels, bits: Levels) -> None:
    """Set bits 9 to 12 of each voxel of a row: which neighbours in its slice are of its level."""
    for x in range(1, len(row) - 1):
        own = row[x]
        equal = np.uint16(above[x - 1] == own) << 9 | np.uint16(above[x] == own) << 10
        equal |= np.uint16(above[x + 1] == own) << 11 | np.uint16(row[x - 1] == own) << 12
        bits[x] = np.uint16(equal)


@inlined_kernel
def _equal_in_row(row: Levels, other: Levels, bits: Levels, bit: int) -> None:
    """Set three bits of each voxel of a row: which in a row of the slice before are of its level."""
    for x in range(1, len(row) - 1):
        own = row[x]
        equal = np.uint16(other[x - 1] == own) | np.uint16(other[x] == own) << 1
        equal |= np.uint16(other[x + 1] == own) << 2
        bits[x] |= np.uint16(np.uint16(equal) << bit)


@inlined_kernel
def _label_of(now: Words, then: Words, y: int, x: int, neighbour: Any) -> Any:
    if neighbour == 12:
        return now[y, x - 1]
    if neighbour >= 9:
        return now[y - 1, x + neighbour - 10]
    return then[y + neighbour // 3 - 1, x + neighbour % 3 - 1]


@kernel
def _join(
    levels: Levels,
    spans: Spans,
    distance: Distances,
    groups: npt.NDArray[np.uint8],
    flat: bool,  # noqa: FBT001 - kernels take arguments by place
    labels: Words,
    bits: npt.NDArray[np.uint16],
    parent: Words,
    size: Words,
    least: Distances,
    of_level: Levels,
    ends: Ints,
) -> int:
    """Join voxels to zones in one sweep over two slices of labels; sizes stay where the voxels were met."""
    n = np.uint32(0)
    measured = distance.shape[0] > 1
    for z in range(1, levels.shape[0] - 1):
        now, then = labels[z & 1], labels[1 - (z & 1)]
        for y in range(1, levels.shape[1] - 1):
            row = levels[z, y]
            if spans[z, y, 0] == spans[z, y, 1]:
                continue
            _equal_in_slice(row, levels[z, y - 1], bits)
            if not flat:
                for k in range(3):
                    _equal_in_row(row, levels[z - 1, y + k - 1], bits, 3 * k)
            for x in range(spans[z, y, 0], spans[z, y, 1]):
                if row[x] == 0:
                    continue
                equal = bits[x]
                if equal == 0:
                    n += np.uint32(1)
                    mine = n
                    parent[n], size[n], of_level[n] = n, 0, row[x]
                    least[n] = 65535
                else:
                    mine = _root(parent, _label_of(now, then, y, x, np.int64(groups[equal, 1])))
                    for k in range(2, groups[equal, 0] + 1):
                        other = _root(parent, _label_of(now, then, y, x, np.int64(groups[equal, k])))
                        low, high = min(mine, other), max(mine, other)
                        parent[high] = low
                        mine = low
                size[mine] += np.uint32(1)
                if measured:
                    least[mine] = min(least[mine], distance[z, y, x])
                now[y, x] = mine
        ends[z + 1] = n
    return int(n)


@kernel
def _gather_roots(found: int, parent: Words, size: Words, least: Distances) -> int:
    """Bring sizes and distances to the roots; a parent has a lower number than its children."""
    n = 0
    for label in range(found, 0, -1):
        up = parent[label]
        if up == label:
            n += 1
        else:
            size[up] += size[label]
            least[up] = min(least[up], least[label])
    return n


@kernel
def _fill_zones(
    found: int,
    parent: Words,
    size: Words,
    least: Distances,
    of_level: Levels,
    ends: Ints,
    level: Ints,
    voxels: Ints,
    distance: Ints,
    of_slice: Ints,
) -> None:
    n, z = 0, 0
    for label in range(1, found + 1):
        while label > ends[z + 1]:
            z += 1
        if parent[label] == label:
            level[n], voxels[n], distance[n], of_slice[n] = of_level[label], size[label], least[label], z
            n += 1


def measure_distance(roi: Levels, spans: Spans, *, flat: bool) -> Distances:
    """Measure each voxel's city-block distance to the outside of the region, 1 at its border.

    Parameters
    ----------
    roi : numpy.ndarray
        Shape (z, y, x), padded by one voxel of 0; the region is what is not 0.
    spans : numpy.ndarray
        Of :func:`catalog.radiomics.textures.pairs.measure_rows` for `roi`.
    flat : bool
        Whether each slice is on its own.

    Returns
    -------
    numpy.ndarray
        uint16, shape (z, y, x).
    """
    distance = np.zeros(roi.shape, np.uint16)
    _sweep_down(roi, spans, flat, distance)
    _sweep_up(spans, flat, distance)
    return distance


@kernel
def _sweep_down(roi: Levels, spans: Spans, flat: bool, distance: Distances) -> None:  # noqa: FBT001
    one = np.uint16(1)
    for z in range(1, roi.shape[0] - 1):
        for y in range(1, roi.shape[1] - 1):
            first, last = spans[z, y, 0], spans[z, y, 1]
            inside, here = roi[z, y, first:last], distance[z, y, first:last]
            above, before = distance[z, y - 1, first:last], distance[z - 1, y, first:last]
            if flat:
                before = above
            for x in range(len(here)):
                mask = np.uint16(-np.int16(inside[x] != 0))
                here[x] = np.uint16(min(above[x], before[x]) + one) & mask
            near = np.uint16(0)
            for x in range(len(here)):
                near = min(np.uint16(near + one), here[x])
                here[x] = near


@kernel
def _sweep_up(spans: Spans, flat: bool, distance: Distances) -> None:  # noqa: FBT001
    one = np.uint16(1)
    for z in range(distance.shape[0] - 2, 0, -1):
        for y in range(distance.shape[1] - 2, 0, -1):
            first, last = spans[z, y, 0], spans[z, y, 1]
            here = distance[z, y, first:last]
            below, behind = distance[z, y + 1, first:last], distance[z + 1, y, first:last]
            if flat:
                behind = below
            for x in range(len(here)):
                here[x] = min(here[x], np.uint16(min(below[x], behind[x]) + one))
            near = np.uint16(0)
            for x in range(len(here) - 1, -1, -1):
                near = min(np.uint16(near + one), here[x])
                here[x] = near
