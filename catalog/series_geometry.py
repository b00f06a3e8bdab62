"""Counts, layout and geometry of series, and the verdict whether they stack into one regular volume."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from catalog.columns import BOOLEAN, INTEGER, REAL, REALS, SERIES, TEXT, Column, Kind
from catalog.grouping import changes, decoded, dense_rank, plain, valid
from catalog.planes import SHEARED_MM, UNIFORM, Geometry, gather_planes, measure

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

    from catalog.grouping import Flags, Groups, Ints

SINGLE_FRAME: Final = "single-frame"
MULTI_FRAME: Final = "multi-frame"
MOSAIC: Final = "mosaic"
NO_IMAGE: Final = "no image"

REASONS: Final[dict[str, str]] = {
    "no_geometry": "an image has no position or orientation of its own, or there is no image",
    "mixed_matrix": "images differ in rows, columns or pixel spacing",
    "mixed_orientation": "images are turned against each other",
    "duplicate_positions": "some positions have more images than others",
    "multiple_volumes": "every position has the same number of images, above one: echoes, time points",
    "missing_slices": "some gaps are whole multiples of the spacing",
    "variable_spacing": "gaps differ by more than 1 % of the median spacing",
    "sheared": "positions shift by more than 1 mm across the normal, as with a tilted gantry",
}


def _derived(name: str, kind: Kind, text: str, unit: str = "") -> Column:
    return Column(name, (), "", kind, SERIES, text, unit=unit)


GEOMETRY_COLUMNS: Final = (
    _derived("n_instances", INTEGER, "different SOPInstanceUIDs"),
    _derived(
        "n_uid_conflicts", INTEGER, "objects whose SOPInstanceUID another object with other content has"
    ),
    _derived("n_frames", INTEGER, "frames with pixel data; an image of one frame counts 1"),
    _derived("layout", TEXT, "single-frame, multi-frame, mosaic (slices tiled in one image) or no image"),
    _derived("n_planes", INTEGER, "frames with a position and an orientation"),
    _derived("n_orientations", INTEGER, "different orientations of the planes"),
    _derived("n_positions", INTEGER, "different positions along the normal; null where orientations differ"),
    _derived("planes_per_position", REAL, "n_planes / n_positions"),
    _derived("n_duplicate_positions", INTEGER, "positions with more than one plane"),
    _derived(
        "n_missing_slices", INTEGER, "positions left out by gaps of whole spacings; null for other gaps"
    ),
    _derived("slice_spacing_mm", REAL, "median distance of neighbouring positions along the normal", "mm"),
    _derived("spacing_min_mm", REAL, "least such distance", "mm"),
    _derived("spacing_max_mm", REAL, "greatest such distance", "mm"),
    _derived("tilt_mm", REAL, "greatest shift across the normal from the first position", "mm"),
    _derived("tilt_deg", REAL, "angle between the normal and the line from first to last position", "deg"),
    _derived("first_position", REALS, "position of the lowest plane along the normal, LPS", "mm"),
    _derived("last_position", REALS, "position of the highest plane along the normal, LPS", "mm"),
    _derived("geometry_regular", BOOLEAN, "true where the images stack into one volume with equal spacing"),
    _derived("geometry_reason", TEXT, f"null where regular, else the first of {', '.join(REASONS)}"),
)


def geometry_cells(instances: pa.Table, groups: Groups, mixed_sizes: Flags) -> dict[str, Any]:
    """Return the columns of counts and geometry.

    Parameters
    ----------
    instances : pyarrow.Table
        Instances of whole series.
    groups : Groups
        Their series.
    mixed_sizes : numpy.ndarray
        True for series whose images differ in rows or columns.

    Returns
    -------
    dict
        A value per series for each of :data:`GEOMETRY_COLUMNS`, by name.
    """
    import pyarrow as pa

    frames = plain(instances.column("NumberOfFrames")).fill_null(1).to_numpy()
    is_image = valid(plain(instances.column("pixel_offset")))
    for name in ("Rows", "Columns"):
        is_image &= valid(plain(instances.column(name)))
    is_mosaic = _are_mosaics(instances) & (frames <= 1)
    n_frames = groups.total(np.maximum(frames, 1) * is_image)
    layout = np.select(
        [n_frames == 0, groups.total(is_image & is_mosaic) > 0, groups.total(is_image & (frames > 1)) > 0],
        [NO_IMAGE, MOSAIC, MULTI_FRAME],
        SINGLE_FRAME,
    )
    n_versions = groups.total(plain(instances.column("uid_version")).fill_null(0).to_numpy() > 0)
    cells: dict[str, Any] = {
        "n_instances": _count_uids(instances, groups, n_versions),
        "n_uid_conflicts": n_versions,
        "n_frames": n_frames,
        "layout": pa.array(layout.tolist(), pa.string()),
    }
    geometry = measure(gather_planes(instances, groups.of_row, ~is_mosaic))
    return cells | _measures(geometry, groups.count) | _verdict(geometry, n_frames, mixed_sizes)


def _are_mosaics(instances: pa.Table) -> Flags:
    """Tell which images are mosaics: Siemens says MOSAIC, UIH says VFRAME in ImageType.

    Siemens keeps the word in enhanced multi-frame objects, which are none.
    """
    import pyarrow.compute as pc

    kinds = plain(instances.column("ImageType"))
    pattern = r"(^|\\)\s*(MOSAIC|VFRAME)\s*(\\|$)"
    if hasattr(kinds, "dictionary"):
        known = pc.match_substring_regex(kinds.dictionary, pattern).take(kinds.indices)
    else:
        at = np.flatnonzero(changes(kinds))
        known = pc.match_substring_regex(kinds.take(at), pattern)
        known = known.take(np.arange(len(at)).repeat(np.diff(at, append=len(kinds))))
    flags: Flags = known.fill_null(False).to_numpy(zero_copy_only=False)  # noqa: FBT003
    return flags


def _count_uids(instances: pa.Table, groups: Groups, n_versions: Ints) -> Ints:
    """Count different SOPInstanceUIDs; only where contents conflict does a UID come twice in a series."""
    import pyarrow as pa

    counts = groups.total(valid(plain(instances.column("SOPInstanceUID"))))
    conflicting = n_versions > 0
    row = np.flatnonzero(np.isin(groups.of_row, np.flatnonzero(conflicting)))
    if len(row):
        uid = dense_rank(decoded(plain(instances.column("SOPInstanceUID")).take(pa.array(row))))
        pairs = np.unique(np.stack([groups.of_row[row], uid]), axis=1)[0]
        counts[conflicting] = np.bincount(pairs, minlength=groups.count)[conflicting]
    return counts


def _measures(geometry: Geometry, n_series: int) -> dict[str, Any]:
    """Return the columns that say what was measured; null where it makes no sense."""
    one_stack = geometry.n_orientations == 1
    spaced = one_stack & (geometry.n_positions > 1)

    def column(values: npt.NDArray[Any], known: Flags) -> pa.Array:
        return _spread(values, known, geometry.group, n_series)

    countable = spaced & np.isfinite(geometry.n_missing)
    n_missing = np.where(countable, geometry.n_missing, 0).astype(np.int64)
    ratio = geometry.n_planes / np.maximum(geometry.n_positions, 1)
    n_planes, n_orientations = np.zeros(n_series, np.int64), np.zeros(n_series, np.int64)
    n_planes[geometry.group], n_orientations[geometry.group] = geometry.n_planes, geometry.n_orientations
    return {
        "n_planes": n_planes,
        "n_orientations": n_orientations,
        "n_positions": column(geometry.n_positions, one_stack),
        "planes_per_position": column(ratio, one_stack),
        "n_duplicate_positions": column(geometry.n_duplicate, one_stack),
        "n_missing_slices": column(n_missing, countable),
        "slice_spacing_mm": column(geometry.spacing, spaced),
        "spacing_min_mm": column(geometry.spacing_min, spaced),
        "spacing_max_mm": column(geometry.spacing_max, spaced),
        "tilt_mm": column(geometry.shift, spaced),
        "tilt_deg": column(geometry.tilt, spaced),
        "first_position": column(geometry.first, one_stack),
        "last_position": column(geometry.last, one_stack),
    }


def _spread(values: npt.NDArray[Any], known: Flags, group: Ints, n_series: int) -> pa.Array:
    """Return values of some series as a column of all: null where they are not known."""
    import pyarrow as pa

    of_series = np.full(n_series, -1, np.int64)
    of_series[group[known]] = np.flatnonzero(known)
    at = pa.array(of_series, mask=of_series < 0)
    if values.ndim == 1:
        return pa.array(values).take(at)
    width = values.shape[1]
    offsets = np.arange(len(values) + 1, dtype=np.int32) * width
    return pa.ListArray.from_arrays(offsets, pa.array(values.reshape(-1))).take(at)


def _verdict(geometry: Geometry, n_frames: Ints, mixed_sizes: Flags) -> dict[str, Any]:
    """Return the verdict and its reason for each series."""
    import pyarrow as pa

    group = geometry.group
    uneven = (geometry.spacing_min < geometry.spacing * (1 - UNIFORM)) | (
        geometry.spacing_max > geometry.spacing * (1 + UNIFORM)
    )
    tests = {
        "no_geometry": (n_frames[group] == 0) | (n_frames[group] > geometry.n_planes),
        "mixed_matrix": mixed_sizes[group] | ~geometry.same_pixels,
        "mixed_orientation": geometry.n_orientations > 1,
        "duplicate_positions": geometry.fewest != geometry.most,
        "multiple_volumes": geometry.most > 1,
        "missing_slices": uneven & (geometry.n_missing > 0),
        "variable_spacing": uneven,
        "sheared": geometry.shift > SHEARED_MM,
    }
    names = list(REASONS)
    reason = np.full(len(n_frames), names.index("no_geometry"))
    reason[group] = np.select([tests[name] for name in names], range(len(names)), -1)
    regular = reason < 0
    return {
        "geometry_regular": regular,
        "geometry_reason": pa.array(names).take(pa.array(reason, mask=regular)),
    }
