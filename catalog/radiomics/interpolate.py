"""Interpolation of a crop onto another grid of the whole image, both grids aligned by their centres."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import spline_filter1d

from catalog.kernel import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

SPLINE_MARGIN = 16  # voxels: the spline's pole, 0.268, is 7e-10 in that distance


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of an interpolation: where new voxels lie between those of the image.

    Attributes
    ----------
    n_old, n_new : int
        Voxels along the whole image, before and after.
    step : float
        New spacing over old spacing.
    """

    n_old: int
    n_new: int
    step: float

    @classmethod
    def of(cls, n: int, spacing_mm: float, new_spacing_mm: float | None) -> Axis:
        """Return the axis of an image with n voxels (IBSI manual, interpolation: align grid centres)."""
        if new_spacing_mm is None or math.isclose(new_spacing_mm, spacing_mm, rel_tol=1e-6):
            return cls(n, n, 1.0)
        step = new_spacing_mm / spacing_mm
        return cls(n, max(1, math.ceil(n / step - 1e-6)), step)

    @property
    def kept(self) -> bool:
        """Whether new and old voxels are the same."""
        return self.step == 1.0

    def old_of(self, new: Any) -> Any:
        """Position of new voxels, counted in old ones."""
        return (self.n_old - 1) / 2 + (np.asarray(new) - (self.n_new - 1) / 2) * self.step

    def new_range(self, low: float, high: float) -> tuple[int, int]:
        """Return the new voxels between two positions counted in old ones: first, and one past the last."""
        start = math.ceil((low - (self.n_old - 1) / 2) / self.step + (self.n_new - 1) / 2 - 1e-6)
        stop = math.floor((high - (self.n_old - 1) / 2) / self.step + (self.n_new - 1) / 2 + 1e-6) + 1
        return max(0, start), min(self.n_new, max(stop, start))


def interpolate(
    crop: NDArray[Any], first: tuple[int, ...], axes: tuple[Axis, ...], box: tuple[slice, ...], method: str
) -> NDArray[np.float32]:
    """Interpolate axis by axis.

    Parameters
    ----------
    crop : numpy.ndarray
        Part of the image, shape (z, y, x), that starts at the voxel `first`.
    axes : tuple of Axis
        The grids along (z, y, x).
    box : tuple of slice
        New voxels wanted. Positions outside of the crop take its border's values (mirrored for splines).
    method : str
        ``nearest``, ``linear`` or ``cubic``.

    Returns
    -------
    numpy.ndarray
        float32, the shape of `box`.
    """
    values: NDArray[Any] = np.asarray(crop, np.float32)
    for number in sorted(range(3), key=lambda k: axes[k].n_new / axes[k].n_old):
        axis, part = axes[number], box[number]
        positions = axis.old_of(np.arange(part.start, part.stop)) - first[number]
        if axis.kept:
            start = round(float(positions[0])) if len(positions) else 0
            values = values[(slice(None),) * number + (slice(start, start + len(positions)),)]
            continue
        if method == "cubic" and values.shape[number] > 1:
            values = spline_filter1d(values, 3, number, output=np.float64, mode="mirror")
        values = _along(values, number, *_taps(positions, values.shape[number], method))
    return np.ascontiguousarray(values, np.float32)


def _taps(
    positions: NDArray[np.float64], n: int, method: str
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return which old voxels make a new one, and their weights: two arrays of shape (new, taps)."""
    if method == "nearest":
        near = np.floor(positions + 0.5).astype(np.int64)[:, None]
        return np.clip(near, 0, n - 1), np.ones(near.shape)
    if method == "linear" or n == 1:
        positions = np.clip(positions, 0, n - 1)
    base = np.floor(positions + 1e-9)
    t = np.clip(positions - base, 0, 1)
    low = base.astype(np.int64)
    if method == "linear" or n == 1:
        return np.clip(np.stack([low, low + 1], 1), 0, n - 1), np.stack([1 - t, t], 1)
    weights = [(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3]
    index = np.abs(low[:, None] + np.arange(-1, 3)) % (2 * (n - 1))
    return np.where(index >= n, 2 * (n - 1) - index, index), np.stack(weights, 1) / 6


def _along(
    values: NDArray[Any], axis: int, index: NDArray[np.int64], weights: NDArray[np.float64]
) -> NDArray[np.float32]:
    shape = values.shape
    before, after = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
    out = np.zeros((before, len(index), after), np.float32)
    blocks = np.ascontiguousarray(values).reshape(before, shape[axis], after)
    if after == 1:
        _gather(blocks[:, :, 0], index, weights, out[:, :, 0])
    else:
        _combine(blocks, index, weights, out)
    return out.reshape(*shape[:axis], len(index), *shape[axis + 1 :])


@kernel
def _combine(blocks: Any, index: Any, weights: Any, out: Any) -> None:
    """Sum weighted rows: out[b, k, :] = sum of weights[k, t] * blocks[b, index[k, t], :]."""
    for b in range(blocks.shape[0]):
        for k in range(index.shape[0]):
            if index.shape[1] == 4:
                i0, i1, i2, i3 = index[k, 0], index[k, 1], index[k, 2], index[k, 3]
                w0, w1, w2, w3 = weights[k, 0], weights[k, 1], weights[k, 2], weights[k, 3]
                for x in range(blocks.shape[2]):
                    total = w0 * blocks[b, i0, x] + w1 * blocks[b, i1, x]
                    out[b, k, x] = total + w2 * blocks[b, i2, x] + w3 * blocks[b, i3, x]
            elif index.shape[1] == 2:
                i0, i1, w0, w1 = index[k, 0], index[k, 1], weights[k, 0], weights[k, 1]
                for x in range(blocks.shape[2]):
                    out[b, k, x] = w0 * blocks[b, i0, x] + w1 * blocks[b, i1, x]
            else:
                for x in range(blocks.shape[2]):
                    out[b, k, x] = blocks[b, index[k, 0], x]


@kernel
def _gather(rows: Any, index: Any, weights: Any, out: Any) -> None:
    """Sum weighted voxels of each row: out[r, k] = sum of weights[k, t] * rows[r, index[k, t]]."""
    for r in range(rows.shape[0]):
        for k in range(index.shape[0]):
            total = 0.0
            for t in range(index.shape[1]):
                total += weights[k, t] * rows[r, index[k, t]]
            out[r, k] = total
