"""The distinct intensities of a region and how many voxels have each: all that statistics and IVH need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from catalog.kernel import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

SPAN_LIMIT = 1 << 17  # integers further apart are sorted, not counted
_TABLES = 4  # written in turn: two increments of one cell wait for each other
_LARGEST = 1 << 24  # float32 holds every integer up to here


@dataclass(frozen=True, slots=True)
class Distribution:
    """Distinct intensities of a region, each with its number of voxels.

    Attributes
    ----------
    values : float64 array (n,)
        Distinct finite intensities, ascending, in the unit of the image.
    counts : int64 array (n,)
        Voxels with each of them, none is zero.
    missing : int
        Voxels of the region whose intensity is NaN or infinite.
    """

    values: NDArray[np.float64]
    counts: NDArray[np.int64]
    missing: int = 0

    @property
    def n_voxels(self) -> int:
        """Voxels with a finite intensity."""
        return int(self.counts.sum())

    def mean(self) -> float:
        """Mean intensity."""
        return float(self.values @ self.counts) / self.n_voxels

    def deviation(self, centre: float) -> float:
        """Mean of the distances to a centre."""
        return float(np.abs(self.values - centre) @ self.counts) / self.n_voxels

    def percentile(self, percent: float) -> float:
        """Percentile, linear between the two nearest ranks (as NumPy's default is)."""
        rank = percent / 100 * (self.n_voxels - 1)
        below = int(np.floor(rank))
        ends = np.cumsum(self.counts)
        low = self.values[np.searchsorted(ends, below, side="right")]
        high = self.values[np.searchsorted(ends, min(below + 1, self.n_voxels - 1), side="right")]
        return float(low + (high - low) * (rank - below))

    def between(self, low: float, high: float) -> Distribution:
        """Only the intensities of a closed range."""
        inside = (self.values >= low) & (self.values <= high)
        return Distribution(self.values[inside], self.counts[inside])


def distribution_of(image: NDArray[np.float32], mask: NDArray[np.bool_]) -> Distribution:
    """Count the intensities of the voxels of a mask.

    Parameters
    ----------
    image : float32 array (z, y, x)
    mask : bool array (z, y, x)

    Returns
    -------
    Distribution
        Exact: whole numbers, as those of rounded CT, are counted in a table, all others are sorted.
    """
    rows = np.ascontiguousarray(image, np.float32).reshape(-1)
    inside = np.ascontiguousarray(mask, bool).reshape(-1).view(np.uint8)
    found = np.zeros(4, np.int64)
    _integer_range(rows, inside, found)
    low, high, fractions = int(found[0]), int(found[1]), int(found[2])
    if found[3] == 0:
        return Distribution(np.empty(0), np.empty(0, np.int64))
    if not fractions and high - low < SPAN_LIMIT:
        tables = np.zeros((_TABLES, high - low + 1 + 16), np.int64)
        _count(rows, inside, low, tables)
        counts = tables.sum(0)[: high - low + 1]
        present = np.flatnonzero(counts)
        return Distribution((present + low).astype(np.float64), counts[present])
    voxels = rows[inside.view(np.bool_)]
    finite = voxels[np.isfinite(voxels)]
    values, counts = np.unique(finite, return_counts=True)
    return Distribution(values.astype(np.float64), counts.astype(np.int64), len(voxels) - len(finite))


@kernel
def _integer_range(rows: NDArray[np.float32], inside: NDArray[np.uint8], found: NDArray[np.int64]) -> None:
    """Least and greatest whole number, whether any other number is there, voxels inside."""
    low, high = np.int32(_LARGEST), np.int32(-_LARGEST)
    fractions, count = np.int32(0), np.int32(0)
    for i in range(len(rows)):
        v = rows[i]
        small = v if abs(v) < np.float32(_LARGEST) else np.float32(0)
        whole = np.int32(small)
        chosen = inside[i] != 0
        fractions |= np.int32(chosen & (np.float32(whole) != v))
        low = min(low, whole if chosen else np.int32(_LARGEST))
        high = max(high, whole if chosen else np.int32(-_LARGEST))
        count |= np.int32(chosen)
    found[0], found[1], found[2], found[3] = low, high, fractions, count


@kernel
def _count(rows: NDArray[np.float32], inside: NDArray[np.uint8], low: int, tables: NDArray[np.int64]) -> None:
    """Add every voxel inside to one of the tables, in turn."""
    turn = 0
    for i in range(len(rows)):
        if inside[i] != 0:
            tables[turn & 3, np.int64(rows[i]) - low] += 1
            turn += 1
