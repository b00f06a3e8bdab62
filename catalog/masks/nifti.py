"""Masks from NIfTI: one for each label."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from catalog.masks.errors import MaskError
from catalog.masks.grid import place
from catalog.masks.mask import Mask

if TYPE_CHECKING:
    from collections.abc import Iterator

    from catalog.volumes.volume import Volume

MOST_LABELS: Final = 1000
MOST_BOXED: Final = 65_535  # greatest label that boxes are found for in one pass


def nifti_masks(path: str, volume: Volume, fraction: float) -> Iterator[Mask]:
    """Yield a mask for each label of a NIfTI file.

    Parameters
    ----------
    path : str
        NIfTI-1 or -2, also compressed, with three axes; whole numbers are labels and 0 is none. Other numbers
        from 0 to 1 are shares of voxels.
    volume : Volume
        Gives the grid. The file's RAS positions (sform, else qform) decide where voxels go.
    fraction : float
        Least share that is in.

    Yields
    ------
    Mask
        In the order of labels.

    Raises
    ------
    MaskError
        unreadable or not_a_mask.
    """
    values, affine = _read(path)
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
    if not np.isfinite(values).all() or values.min(initial=0) < 0:
        raise MaskError("not_a_mask", "values below zero or not finite; expected labels")
    if (values != np.floor(values)).any():
        if values.max() > 1:
            raise MaskError("not_a_mask", "values are neither whole numbers nor shares from 0 to 1")
        values = (values > 0) & (values >= fraction)
    boxes = _boxes(values.astype(np.int64 if values.max(initial=0) > MOST_BOXED else np.int32))
    if len(boxes) > MOST_LABELS:
        raise MaskError("not_a_mask", f"{len(boxes)} labels; expected at most {MOST_LABELS}")
    for label, box in boxes or [(1, (slice(0, 1),) * 3)]:
        first = affine @ [*(s.start for s in box), 1]
        moved = np.column_stack([affine[:, :3], first])
        array, notes = place(values[box] == label, moved, volume)
        notes = notes if array.any() else (*notes, "empty")
        yield Mask(array, f"label_{label}", "nifti", label, linked_by="name", notes=notes)


def _boxes(values: Any) -> list[tuple[int, tuple[slice, ...]]]:
    """Return the labels of an array, each with a box that holds all its voxels."""
    from scipy import ndimage

    if values.max(initial=0) > MOST_BOXED:
        labels = np.unique(values[values > 0]).tolist()
        return [(label, tuple(slice(0, n) for n in values.shape)) for label in labels]
    found = ndimage.find_objects(values)
    return [(label, box) for label, box in enumerate(found, 1) if box is not None]


def _read(path: str) -> tuple[Any, Any]:
    """Return values with three axes and the RAS affine."""
    import nibabel
    from nibabel.filebasedimages import ImageFileError

    try:
        image: Any = nibabel.load(path)
        values = np.asanyarray(image.dataobj)
    except (OSError, EOFError, ValueError, ImageFileError) as error:
        raise MaskError("unreadable", f"the NIfTI file cannot be read: {type(error).__name__}") from error
    if values.ndim > 3 and all(n == 1 for n in values.shape[3:]):
        values = values.reshape(values.shape[:3])
    if values.ndim != 3 or values.dtype.kind not in "uifb":
        raise MaskError("not_a_mask", f"{values.ndim} axes of {values.dtype}; expected three axes of numbers")
    return values, np.asarray(image.affine, np.float64)
