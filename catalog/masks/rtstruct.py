"""Masks from RTSTRUCT: contours in the patient's space filled on the slices of a volume."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from catalog.masks.linking import FRAME_OF_REFERENCE
from catalog.masks.mask import Mask

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy.typing as npt

    from catalog.volumes.volume import Volume

    Flags = npt.NDArray[np.bool_]
    Reals = npt.NDArray[np.float64]

# A contour belongs to a slice where all its points lie within this share of the slices' distance.
ON_SLICE: Final = 0.3


def rtstruct_masks(dataset: Any, volume: Volume, linked_by: str) -> Iterator[Mask]:
    """Yield a mask for each ROI of an RTSTRUCT.

    A voxel is in where its centre is: inside an odd number of the slice's closed contours, so that holes,
    islands and keyholes come out as drawn. A centre on a contour counts on the low side only.

    Parameters
    ----------
    dataset : pydicom.Dataset
        The RTSTRUCT (PS3.3 C.8.8.5, C.8.8.6).
    volume : Volume
        Gives the grid; its slices may be oblique.
    linked_by : str
        How the object was joined to the volume.

    Yields
    ------
    Mask
        In the order of StructureSetROISequence; also of ROIs without contours, noted as ``empty``.
    """
    contours = {str(c.get("ReferencedROINumber")): c for c in dataset.get("ROIContourSequence") or ()}
    types = {str(o.get("ReferencedROINumber")): o for o in dataset.get("RTROIObservationsSequence") or ()}
    for roi in dataset.get("StructureSetROISequence") or ():
        number = str(roi.get("ROINumber"))
        space = str(roi.get("ReferencedFrameOfReferenceUID") or "")
        elsewhere = linked_by == FRAME_OF_REFERENCE and space not in {"", volume.frame_of_reference_uid}
        if elsewhere:
            array, notes = np.zeros(volume.array.shape, np.bool_), Counter(other_frame_of_reference=1)
        else:
            array, notes = fill_contours(_closed_contours(contours.get(number)), volume)
        code = (types.get(number, {}).get("RTROIIdentificationCodeSequence") or [{}])[0]
        yield Mask(
            array,
            str(roi.get("ROIName") or ""),
            "rtstruct",
            int(roi.get("ROINumber") or 0),
            str(code.get("CodeValue") or ""),
            str(code.get("CodingSchemeDesignator") or ""),
            str(code.get("CodeMeaning") or ""),
            str(dataset.get("SOPInstanceUID") or ""),
            linked_by,
            (*(f"{what}({n})" for what, n in notes.items()), *(() if array.any() else ("empty",))),
        )


def _closed_contours(item: Any) -> Iterator[Reals | str]:
    """Yield the points (n, 3) of closed contours, LPS mm, or a note on one that is left out."""
    for contour in (item.get("ContourSequence") or ()) if item is not None else ():
        kind = str(contour.get("ContourGeometricType") or "").upper()
        values = _numbers(contour)
        if len(values) % 3 or not np.isfinite(values).all():
            yield "broken_contours_ignored"
        elif kind == "POINT" or len(values) < 9:
            yield "point_contours_ignored"
        elif kind.startswith("OPEN"):
            yield "open_contours_ignored"
        else:
            yield values.reshape(-1, 3)


def _numbers(contour: Any) -> Reals:
    """Return ContourData; one NaN where it is not numbers.

    Bytes not yet parsed are read at once: pydicom makes an object of each number.
    """
    element = contour.get_item("ContourData")
    value = getattr(element, "value", None)
    try:
        if isinstance(value, bytes):
            text = value.rstrip(b" \0")
            return np.array([float(v) for v in text.split(b"\\")] if text else [], np.float64)
        data = contour.get("ContourData")
        return np.asarray([] if data is None else data, np.float64).reshape(-1)
    except (TypeError, ValueError):
        return np.full(1, np.nan)


def fill_contours(contours: Iterable[Reals | str], volume: Volume) -> tuple[Flags, Counter[str]]:
    """Fill closed contours on the slices of a volume.

    Parameters
    ----------
    contours : iterable of numpy.ndarray or str
        Points (n, 3), LPS, mm; a text is a note to count.
    volume : Volume
        Gives the grid.

    Returns
    -------
    tuple
        The mask, bool (z, y, x), and how often each note applies.
    """
    target = np.zeros(volume.array.shape, np.bool_)
    to_index = np.linalg.inv(volume.affine)
    notes: Counter[str] = Counter()
    by_slice: dict[int, dict[bytes, Reals]] = {}
    for contour in contours:
        if isinstance(contour, str):
            notes[contour] += 1
            continue
        points = contour @ to_index[:3, :3].T + to_index[:3, 3]
        k = round(float(points[:, 0].mean()))
        if not 0 <= k < len(target) or np.abs(points[:, 0] - k).max() > ON_SLICE:
            notes["contours_off_the_slices"] += 1
            continue
        known = by_slice.setdefault(k, {})
        if contour.tobytes() in known:  # drawn twice, it would undo itself
            notes["duplicate_contours_ignored"] += 1
        known[contour.tobytes()] = points[:, 1:]
    for k, polygons in by_slice.items():
        fill_even_odd(list(polygons.values()), target[k])
    return target, notes


def fill_even_odd(polygons: list[Reals], plane: Flags) -> None:
    """Set the pixels whose centre lies inside an odd number of polygons.

    Parameters
    ----------
    polygons : list of numpy.ndarray
        Corners (n, 2), in rows and columns; pixel centres lie at whole numbers.
    plane : numpy.ndarray
        bool, shape (y, x); written.

    Notes
    -----
    Each edge flips all pixels right of it in the rows it crosses. Edges run upwards whatever their sense, so
    that the two ways along a keyhole flip the same pixels and cancel. A row's lower end belongs to the edge.
    """
    start = np.concatenate(polygons)
    end = np.concatenate([np.roll(p, -1, axis=0) for p in polygons])
    down = (start[:, 0] > end[:, 0])[:, None]
    low, high = np.where(down, end, start), np.where(down, start, end)
    first = np.clip(np.ceil(low[:, 0]), 0, plane.shape[0]).astype(np.int64)
    last = np.clip(np.ceil(high[:, 0]), 0, plane.shape[0]).astype(np.int64)
    n_rows = last - first
    edge = np.repeat(np.arange(len(low)), n_rows)
    if not len(edge):
        return
    row = np.arange(len(edge)) - np.repeat(np.cumsum(n_rows) - n_rows, n_rows) + first[edge]
    slope = (high[edge, 1] - low[edge, 1]) / (high[edge, 0] - low[edge, 0])
    at = np.clip(np.ceil(low[edge, 1] + (row - low[edge, 0]) * slope), 0, plane.shape[1]).astype(np.int64)
    top, left = int(row.min()), int(at.min())
    shape = (int(row.max()) + 1 - top, int(at.max()) + 1 - left)
    flips = np.bincount((row - top) * shape[1] + at - left, minlength=shape[0] * shape[1]).reshape(shape)
    odd = np.logical_xor.accumulate((flips & 1).astype(np.bool_), axis=1)[:, :-1]
    plane[top : top + shape[0], left : left + shape[1] - 1] |= odd
