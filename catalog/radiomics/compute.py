"""All features of one region: the function that notebooks and the features job call."""

from __future__ import annotations

import math
from importlib import import_module
from typing import TYPE_CHECKING, Any

from catalog.radiomics.features import FEATURES, is_asked_for
from catalog.radiomics.prepare import EmptyRegionError, Prepared, prepare
from catalog.radiomics.settings import TEXTURES, Settings
from hpc.errors import UsageError

if TYPE_CHECKING:
    from catalog.masks.mask import Mask
    from catalog.radiomics.region import Region
    from catalog.volumes.volume import Volume

__all__ = ["EmptyRegionError", "compute_features"]

Values = dict[str, float | None]
UNDEFINED = "not defined for this region"


def compute_features(
    volume: Volume | Any,
    mask: Mask | Any,
    settings: Settings | None = None,
    *,
    spacing_mm: tuple[float, float, float] | None = None,
    reasons: dict[str, str] | None = None,
) -> Values:
    """Compute the features of one region of interest.

    Parameters
    ----------
    volume : Volume or numpy.ndarray
        Intensities, shape (z, y, x), any real type. Only a box around the mask is read and copied.
    mask : Mask or numpy.ndarray
        Same shape; voxels that are not 0 belong to the region.
    settings : Settings, optional
        Default: no interpolation, no re-segmentation, bins of width 25, 3D features.
    spacing_mm : tuple of float, optional
        (z, y, x) of an array; default 1 mm. A Volume brings its own.
    reasons : dict, optional
        Filled with the reason of every feature that is None.

    Returns
    -------
    dict of str to float or None
        The features of :data:`FEATURES` that the settings ask for, in their order; None where one is not
        defined: after re-segmentation left nothing, for values that are not finite, for degenerate regions.

    Raises
    ------
    EmptyRegionError
        The mask holds no voxel at all.
    UsageError
        Shapes differ, or a spacing is given for a Volume.
    """
    import numpy as np

    settings = Settings() if settings is None else settings
    array = getattr(volume, "array", volume)
    if array is not volume and spacing_mm is not None:
        raise UsageError("spacing_mm is for arrays; a Volume has its own")
    spacing = getattr(volume, "spacing_mm", None) or spacing_mm or (1.0, 1.0, 1.0)
    flags = np.asarray(getattr(mask, "array", mask))
    prepared = prepare(np.asarray(array), flags, settings, spacing, getattr(volume, "unit", ""))
    why: dict[str, str] = {}
    found = _families(prepared, settings, why)
    return _in_order(found, prepared, settings, why, reasons)


def _families(prepared: Prepared, settings: Settings, why: dict[str, str]) -> Values:
    region, found = prepared.region, Values()
    if region is None:
        return found
    if "morphology" in settings.families:
        found |= _call("morphology", "morphology_features", region, settings, why)
    if prepared.problem:
        return found
    if "morphology" in settings.families:
        found |= _call("autocorrelation", "autocorrelation_features", region, settings, why)
    if "local_intensity" in settings.families:
        found |= _call("local", "local_intensity_features", region, settings, why)
    found |= _distributions(region, settings, why)
    if prepared.level_problem:
        return found
    if "histogram" in settings.families:
        found |= _call("histogram", "histogram_features", region, settings, why)
    return found | _textures(region, settings)


def _call(module: str, function: str, region: Region, settings: Settings, why: dict[str, str]) -> Values:
    home = import_module(f"catalog.radiomics.{module}")
    values: Values = getattr(home, function)(region, settings, why)
    return values


def _distributions(region: Region, settings: Settings, why: dict[str, str]) -> Values:
    """Families of the intensities' distribution: the voxels are counted once."""
    if not {"statistics", "ivh"} & set(settings.families):
        return {}
    from catalog.radiomics.distribution import distribution_of
    from catalog.radiomics.ivh import ivh_features
    from catalog.radiomics.statistics import statistics_features

    counted, found = distribution_of(region.image, region.intensity_mask), Values()
    if "statistics" in settings.families:
        found |= statistics_features(region, settings, why, distribution=counted)
    if "ivh" in settings.families:
        found |= ivh_features(region, settings, why, distribution=counted)
    return found


def _textures(region: Region, settings: Settings) -> Values:
    if not set(TEXTURES) & set(settings.families) or not settings.aggregations:
        return {}
    from catalog.radiomics.textures import texture_features

    values: Values = texture_features(
        region.levels, region.n_levels, settings.aggregations, settings, roi=region.roi
    )
    return values


def _in_order(
    found: Values, prepared: Prepared, settings: Settings, why: dict[str, str], reasons: dict[str, str] | None
) -> Values:
    """Give every feature asked for its value or null, and every null its reason."""
    values = Values()
    by_levels = {"histogram", *TEXTURES}
    for feature in FEATURES:
        if not is_asked_for(feature, settings):
            continue
        value = found.get(feature.name)
        fit = value is not None and math.isfinite(value)
        values[feature.name] = float(value) if fit and value is not None else None
        if not fit and reasons is not None:
            problem = prepared.level_problem if feature.family in by_levels else prepared.problem
            reasons[feature.name] = why.get(feature.name) or problem or UNDEFINED
    return values
