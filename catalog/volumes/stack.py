"""Frames stacked along their normal into one regular grid, or the reason why they do not stack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from catalog.grouping import Groups
from catalog.planes import normals
from catalog.series_geometry import MOSAIC, REASONS, geometry_cells
from catalog.volumes.errors import VolumeError
from catalog.volumes.select import splitting

if TYPE_CHECKING:
    import numpy.typing as npt

    from catalog.volumes.source import Frames, Source

    Reals = npt.NDArray[np.float64]

ADVICE: Final = {
    "sheared": "correct_tilt=True resamples them in plane",
    "mixed_orientation": "drop_localizers=True or split_by=ImageOrientationPatient may help",
    "mixed_matrix": "drop_localizers=True or split_by=Rows may help",
}


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Where the voxels of a stack lie.

    Attributes
    ----------
    frames : Frames
        The frames, upwards along the normal.
    spacing_mm : tuple of float
        Distance of neighbouring voxels along (z, y, x).
    direction : numpy.ndarray
        Shape (3, 3); column k is the unit vector, LPS, along axis k of the array.
    shift_mm : numpy.ndarray
        Shape (n, 2): how far each frame lies off the normal through the first, along (y, x).
    tilt_deg : float
        Angle of the stack to its normal where it is sheared, else 0.
    notes : tuple of str
        What was assumed.
    """

    frames: Frames
    spacing_mm: tuple[float, float, float]
    direction: Reals
    shift_mm: Reals
    tilt_deg: float
    notes: tuple[str, ...]


def stack(source: Source, frames: Frames, *, allow_sheared: bool) -> Grid:
    """Order frames along their normal.

    Parameters
    ----------
    source : Source
        The series.
    frames : Frames
        Its frames, in any order.
    allow_sheared : bool
        Accept positions that shift across the normal.

    Raises
    ------
    VolumeError
        With a reason of :data:`catalog.series_geometry.REASONS`, ``mosaic`` or ``mixed_frames_of_reference``.
    """
    cells = _judge(source, frames)
    if _first(cells["layout"]) == MOSAIC:
        raise VolumeError(
            "mosaic", "slices are tiled in one image; convert the series to one slice per frame"
        )
    reason = _first(cells["geometry_reason"])
    if reason is None and not np.isfinite(frames.pixel_spacing).all():
        raise VolumeError("no_geometry", "an image has no pixel spacing")
    if reason is not None and not (reason == "sheared" and allow_sheared):
        raise VolumeError(reason, _message(reason, cells, source, frames))
    _check_frame_of_reference(source, frames)
    tilt = float(_first(cells["tilt_deg"])) if reason == "sheared" else 0.0
    return _grid(source, frames, tilt)


def _judge(source: Source, frames: Frames) -> dict[str, Any]:
    """Let the catalogue judge the geometry, every frame as an image of its own."""
    import pyarrow as pa

    count = len(frames)
    several = np.bincount(frames.row)[frames.row] > 1

    def of_rows(name: str) -> list[Any]:
        column = source.column(name)
        return [column[row] for row in frames.row]

    def lists(values: Reals) -> pa.Array:
        return pa.array(
            [v.tolist() if np.isfinite(v).all() else None for v in values], pa.list_(pa.float64())
        )

    kinds = [None if many else kind for many, kind in zip(several, of_rows("ImageType"), strict=True)]
    nothing = pa.nulls(count, pa.list_(pa.float64()))
    table = pa.table(
        {
            "NumberOfFrames": pa.array([1] * count, pa.int64()),
            "pixel_offset": pa.array([0] * count, pa.int64()),
            "uid_version": pa.array([0] * count, pa.int64()),
            "Rows": pa.array(of_rows("Rows"), pa.int64()),
            "Columns": pa.array(of_rows("Columns"), pa.int64()),
            "SOPInstanceUID": pa.array(of_rows("SOPInstanceUID"), pa.string()),
            "ImageType": pa.array(kinds, pa.string()),
            "ImagePositionPatient": lists(frames.position),
            "ImageOrientationPatient": lists(frames.orientation),
            "PixelSpacing": lists(frames.pixel_spacing),
            "frame_positions": nothing,
            "frame_orientations": nothing,
        }
    )
    starts = np.zeros(count, np.bool_)
    starts[0] = True
    groups = Groups(pa.table({"series": [0]}), np.zeros(count, np.int64), starts)
    sizes = set(zip(of_rows("Rows"), of_rows("Columns"), strict=True))
    return geometry_cells(table, groups, np.asarray([len(sizes) > 1]))


def _first(column: Any) -> Any:
    """Value of a column of one row."""
    value = column[0]
    return value.as_py() if hasattr(value, "as_py") else value


def _message(reason: str, cells: dict[str, Any], source: Source, frames: Frames) -> str:
    """Say the reason, with the numbers that show it and what may be asked for."""
    shown = {name: _shown(_first(cells[name])) for name in cells}
    numbers = {
        "duplicate_positions": f"{shown['n_duplicate_positions']} positions",
        "multiple_volumes": f"{shown['planes_per_position']} images per position",
        "missing_slices": f"{shown['n_missing_slices']} missing, spacing {shown['slice_spacing_mm']} mm",
        "variable_spacing": f"spacing {shown['spacing_min_mm']} to {shown['spacing_max_mm']} mm",
        "sheared": f"{shown['tilt_deg']} degrees, {shown['tilt_mm']} mm",
        "mixed_orientation": f"{shown['n_orientations']} orientations",
    }.get(reason, "")
    advice = ADVICE.get(reason, "")
    if reason in {"duplicate_positions", "multiple_volumes"}:
        known = splitting(source, frames)
        advice = "split_by may be " + " or ".join(known) if known else "no known attribute splits them"
    return "; ".join(part for part in (REASONS[reason], numbers, advice) if part)


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, int | float | np.number) else "?"


def _check_frame_of_reference(source: Source, frames: Frames) -> None:
    known = source.column("FrameOfReferenceUID")
    if len({known[row] for row in frames.row} - {None}) > 1:
        raise VolumeError(
            "mixed_frames_of_reference", "positions of different frames of reference have no common origin"
        )


def _grid(source: Source, frames: Frames, tilt_deg: float) -> Grid:
    """Place the voxels of frames whose geometry is regular."""
    normal = normals(frames.orientation.mean(axis=0)[None])[0]
    frames = frames.take(np.argsort(frames.position @ normal, kind="stable"))
    across = _unit(frames.orientation[0, :3])
    down = _unit(frames.orientation[0, 3:])
    y_mm, x_mm = np.median(frames.pixel_spacing, axis=0)
    off = frames.position - frames.position[0]
    shift = np.stack([off @ down, off @ across], axis=1)
    notes: tuple[str, ...] = ()
    if len(frames) == 1:
        up, (z_mm, notes) = normal, _thickness(source, int(frames.row[0]))
    else:
        up = off[-1] / (len(frames) - 1)
        up = normal * (up @ normal) if tilt_deg else up
        z_mm, up = float(np.linalg.norm(up)), _unit(up)
    direction = np.stack([up, down, across], axis=1)
    return Grid(frames, (z_mm, float(y_mm), float(x_mm)), direction, shift, tilt_deg, notes)


def _unit(vector: Reals) -> Reals:
    unit: Reals = vector / np.linalg.norm(vector)
    return unit


def _thickness(source: Source, row: int) -> tuple[float, tuple[str, ...]]:
    """Extent of a single slice: SliceThickness, else 1 mm, which a note tells."""
    thickness = source.column("SliceThickness")[row]
    if thickness is not None and np.isfinite(thickness) and thickness > 0:
        return float(thickness), ()
    return 1.0, ("slice_thickness_assumed(1 mm)",)
