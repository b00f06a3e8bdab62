"""Why a series gives no volume, by name."""

from __future__ import annotations

from typing import Final

from hpc.errors import CohortiumError

# Beside the reasons of the geometry, catalog.series_geometry.REASONS.
VOLUME_REASONS: Final[dict[str, str]] = {
    "colour": "images have several samples per pixel, or a palette",
    "decoder_missing": "no installed package decodes the transfer syntax",
    "mixed_frames_of_reference": "images lie in different frames of reference",
    "mixed_series": "files belong to more than one series",
    "mixed_units": "images have values of different units",
    "mosaic": "slices are tiled in one image",
    "no_pixels": "no file has an image",
    "not_dicom": "a file is no DICOM instance",
    "pixels_truncated": "a file ends before its pixel data do",
    "pixels_unreadable": "pixel data cannot be read or decoded",
    "too_large": "the volume has more voxels than allowed",
    "unknown_suv": "headers do not allow standardised uptake values",
    "unreadable_header": "the header of a file cannot be read",
    "unsupported_pixels": "pixels are no integers of 8, 16 or 32 bits with a slope, or have a table",
}


class VolumeError(CohortiumError, ValueError):
    """A series gives no volume.

    Attributes
    ----------
    reason : str
        A key of :data:`VOLUME_REASONS` or of :data:`catalog.series_geometry.REASONS`.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(reason, message)
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.reason}: {self.args[1]}"
