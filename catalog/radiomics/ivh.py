"""Features of the intensity-volume histogram (IBSI family P88C)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from catalog.radiomics.distribution import Distribution, distribution_of
from catalog.radiomics.statistics import EMPTY, NOT_FINITE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from catalog.radiomics.region import Region
    from catalog.radiomics.settings import Settings

IVH = ("ivh_v10", "ivh_v90", "ivh_i10", "ivh_i90", "ivh_diff_v10_v90", "ivh_diff_i10_i90", "ivh_auc")

Range = tuple[float | None, float | None]

ONE_INTENSITY = "the range of intensities has a single value"
NOT_WHOLE = "intensities are no whole numbers: set a bin width or a bin number for the IVH"
TOO_FINE = "the IVH has over ten million bins: set a wider bin"
_BINS_LIMIT = 10_000_000
_TINY = 1e-9  # fractions such as 0.1 are not exact in binary


def ivh_features(
    region: Region,
    settings: Settings,
    reasons: dict[str, str] | None = None,
    *,
    distribution: Distribution | None = None,
) -> dict[str, float | None]:
    """Compute the intensity-volume histogram's features of the intensity mask.

    Parameters
    ----------
    region : Region
    settings : Settings
        `ivh_bin_width` for continuous calibrated intensities (fixed bin size, bin centres as intensities),
        `ivh_bin_number` for arbitrary ones (fixed bin number); with neither, whole numbers are taken
        as they are.
        `resegment_range` is the total range, except for a fixed bin number.
    reasons : dict, optional
        Filled with the reason of every feature that is None.
    distribution : Distribution, optional
        The intensities of the region, if they are counted already.

    Returns
    -------
    dict of str to float or None
        `ivh_v10`, `ivh_v90` (fractions), `ivh_i10`, `ivh_i90` (intensities, or bins for a fixed bin number),
        their differences, and `ivh_auc`, which has no consensus value.

    Notes
    -----
    IBSI reference manual, section "Intensity-volume histogram features".
    """
    counted = distribution or distribution_of(region.image, region.intensity_mask)
    limits = settings.resegment_range or (None, None)
    return features_of(counted, limits, settings.ivh_bin_width, settings.ivh_bin_number, reasons)


def features_of(
    distribution: Distribution,
    limits: Range = (None, None),
    bin_width: float | None = None,
    bin_number: int | None = None,
    reasons: dict[str, str] | None = None,
) -> dict[str, float | None]:
    """Features of a distribution, discretised with a bin width, a bin number or not at all."""
    problem = _problem(distribution, limits, bin_width, bin_number)
    if problem:
        if reasons is not None:
            reasons.update(dict.fromkeys(IVH, problem))
        return dict.fromkeys(IVH)
    if bin_number is not None:
        intensity, counts = _by_number(distribution, bin_number)
    elif bin_width is not None:
        intensity, counts = _by_width(distribution, limits, bin_width)
    else:
        intensity, counts = _as_they_are(distribution, limits)
    return _curve(intensity, counts, reasons)


def _problem(
    distribution: Distribution, limits: Range, bin_width: float | None, bin_number: int | None
) -> str | None:
    """Why there is no histogram, if there is none."""
    if distribution.missing:
        return NOT_FINITE
    if not distribution.n_voxels:
        return EMPTY
    if bin_number is not None:
        return None
    if bin_width is None and np.any(distribution.values != np.floor(distribution.values)):
        return NOT_WHOLE
    low, high = _limits(distribution, limits)
    return TOO_FINE if (high - low) / (bin_width or 1) > _BINS_LIMIT else None


def _limits(distribution: Distribution, limits: Range) -> tuple[float, float]:
    """Total range: what re-segmentation allows, where it does not say, what is there."""
    low, high = limits
    least, greatest = float(distribution.values[0]), float(distribution.values[-1])
    return (
        least if low is None or not np.isfinite(low) else min(low, least),
        greatest if high is None or not np.isfinite(high) else max(high, greatest),
    )


def _as_they_are(distribution: Distribution, limits: Range) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Whole numbers, one bin each, from one end of the range to the other."""
    low, high = _limits(distribution, limits)
    first = float(np.ceil(low))
    counts = np.zeros(int(np.floor(high) - first) + 1, np.int64)
    counts[(distribution.values - first).astype(np.int64)] = distribution.counts
    return first + np.arange(len(counts), dtype=np.float64), counts


def _by_width(
    distribution: Distribution, limits: Range, width: float
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Bins of a fixed size; the highest intensity belongs to the last bin."""
    low, high = _limits(distribution, limits)
    bins = max(1, int(np.ceil((high - low) / width - _TINY)))
    place = np.minimum(np.floor((distribution.values - low) / width + _TINY).astype(np.int64), bins - 1)
    counts = np.bincount(place, weights=distribution.counts, minlength=bins).astype(np.int64)
    return low + (np.arange(bins, dtype=np.float64) + 0.5) * width, counts


def _by_number(distribution: Distribution, bins: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """A fixed number of bins between the lowest and the highest intensity."""
    low, high = distribution.values[0], distribution.values[-1]
    step = (high - low) / bins or 1.0
    place = np.minimum(((distribution.values - low) / step).astype(np.int64), bins - 1)
    counts = np.bincount(place, weights=distribution.counts, minlength=bins).astype(np.int64)
    return np.arange(1, bins + 1, dtype=np.float64), counts


def _curve(
    intensity: NDArray[np.float64], counts: NDArray[np.int64], reasons: dict[str, str] | None
) -> dict[str, float | None]:
    """Read the features off the curve of volume fractions."""
    n = int(counts.sum())
    volume = 1 - np.concatenate(([0], np.cumsum(counts)[:-1])) / n
    steps = len(counts) - 1
    values: dict[str, float | None] = dict.fromkeys(IVH)
    step = float(intensity[1] - intensity[0]) if steps else 1.0
    above = {}
    for percent in (10, 90):
        # the lowest intensity present in at most so much of the volume; beyond the last one it is in none
        first = np.flatnonzero(volume <= percent / 100 + _TINY)
        above[percent] = float(intensity[first[0]]) if len(first) else float(intensity[-1]) + step
        values[f"ivh_i{percent}"] = above[percent]
    values["ivh_diff_i10_i90"] = above[10] - above[90]
    if not steps:
        values["ivh_auc"] = 0.0  # the manual's definition
        if reasons is not None:
            reasons.update(dict.fromkeys(("ivh_v10", "ivh_v90", "ivh_diff_v10_v90"), ONE_INTENSITY))
        return values
    v10, v90 = (float(volume[int(np.ceil(share * steps - _TINY))]) for share in (0.1, 0.9))
    area = float(np.sum(volume[1:] + volume[:-1]) / 2 / steps)
    return values | {"ivh_v10": v10, "ivh_v90": v90, "ivh_diff_v10_v90": v10 - v90, "ivh_auc": area}
