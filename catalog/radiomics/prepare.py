"""From an image and a mask to a region: crop, interpolate, re-segment, discretise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from catalog.kernel import kernel
from catalog.radiomics.discretise import bins_of, discretise
from catalog.radiomics.interpolate import SPLINE_MARGIN, Axis, interpolate
from catalog.radiomics.region import PEAK_RADIUS_MM, Region
from catalog.radiomics.resegment import resegment
from hpc.errors import CohortiumError, UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from catalog.radiomics.settings import Settings

VANISHED = "no voxel of the mask is left after interpolation"
OUT_OF_RANGE = "re-segmentation left no voxel"
NOT_FINITE = "the image holds values that are not finite numbers in or near the region"
TOO_MANY_LEVELS = "the bins are so narrow that there are more than 65535 grey levels"

Box = tuple[slice, slice, slice]


class EmptyRegionError(CohortiumError, ValueError):
    """The mask holds no voxel."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A region, or why there is none of some kind.

    Attributes
    ----------
    region : Region or None
        None if interpolation left no voxel.
    problem : str
        Why features of intensities are null, or empty.
    level_problem : str
        Why features of grey levels are null, or empty.
    """

    region: Region | None
    problem: str = ""
    level_problem: str = ""


def box_of(mask: NDArray[Any]) -> Box | None:
    """Return the smallest box (z, y, x) that holds the mask's voxels, or None if it has none.

    The mask is read once, at the speed of memory; it is not copied if bool or of one byte and contiguous.
    """
    flags = mask.view(np.uint8) if mask.dtype in {np.dtype(bool), np.dtype(np.int8)} else mask
    if flags.dtype != np.uint8:
        flags = (mask != 0).view(np.uint8)
    flags = np.ascontiguousarray(flags)
    rows = np.zeros(flags.shape[:2], np.uint8)
    words = flags.view(np.uint64) if flags.shape[2] % 8 == 0 and flags.ctypes.data % 8 == 0 else flags
    _rows_used(words, rows)
    used = np.argwhere(rows)
    if not len(used):
        return None
    (z0, y0), (z1, y1) = used.min(0), used.max(0) + 1
    columns = np.zeros(flags.shape[2], np.uint8)
    _columns_used(flags, z0, z1, y0, y1, columns)
    x = np.flatnonzero(columns)
    return slice(int(z0), int(z1)), slice(int(y0), int(y1)), slice(int(x[0]), int(x[-1]) + 1)


@kernel
def _rows_used(words: Any, rows: Any) -> None:
    for z in range(words.shape[0]):
        for y in range(words.shape[1]):
            found = words[z, y, 0]
            for x in range(1, words.shape[2]):
                found |= words[z, y, x]
            rows[z, y] = found != 0


@kernel
def _columns_used(flags: Any, z0: int, z1: int, y0: int, y1: int, columns: Any) -> None:
    for z in range(z0, z1):
        for y in range(y0, y1):
            for x in range(flags.shape[2]):
                columns[x] |= flags[z, y, x]


def prepare(
    array: NDArray[Any],
    mask: NDArray[Any],
    settings: Settings,
    spacing_mm: tuple[float, float, float],
    unit: str = "",
) -> Prepared:
    """Make the region of a mask.

    Parameters
    ----------
    array : numpy.ndarray
        Intensities, shape (z, y, x), any real type; only a box around the mask is read.
    mask : numpy.ndarray
        Same shape; voxels that are not 0 belong to the region.
    settings : Settings
    spacing_mm : tuple of float
        (z, y, x).
    unit : str
        What an intensity is.

    Raises
    ------
    EmptyRegionError
        The mask holds no voxel.
    UsageError
        Shapes differ, or are not of three axes; voxels are no real numbers; a spacing is not above zero.
    """
    if array.ndim != 3 or array.shape != mask.shape:
        raise UsageError(f"image {array.shape} and mask {mask.shape}; expected two equal shapes (z, y, x)")
    if array.dtype.kind not in "biuf" or mask.dtype.kind not in "biuf":
        raise UsageError(f"image of {array.dtype} and mask of {mask.dtype}; expected real numbers")
    if len(spacing_mm) != 3 or not all(math.isfinite(s) and s > 0 for s in spacing_mm):
        raise UsageError(f"spacing_mm is {spacing_mm}; expected three numbers above zero, (z, y, x)")
    box = box_of(mask)
    if box is None:
        raise EmptyRegionError("the mask holds no voxel; expected at least one in the region of interest")
    image, morphological, spacing = on_grid(array, mask, box, settings, spacing_mm)
    inner = box_of(morphological)
    if inner is None:
        return Prepared(None, VANISHED, VANISHED)
    with np.errstate(invalid="ignore"):
        intensity = resegment(image, morphological, settings)
    return _discretised(image, intensity, morphological, inner, settings, spacing, unit)


def _discretised(
    image: NDArray[np.float32],
    intensity: NDArray[np.bool_],
    morphological: NDArray[np.bool_],
    inner: Box,
    settings: Settings,
    spacing: tuple[float, float, float],
    unit: str,
) -> Prepared:
    roi = np.zeros(tuple(s.stop - s.start + 2 for s in inner), np.uint8)
    roi[1:-1, 1:-1, 1:-1] = morphological[inner]
    extremes = np.array([np.inf, -np.inf, 0.0])
    corners = np.array([(s.start, s.stop) for s in inner])
    _extremes(image, intensity.view(np.uint8), corners, extremes)
    problem = NOT_FINITE if extremes[2] else OUT_OF_RANGE if extremes[0] > extremes[1] else ""
    bins = None if problem else bins_of(float(extremes[0]), float(extremes[1]), settings)
    levels = np.zeros_like(roi) if bins is None else discretise(image, intensity, inner, bins)
    n_levels = 0 if bins is None else bins.n_levels
    region = Region(image, intensity, morphological, levels, roi, n_levels, spacing, unit)
    return Prepared(region, problem, problem or (TOO_MANY_LEVELS if bins is None else ""))


@kernel
def _extremes(image: Any, mask: Any, corners: Any, extremes: Any) -> None:
    """Least and greatest value of a mask, and how many are not finite."""
    low, high = np.float64(np.inf), np.float64(-np.inf)
    bad = 0
    for z in range(corners[0, 0], corners[0, 1]):
        for y in range(corners[1, 0], corners[1, 1]):
            for x in range(corners[2, 0], corners[2, 1]):
                if mask[z, y, x]:
                    value = np.float64(image[z, y, x])
                    bad += not np.isfinite(value)
                    low = min(low, value)
                    high = max(high, value)
    extremes[0], extremes[1], extremes[2] = low, high, bad


def on_grid(
    array: NDArray[Any],
    mask: NDArray[Any],
    box: Box,
    settings: Settings,
    spacing_mm: tuple[float, float, float],
) -> tuple[NDArray[np.float32], NDArray[np.bool_], tuple[float, float, float]]:
    """Return image and morphological mask on the grid of the settings, cropped, and its spacing.

    Filters see the whole volume's extent of their support; without a filter the margin is that of the
    local intensity peak and of the spline.
    """
    axes = tuple(
        Axis.of(n, old, new) for n, old, new in zip(array.shape, spacing_mm, settings.grid_mm, strict=True)
    )
    spacing = tuple(s * axis.step for s, axis in zip(spacing_mm, axes, strict=True))
    margin = PEAK_RADIUS_MM
    if settings.filter is not None:
        margin = math.inf
    out_box = []
    for side, axis, old in zip(box, axes, spacing_mm, strict=True):
        reach = math.ceil(min(margin / old, axis.n_old)) + 1
        out_box.append(slice(*axis.new_range(side.start - reach, side.stop - 1 + reach)))
    image = _image_on_grid(array, axes, tuple(out_box), settings)
    flags = _mask_on_grid(mask, axes, tuple(out_box), settings)
    if settings.filter is not None:
        from catalog.radiomics.filters import apply_filter

        image = np.ascontiguousarray(apply_filter(image, spacing, settings.filter), np.float32)
    return image, flags, (spacing[0], spacing[1], spacing[2])


def _image_on_grid(
    array: NDArray[Any], axes: tuple[Axis, ...], box: tuple[slice, ...], settings: Settings
) -> NDArray[np.float32]:
    if all(axis.kept for axis in axes):
        return np.array(array[box], np.float32, order="C")
    pad = SPLINE_MARGIN if settings.image_interpolation == "cubic" else 2
    crop, first = _crop(axes, box, pad)
    image = interpolate(array[crop], first, axes, box, settings.image_interpolation)
    return np.rint(image, out=image) if settings.round_intensities else image


def _mask_on_grid(
    mask: NDArray[Any], axes: tuple[Axis, ...], box: tuple[slice, ...], settings: Settings
) -> NDArray[np.bool_]:
    if all(axis.kept for axis in axes):
        return np.array(mask[box] != 0, order="C")
    crop, first = _crop(axes, box, 2)
    part = interpolate(mask[crop] != 0, first, axes, box, settings.mask_interpolation)
    return np.asarray(part >= settings.mask_threshold - 1e-6)


def _crop(
    axes: tuple[Axis, ...], box: tuple[slice, ...], pad: int
) -> tuple[tuple[slice, ...], tuple[int, ...]]:
    """Return the old voxels that a box of new ones is made from, and the first of them."""
    crop = []
    for axis, side in zip(axes, box, strict=True):
        low, high = axis.old_of(side.start), axis.old_of(side.stop - 1)
        crop.append(slice(max(0, math.floor(low) - pad), min(axis.n_old, math.ceil(high) + pad + 1)))
    return tuple(crop), tuple(side.start for side in crop)
