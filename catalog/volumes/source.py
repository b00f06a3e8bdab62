"""What a series is made of: rows of headers beside paths, and one record per frame."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from catalog.grouping import decoded, matrix, plain
from catalog.volumes.errors import VolumeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    import pyarrow as pa
    from pydicom.dataset import Dataset

    Ints = npt.NDArray[np.int64]
    Reals = npt.NDArray[np.float64]
    Flags = npt.NDArray[np.bool_]

DEFLATED: Final = "1.2.840.10008.1.2.1.99"
LISTS: Final = {"ImagePositionPatient": 3, "ImageOrientationPatient": 6, "PixelSpacing": 2}


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """Objects of one series.

    Attributes
    ----------
    rows : pyarrow.Table
        Rows of ``instances``, or of headers just read.
    paths : sequence of bytes
        The file of each row.
    cells : dict
        Columns that were asked for, as lists.
    headers : dict
        Headers that had to be read whole, by row.
    """

    rows: pa.Table
    paths: Sequence[bytes]
    cells: dict[str, list[Any]] = field(default_factory=dict)
    headers: dict[int, Dataset] = field(default_factory=dict)

    def column(self, name: str) -> list[Any]:
        """Return a column as Python values; nulls where there is no such column."""
        if name not in self.cells:
            known = name in self.rows.column_names
            self.cells[name] = (
                decoded(plain(self.rows.column(name))).to_pylist() if known else [None] * self.rows.num_rows
            )
        return self.cells[name]

    def header(self, row: int) -> Dataset:
        """Read the whole header of a file, once.

        Raises
        ------
        VolumeError
            ``unreadable_header``.
        """
        if row not in self.headers:
            from pydicom import dcmread
            from pydicom.errors import InvalidDicomError

            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    self.headers[row] = dcmread(
                        os.fsdecode(self.paths[row]), stop_before_pixels=True, force=True
                    )
            except (OSError, InvalidDicomError, ValueError, KeyError, EOFError) as error:
                raise VolumeError(
                    "unreadable_header", f"{os.fsdecode(self.paths[row])}: {type(error).__name__}"
                ) from error
        return self.headers[row]


@dataclass(frozen=True, slots=True, eq=False)
class Frames:
    """Frames with pixels, one after another.

    Attributes
    ----------
    row, frame : numpy.ndarray
        Row of the object, and which of its frames, from 0.
    position : numpy.ndarray
        ImagePositionPatient, shape (n, 3), LPS, mm; NaN where it is absent.
    orientation : numpy.ndarray
        ImageOrientationPatient, shape (n, 6); NaN where it is absent.
    pixel_spacing : numpy.ndarray
        PixelSpacing, shape (n, 2), mm; NaN where it is absent.
    slope, intercept : numpy.ndarray
        Value = stored x slope + intercept.
    """

    row: Ints
    frame: Ints
    position: Reals
    orientation: Reals
    pixel_spacing: Reals
    slope: Reals
    intercept: Reals

    def take(self, chosen: Ints | Flags) -> Frames:
        """Return some of the frames, in the order given."""
        return Frames(
            self.row[chosen],
            self.frame[chosen],
            self.position[chosen],
            self.orientation[chosen],
            self.pixel_spacing[chosen],
            self.slope[chosen],
            self.intercept[chosen],
        )

    def __len__(self) -> int:
        return len(self.row)


def list_frames(source: Source) -> Frames:
    """List the frames of all images of a series.

    Raises
    ------
    VolumeError
        ``no_pixels``, ``mixed_series``, ``unreadable_header``.
    """
    if len(set(source.column("SeriesInstanceUID"))) > 1:
        raise VolumeError("mixed_series", "the files belong to more than one series; give those of one")
    images = [row for row in range(source.rows.num_rows) if _has_pixels(source, row)]
    if not images:
        raise VolumeError("no_pixels", "no file has an image; give the files of an image series")
    lists = {name: matrix(plain(source.rows.column(name)), width) for name, width in LISTS.items()}
    single = [row for row in images if n_frames(source, row) == 1]
    at = np.asarray(single, np.int64)
    position, orientation, spacing = (lists[name][at] for name in LISTS)
    slope = _numbers(source, "RescaleSlope", single, 1.0)
    intercept = _numbers(source, "RescaleIntercept", single, 0.0)
    parts = [Frames(at, np.zeros(len(at), np.int64), position, orientation, spacing, slope, intercept)]
    parts += [_functional_groups(source, row) for row in images if n_frames(source, row) > 1]
    return Frames(*(np.concatenate([getattr(part, name) for part in parts]) for name in Frames.__slots__))


def n_frames(source: Source, row: int) -> int:
    """Return how many frames an object has."""
    return int(source.column("NumberOfFrames")[row] or 1)


def _has_pixels(source: Source, row: int) -> bool:
    sized = source.column("Rows")[row] and source.column("Columns")[row]
    stored = source.column("pixel_offset")[row] is not None
    return bool(sized) and (stored or source.column("TransferSyntaxUID")[row] == DEFLATED)


def _numbers(source: Source, name: str, rows: list[int], absent: float) -> Reals:
    column = source.column(name)
    return np.asarray([absent if column[row] is None else column[row] for row in rows], np.float64)


def _functional_groups(source: Source, row: int) -> Frames:
    """Frames of a multi-frame object, from its functional groups (PS3.3 C.7.6.16)."""
    count = n_frames(source, row)
    wanted = (
        ("PlanePositionSequence", "ImagePositionPatient", 3, np.nan),
        ("PlaneOrientationSequence", "ImageOrientationPatient", 6, np.nan),
        ("PixelMeasuresSequence", "PixelSpacing", 2, np.nan),
        ("PixelValueTransformationSequence", "RescaleSlope", 1, 1.0),
        ("PixelValueTransformationSequence", "RescaleIntercept", 1, 0.0),
    )
    header = source.header(row)
    found = []
    for sequence, keyword, width, absent in wanted:
        table = np.full((count, width), absent)
        for frame in range(count):
            values = _in_group(header, frame, sequence, keyword)
            if values is not None and np.size(values) == width:
                table[frame] = np.asarray(values, np.float64)
        found.append(table)
    position, orientation, spacing, slope, intercept = found
    if "PerFrameFunctionalGroupsSequence" not in header:
        position[:] = np.nan  # one position for several frames is that of none
    of_row = np.full(count, row, np.int64)
    return Frames(
        of_row, np.arange(count), position, orientation, spacing, slope.reshape(-1), intercept.reshape(-1)
    )


def _items(header: Dataset, frame: int) -> list[Dataset]:
    """Where a frame's attributes stand, nearest first: its own groups, the shared ones, the object."""
    items = []
    own, shared = header.get("PerFrameFunctionalGroupsSequence"), header.get("SharedFunctionalGroupsSequence")
    if own and frame < len(own):
        items.append(own[frame])
    if shared:
        items.append(shared[0])
    return items


def _in_group(header: Dataset, frame: int, sequence: str, keyword: str) -> Any:
    for item in _items(header, frame):
        group = item.get(sequence)
        if group and group[0].get(keyword) is not None:
            return group[0].get(keyword)
    return header.get(keyword)


def frame_value(header: Dataset, frame: int, keyword: str) -> Any:
    """Find an attribute of one frame in whichever functional group holds it; None where none does."""
    for item in _items(header, frame):
        for element in item:
            if element.VR == "SQ" and element.value and element.value[0].get(keyword) is not None:
                return element.value[0].get(keyword)
    return header.get(keyword)
