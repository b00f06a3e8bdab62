"""A volume: voxel values on a regular grid in the patient's space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Reals = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Volume:
    """Voxel values on a regular grid.

    Attributes
    ----------
    array : numpy.ndarray
        float32, shape (z, y, x): slices along the normal, rows, columns.
    spacing_mm : tuple of float
        Distance of neighbouring voxels along (z, y, x).
    origin_mm : tuple of float
        LPS position (x, y, z of the patient) of the centre of voxel [0, 0, 0].
    direction : numpy.ndarray
        Shape (3, 3); column k is the unit vector, LPS, along axis k of the array (slices, rows, columns).
    modality : str
        Modality, or empty.
    unit : str
        What a value is: HU, SUVbw, BQML, another RescaleType or Units, or empty for arbitrary numbers.
    series_uid : str
        SeriesInstanceUID, or empty.
    frame_of_reference_uid : str
        FrameOfReferenceUID, or empty.
    sop_instance_uids : tuple of str
        The object that each slice comes from, one per slice; empty where unknown.
    notes : tuple of str
        What was done beyond stacking: ``tilt_corrected(16.5 deg)``, ``localizers_dropped(2)``, ...
    """

    array: npt.NDArray[np.float32]
    spacing_mm: tuple[float, float, float]
    origin_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    direction: Any = None
    modality: str = ""
    unit: str = ""
    series_uid: str = ""
    frame_of_reference_uid: str = ""
    sop_instance_uids: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.array.ndim != 3:
            raise ValueError(f"a volume has three axes (z, y, x); this array has {self.array.ndim}")
        if not all(np.isfinite(s) and s > 0 for s in self.spacing_mm):
            raise ValueError(f"spacing_mm is {self.spacing_mm}; expected three numbers above zero, (z, y, x)")
        if self.direction is None:
            object.__setattr__(self, "direction", np.eye(3)[:, ::-1].copy())

    @property
    def affine(self) -> Reals:
        """Matrix (4, 4) from (z, y, x) indices of a voxel to its LPS position in mm."""
        matrix = np.eye(4)
        matrix[:3, :3] = self.direction * np.asarray(self.spacing_mm)
        matrix[:3, 3] = self.origin_mm
        return matrix
