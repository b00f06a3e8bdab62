"""A mask: one region of interest on the grid of a volume."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """One region of interest, on the grid of a volume.

    Attributes
    ----------
    array : numpy.ndarray
        bool, shape (z, y, x) of the volume.
    label : str
        SegmentLabel, ROIName, or the name of the source (``lungs``, ``whole``).
    source : str
        Row of :data:`catalog.masks.MASK_SOURCES`: seg, rtstruct, nifti, lungs, whole.
    number : int
        SegmentNumber or ROINumber; the value in a NIfTI mask; 1 otherwise.
    code_value, code_scheme, code_meaning : str
        Coded type of the segment or structure, or empty.
    sop_instance_uid : str
        The SEG or RTSTRUCT, or empty.
    linked_by : str
        How the region was joined to the series: instances, series, frame_of_reference, name, or computed.
    notes : tuple of str
        What was left out or decided: ``point_contours_ignored(2)``, ``contours_off_the_slices(1)``, ...
    """

    array: npt.NDArray[np.bool_]
    label: str
    source: str
    number: int = 1
    code_value: str = ""
    code_scheme: str = ""
    code_meaning: str = ""
    sop_instance_uid: str = ""
    linked_by: str = ""
    notes: tuple[str, ...] = ()
