"""Re-segmentation: which voxels of the morphological mask the intensity mask keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from catalog.radiomics.settings import Settings


def resegment(image: NDArray[np.float32], mask: NDArray[np.bool_], settings: Settings) -> NDArray[np.bool_]:
    """Return the intensity mask (IBSI manual, re-segmentation: range, then outliers).

    Mean and standard deviation (population) of the outlier rule are those of the voxels that the range
    leaves; voxels that are not a number stay, so that they are told and not dropped.

    Parameters
    ----------
    image : numpy.ndarray
        float32, shape (z, y, x).
    mask : numpy.ndarray
        bool, same shape.
    settings : Settings
        `resegment_range` and `resegment_sigma`.
    """
    if settings.resegment_range is None and settings.resegment_sigma is None:
        return mask
    kept = mask
    low, high = settings.resegment_range or (None, None)
    if low is not None:
        kept = kept & ~(image < low)
    if high is not None:
        kept = kept & ~(image > high)
    if settings.resegment_sigma is not None:
        voxels = image[kept].astype(np.float64)
        if voxels.size:
            mean, reach = voxels.mean(), settings.resegment_sigma * voxels.std()
            kept = kept & ~(np.abs(image - mean) > reach * (1 + 1e-12))
    return kept
