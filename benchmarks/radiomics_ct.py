"""A chest CT of noise and simple bodies, 512 x 512 x 300, with a nodule, an organ and both lungs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter, label

if TYPE_CHECKING:
    from pathlib import Path

SHAPE, SPACING_MM = (300, 512, 512), (1.0, 0.7, 0.7)
REGIONS = ("nodule", "organ", "lungs")


def _noise(sigma_mm: float, seed: int) -> np.ndarray:
    white = np.random.default_rng(seed).standard_normal(SHAPE, dtype=np.float32)
    smooth = gaussian_filter(white, [sigma_mm / s for s in SPACING_MM], mode="wrap", truncate=3.0)
    return smooth / smooth.std()


def _radius(centre_mm: tuple[float, ...], axes_mm: tuple[float, ...], wobble: np.ndarray) -> np.ndarray:
    total = np.zeros(1, np.float32)
    for axis, (n, s, c, a) in enumerate(zip(SHAPE, SPACING_MM, centre_mm, axes_mm, strict=True)):
        place = ((np.arange(n, dtype=np.float32) - n / 2 + 0.5) * s - c) / a
        total = total + (place**2).reshape([-1 if k == axis else 1 for k in range(3)])
    return np.sqrt(total) + wobble


def _largest(mask: np.ndarray) -> np.ndarray:
    parts, n = label(mask)
    return mask if n < 2 else parts == 1 + np.argmax(np.bincount(parts.ravel())[1:])


def make(folder: Path) -> None:
    """Write ct.npy (int16) and mask_*.npy (bool), shape (z, y, x)."""
    coarse, middle, fine = _noise(20, 2), _noise(6, 1), _noise(2, 3)
    image = np.full(SHAPE, -1000, np.float32)
    body = _radius((0, 0, 0), (400, 120, 165), 0.01 * coarse) < 1
    image[body] = 20 + 25 * middle[body]
    wobble = 0.03 * coarse + 0.012 * middle
    lungs = (_radius((5, 0, -72), (94, 84, 60), wobble) < 1) | (_radius((0, 0, 72), (94, 84, 60), wobble) < 1)
    image[lungs] = -830 + 35 * coarse[lungs] + 18 * middle[lungs]
    image[lungs & (np.abs(fine) < 0.2) & (np.abs(middle) < 0.4)] = -350
    organ = _radius((-100, 30, -5), (28, 32, 40), 0.06 * coarse + 0.02 * middle) < 1
    image[organ] = 105 + 10 * middle[organ]
    nodule = _radius((20, -10, 85), (10.2, 10.2, 10.2), 0.07 * middle + 0.04 * fine) < 1
    image[nodule] = 25 + 18 * fine[nodule] + 15 * middle[nodule]
    image = gaussian_filter(image, [0.55 / s for s in SPACING_MM], truncate=3.0) + 22 * _noise(0.6, 6)
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "ct.npy", np.clip(np.rint(image), -1024, 3071).astype(np.int16))
    for name, mask in zip(REGIONS, (_largest(nodule), _largest(organ), lungs & ~nodule), strict=True):
        np.save(folder / f"mask_{name}.npy", mask)
