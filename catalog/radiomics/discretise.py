"""Discretisation of intensities into grey levels: bins of fixed number or of fixed size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from catalog.kernel import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from catalog.radiomics.settings import Settings

MOST_LEVELS = 65_535


@dataclass(frozen=True, slots=True)
class Bins:
    """Bins of one region: level = floor((intensity - origin) / width) + 1, within 1 and `n_levels`."""

    origin: float
    width: float
    n_levels: int


def bins_of(least: float, greatest: float, settings: Settings) -> Bins | None:
    """Return the bins of a region (IBSI manual, intensity discretisation); None if they are too many.

    Parameters
    ----------
    least, greatest : float
        Intensities of the region.
    settings : Settings
        `bin_width` and `bin_origin`, or `bin_number`.
    """
    if settings.bin_number is not None:
        return Bins(least, (greatest - least) / settings.bin_number, settings.bin_number)
    width, origin = float(settings.bin_width or 0), settings.bin_origin
    if origin is None:
        low = (settings.resegment_range or (None, None))[0]
        origin = least if low is None else low
    level = max(1.0, np.floor((greatest - origin) / width) + 1)
    return Bins(origin, width, int(level)) if level <= MOST_LEVELS else None


def discretise(
    image: NDArray[np.float32], mask: NDArray[np.bool_], box: tuple[slice, ...], bins: Bins
) -> NDArray[Any]:
    """Return the grey levels of a box, padded by one voxel of 0 on every side.

    Parameters
    ----------
    image, mask : numpy.ndarray
        float32 and bool, shape (z, y, x).
    box : tuple of slice
        The part wanted.
    bins : Bins

    Returns
    -------
    numpy.ndarray
        uint8 up to 255 levels, else uint16; 0 outside of the mask.
    """
    kind = np.uint8 if bins.n_levels <= 255 else np.uint16
    levels = np.zeros(tuple(s.stop - s.start + 2 for s in box), kind)
    corner = np.array([s.start for s in box])
    _fill(image, mask.view(np.uint8), corner, bins.origin, bins.width, bins.n_levels, levels)
    return levels


@kernel
def _fill(
    image: Any, mask: Any, corner: Any, origin: float, width: float, n_levels: int, levels: Any
) -> None:
    z0, y0, x0 = corner[0], corner[1], corner[2]
    nz, ny, nx = levels.shape[0] - 2, levels.shape[1] - 2, levels.shape[2] - 2
    for z in range(nz):
        for y in range(ny):
            for x in range(nx):
                if mask[z0 + z, y0 + y, x0 + x]:
                    level = 1
                    if width > 0:
                        place = np.floor((np.float64(image[z0 + z, y0 + y, x0 + x]) - origin) / width)
                        level = int(min(max(place, 0.0), n_levels - 1.0)) + 1
                    levels[z + 1, y + 1, x + 1] = level
