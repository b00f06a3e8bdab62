"""Intensity-based statistics of a region (IBSI family UHIW)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from catalog.radiomics.distribution import Distribution, distribution_of

if TYPE_CHECKING:
    from catalog.radiomics.region import Region
    from catalog.radiomics.settings import Settings

STATISTICS = (
    "mean", "var", "skew", "kurt", "median", "min", "p10", "p90", "max", "iqr", "range", "mad", "rmad",
    "medad", "cov", "qcod", "energy", "rms",
)  # fmt: skip

FLAT = "all voxels have the same intensity"
NO_MEAN = "the mean is zero"
NO_QUARTILES = "the sum of the quartiles is zero"
NOT_FINITE = "intensities are not finite"
EMPTY = "the region is empty"


def statistics_features(
    region: Region,
    settings: Settings,  # noqa: ARG001 - every family is called alike
    reasons: dict[str, str] | None = None,
    *,
    distribution: Distribution | None = None,
) -> dict[str, float | None]:
    """Compute the 18 intensity statistics of the intensity mask.

    Parameters
    ----------
    region : Region
    settings : Settings
        Nothing of it matters here.
    reasons : dict, optional
        Filled with the reason of every feature that is None.
    distribution : Distribution, optional
        The intensities of the region, if they are counted already.

    Returns
    -------
    dict of str to float or None
        `stat_mean` to `stat_rms`, in the unit of the image (variance and energy: its square).

    Notes
    -----
    IBSI reference manual, section "Intensity-based statistical features". Variance, skewness and kurtosis
    divide by the number of voxels; the kurtosis is the excess kurtosis.
    """
    counted = distribution or distribution_of(region.image, region.intensity_mask)
    return describe(counted, "stat", reasons)


def describe(
    distribution: Distribution, prefix: str, reasons: dict[str, str] | None = None
) -> dict[str, float | None]:
    """Statistics of a distribution; names start with a prefix (`stat`, or `ih` for grey levels)."""
    why: dict[str, str] = {}
    if distribution.missing or not distribution.n_voxels:
        reason = NOT_FINITE if distribution.missing else EMPTY
        why = dict.fromkeys(STATISTICS, reason)
        values: dict[str, float | None] = dict.fromkeys(STATISTICS)
    else:
        values = {**_moments(distribution, why), **_order(distribution, why)}
    if reasons is not None:
        reasons.update({f"{prefix}_{name}": reason for name, reason in why.items()})
    return {f"{prefix}_{name}": values[name] for name in STATISTICS}


def _moments(distribution: Distribution, why: dict[str, str]) -> dict[str, float | None]:
    """Features of sums of powers."""
    values, counts, n = distribution.values, distribution.counts, distribution.n_voxels
    mean = distribution.mean()
    centred = values - mean
    variance = float(centred**2 @ counts) / n if len(values) > 1 else 0.0
    energy = float(values**2 @ counts)
    skewness: float | None = None
    kurtosis: float | None = None
    if variance > 0:
        unit = centred / np.sqrt(variance)
        skewness = float(unit**3 @ counts) / n
        kurtosis = float(unit**4 @ counts) / n - 3
    else:
        why["skew"] = why["kurt"] = FLAT
    if mean == 0:
        why["cov"] = NO_MEAN
    return {
        "mean": mean,
        "var": variance,
        "skew": skewness,
        "kurt": kurtosis,
        "mad": distribution.deviation(mean),
        "cov": float(np.sqrt(variance)) / mean if mean != 0 else None,
        "energy": energy,
        "rms": float(np.sqrt(energy / n)),
    }


def _order(distribution: Distribution, why: dict[str, str]) -> dict[str, float | None]:
    """Features of ranks."""
    low, high = float(distribution.values[0]), float(distribution.values[-1])
    p10, p25, median, p75, p90 = (distribution.percentile(p) for p in (10, 25, 50, 75, 90))
    robust = distribution.between(p10, p90)
    rmad = robust.deviation(robust.mean()) if robust.n_voxels else None
    if rmad is None:
        why["rmad"] = "no voxel lies between the 10th and the 90th percentile"
    if p75 + p25 == 0:
        why["qcod"] = NO_QUARTILES
    return {
        "median": median,
        "min": low,
        "p10": p10,
        "p90": p90,
        "max": high,
        "iqr": p75 - p25,
        "range": high - low,
        "rmad": rmad,
        "medad": distribution.deviation(median),
        "qcod": (p75 - p25) / (p75 + p25) if p75 + p25 != 0 else None,
    }
