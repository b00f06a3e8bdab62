"""Moran's I and Geary's C over all pairs of voxels of a region, exactly (IBSI N365 and NPT7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
_CHUNK = 1 << 20  # cells of a few rows along z
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
    """Sums over all pairs: of weights, of weighted products, of weighted squares of differences.

    Grids are twice as long as the region along every axis, so no pair meets around the corner. What is zero
    is not transformed, and along z a few rows are transformed at a time: most memory would be the padding's.
    """
    from scipy import fft

    box = tuple(slice(int(i[0]), int(i[-1]) + 1) for i in _occupied(mask))
    inside = mask[box]
    half = [fft.next_fast_len(n, real=True) for n in inside.shape]
    real: Any = np.float64 if 8 * np.prod(half) <= _DOUBLE_LIMIT else np.float32
    weights = _weights(half, spacing_mm, real)
    values = np.where(inside, image[box].astype(real) - real(mean), real(0))
    scale = float(np.abs(values).max())
    values /= real(scale)
    planes = [_along_rows(field, half) for field in (inside.astype(real), values, np.square(values))]
    sums = np.zeros(3)
    rows = max(1, _CHUNK // (half[0] * half[2]))
    for y in range(0, 2 * half[1], rows):
        spectra = [fft.fft(plane[:, y : y + rows], n=2 * half[0], axis=0) for plane in planes]
        _spectrum_sums(spectra[0], spectra[1], spectra[2], weights, y, sums)
    weight, products, crossed = (float(s) / float(8 * np.prod(half)) for s in sums)
    return weight, products * scale**2, 2 * (crossed - products) * scale**2


def _along_rows(field: NDArray[np.floating], half: list[int]) -> NDArray[np.complexfloating]:
    """Transform of a field along x and y, both padded."""
    from scipy import fft

    rows = fft.rfft(field, n=2 * half[2], axis=2)
    plane: NDArray[np.complexfloating] = fft.fft(rows, n=2 * half[1], axis=1)
    return plane


def _occupied(mask: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
    """Indices along each axis at which there is any voxel."""
    columns = np.logical_or.reduce(mask, axis=0)
    planes = np.logical_or.reduce(mask, axis=2)
    return [np.flatnonzero(planes.any(1)), np.flatnonzero(columns.any(1)), np.flatnonzero(columns.any(0))]


def _weights(half: list[int], spacing_mm: tuple[float, float, float], real: Any) -> NDArray[np.floating]:
    """Transform of the inverse distances, which is real and even; a voxel has no weight with itself."""
    from scipy import fft

    squares = [(np.arange(n + 1) * s) ** 2 for n, s in zip(half, spacing_mm, strict=True)]
    inverse = np.empty([n + 1 for n in half], real)
    for z, square in enumerate(squares[0]):
        plane = square + squares[1][:, None] + squares[2]
        if z == 0:
            plane[0, 0] = np.inf
        inverse[z] = 1 / np.sqrt(plane)
    transformed: NDArray[np.floating] = np.ascontiguousarray(fft.dctn(inverse, type=1, overwrite_x=True))
    return transformed


@kernel
def _spectrum_sums(
    ones: NDArray[np.complexfloating],
    values: NDArray[np.complexfloating],
    squares: NDArray[np.complexfloating],
    weights: NDArray[np.floating],
    start: int,
    sums: NDArray[np.float64],
) -> None:
    """Add up, times the weights, |ones|², |values|² and the real part of squares · conj(ones) (Parseval).

    Columns but the first and the last stand for their mirror images too.
    """
    nz, ny, nx = ones.shape
    for z in range(nz):
        for y in range(ny):
            row = weights[min(z, nz - z), min(start + y, 2 * (weights.shape[1] - 1) - start - y)]
            a, b, c = ones[z, y], values[z, y], squares[z, y]
            weight, product, crossed = 0.0, 0.0, 0.0
            for x in range(nx):
                w = row[x] if x in (0, nx - 1) else 2 * row[x]
                weight += w * (a[x].real * a[x].real + a[x].imag * a[x].imag)
                product += w * (b[x].real * b[x].real + b[x].imag * b[x].imag)
                crossed += w * (c[x].real * a[x].real + c[x].imag * a[x].imag)
            sums[0] += weight
            sums[1] += product
            sums[2] += crossed


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
