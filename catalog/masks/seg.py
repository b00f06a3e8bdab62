"""Masks from DICOM SEG: BINARY, FRACTIONAL and LABELMAP segments, overlapping or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from catalog.masks.errors import MaskError
from catalog.masks.grid import as_axis_order, index_transform, paste, resample_nearest
from catalog.masks.mask import Mask

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from catalog.volumes.volume import Volume

    Flags = npt.NDArray[np.bool_]
    Reals = npt.NDArray[np.float64]
    Frames = npt.NDArray[Any]

# Positions of frames are one grid where they differ from it by less than this share of the step.
UNIFORM: Final = 0.02
SHEAR_MM: Final = 0.1


def seg_masks(dataset: Any, volume: Volume, linked_by: str, fraction: float) -> Iterator[Mask]:
    """Yield a mask for each segment of a SEG.

    Parameters
    ----------
    dataset : pydicom.Dataset
        The SEG, with pixel data (PS3.3 C.8.20, C.8.23).
    volume : Volume
        Gives the grid. Frames go to it by their own position and orientation, in any order and sense of axes;
        frames that lie between its voxels are resampled to the nearest.
    linked_by : str
        How the object was joined to the volume.
    fraction : float
        Least share of MaximumFractionalValue that is in, for FRACTIONAL.

    Yields
    ------
    Mask
        In the order of SegmentSequence, without the background of a LABELMAP.

    Raises
    ------
    MaskError
        no_geometry, pixels_unreadable or unsupported_grid.
    """
    frames = _read_frames(dataset)
    kind = str(dataset.get("SegmentationType") or "BINARY").upper()
    owners = [_owner(g) for g in _groups(dataset, len(frames))]
    present = _labels(frames) if kind == "LABELMAP" else np.zeros((0, 0), np.bool_)
    placer = _Placer(dataset, volume, len(frames))
    for segment in dataset.get("SegmentSequence") or ():
        number = int(segment.get("SegmentNumber") or 0)
        if kind == "LABELMAP":
            if number == int(dataset.get("PixelPaddingValue") or 0):
                continue
            chosen = [(i, frames[i] == number) for i in np.flatnonzero(present[:, number]).tolist()]
        else:
            mine = [i for i, owner in enumerate(owners) if owner in {number, None}]
            chosen = [(i, _flags(frames[i], dataset, kind, fraction)) for i in mine]
        array, notes = placer.place([(i, flags) for i, flags in chosen if flags.any()])
        code = (segment.get("SegmentedPropertyTypeCodeSequence") or [{}])[0]
        yield Mask(
            array,
            str(segment.get("SegmentLabel") or ""),
            "seg",
            number,
            str(code.get("CodeValue") or code.get("LongCodeValue") or ""),
            str(code.get("CodingSchemeDesignator") or ""),
            str(code.get("CodeMeaning") or ""),
            str(dataset.get("SOPInstanceUID") or ""),
            linked_by,
            (*notes, *(() if array.any() else ("empty",))),
        )


def _labels(frames: Frames) -> Flags:
    """Tell which labels each frame of a LABELMAP has, shape (frames, 65,536)."""
    present = np.zeros((len(frames), 65_536), np.bool_)
    for row, frame in zip(present, frames, strict=True):
        row[frame.ravel()] = True
    return present


def _flags(frame: Frames, dataset: Any, kind: str, fraction: float) -> Flags:
    """Tell which pixels of a frame are in its segment."""
    if kind != "FRACTIONAL":
        return np.not_equal(frame, 0)
    most = int(dataset.get("MaximumFractionalValue") or 255)
    chosen: Flags = (frame > 0) & (frame >= fraction * most)
    return chosen


def _read_frames(dataset: Any) -> Frames:
    """Return all frames, shape (frames, rows, columns); bits come out as 0 and 1 (PS3.5 8.1.1)."""
    shape = (int(dataset.get("NumberOfFrames") or 1), int(dataset.Rows), int(dataset.Columns))
    bits = int(dataset.get("BitsAllocated") or 0)
    data = dataset.get("PixelData")
    if data is None:
        raise MaskError("pixels_unreadable", "the SEG has no pixel data")
    if (
        dataset.file_meta.TransferSyntaxUID.is_compressed
        and dataset.file_meta.TransferSyntaxUID.is_encapsulated
    ):
        try:
            return np.asarray(dataset.pixel_array).reshape(shape)
        except Exception as error:  # decoders raise what they like
            raise MaskError("pixels_unreadable", f"pixel data cannot be decoded: {error}") from error
    n = int(np.prod(shape))
    if bits not in {1, 8, 16} or len(data) * 8 < n * bits:
        raise MaskError("pixels_unreadable", f"{len(data)} bytes of pixel data for {n} pixels of {bits} bits")
    if bits == 1:
        return np.unpackbits(np.frombuffer(data, np.uint8), count=n, bitorder="little").reshape(shape)
    order = "<" if dataset.file_meta.TransferSyntaxUID.is_little_endian else ">"
    return np.frombuffer(data, f"{order}u{bits // 8}", n).reshape(shape)


def _groups(dataset: Any, n_frames: int) -> list[Any]:
    """Return the functional groups of each frame; empty ones where there are none."""
    groups = list(dataset.get("PerFrameFunctionalGroupsSequence") or ())
    if groups and len(groups) != n_frames:
        raise MaskError("unsupported_grid", f"{n_frames} frames with functional groups for {len(groups)}")
    return groups or [{}] * n_frames


def _owner(group: Any) -> int | None:
    """Return the number of the segment that a frame is of."""
    item = (group.get("SegmentIdentificationSequence") or [{}])[0]
    number = item.get("ReferencedSegmentNumber")
    return None if number is None else int(number)


def _macro(dataset: Any, group: Any, name: str) -> Any:
    """Return an item of a frame's own or of the shared functional groups."""
    shared = (dataset.get("SharedFunctionalGroupsSequence") or [{}])[0]
    return (group.get(name) or shared.get(name) or [{}])[0]


class _Placer:
    """Where the frames of one SEG lie on a volume."""

    def __init__(self, dataset: Any, volume: Volume, n_frames: int) -> None:
        self._volume = volume
        self._shape = (1, int(dataset.Rows), int(dataset.Columns))
        groups = _groups(dataset, n_frames)
        self._affines = [_frame_affine(dataset, group) for group in groups]
        self._slices = [_slice_of(group, volume, self._shape[1:]) for group in groups]

    def place(self, frames: list[tuple[int, Flags]]) -> tuple[Flags, tuple[str, ...]]:
        """Return the mask of the frames, by number and flags, on the volume's grid; and notes."""
        target = np.zeros(self._volume.array.shape, np.bool_)
        outside, askew = 0, []
        for i, flags in frames:
            affine = self._affines[i]
            if affine is None:
                target[self._known_slice(i)] |= flags
                continue
            placed = as_axis_order(self._of_plane(affine), self._shape)
            if placed is None:
                askew.append((i, flags))
            else:
                outside += paste(flags[None], placed, target)
        notes = [f"voxels_outside({outside})"] if outside else []
        if askew:
            target[:] = False
            self._resample(frames, target)
            notes = ["resampled_nearest"]
        return target, tuple(notes)

    def _of_plane(self, affine: Reals) -> Reals:
        """Return the transform of one frame; its thickness is no matter, so it is made one voxel."""
        transform = index_transform(affine, self._volume)
        transform[:3, 0] /= np.abs(transform[:3, 0]).max()
        return transform

    def _known_slice(self, i: int) -> int:
        """Return the slice that a frame without a position was made from."""
        k = self._slices[i]
        if k is None:
            raise MaskError(
                "no_geometry", "a frame has no position, and its source is no slice of the volume"
            )
        return k

    def _resample(self, frames: list[tuple[int, Flags]], target: Flags) -> None:
        """Set the voxels nearest to frames that make one regular stack, with empty planes in gaps."""
        affines = [a for a in self._affines if a is not None]
        first = affines[0]
        if len(affines) < len(self._affines) or any(
            np.abs(a[:3, :3] - first[:3, :3]).max() > 1e-3 for a in affines
        ):
            raise MaskError("unsupported_grid", "frames differ in orientation or spacing; expected one stack")
        thickness = float(np.linalg.norm(first[:3, 0]))
        normal = first[:3, 0] / thickness
        along = np.array([a[:3, 3] @ normal for a in affines])
        gaps = np.diff(np.unique(np.round(along, 3)))
        step = float(gaps.min()) if len(gaps) else thickness
        numbers = (along - along.min()) / step
        start = affines[int(along.argmin())]
        shift = np.array([a[:3, 3] - start[:3, 3] for a in affines]) - np.outer(along - along.min(), normal)
        if np.abs(numbers - np.rint(numbers)).max() > UNIFORM * max(1.0, numbers.max()) or (
            np.abs(shift).max() > SHEAR_MM
        ):
            raise MaskError(
                "unsupported_grid", "frames off the volume's grid are not evenly spaced in one stack"
            )
        stack = np.zeros((int(np.rint(numbers).max()) + 1, *self._shape[1:]), np.bool_)
        of_frame = iter(np.rint(numbers).astype(int).tolist())
        plane = [next(of_frame) for _ in self._affines]
        for i, flags in frames:
            stack[plane[i]] |= flags
        grid = start.copy()
        grid[:3, 0] = normal * step
        resample_nearest(stack, index_transform(grid, self._volume), target)


def _frame_affine(dataset: Any, group: Any) -> Reals | None:
    """Return the matrix from (plane, row, column) of a frame to LPS, mm; None where it has no position."""
    position = _macro(dataset, group, "PlanePositionSequence").get("ImagePositionPatient")
    orientation = _macro(dataset, group, "PlaneOrientationSequence").get("ImageOrientationPatient")
    measures = _macro(dataset, group, "PixelMeasuresSequence")
    spacing = measures.get("PixelSpacing")
    if position is None or orientation is None or spacing is None:
        return None
    cosines = np.asarray(orientation, np.float64).reshape(2, 3)
    step = float(measures.get("SpacingBetweenSlices") or measures.get("SliceThickness") or 0) or 1.0
    affine = np.eye(4)
    affine[:3, 0] = np.cross(cosines[0], cosines[1]) * abs(step)
    affine[:3, 1] = cosines[1] * float(spacing[0])
    affine[:3, 2] = cosines[0] * float(spacing[1])
    affine[:3, 3] = np.asarray(position, np.float64)
    return affine


def _slice_of(group: Any, volume: Volume, shape: tuple[int, int]) -> int | None:
    """Return the slice of the volume that a frame says it was made from."""
    if shape != volume.array.shape[1:]:
        return None
    for derivation in group.get("DerivationImageSequence") or ():
        for image in derivation.get("SourceImageSequence") or ():
            uid = str(image.get("ReferencedSOPInstanceUID") or "")
            if uid in volume.sop_instance_uids:
                return volume.sop_instance_uids.index(uid)
    return None
