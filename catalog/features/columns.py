"""The columns of ``rois`` and ``features``: keys, then one column for each IBSI feature."""

from __future__ import annotations

from functools import cache
from typing import Final

from catalog.columns import INTEGER, REAL, ROI, SERIES, STUDY, TEXT, TEXTS, Column, Kind, Level


def _column(name: str, kind: Kind, text: str, level: Level = ROI, unit: str = "") -> Column:
    return Column(name, (), "", kind, level, text, unit=unit)


_KEYS: Final = (
    _column("site", TEXT, "the hospital that contributed the series", "patient"),
    _column("PatientKey", TEXT, "stands for the patient: a keyed hash of site and PatientID", "patient"),
    _column("StudyInstanceUID", TEXT, "identity of the series' study", STUDY),
    _column("SeriesInstanceUID", TEXT, "identity of the series whose voxels were measured", SERIES),
    _column("roi_key", TEXT, "stands for the region: a hash of series, source, mask object and number"),
    _column("mask_series", TEXT, "SeriesInstanceUID of the SEG or RTSTRUCT; null for a computed region"),
    _column("label", TEXT, "SegmentLabel, ROIName, or the name of the source"),
)
ROI_COLUMNS: Final[tuple[Column, ...]] = (
    *_KEYS,
    _column("source", TEXT, "where the region comes from: seg, rtstruct, lungs, whole"),
    _column("number", INTEGER, "SegmentNumber or ROINumber; 1 for a region that was computed"),
    _column("code_value", TEXT, "coded type of the segment or structure: code"),
    _column("code_scheme", TEXT, "coded type: scheme"),
    _column("code_meaning", TEXT, "coded type: meaning"),
    _column("SOPInstanceUID", TEXT, "the SEG or RTSTRUCT; null for a region that was computed"),
    _column("linked_by", TEXT, "how it was joined to the series: instances, series, frame_of_reference, ..."),
    _column("n_voxels", INTEGER, "voxels of the region on the grid of the series"),
    _column("volume_mm3", REAL, "n_voxels times the volume of a voxel", unit="mm3"),
    _column("notes", TEXTS, "what was left out or decided when the region was drawn"),
)
_FEATURE_KEYS: Final = (
    *_KEYS,
    _column("settings_hash", TEXT, "stands for the settings: 16 hexadecimal digits"),
    _column("settings", TEXT, "the settings, as the TOML that gives them again"),
    _column("value_unit", TEXT, "what a voxel's value is: HU, SUVbw, ..., or null for arbitrary numbers"),
)
_FEATURE_REMARKS: Final = (
    _column("reasons", TEXT, "why features are null: JSON, name to reason; * stands for all"),
    _column("notes", TEXTS, "what was done to the volume beyond stacking"),
)


@cache
def feature_columns() -> tuple[Column, ...]:
    """Columns of ``features``, in order: keys, every feature with its IBSI code, remarks."""
    from catalog.radiomics.features import AGGREGATION_CODES, FEATURES

    measured = (
        Column(
            f.name,
            (),
            "",
            REAL,
            ROI,
            "; ".join(filter(None, (f.text, f.family.replace("_", " "), f.aggregation))),
            unit=f.unit,
            code=" ".join(filter(None, (f.code, AGGREGATION_CODES.get(f.aggregation)))),
        )
        for f in FEATURES
    )
    return (*_FEATURE_KEYS, *measured, *_FEATURE_REMARKS)
