"""Local intensity peaks: means over a sphere of 1 cm³ around voxels of the region (IBSI family 9ST6)."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from catalog.kernel import inlined_kernel, kernel
from catalog.radiomics.region import PEAK_RADIUS_MM
from catalog.radiomics.statistics import EMPTY, NOT_FINITE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from catalog.radiomics.region import Region
    from catalog.radiomics.settings import Settings

LOCAL = ("loc_peak_loc", "loc_peak_glob")
_BLOCK = (4, 4, 16)  # voxels along each edge of a block that is passed over at once


def local_intensity_features(
    region: Region,
    settings: Settings,  # noqa: ARG001 - every family is called alike
    reasons: dict[str, str] | None = None,
) -> dict[str, float | None]:
    """Compute the local and the global intensity peak.

    Parameters
    ----------
    region : Region
        Its image holds the spheres' voxels outside of the region; beyond the image there are none.
    settings : Settings
        Nothing of it matters here.
    reasons : dict, optional
        Filled with the reason of every feature that is None.

    Returns
    -------
    dict of str to float or None
        `loc_peak_loc` and `loc_peak_glob`, in the unit of the image. Voxels that are not finite are left out
        of the means.

    Notes
    -----
    IBSI reference manual, section "Local intensity features".
    """
    peaks = peaks_of(region.image, region.intensity_mask, region.spacing_mm)
    if peaks is None:
        if reasons is not None:
            reasons.update(dict.fromkeys(LOCAL, NOT_FINITE if region.intensity_mask.any() else EMPTY))
        return dict.fromkeys(LOCAL)
    return dict(zip(LOCAL, peaks, strict=True))


def peaks_of(
    image: NDArray[np.float32], mask: NDArray[np.bool_], spacing_mm: tuple[float, float, float]
) -> tuple[float, float] | None:
    """Highest mean around the voxels of the greatest intensity, and around any; None if none is finite."""
    inside = np.ascontiguousarray(mask).view(np.uint8)
    extremes = np.array([np.inf, -np.inf, np.inf, 0.0])
    _extremes(image, inside, extremes)
    if not np.isfinite(extremes[1]):
        return None
    sums, counts = _prefix_sums(image, complete=extremes[3] == 0)
    spacing_mm = (float(spacing_mm[0]), float(spacing_mm[1]), float(spacing_mm[2]))
    rows = sphere_rows(spacing_mm)
    best = np.array([-np.inf])
    _peak_at(sums, counts, image, inside, rows, float(extremes[1]), best)
    local = float(best[0])
    n = int((2 * rows[:, 2] + 1).sum())  # voxels of a whole sphere
    order, bounds = _blocks(sums, counts, inside, n, float(extremes[2]), spacing_mm)
    _, ny, nx = sums.shape
    middle = (rows[:, 0] * ny + rows[:, 1]) * nx
    spans = np.stack([middle - rows[:, 2], middle + rows[:, 2] + 1], axis=1)  # places in the flat prefix sums
    means = np.zeros(_BLOCK[2])
    _peak_of_blocks(sums, counts, image, inside, rows, n, order, bounds, sums.reshape(-1), spans, means, best)
    return local, float(best[0])


@lru_cache(maxsize=64)
def sphere_rows(spacing_mm: tuple[float, float, float]) -> NDArray[np.int64]:
    """Rows (dz, dy, half length) of voxels whose centres lie in the sphere."""
    reach = [int(PEAK_RADIUS_MM / s) for s in spacing_mm]
    rows = []
    for dz in range(-reach[0], reach[0] + 1):
        for dy in range(-reach[1], reach[1] + 1):
            left = PEAK_RADIUS_MM**2 - (dz * spacing_mm[0]) ** 2 - (dy * spacing_mm[1]) ** 2
            if left >= 0:
                rows.append((dz, dy, int(left**0.5 / spacing_mm[2])))
    return np.array(rows, np.int64)


def _prefix_sums(
    image: NDArray[np.float32], *, complete: bool
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Sums along each row up to each voxel, and the numbers of finite voxels (empty if all are)."""
    nz, ny, nx = image.shape
    sums = np.empty((nz, ny, nx + 1))
    counts = np.empty((0, 0, 0) if complete else (nz, ny, nx + 1), np.int32)
    _add_up(image, sums, counts)
    return sums, counts


class _Blocks(NamedTuple):
    """Blocks of voxels by falling bound."""

    order: NDArray[np.int64]
    bounds: NDArray[np.float64]


def _blocks(
    sums: NDArray[np.float64],
    counts: NDArray[np.int32],
    inside: NDArray[np.uint8],
    n: int,
    floor: float,
    spacing_mm: tuple[float, float, float],
) -> _Blocks:
    """Bound the means of each block's voxels from above.

    No sphere of a block holds more than the sphere drawn out over the block does, all counted from
    the image's least intensity on.
    """
    shape = tuple(-(-n // b) for n, b in zip(inside.shape, _BLOCK, strict=True))
    bounds = np.full(shape, -np.inf)
    _bound(sums, counts, inside, _drawn_out(spacing_mm), n, floor, bounds)
    order = np.argsort(-bounds, axis=None, kind="stable")
    values = bounds.reshape(-1)[order]
    order = order[np.isfinite(values)]
    return _Blocks(np.stack(np.unravel_index(order, shape), axis=1), values[: len(order)])


@lru_cache(maxsize=64)
def _drawn_out(spacing_mm: tuple[float, float, float]) -> NDArray[np.int64]:
    """Rows (dz, dy, first, last) of the union of the spheres around all voxels of a block."""
    halves: dict[tuple[int, int], int] = {}
    for dz, dy, half in sphere_rows(spacing_mm).tolist():
        for z in range(_BLOCK[0]):
            for y in range(_BLOCK[1]):
                place = (dz + z, dy + y)
                halves[place] = max(halves.get(place, 0), half)
    return np.array(
        [(z, y, -half, half + _BLOCK[2] - 1) for (z, y), half in sorted(halves.items())], np.int64
    )


@kernel
def _extremes(image: NDArray[np.float32], inside: NDArray[np.uint8], extremes: NDArray[np.float64]) -> None:
    """Least and greatest finite intensity inside, least of the image, and whether any is not finite."""
    nz, ny, nx = image.shape
    for z in range(nz):
        for y in range(ny):
            row, mask = image[z, y], inside[z, y]
            low, high, least = np.float32(np.inf), np.float32(-np.inf), np.float32(np.inf)
            odd = np.uint8(0)
            for x in range(nx):
                v = row[x]
                finite = abs(v) < np.float32(np.inf)
                odd |= np.uint8(not finite)
                least = v if finite and v < least else least
                if mask[x] != 0 and finite:
                    low = min(low, v)
                    high = max(high, v)
            extremes[0] = min(extremes[0], low)
            extremes[1] = max(extremes[1], high)
            extremes[2] = min(extremes[2], least)
            extremes[3] += odd


@kernel
def _add_up(image: NDArray[np.float32], sums: NDArray[np.float64], counts: NDArray[np.int32]) -> None:
    nz, ny, nx = image.shape
    complete = counts.size == 0
    for z in range(nz):
        for y in range(ny):
            row, out = image[z, y], sums[z, y]
            total = 0.0
            out[0] = 0.0
            if complete:
                for x in range(nx):
                    total += row[x]
                    out[x + 1] = total
                continue
            seen = np.int32(0)
            counts[z, y, 0] = 0
            for x in range(nx):
                if abs(row[x]) < np.inf:
                    total += row[x]
                    seen += np.int32(1)
                out[x + 1] = total
                counts[z, y, x + 1] = seen


@kernel
def _mean_at(
    sums: NDArray[np.float64], counts: NDArray[np.int32], rows: NDArray[np.int64], z: int, y: int, x: int
) -> float:
    """Mean over the part of the sphere around a voxel that lies in the image."""
    nz, ny, nx = sums.shape[0], sums.shape[1], sums.shape[2] - 1
    total, n = 0.0, np.int64(0)
    for k in range(len(rows)):
        zz, yy = z + rows[k, 0], y + rows[k, 1]
        if zz < 0 or zz >= nz or yy < 0 or yy >= ny:
            continue
        first, end = max(0, x - rows[k, 2]), min(nx, x + rows[k, 2] + 1)
        total += sums[zz, yy, end] - sums[zz, yy, first]
        if counts.size == 0:
            n += end - first
        else:
            n += counts[zz, yy, end] - counts[zz, yy, first]
    return total / n


@kernel
def _peak_at(
    sums: NDArray[np.float64],
    counts: NDArray[np.int32],
    image: NDArray[np.float32],
    inside: NDArray[np.uint8],
    rows: NDArray[np.int64],
    wanted: float,
    best: NDArray[np.float64],
) -> None:
    """Raise the best mean by those around voxels of one intensity."""
    nz, ny, nx = image.shape
    for z in range(nz):
        for y in range(ny):
            for x in range(nx):
                if image[z, y, x] == wanted and inside[z, y, x] != 0:
                    best[0] = max(best[0], _mean_at(sums, counts, rows, z, y, x))


@kernel
def _bound(
    sums: NDArray[np.float64],
    counts: NDArray[np.int32],
    inside: NDArray[np.uint8],
    union: NDArray[np.int64],
    n: int,
    floor: float,
    bounds: NDArray[np.float64],
) -> None:
    """Bound each block that has voxels inside; next to the image's border, not at all."""
    nz, ny, nx = inside.shape
    bz, by, bx = bounds.shape
    for p in range(bz):
        for q in range(by):
            for r in range(bx):
                z, y, x = p * _BLOCK[0], q * _BLOCK[1], r * _BLOCK[2]
                some = False
                for i in range(z, min(nz, z + _BLOCK[0])):
                    for j in range(y, min(ny, y + _BLOCK[1])):
                        for k in range(x, min(nx, x + _BLOCK[2])):
                            some |= inside[i, j, k] != 0
                if not some:
                    continue
                total, whole = 0.0, counts.size == 0
                for k in range(len(union)):
                    zz, yy = z + union[k, 0], y + union[k, 1]
                    first, last = x + union[k, 2], x + union[k, 3]
                    if zz < 0 or zz >= nz or yy < 0 or yy >= ny or first < 0 or last >= nx:
                        whole = False
                        break
                    total += sums[zz, yy, last + 1] - sums[zz, yy, first] - floor * (last + 1 - first)
                bounds[p, q, r] = (total / n) * (1 + 1e-9) + floor if whole else 1e300


@inlined_kernel
def _line_sums(
    flat: NDArray[np.float64], spans: NDArray[np.int64], start: int, out: NDArray[np.float64]
) -> None:
    """Sums over the spheres around neighbours along x, none of which leaves the image.

    Unsigned indices: a signed one may count from the end, and asking that costs more than the sums.
    """
    width = np.uint64(len(out))
    for i in range(width):
        out[i] = 0.0
    for k in range(len(spans)):
        first, last = np.uint64(start + spans[k, 0]), np.uint64(start + spans[k, 1])
        for i in range(width):
            out[i] += flat[last + np.uint64(i)] - flat[first + np.uint64(i)]


@kernel
def _peak_of_blocks(
    sums: NDArray[np.float64],
    counts: NDArray[np.int32],
    image: NDArray[np.float32],
    inside: NDArray[np.uint8],
    rows: NDArray[np.int64],
    n: int,
    order: NDArray[np.int64],
    bounds: NDArray[np.float64],
    flat: NDArray[np.float64],
    spans: NDArray[np.int64],
    means: NDArray[np.float64],
    best: NDArray[np.float64],
) -> None:
    """Raise the best mean by those of the blocks that may hold a better one."""
    nz, ny, nx = image.shape
    for b in range(len(order)):
        if bounds[b] <= best[0]:
            break
        z, y, x = order[b, 0] * _BLOCK[0], order[b, 1] * _BLOCK[1], order[b, 2] * _BLOCK[2]
        whole = bounds[b] < 1e300  # else some sphere leaves the image
        for i in range(z, min(nz, z + _BLOCK[0])):
            for j in range(y, min(ny, y + _BLOCK[1])):
                some = False
                for k in range(x, min(nx, x + _BLOCK[2])):
                    some |= inside[i, j, k] != 0
                if not some:
                    continue
                if whole:
                    _line_sums(flat, spans, (i * ny + j) * (nx + 1) + x, means)
                for k in range(x, min(nx, x + _BLOCK[2])):
                    if inside[i, j, k] != 0 and abs(image[i, j, k]) < np.inf:
                        mean = means[k - x] / n if whole else _mean_at(sums, counts, rows, i, j, k)
                        best[0] = max(best[0], mean)
