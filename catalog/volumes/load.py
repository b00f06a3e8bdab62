"""Files of a series become a volume."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from catalog.volumes.errors import VolumeError
from catalog.volumes.pixels import check_pixels, check_rescale, read_values
from catalog.volumes.select import split, without_copies, without_localizers
from catalog.volumes.source import Frames, Source, list_frames
from catalog.volumes.stack import Grid, stack
from catalog.volumes.suv import uptake_scale
from catalog.volumes.tilt import straighten, straightened_shape
from catalog.volumes.volume import Volume
from hpc.errors import MissingError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pyarrow as pa

MAX_VOXELS: Final = 1 << 30  # 4 GiB of values

PathLike = str | bytes | os.PathLike[str] | os.PathLike[bytes]


def load_volume(
    paths: PathLike | Iterable[PathLike],
    *,
    suv: bool = True,
    correct_tilt: bool = False,
    split_by: str | Sequence[str] | None = None,
    part: int = 0,
    drop_localizers: bool = False,
    max_voxels: int = MAX_VOXELS,
) -> Volume:
    """Load the images of one series as a volume, or refuse with a named reason.

    Slices are ordered by their position along the normal, never by InstanceNumber, and values are rescaled by
    the slope and intercept of each frame. Nothing is resampled, dropped or chosen unless asked for, and what
    was is told in ``notes``.

    Parameters
    ----------
    paths : path or iterable of paths
        The files of one series in any order; or a folder that holds them and no other series.
    suv : bool
        Give PET as SUVbw; without, as it was sent (Bq/ml or counts).
    correct_tilt : bool
        Resample a sheared stack in plane, by linear interpolation, so that slices lie above each other.
    split_by : str or sequence of str, optional
        DICOM keywords, in one string with commas or several, that tell the volumes of one series apart, such
        as ``AcquisitionNumber`` or ``EchoTime``.
    part : int
        Which of these volumes, from 0, in the order of the values.
    drop_localizers : bool
        Leave localizers out.
    max_voxels : int
        Refuse larger volumes.

    Returns
    -------
    Volume
        float32, axes (z, y, x), LPS millimetres.

    Raises
    ------
    VolumeError
        ``reason`` is a key of :data:`catalog.series_geometry.REASONS` or of
        :data:`catalog.volumes.errors.VOLUME_REASONS`.
    hpc.errors.UsageError
        ``split_by`` is no keyword, or there is no such ``part``.
    hpc.errors.MissingError
        A path does not exist.

    Notes
    -----
    Geometry follows PS3.3 C.7.6.2.1.1 and C.7.6.16.2.3, values PS3.3 C.11.1.1.2, SUVbw
    :mod:`catalog.volumes.suv`.
    """
    files, given = _files(paths)
    rows, kept = _headers(files, strict=given)
    return volume_from_rows(
        rows,
        kept,
        suv=suv,
        correct_tilt=correct_tilt,
        split_by=split_by,
        part=part,
        drop_localizers=drop_localizers,
        max_voxels=max_voxels,
    )


def volume_from_rows(
    rows: pa.Table,
    paths: Sequence[str | bytes],
    *,
    suv: bool = True,
    correct_tilt: bool = False,
    split_by: str | Sequence[str] | None = None,
    part: int = 0,
    drop_localizers: bool = False,
    max_voxels: int = MAX_VOXELS,
) -> Volume:
    """Load a series whose headers are known already.

    Parameters
    ----------
    rows : pyarrow.Table
        Rows of ``instances``, or of :func:`catalog.headers.iter_headers`, in any order.
    paths : sequence of str or bytes
        The file of each row.
    suv, correct_tilt, split_by, part, drop_localizers, max_voxels
        As for :func:`load_volume`.

    Returns
    -------
    Volume
        As of :func:`load_volume`.

    Raises
    ------
    VolumeError
        As of :func:`load_volume`.
    """
    if rows.num_rows != len(paths):
        raise ValueError(f"{rows.num_rows} rows and {len(paths)} paths; expected one path per row")
    source = Source(rows, [os.fsencode(path) for path in paths])
    frames, chosen = _choose(source, split_by, part, drop_localizers=drop_localizers)
    check_pixels(source, frames.row.tolist())
    check_rescale(source, frames)
    grid = stack(source, frames, allow_sheared=correct_tilt)
    shift = grid.shift_mm / np.asarray(grid.spacing_mm[1:])
    _check_size(source, grid, shift, max_voxels)
    factor, unit = _quantity(source, grid.frames, suv=suv)
    array = read_values(source, grid.frames, factor)
    notes, origin = (*chosen, *grid.notes), grid.frames.position[0]
    if grid.tilt_deg:
        array, (y, x) = straighten(array, shift)
        origin = origin + grid.direction[:, 1:] @ (np.asarray([y, x]) * grid.spacing_mm[1:])
        notes = (*notes, f"tilt_corrected({grid.tilt_deg:.1f} deg)")
    uids = source.column("SOPInstanceUID")
    return Volume(
        array,
        grid.spacing_mm,
        (float(origin[0]), float(origin[1]), float(origin[2])),
        grid.direction,
        modality=_text(source, grid.frames, "Modality"),
        unit=unit,
        series_uid=_text(source, grid.frames, "SeriesInstanceUID"),
        frame_of_reference_uid=_text(source, grid.frames, "FrameOfReferenceUID"),
        sop_instance_uids=tuple(str(uids[row] or "") for row in grid.frames.row),
        notes=notes,
    )


def _files(paths: PathLike | Iterable[PathLike]) -> tuple[list[bytes], bool]:
    """Return files, and whether each of them was named."""
    if isinstance(paths, str | bytes | os.PathLike):
        one = Path(os.fsdecode(paths))
        if not one.exists():
            raise MissingError(f"{one}: no such file or folder")
        if one.is_dir():
            return [os.fsencode(file) for file in sorted(one.rglob("*")) if file.is_file()], False
        return [os.fsencode(one)], True
    return [os.fsencode(path) for path in paths], True


def _headers(files: list[bytes], *, strict: bool) -> tuple[pa.Table, list[bytes]]:
    """Read headers; a file that is damaged is refused, one that is no DICOM only where it was named."""
    import pyarrow as pa

    from catalog.headers import iter_headers

    batches = list(iter_headers(files, keep_raw=False))
    for batch in batches:
        for failure in batch.failures.to_pylist():
            name = os.fsdecode(files[failure["index"]])
            if failure["error"] == "FileVanishedError":
                raise MissingError(f"{name}: no such file")
            raise VolumeError("unreadable_header", f"{name}: {failure['message']}")
        if strict and batch.others.num_rows:
            name = os.fsdecode(files[batch.others.column("index")[0].as_py()])
            raise VolumeError("not_dicom", f"{name}: no DICOM instance")
    if not any(batch.rows.num_rows for batch in batches):
        raise VolumeError("no_pixels", "no DICOM image is here")
    rows = pa.concat_tables([batch.rows for batch in batches])
    return rows, [files[index] for index in rows.column("index").to_pylist()]


def _choose(
    source: Source, split_by: str | Sequence[str] | None, part: int, *, drop_localizers: bool
) -> tuple[Frames, tuple[str, ...]]:
    """Choose the frames, and note how."""
    frames, copies = without_copies(source, list_frames(source))
    notes: tuple[str, ...] = (f"copies_dropped({copies})",) if copies else ()
    if drop_localizers:
        frames, dropped = without_localizers(source, frames)
        notes += (f"localizers_dropped({dropped})",) if dropped else ()
    if split_by:
        names = split_by.split(",") if isinstance(split_by, str) else split_by
        keywords = [name.strip() for name in names]
        frames, count = split(source, frames, keywords, part)
        notes += (f"part({part} of {count} by {','.join(keywords)})",)
    return frames, notes


def _check_size(source: Source, grid: Grid, shift: Any, max_voxels: int) -> None:
    first = int(grid.frames.row[0])
    shape = len(grid.frames), int(source.column("Rows")[first]), int(source.column("Columns")[first])
    if grid.tilt_deg:
        shape = straightened_shape(shape, shift)
    if shape[0] * shape[1] * shape[2] > max_voxels:
        raise VolumeError(
            "too_large", f"{shape} voxels (z, y, x); at most {max_voxels} in all: see max_voxels"
        )


def _quantity(source: Source, frames: Frames, *, suv: bool) -> tuple[float, str]:
    """Return what rescaled values are multiplied with, and their unit."""
    modality = _text(source, frames, "Modality")
    if modality == "PT":
        return uptake_scale(source, frames.row.tolist(), suv=suv)
    column = source.column("RescaleType")
    if len({column[row] for row in frames.row} - {None}) > 1:
        raise VolumeError("mixed_units", "RescaleType differs between the images; split_by may help")
    said = _text(source, frames, "RescaleType")
    if said and said != "US":  # unspecified
        return 1.0, said
    return 1.0, "HU" if modality == "CT" else ""


def _text(source: Source, frames: Frames, name: str) -> str:
    """Return the one value of an attribute; empty where there is none or several."""
    column = source.column(name)
    values = {column[row] for row in frames.row} - {None}
    return str(values.pop()).strip() if len(values) == 1 else ""
