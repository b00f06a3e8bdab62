"""Where masks come from: one row per source, and the function that reads them all."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from catalog.masks.errors import MaskError
from catalog.masks.linking import FRAME_OF_REFERENCE, Candidate, link, read_references
from catalog.masks.mask import Mask
from hpc.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from catalog.volumes.volume import Volume

    Reader = Callable[[str, Volume, float], Iterator[Mask]]

PathLike = str | bytes | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class MaskSource:
    """A source of masks.

    Attributes
    ----------
    name : str
        How it is called in settings and rows.
    needs_files : bool
        Whether it reads a file; else it is computed from the volume.
    modality : str
        Modality of its DICOM objects, or empty.
    text : str
        What it gives, in a line.
    function : callable
        ``(path, volume, fraction)`` to an iterator of masks; path is empty for computed ones.
    """

    name: str
    needs_files: bool
    modality: str
    text: str
    function: Reader


def load_masks(
    paths: PathLike | Iterable[PathLike], volume: Volume, *, source: str | None = None, fraction: float = 0.5
) -> list[Mask]:
    """Return the masks of files, or of a source that needs none, on the grid of a volume.

    Parameters
    ----------
    paths : path or iterable of paths
        SEG, RTSTRUCT or NIfTI files; empty for ``whole`` and ``lungs``.
    volume : Volume
        Gives the grid.
    source : str, optional
        Row of :data:`MASK_SOURCES`; each file tells by itself where this is None.
    fraction : float
        Least share of a voxel that is in, 0 to 1, for FRACTIONAL segments and NIfTI shares; 0: any above 0.

    Returns
    -------
    list of Mask
        In the order of files and of segments, ROIs or labels in them. Empty regions are kept, with a note.

    Raises
    ------
    MaskError
        A file or source gives no mask; ``reason`` says why.
    UsageError
        The arguments do not fit together.
    """
    return list(iter_masks(paths, volume, source=source, fraction=fraction))


def iter_masks(
    paths: PathLike | Iterable[PathLike], volume: Volume, *, source: str | None = None, fraction: float = 0.5
) -> Iterator[Mask]:
    """Yield the masks of :func:`load_masks` one by one, so that one at a time takes memory."""
    files = [os.fsdecode(p) for p in ([paths] if isinstance(paths, str | bytes | os.PathLike) else paths)]
    if source is not None and source not in MASK_SOURCES:
        raise UsageError(f"source {source!r}: expected one of {', '.join(MASK_SOURCES)}")
    if not 0 <= fraction <= 1:
        raise UsageError(f"fraction is {fraction}; expected 0 to 1")
    if source is not None and not MASK_SOURCES[source].needs_files:
        if files:
            raise UsageError(f"source {source!r} reads no files; leave the paths out")
        yield from MASK_SOURCES[source].function("", volume, fraction)
        return
    if not files:
        raise UsageError("no paths of masks; name files, or a source that needs none: whole, lungs")
    for path in files:
        yield from MASK_SOURCES[source or source_of(path)].function(path, volume, fraction)


def source_of(path: str) -> str:
    """Return the source that a file is of.

    Raises
    ------
    MaskError
        not_a_mask or unreadable.
    """
    if path.endswith((".nii", ".nii.gz", ".hdr")):
        return "nifti"
    modality = str(_read_dataset(path, pixels=False).get("Modality") or "")
    for name, row in MASK_SOURCES.items():
        if row.modality and row.modality == modality:
            return name
    raise MaskError("not_a_mask", "the DICOM object is neither SEG nor RTSTRUCT")


def _read_dataset(path: str, *, pixels: bool = True) -> Any:
    """Read a DICOM object; oddities that pydicom warns of are no matter here."""
    import pydicom
    from pydicom.errors import InvalidDicomError

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return pydicom.dcmread(path, stop_before_pixels=not pixels)
        except InvalidDicomError as error:
            raise MaskError("not_a_mask", "the file is neither DICOM nor NIfTI") from error
        except (OSError, EOFError, ValueError, AttributeError, KeyError, NotImplementedError) as error:
            raise MaskError("unreadable", f"the file cannot be read: {type(error).__name__}") from error


def _linked_by(dataset: Any, volume: Volume) -> str:
    """Return how an object belongs to a volume that the caller chose for it.

    Raises
    ------
    MaskError
        other_frame_of_reference, where both name theirs and nothing else joins them.
    """
    references = read_references(dataset)
    frame = volume.frame_of_reference_uid
    one = Candidate(volume.series_uid, frame, "", frozenset(volume.sop_instance_uids) - {""})
    answer = link(references, [one])
    if answer.how:
        return answer.how
    if not frame or not references.frames_of_reference:
        return "name"
    if frame not in references.frames_of_reference:
        raise MaskError("other_frame_of_reference", "the mask and the volume lie in different spaces")
    return FRAME_OF_REFERENCE


def _checked(path: str, modality: str, *, pixels: bool) -> Any:
    """Read an object that must have a modality."""
    dataset = _read_dataset(path, pixels=pixels)
    if str(dataset.get("Modality") or "") != modality:
        raise MaskError("not_a_mask", f"the DICOM object is no {modality}")
    return dataset


def _seg(path: str, volume: Volume, fraction: float) -> Iterator[Mask]:
    from catalog.masks.seg import seg_masks

    dataset = _checked(path, "SEG", pixels=True)
    yield from _readable(seg_masks(dataset, volume, _linked_by(dataset, volume), fraction))


def _rtstruct(path: str, volume: Volume, _fraction: float) -> Iterator[Mask]:
    from catalog.masks.rtstruct import rtstruct_masks

    dataset = _checked(path, "RTSTRUCT", pixels=False)
    yield from _readable(rtstruct_masks(dataset, volume, _linked_by(dataset, volume)))


def _readable(masks: Iterator[Mask]) -> Iterator[Mask]:
    """Yield masks; name what pydicom raises on an object that breaks the standard."""
    try:
        yield from masks
    except MaskError:
        raise
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise MaskError("unreadable", f"the object breaks the standard: {type(error).__name__}") from error


def _nifti(path: str, volume: Volume, fraction: float) -> Iterator[Mask]:
    from catalog.masks.nifti import nifti_masks

    if not Path(path).is_file():
        raise MaskError("unreadable", "the NIfTI file does not exist")
    yield from nifti_masks(path, volume, fraction)


def _whole(_path: str, volume: Volume, _fraction: float) -> Iterator[Mask]:
    import numpy as np

    yield Mask(np.ones(volume.array.shape, np.bool_), "whole", "whole", linked_by="computed")


def _lungs(_path: str, volume: Volume, _fraction: float) -> Iterator[Mask]:
    from catalog.masks.lungs import VERDICTS, lungs_mask

    array, verdict = lungs_mask(volume)
    if verdict in VERDICTS:
        raise MaskError("no_lungs", f"{verdict}: {VERDICTS[verdict]}")
    yield Mask(array, "lungs", "lungs", linked_by="computed", notes=(verdict,) if verdict else ())


MASK_SOURCES: Final[dict[str, MaskSource]] = {
    row.name: row
    for row in (
        MaskSource("seg", True, "SEG", "segments of a DICOM SEG", _seg),  # noqa: FBT003 - a table
        MaskSource("rtstruct", True, "RTSTRUCT", "closed contours of an RTSTRUCT", _rtstruct),  # noqa: FBT003
        MaskSource("nifti", True, "", "labels of a NIfTI file", _nifti),  # noqa: FBT003
        MaskSource("lungs", False, "", "both lungs of a chest CT, without airways", _lungs),  # noqa: FBT003
        MaskSource("whole", False, "", "every voxel of the volume", _whole),  # noqa: FBT003
    )
}
