"""A region: what feature families compute on, cropped, interpolated, re-segmented and discretised."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import pi
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

PEAK_RADIUS_MM: Final = 10 * (3 / (4 * pi)) ** (1 / 3)  # of a sphere of 1 cm³: the local intensity peak


@dataclass(frozen=True, eq=False)
class Region:
    """One region of interest, ready for the feature families; all arrays are C-contiguous.

    The morphological mask is the region after interpolation; the intensity mask is what re-segmentation
    left of it (IBSI manual, image processing: morphological and intensity masks).

    Attributes
    ----------
    image : numpy.ndarray
        float32, shape (z, y, x): intensities, cropped to the morphological mask's box and a margin around
        it that holds the sphere of the local intensity peak (6.2 mm) wherever the volume reaches so far.
    intensity_mask, morphological_mask : numpy.ndarray
        bool, the shape of `image`.
    levels : numpy.ndarray
        uint8 or uint16, shape (z + 2, y + 2, x + 2) of the morphological mask's box: grey levels 1 to
        `n_levels` of the intensity mask, 0 outside it; padded by one voxel of 0 on every side.
    roi : numpy.ndarray
        uint8, the shape of `levels`: 1 in the morphological mask, 0 outside. Distances to the border of the
        region (GLDZM) are counted in it, so that voxels lost to re-segmentation make no border.
    n_levels : int
        Number of grey levels: the bin number, or the highest level present for bins of fixed width.
    spacing_mm : tuple of float
        Distance of neighbouring voxels along (z, y, x).
    unit : str
        What an intensity is (HU, SUVbw, ...), or empty.
    """

    image: npt.NDArray[np.float32]
    intensity_mask: npt.NDArray[np.bool_]
    morphological_mask: npt.NDArray[np.bool_]
    levels: npt.NDArray[Any]
    roi: npt.NDArray[np.uint8]
    n_levels: int
    spacing_mm: tuple[float, float, float]
    unit: str = ""

    @cached_property
    def voxels(self) -> npt.NDArray[np.float32]:
        """Intensities of the intensity mask, shape (n,), in the order of the array."""
        return self.image[self.intensity_mask]
