"""Features of the histogram of discretised grey levels (IBSI family ZVCW)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from catalog.radiomics.distribution import Distribution
from catalog.radiomics.statistics import EMPTY, describe

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from catalog.radiomics.region import Region
    from catalog.radiomics.settings import Settings

_SHARED = (
    "mean", "var", "skew", "kurt", "median", "min", "p10", "p90", "max", "iqr", "range", "mad", "rmad",
    "medad", "cov", "qcod",
)  # fmt: skip
_OWN = ("mode", "entropy", "uniformity", "max_grad", "max_grad_g", "min_grad", "min_grad_g")
HISTOGRAM = tuple(f"ih_{name}" for name in (*_SHARED, *_OWN))

ONE_LEVEL = "the histogram has a single bin"


def histogram_features(
    region: Region,
    settings: Settings,  # noqa: ARG001 - every family is called alike
    reasons: dict[str, str] | None = None,
) -> dict[str, float | None]:
    """Compute the 23 features of the intensity histogram.

    Parameters
    ----------
    region : Region
    settings : Settings
        Nothing of it matters here: the region is discretised already.
    reasons : dict, optional
        Filled with the reason of every feature that is None.

    Returns
    -------
    dict of str to float or None
        `ih_mean` to `ih_min_grad_g`.

    Notes
    -----
    IBSI reference manual, section "Intensity histogram features".
    """
    return features_of(level_counts(region.levels, region.n_levels), reasons)


def level_counts(levels: NDArray[np.integer], n_levels: int) -> NDArray[np.int64]:
    """Voxels of each grey level from 1 on; level 0 is outside of the region.

    Parameters
    ----------
    levels : unsigned integer array, any shape
    n_levels : int
        Number of bins: empty ones at the end count for the histogram's gradient.
    """
    if levels.dtype.itemsize == 1:
        counts = _bytes_counted(levels.reshape(-1).view(np.uint8))
    else:
        counts = np.bincount(levels.reshape(-1), minlength=n_levels + 1)
    return counts[1 : n_levels + 1].astype(np.int64)


def features_of(counts: NDArray[np.int64], reasons: dict[str, str] | None = None) -> dict[str, float | None]:
    """Features of a histogram whose first bin is grey level 1."""
    why: dict[str, str] = {}
    present = np.flatnonzero(counts)
    distribution = Distribution((present + 1).astype(np.float64), counts[present])
    values = describe(distribution, "ih", why)
    if len(present):
        values |= _bins(counts, distribution) | _gradients(counts, why)
    else:
        why |= {f"ih_{name}": EMPTY for name in _OWN}
    if reasons is not None:
        reasons.update({name: reason for name, reason in why.items() if name in HISTOGRAM})
    return {name: values.get(name) for name in HISTOGRAM}


def _bins(counts: NDArray[np.int64], distribution: Distribution) -> dict[str, float | None]:
    """Mode, entropy and uniformity."""
    share = distribution.counts / distribution.n_voxels
    modes = np.flatnonzero(counts == counts.max()) + 1
    mode = modes[np.argmin(np.abs(modes - distribution.mean()))]  # of two as near, the lower one
    return {
        "ih_mode": float(mode),
        "ih_entropy": float(-(share @ np.log2(share))) + 0.0,  # never -0.0
        "ih_uniformity": float(share @ share),
    }


def _gradients(counts: NDArray[np.int64], why: dict[str, str]) -> dict[str, float | None]:
    """Steepest rise and fall of the histogram, and the first level of each."""
    names = ("ih_max_grad", "ih_max_grad_g", "ih_min_grad", "ih_min_grad_g")
    if len(counts) < 2:
        why |= dict.fromkeys(names, ONE_LEVEL)
        return dict.fromkeys(names)
    slope = np.gradient(counts.astype(np.float64))
    up, down = int(np.argmax(slope)), int(np.argmin(slope))
    return dict(zip(names, (float(slope[up]), up + 1.0, float(slope[down]), down + 1.0), strict=True))


def _bytes_counted(levels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Count bytes without the eight times wider copy that NumPy's count makes of all of them at once."""
    counts = np.zeros(256, np.int64)
    for start in range(0, len(levels), 1 << 18):
        counts += np.bincount(levels[start : start + (1 << 18)], minlength=256)
    return counts
