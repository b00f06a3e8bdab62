"""The ``series`` table: what the instances of a series have in common, and its geometry.

Disagreement is kept: an attribute's value is the most frequent one, and ``n_distinct_<keyword>`` says how
many there are. Geometry and its verdict are those of :mod:`catalog.series_geometry`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from catalog.columns import ATTRIBUTES, DERIVED, INSTANCE, INTEGER, RESEARCH, SERIES, Column
from catalog.grouping import changes, decoded, dense_rank, group_rows, matrix, most_frequent, plain
from catalog.planes import normals
from catalog.series_geometry import GEOMETRY_COLUMNS, geometry_cells

if TYPE_CHECKING:
    import pyarrow as pa

KEYS: Final = ("site", "SeriesInstanceUID")
SCATTERED: Final = 8  # runs per series above which sorting the rows is cheaper than many runs

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
CONSTANT: Final = (
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
)


def _attributes() -> tuple[Column, ...]:
    """Columns that keep the most frequent value: keys first, then in the order of the attributes."""
    by_name = {c.name: c for c in (*DERIVED, *ATTRIBUTES)}
    keys = ("site", "PatientKey", "StudyInstanceUID", "SeriesInstanceUID")
    chosen = [
        c.name
        for c in ATTRIBUTES
        if c.zone == RESEARCH and not c.collect and (c.level != INSTANCE or c.name in COMMON)
    ]
    names = dict.fromkeys((*keys, *chosen, "TransferSyntaxUID"))
    return tuple(by_name[name] for name in names)


ATTRIBUTE_COLUMNS: Final = _attributes()
COUNT_COLUMNS: Final = tuple(
    Column(
        f"n_distinct_{name}", (), "", INTEGER, SERIES, f"number of different values of {name} in the series"
    )
    for name in CONSTANT
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
    if np.count_nonzero(groups.starts_run) > SCATTERED * (groups.count + 1):
        order = pa.array(np.argsort(groups.of_row, kind="stable"))
        instances = instances.select(list(needed_columns())).take(order)
        groups = group_rows(instances, KEYS)
    cells: dict[str, Any] = {}
    for name in dict.fromkeys((*(c.name for c in ATTRIBUTE_COLUMNS), *CONSTANT)):
        cells[name], n_distinct = most_frequent(instances.column(name), groups)
        if name in CONSTANT:
            cells[f"n_distinct_{name}"] = n_distinct
    cells |= {key: groups.keys.column(key) for key in KEYS}
    mixed_sizes = (cells["n_distinct_Rows"] > 1) | (cells["n_distinct_Columns"] > 1)
    cells |= geometry_cells(instances, groups, mixed_sizes)
    schema = pa.schema([(c.name, c.arrow()) for c in SERIES_COLUMNS])
    return pa.table({name: cells[name] for name in schema.names}).cast(schema)


def position_order(instances: pa.Table) -> pa.Array:
    """Return the order of rows by series, position along the normal, InstanceNumber and SOPInstanceUID.

    Rows without a series, position or number come after those with one; multi-frame objects lie where their
    first frame does.
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
