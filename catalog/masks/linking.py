"""Which series a SEG or RTSTRUCT was drawn on: by instances, series or frame of reference; never a guess."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

INSTANCES: Final = "instances"
SERIES: Final = "series"
FRAME_OF_REFERENCE: Final = "frame_of_reference"

# Objects that regions are not drawn on, though they share the image's frame of reference.
NOT_IMAGES: Final = frozenset(
    {"SEG", "RTSTRUCT", "RTPLAN", "RTDOSE", "RTRECORD", "REG", "SR", "PR", "KO", "DOC", "FID", "M3D", "ANN"}
)

LINK_PROBLEMS: Final[dict[str, str]] = {
    "instances_of_several_series": "the referenced instances lie in more than one series",
    "several_series": "more than one of the referenced series is here",
    "shared_frame_of_reference": "more than one series lies in the frame of reference",
    "series_missing": "the object names its series, which is not here",
    "nothing_here": "no series here is referenced or lies in the frame of reference",
    "no_references": "the object names no instance, series or frame of reference",
}


@dataclass(frozen=True, slots=True)
class References:
    """What a SEG or RTSTRUCT says it was made from; UIDs without repeats, in no order."""

    instances: frozenset[str] = frozenset()
    series: frozenset[str] = frozenset()
    frames_of_reference: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A series that a region may belong to."""

    series_uid: str
    frame_of_reference_uid: str = ""
    modality: str = ""
    instances: frozenset[str] = frozenset()

    @classmethod
    def from_rows(cls, rows: Iterable[Mapping[str, Any]]) -> tuple[Candidate, ...]:
        """Gather rows of `instances` into series.

        Parameters
        ----------
        rows : iterable of mappings
            With SeriesInstanceUID, SOPInstanceUID, FrameOfReferenceUID and Modality; nulls are allowed.
            A series with instances in two frames of reference has none.
        """
        found: dict[str, tuple[set[str], set[str], str]] = {}
        for row in rows:
            series = row.get("SeriesInstanceUID")
            if not series:
                continue
            entry = found.setdefault(series, (set(), set(), row.get("Modality") or ""))
            entry[0].add(row.get("SOPInstanceUID") or "")
            entry[1].add(row.get("FrameOfReferenceUID") or "")
        return tuple(
            cls(uid, min(frames) if len(frames) == 1 else "", modality, frozenset(instances - {""}))
            for uid, (instances, frames, modality) in found.items()
        )


@dataclass(frozen=True, slots=True)
class Link:
    """The answer: the series and how it was found, or neither and the problem.

    Attributes
    ----------
    series_uid : str or None
        The series, None where there is a problem.
    how : str
        instances, series or frame_of_reference; empty where there is a problem.
    problem : str
        A key of :data:`LINK_PROBLEMS`, or empty.
    """

    series_uid: str | None
    how: str = ""
    problem: str = ""


def link(references: References, candidates: Iterable[Candidate]) -> Link:
    """Find the series that an object was made from.

    The instances decide where any of them is here; else the series that the object names; else the frame of
    reference, if the object names no series and just one image series here lies in that frame.

    Parameters
    ----------
    references : References
        From :func:`read_references`.
    candidates : iterable of Candidate
        The series that are here, of the same patient or study; objects that are no images are passed over.

    Returns
    -------
    Link
        One series, or the problem. The order of candidates does not matter.
    """
    images = [c for c in candidates if c.modality not in NOT_IMAGES]
    steps = (
        (INSTANCES, "instances_of_several_series", [c for c in images if c.instances & references.instances]),
        (SERIES, "several_series", [c for c in images if c.series_uid in references.series]),
        (
            FRAME_OF_REFERENCE,
            "shared_frame_of_reference",
            [c for c in images if c.frame_of_reference_uid in references.frames_of_reference],
        ),
    )
    for how, ambiguous, found in steps:
        if how == FRAME_OF_REFERENCE and references.series:
            return Link(None, problem="series_missing")
        uids = {c.series_uid for c in found}
        if len(uids) > 1:
            return Link(None, problem=ambiguous)
        if uids:
            return Link(uids.pop(), how)
    return Link(None, problem="nothing_here" if references != References() else "no_references")


def read_references(dataset: Any) -> References:
    """Read what a SEG or RTSTRUCT was made from.

    Parameters
    ----------
    dataset : pydicom.Dataset
        Of a SEG or an RTSTRUCT; pixel data are not needed.

    Returns
    -------
    catalog.masks.References
        Of ReferencedSeriesSequence and the frames' DerivationImageSequence (PS3.3 C.8.20), or of
        ReferencedFrameOfReferenceSequence and the contours' images (PS3.3 C.8.8.5, C.8.8.6).
    """
    series = [*_items(dataset, "ReferencedSeriesSequence"), *_rt_series(dataset)]
    images = [
        *(i for s in series for i in _items(s, "ReferencedInstanceSequence")),
        *(i for s in series for i in _items(s, "ContourImageSequence")),
        *_items(dataset, "SourceImageSequence"),
        *_frame_images(dataset),
        *(
            image
            for roi in _items(dataset, "ROIContourSequence")
            for contour in _items(roi, "ContourSequence")
            for image in _items(contour, "ContourImageSequence")
        ),
    ]
    spaces = [
        _text(dataset, "FrameOfReferenceUID"),
        *(_text(f, "FrameOfReferenceUID") for f in _items(dataset, "ReferencedFrameOfReferenceSequence")),
        *(_text(r, "ReferencedFrameOfReferenceUID") for r in _items(dataset, "StructureSetROISequence")),
    ]
    return References(
        frozenset(_text(i, "ReferencedSOPInstanceUID") for i in images) - {""},
        frozenset(_text(s, "SeriesInstanceUID") for s in series) - {""},
        frozenset(spaces) - {""},
    )


def _rt_series(dataset: Any) -> Iterator[Any]:
    """Yield the items of RTReferencedSeriesSequence."""
    for space in _items(dataset, "ReferencedFrameOfReferenceSequence"):
        for study in _items(space, "RTReferencedStudySequence"):
            yield from _items(study, "RTReferencedSeriesSequence")


def _frame_images(dataset: Any) -> Iterator[Any]:
    """Yield the items that say which images the frames of a SEG were made from."""
    groups = [
        *_items(dataset, "SharedFunctionalGroupsSequence"),
        *_items(dataset, "PerFrameFunctionalGroupsSequence"),
    ]
    for group in groups:
        for derivation in _items(group, "DerivationImageSequence"):
            yield from _items(derivation, "SourceImageSequence")


def _items(dataset: Any, name: str) -> Iterator[Any]:
    """Yield the items of a sequence; none where it is absent or empty."""
    yield from dataset.get(name) or ()


def _text(dataset: Any, name: str) -> str:
    """Return a value as text; empty where it is absent."""
    return str(dataset.get(name) or "").strip()
