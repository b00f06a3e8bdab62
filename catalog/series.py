"""The ``series`` table: what the instances of a series have in common, and its geometry.

Disagreement is kept: an attribute's value is the most frequent one, and ``n_distinct_<keyword>`` says how many
there are. The verdict ``geometry_regular`` is about stacking the images into one volume; ``geometry_reason`` names
the first obstacle, in the order of :data:`REASONS`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from catalog.columns import (
    ATTRIBUTES,
    BOOLEAN,
    DERIVED,
    INSTANCE,
    INTEGER,
    REAL,
    REALS,
    RESEARCH,
    SERIES,
    TEXT,
    Column,
)
from catalog.grouping import changes, decoded, dense_rank, group_rows, matrix, most_frequent, plain, valid
from catalog.planes import SHEARED_MM, UNIFORM, Geometry, gather_planes, measure, normals

if TYPE_CHECKING:
    import pyarrow as pa

    from catalog.grouping import Flags, Groups, Ints

KEYS: Final = ("site", "SeriesInstanceUID")

# Attributes of instances that are asked for by series.
COMMON: Final = frozenset(
    [
        "SOPClassUID",
        "ImageType",
        "SpecificCharacterSet",
        "TransferSyntaxUID",
        "BurnedInAnnotation",
        "AcquisitionDate",
        "ImageOrientationPatient",
        "PixelSpacing",
        "SliceThickness",
        "SpacingBetweenSlices",
        "ImagerPixelSpacing",
        "Rows",
        "Columns",
        "SamplesPerPixel",
        "PhotometricInterpretation",
        "BitsStored",
        "RescaleIntercept",
        "RescaleSlope",
        "RescaleType",
        "LossyImageCompression",
        "KVP",
        "ConvolutionKernel",
        "ReconstructionDiameter",
        "DataCollectionDiameter",
        "GantryDetectorTilt",
        "ScanOptions",
        "SpiralPitchFactor",
        "TotalCollimationWidth",
        "ExposureModulationType",
        "ViewPosition",
        "MagneticFieldStrength",
        "ScanningSequence",
        "SequenceVariant",
        "SequenceName",
        "MRAcquisitionType",
        "RepetitionTime",
        "EchoTime",
        "InversionTime",
        "FlipAngle",
        "EchoTrainLength",
        "PixelBandwidth",
        "DiffusionBValue",
        "ImagedNucleus",
        "SegmentationType",
        "StructureSetLabel",
    ]
)
# Attributes that should be constant in a series: the number of their different values is kept.
CONSTANT: Final = tuple(
    [
        "PatientKey",
        "PatientSex",
        "PatientAge",
        "StudyInstanceUID",
        "StudyDate",
        "StudyDescription",
        "Modality",
        "SeriesNumber",
        "SeriesDate",
        "SeriesDescription",
        "ProtocolName",
        "BodyPartExamined",
        "PatientPosition",
        "FrameOfReferenceUID",
        "Manufacturer",
        "ManufacturerModelName",
        "DeviceSerialNumber",
        "SoftwareVersions",
        "Units",
        "SOPClassUID",
        "ImageType",
        "TransferSyntaxUID",
        "PixelSpacing",
        "SliceThickness",
        "Rows",
        "Columns",
        "SamplesPerPixel",
        "PhotometricInterpretation",
        "BitsStored",
        "RescaleIntercept",
        "RescaleSlope",
        "KVP",
        "ConvolutionKernel",
        "MagneticFieldStrength",
        "RepetitionTime",
        "EchoTime",
        "FlipAngle",
        "DiffusionBValue",
    ]
)

SINGLE_FRAME: Final = "single-frame"
MULTI_FRAME: Final = "multi-frame"
MOSAIC: Final = "mosaic"
NO_IMAGE: Final = "no image"

REASONS: Final[dict[str, str]] = {
    "no_geometry": "an image has no position or orientation of its own, or there is no image",
    "mixed_matrix": "images differ in rows, columns or pixel spacing",
    "mixed_orientation": "images are turned against each other",
    "duplicate_positions": "some positions have more images than others",
    "multiple_volumes": "every position has the same number of images, and more than one: echoes, time points",
    "missing_slices": "some gaps are whole multiples of the spacing",
    "variable_spacing": "gaps differ by more than 1 % of the median spacing",
    "sheared": "positions shift by more than 1 mm across the normal, as with a tilted gantry",
}


def _attributes() -> tuple[Column, ...]:
    """Columns that keep the most frequent value: what identifies first, then in the order of the attributes."""
    by_name = {c.name: c for c in (*DERIVED, *ATTRIBUTES)}
    keys = ("site", "PatientKey", "StudyInstanceUID", "SeriesInstanceUID")
    chosen = [
        c.name
        for c in ATTRIBUTES
        if c.zone == RESEARCH and not c.collect and (c.level != INSTANCE or c.name in COMMON)
    ]
    names = dict.fromkeys((*keys, *chosen, "TransferSyntaxUID"))
    return tuple(by_name[name] for name in names)


def _derived(name: str, kind: str, text: str, unit: str = "") -> Column:
    return Column(name, (), "", kind, SERIES, text, unit=unit)  # type: ignore[arg-type]


ATTRIBUTE_COLUMNS: Final = _attributes()
COUNT_COLUMNS: Final = tuple(
    _derived(f"n_distinct_{name}", INTEGER, f"number of different values of {name} in the series")
    for name in CONSTANT
)
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
SERIES_COLUMNS: Final[tuple[Column, ...]] = (*ATTRIBUTE_COLUMNS, *GEOMETRY_COLUMNS, *COUNT_COLUMNS)


def needed_columns() -> tuple[str, ...]:
    """Return the columns of ``instances`` from which series are derived."""
    own = ("SOPInstanceUID", "uid_version", "pixel_offset", "NumberOfFrames", "ImagePositionPatient")
    frames = ("frame_positions", "frame_orientations")
    return tuple(dict.fromkeys((*(c.name for c in ATTRIBUTE_COLUMNS), *CONSTANT, *own, *frames)))


def summarise(instances: pa.Table) -> pa.Table:
    """Derive the rows of ``series``.

    Parameters
    ----------
    instances : pyarrow.Table
        All instances of whole series, of one site or several, in any order; at least :func:`needed_columns`.

    Returns
    -------
    pyarrow.Table
        One row per site and SeriesInstanceUID that is not null, sorted by both; columns are
        :data:`SERIES_COLUMNS`.
    """
    import pyarrow as pa

    groups = group_rows(instances, KEYS)
    cells: dict[str, pa.Array | Ints] = {}
    for name in dict.fromkeys((*(c.name for c in ATTRIBUTE_COLUMNS), *CONSTANT)):
        cells[name], n_distinct = most_frequent(instances.column(name), groups)
        if name in CONSTANT:
            cells[f"n_distinct_{name}"] = n_distinct
    cells |= {key: groups.keys.column(key) for key in KEYS}
    cells |= _geometry_cells(instances, groups, _mixed_sizes(cells))
    schema = pa.schema([(c.name, c.arrow()) for c in SERIES_COLUMNS])
    return pa.table({name: cells[name] for name in schema.names}).cast(schema)


def position_order(instances: pa.Table) -> pa.Array:
    """Return the order of rows by series, position along the normal, InstanceNumber and SOPInstanceUID.

    Rows without a series, position or number come after those with one; multi-frame objects lie where their first
    frame does.
    """
    import pyarrow as pa

    series = plain(instances.column("SeriesInstanceUID"))
    at = np.flatnonzero(changes(series))
    rank = dense_rank(decoded(series.take(pa.array(at)))).repeat(np.diff(at, append=len(series)))
    position = matrix(plain(instances.column("ImagePositionPatient")), 3)
    orientation = matrix(plain(instances.column("ImageOrientationPatient")), 6)
    with np.errstate(all="ignore"):
        along = np.einsum("ij,ij->i", position, normals(orientation))
    along[~np.isfinite(along)] = np.inf
    number = plain(instances.column("InstanceNumber")).fill_null(np.iinfo(np.int64).max).to_numpy()
    order = np.lexsort((number, along, rank))
    keys = rank[order], along[order], number[order]
    tied = np.logical_and.reduce([key[1:] == key[:-1] for key in keys])
    if tied.any():
        among = np.flatnonzero(np.append(tied, False) | np.append(False, tied))
        uid = dense_rank(decoded(plain(instances.column("SOPInstanceUID")).take(pa.array(order[among]))))
        within = np.lexsort((uid, *(key[among] for key in reversed(keys))))
        order[among] = order[among][within]
    return pa.array(order)


def _mixed_sizes(cells: dict[str, pa.Array | Ints]) -> Flags:
    """Tell which series have images of several sizes."""
    sizes: Flags = (cells["n_distinct_Rows"] > 1) | (cells["n_distinct_Columns"] > 1)
    return sizes


def _geometry_cells(instances: pa.Table, groups: Groups, mixed_sizes: Flags) -> dict[str, pa.Array | Ints]:
    """Return the columns of counts and geometry."""
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
    cells: dict[str, pa.Array | Ints] = {
        "n_instances": _count_uids(instances, groups, n_versions),
        "n_uid_conflicts": n_versions,
        "n_frames": n_frames,
        "layout": pa.array(layout.tolist(), pa.string()),
    }
    planes = gather_planes(instances, groups.of_row, ~is_mosaic)
    if not len(planes.group):
        return cells | _no_geometry(groups.count)
    geometry = measure(planes)
    reason = _reasons(geometry, n_frames, mixed_sizes)
    return cells | _spread(geometry, groups.count) | _verdict(reason)


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
    row = np.flatnonzero((n_versions > 0)[groups.of_row] & (groups.of_row >= 0))
    if len(row):
        uid = dense_rank(decoded(plain(instances.column("SOPInstanceUID")).take(pa.array(row))))
        pairs = np.unique(np.stack([groups.of_row[row], uid]), axis=1)[0]
        conflicting = n_versions > 0
        counts[conflicting] = np.bincount(pairs, minlength=groups.count)[conflicting]
    return counts


def _reasons(geometry: Geometry, n_frames: Ints, mixed_sizes: Flags) -> tuple[Ints, Ints]:
    """Return, for each series in the order of the keys, the index of the reason in :data:`REASONS`, or -1."""
    group = geometry.group
    frames = n_frames[group]
    with np.errstate(invalid="ignore"):
        low, high = geometry.spacing * (1 - UNIFORM), geometry.spacing * (1 + UNIFORM)
        uneven = (geometry.spacing_min < low) | (geometry.spacing_max > high)
        tests = {
            "no_geometry": (frames == 0) | (frames > geometry.n_planes),
            "mixed_matrix": mixed_sizes[group] | ~geometry.same_pixels,
            "mixed_orientation": geometry.n_orientations > 1,
            "duplicate_positions": geometry.fewest != geometry.most,
            "multiple_volumes": geometry.most > 1,
            "missing_slices": uneven & (geometry.n_missing > 0),
            "variable_spacing": uneven,
            "sheared": geometry.shift > SHEARED_MM,
        }
    names = list(REASONS)
    reason = np.zeros(len(n_frames), np.int64)
    reason[group] = np.select([tests[name] for name in names], range(len(names)), -1)
    return reason
