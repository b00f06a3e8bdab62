"""Small stand-ins for a region and the settings, as the families of shape and intensity take them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from catalog.radiomics.region import Region

# IBSI digital phantom (CC BY 4.0): four planes of four rows of five voxels; negative ones lie outside
PHANTOM = np.array(
    [
        [[1, 4, 4, 1, 1], [1, 4, 6, 1, 1], [4, 1, 6, 4, 1], [4, 4, 6, 4, 1]],
        [[1, 4, 4, 1, 1], [1, 1, 6, 1, 1], [-1, 1, 3, 1, 1], [4, 4, 6, 1, 1]],
        [[1, 4, 4, -1, -1], [1, 1, 1, 1, 1], [1, 1, -9, 1, 1], [1, 1, 6, 1, 1]],
        [[1, 4, 4, -1, -1], [1, 1, 1, 1, 1], [1, 1, 1, 1, 1], [1, 1, 6, 1, 1]],
    ]
)


@dataclass
class Stub:
    """Settings that matter here."""

    resegment_range: Any = None
    ivh_bin_width: float | None = None
    ivh_bin_number: int | None = None
    autocorrelation: Any = True
    autocorrelation_limit: int = 1_000_000


def region_of(
    image: Any, mask: Any, spacing: tuple[float, float, float] = (1.0, 1.0, 1.0), intensity: Any = None
) -> Any:
    """A region whose grey levels are the intensities, rounded, from 1 on."""
    image, mask = np.ascontiguousarray(image, np.float32), np.ascontiguousarray(mask, bool)
    chosen = mask if intensity is None else np.ascontiguousarray(intensity, bool)
    planes = [np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis))) for axis in range(3)]
    box = tuple(slice(p[0], p[-1] + 1) if len(p) else slice(0, 0) for p in planes)
    whole = np.where(chosen & np.isfinite(image), np.clip(np.nan_to_num(image), 1, 200), 0).round()
    levels = np.pad(whole[box], 1).astype(np.uint8)
    roi = np.pad(mask[box], 1).astype(np.uint8)
    return Region(image, chosen, mask, levels, roi, int(levels.max()), spacing)


def phantom_region() -> Any:
    """The digital phantom: 2 mm voxels."""
    return region_of(np.abs(PHANTOM), PHANTOM > 0, (2.0, 2.0, 2.0))
