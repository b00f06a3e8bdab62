"""Why a file or a source gives no mask, by name."""

from __future__ import annotations

from typing import Final

from hpc.errors import CohortiumError

MASK_REASONS: Final[dict[str, str]] = {
    "no_geometry": "the mask has no position in space, and names no image of the volume",
    "no_lungs": "the volume is no chest CT, or no lungs were found in it",
    "not_a_mask": "the file is no SEG, RTSTRUCT or NIfTI mask, or its values are no labels",
    "other_frame_of_reference": "mask and volume lie in different frames of reference",
    "pixels_unreadable": "pixel data are missing, cut short or cannot be decoded",
    "unreadable": "the file cannot be read",
    "unsupported_grid": "frames lie neither on the volume's grid nor on one regular grid",
}


class MaskError(CohortiumError, ValueError):
    """A file or a source gives no mask.

    Attributes
    ----------
    reason : str
        A key of :data:`MASK_REASONS`.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(reason, message)
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.reason}: {self.args[1]}"
