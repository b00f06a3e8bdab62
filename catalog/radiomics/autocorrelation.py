"""Moran's I and Geary's C over all pairs of voxels of a region, exactly (IBSI N365 and NPT7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from catalog.kernel import kernel
from catalog.radiomics.statistics import EMPTY, FLAT, NOT_FINITE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from catalog.radiomics.region import Region
    from catalog.radiomics.settings import Settings

AUTOCORRELATION = ("morph_moran_i", "morph_geary_c")

ONE_VOXEL = "the region has a single voxel"
OFF = "switched off in the settings"
TOO_LARGE = "the region has more voxels than the settings' autocorrelation_limit"

_DIRECT_LIMIT = 600  # voxels, up to here all pairs take less time than transforms do
_DOUBLE_LIMIT = 2_000_000  # cells of the transform, up to here in float64


def autocorrelation_features(
    region: Region, settings: Settings, reasons: dict[str, str] | None = None
) -> dict[str, float | None]:
    """Compute Moran's I and Geary's C of the intensity mask, weighting each pair by its inverse distance.

    Parameters
    ----------
    region : Region
    settings : Settings
        `autocorrelation` True or "auto" (then regions up to `autocorrelation_limit` voxels only).
    reasons : dict, optional
        Filled with the reason of every feature that is None.

    Returns
    -------
    dict of str to float or None

    Notes
    -----
    IBSI reference manual, sections "Moran's I index" and "Geary's C measure". All pairs count; over large
    regions their sums are correlations, computed by Fourier transforms.
    """
    problem = None
    n = int(np.count_nonzero(region.intensity_mask))
    if settings.autocorrelation is False:
        problem = OFF
    elif settings.autocorrelation == "auto" and n > settings.autocorrelation_limit:
        problem = TOO_LARGE
    elif n < 2:
        problem = ONE_VOXEL if n else EMPTY
    if problem is None:
        found = moran_geary(region.image, region.intensity_mask, region.spacing_mm)
        if not isinstance(found, str):
            return dict(zip(AUTOCORRELATION, found, strict=True))
        problem = found
    if reasons is not None:
        reasons.update(dict.fromkeys(AUTOCORRELATION, problem))
    return dict.fromkeys(AUTOCORRELATION)


def moran_geary(
    image: NDArray[np.float32],
    mask: NDArray[np.bool_],
    spacing_mm: tuple[float, float, float],
    *,
    direct: bool | None = None,
) -> tuple[float, float] | str:
    """Moran's I and Geary's C of at least two voxels, or why there are none.

    Parameters
    ----------
    image : float32 array (z, y, x)
    mask : bool array (z, y, x)
    spacing_mm : tuple of float
    direct : bool, optional
        Whether to add up pair by pair; by default in small regions.
    """
    voxels = image[mask]
    if not np.isfinite(voxels).all():
        return NOT_FINITE
    n = len(voxels)
    mean = float(voxels.mean(dtype=np.float64))
    spread = float(np.square(voxels - mean, dtype=np.float64).sum())
    if voxels.min() == voxels.max():
        return FLAT
    if direct or (direct is None and n <= _DIRECT_LIMIT):
        places = np.ascontiguousarray(np.argwhere(mask).T * np.array(spacing_mm)[:, None])
        sums = np.zeros(3)
        _all_pairs(places, voxels.astype(np.float64) - mean, sums)
        weight, moran, geary = (float(s) for s in sums)
    else:
        weight, moran, geary = _by_transforms(image, mask, spacing_mm, mean)
    return n / weight * moran / spread, (n - 1) / (2 * weight) * geary / spread


def _by_transforms(
    image: NDArray[np.float32], mask: NDArray[np.bool_], spacing_mm: tuple[float, float, float], mean: float
) -> tuple[float, float, float]:
    """Sums over all pairs: of weights, of weighted products, of weighted squares of differences."""
    from scipy import fft

    box = tuple(slice(int(i.min()), int(i.max()) + 1) for i in _occupied(mask))
    inside = mask[box]
    shape = tuple(fft.next_fast_len(2 * n - 1, real=True) for n in inside.shape)
    real = np.float64 if np.prod(shape) <= _DOUBLE_LIMIT else np.float32
    weights = _weights(shape, spacing_mm, real)
    scale = float(np.abs(image[box][inside] - mean).max())
    values = np.where(inside, (image[box] - np.float32(mean) if real is np.float32 else image[box] - mean), 0)
    values = (values / scale).astype(real)

    ones = fft.rfftn(inside.astype(real), s=shape)
    weight = _sum(ones, ones, weights, shape)
    squares = fft.rfftn(np.square(values), s=shape)
    crossed = _sum(squares, ones, weights, shape)
    del ones, squares
    deviations = fft.rfftn(values, s=shape)
    products = _sum(deviations, deviations, weights, shape)
    return weight, products * scale**2, 2 * (crossed - products) * scale**2


def _occupied(mask: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
    """Indices along each axis at which there is any voxel."""
    planes: NDArray[np.bool_] = mask.any(axis=2)
    return [
        np.flatnonzero(planes.any(axis=1)),
        np.flatnonzero(planes.any(axis=0)),
        np.flatnonzero(mask.reshape(-1, mask.shape[2]).any(axis=0)),
    ]


def _weights(
    shape: tuple[int, ...], spacing_mm: tuple[float, float, float], real: type[np.floating]
) -> NDArray[np.floating]:
    """Transform of the inverse distances on the grid that wraps around; a voxel has no weight with itself."""
    from scipy import fft

    squares = [
        (np.minimum(np.arange(n), n - np.arange(n)) * s) ** 2 for n, s in zip(shape, spacing_mm, strict=True)
    ]
    inverse = np.empty(shape, real)
    for z, square in enumerate(squares[0]):
        plane = square + squares[1][:, None] + squares[2]
        if z == 0:
            plane[0, 0] = np.inf
        inverse[z] = 1 / np.sqrt(plane)
    # the grid is even along every axis: its transform is real
    transformed: NDArray[np.floating] = np.ascontiguousarray(fft.rfftn(inverse, overwrite_x=True).real)
    return transformed


def _sum(
    a: NDArray[np.complexfloating],
    b: NDArray[np.complexfloating],
    weights: NDArray[np.floating],
    shape: tuple[int, ...],
) -> float:
    """Sum over all cells of the product of a and the correlation of b with the weights (Parseval)."""
    return float(_half_spectrum_sum(a, b, weights, shape[2] // 2 if shape[2] % 2 == 0 else 0)) / float(
        np.prod(shape)
    )


@kernel
def _half_spectrum_sum(
    a: NDArray[np.complexfloating], b: NDArray[np.complexfloating], weights: NDArray[np.floating], last: int
) -> float:
    """Sum of the real parts of a · conj(b) · weights; all but the first and `last` column twice."""
    nz, ny, nx = a.shape
    total = 0.0
    for z in range(nz):
        for y in range(ny):
            row = 0.0
            for x in range(nx):
                product = (a[z, y, x].real * b[z, y, x].real + a[z, y, x].imag * b[z, y, x].imag) * weights[
                    z, y, x
                ]
                row += product if x in (0, last) else 2 * product
            total += row
    return total


@kernel
def _all_pairs(
    places: NDArray[np.float64], deviations: NDArray[np.float64], sums: NDArray[np.float64]
) -> None:
    """Add up both orders of every pair."""
    z, y, x = places[0], places[1], places[2]
    for i in range(len(z)):
        weight, moran, geary = 0.0, 0.0, 0.0
        for j in range(i):
            inverse = 1 / np.sqrt((z[i] - z[j]) ** 2 + (y[i] - y[j]) ** 2 + (x[i] - x[j]) ** 2)
            weight += inverse
            moran += inverse * deviations[i] * deviations[j]
            geary += inverse * (deviations[i] - deviations[j]) ** 2
        sums[0] += 2 * weight
        sums[1] += 2 * moran
        sums[2] += 2 * geary
