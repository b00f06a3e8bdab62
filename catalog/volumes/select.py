"""Which frames of a series make the volume: copies and localizers left out, one part of several taken."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from catalog.planes import SAME_DIRECTION, SAME_POSITION_MM, normals
from catalog.volumes.source import Frames, Source, frame_value, n_frames
from hpc.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

# What the functional groups of a multi-frame object call the same thing (PS3.3 C.7.6.16, C.8.13).
IN_FRAMES: Final = {
    "AcquisitionNumber": "FrameAcquisitionNumber",
    "EchoTime": "EffectiveEchoTime",
    "ImageType": "FrameType",
    "TemporalPositionIdentifier": "TemporalPositionIndex",
}
SPLITS: Final = (
    "AcquisitionNumber",
    "EchoTime",
    "TemporalPositionIdentifier",
    "ImageType",
    "DiffusionBValue",
)
FEW: Final = 0.1  # of all images: how many a localizer may be that does not call itself one


def without_copies(source: Source, frames: Frames) -> tuple[Frames, int]:
    """Leave out files that are, byte for byte, copies of another with the same SOPInstanceUID.

    Returns
    -------
    Frames
        The frames left.
    int
        How many files were left out.
    """
    uids = source.column("SOPInstanceUID")
    first: dict[str, list[int]] = {}
    copies = set()
    for row in sorted(set(frames.row.tolist())):
        others = first.setdefault(uids[row], []) if uids[row] else []
        if any(_same_bytes(source.paths[row], source.paths[other]) for other in others):
            copies.add(row)
        else:
            others.append(row)
    if not copies:
        return frames, 0
    return frames.take(~np.isin(frames.row, list(copies))), len(copies)


def _same_bytes(one: bytes, other: bytes) -> bool:
    first, second = Path(os.fsdecode(one)), Path(os.fsdecode(other))
    try:
        return first.stat().st_size == second.stat().st_size and first.read_bytes() == second.read_bytes()
    except OSError:
        return False


def without_localizers(source: Source, frames: Frames) -> tuple[Frames, int]:
    """Leave out localizers: images of that ImageType, else the few that are turned against all others.

    Where every image is a localizer, none is left out.
    """
    kinds = source.column("ImageType")
    named = np.asarray([_says(kinds[row], "LOCALIZER") for row in frames.row], np.bool_)
    if not named.any():
        named = _turned(frames)
    if named.all():
        return frames, 0
    return frames.take(~named), int(np.count_nonzero(named))


def _says(kind: str | None, word: str) -> bool:
    return word in [value.strip().upper() for value in (kind or "").split("\\")]


def _turned(frames: Frames) -> Any:
    """Tell which frames are turned against at least nine tenths of all."""
    known = frames.orientation[np.isfinite(frames.orientation).all(axis=1)]
    if not len(known):
        return np.zeros(len(frames), np.bool_)
    middle = np.median(known, axis=0)
    apart = ~(np.abs(frames.orientation - middle) <= SAME_DIRECTION).all(axis=1)
    few = np.count_nonzero(apart) <= FEW * len(frames)
    return apart if few else np.zeros(len(frames), np.bool_)


def split(source: Source, frames: Frames, keywords: Sequence[str], part: int) -> tuple[Frames, int]:
    """Take one part of a series whose frames differ in attributes.

    Parameters
    ----------
    source : Source
        The series.
    frames : Frames
        Its frames.
    keywords : sequence of str
        DICOM keywords; frames that agree in all of them are one part.
    part : int
        Which part, from 0, in the order of the values; frames without a value come first.

    Returns
    -------
    Frames
        Frames of that part.
    int
        How many parts there are.

    Raises
    ------
    hpc.errors.UsageError
        No such keyword, or no such part.
    """
    keys = frame_keys(source, frames, keywords)
    values = sorted(set(keys), key=_sortable)
    if not 0 <= part < len(values):
        raise UsageError(
            f"part is {part}; {', '.join(keywords)} split this series into {len(values)}: "
            f"give 0 to {len(values) - 1}"
        )
    return frames.take(np.asarray([key == values[part] for key in keys], np.bool_)), len(values)


def splitting(source: Source, frames: Frames) -> list[str]:
    """Name the keywords, or pairs of them, that split a series into parts with one frame per position."""
    singles: list[tuple[str, ...]] = [(name,) for name in SPLITS]
    pairs = [(one, two) for at, one in enumerate(SPLITS) for two in SPLITS[at + 1 :]]
    good = [names for names in singles if _separates(source, frames, names)]
    return [",".join(names) for names in good or [p for p in pairs if _separates(source, frames, p)]]


def _separates(source: Source, frames: Frames, names: Sequence[str]) -> bool:
    """Tell whether no part has two frames at one position, and there are several."""
    keys = frame_keys(source, frames, names)
    normal = normals(frames.orientation[:1])[0]
    place = np.rint(frames.position @ normal / (4 * SAME_POSITION_MM)).astype(np.int64).tolist()
    return len(set(keys)) > 1 and len(set(zip(keys, place, strict=True))) == len(frames)


def frame_keys(source: Source, frames: Frames, keywords: Sequence[str]) -> list[tuple[Any, ...]]:
    """Return the values of attributes for every frame.

    Raises
    ------
    hpc.errors.UsageError
        DICOM knows no such keyword.
    """
    from pydicom.datadict import tag_for_keyword

    for keyword in keywords:
        if tag_for_keyword(keyword) is None:
            raise UsageError(f"split_by: DICOM knows no keyword {keyword!r}; one is AcquisitionNumber")
    return [
        tuple(_value(source, int(row), int(frame), keyword) for keyword in keywords)
        for row, frame in zip(frames.row, frames.frame, strict=True)
    ]


def _value(source: Source, row: int, frame: int, keyword: str) -> float | str | None:
    if n_frames(source, row) > 1:
        header = source.header(row)
        found = frame_value(header, frame, IN_FRAMES.get(keyword, keyword))
        found = frame_value(header, frame, keyword) if found is None else found
    elif keyword in source.rows.column_names:
        found = source.column(keyword)[row]
    else:
        found = source.header(row).get(keyword)
    if found is None or found == "":
        return None
    try:
        return float(found)
    except (TypeError, ValueError):
        return found if isinstance(found, str) else "\\".join(map(str, found))


def _sortable(key: tuple[Any, ...]) -> tuple[tuple[int, float, str], ...]:
    """Order values: absent, numbers, text."""
    return tuple(
        (0, 0.0, "") if value is None else (1, value, "") if isinstance(value, float) else (2, 0.0, value)
        for value in key
    )
