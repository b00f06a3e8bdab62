"""Placing voxels of another grid on the grid of a volume."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from catalog.volumes.volume import Volume

    Flags = npt.NDArray[np.bool_]
    Reals = npt.NDArray[np.float64]

# Grids are one where their voxel centres differ by less than this share of a voxel.
SAME_GRID: Final = 0.1


def index_transform(affine: Reals, volume: Volume) -> Reals:
    """Return the matrix (4, 4) from indices of a grid to indices (z, y, x) of the volume."""
    return np.asarray(np.linalg.solve(volume.affine, affine), np.float64)


def as_axis_order(transform: Reals, shape: tuple[int, ...]) -> tuple[tuple[int, ...], Any, Any] | None:
    """Tell how a grid is the volume's grid up to the order and sense of axes.

    Parameters
    ----------
    transform : numpy.ndarray
        Shape (4, 4), from indices of the grid to indices of the volume.
    shape : tuple of int
        Voxels of the grid along its three axes.

    Returns
    -------
    tuple or None
        For each axis of the grid the axis of the volume; the sense (1 or -1) and the whole-numbered offset
        of each axis of the volume. None where any voxel would lie :data:`SAME_GRID` voxels off or more.
    """
    axes = np.abs(transform[:3, :3]).argmax(axis=0)
    if sorted(axes.tolist()) != [0, 1, 2]:
        return None
    whole = np.zeros((3, 3))
    whole[axes, range(3)] = np.where(transform[axes, range(3)] < 0, -1.0, 1.0)
    offset = np.rint(transform[:3, 3])
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in shape], indexing="ij")).reshape(3, -1)
    off = (transform[:3, :3] - whole) @ corners + (transform[:3, 3] - offset)[:, None]
    if np.abs(off).max() >= SAME_GRID:
        return None
    senses = whole[axes, range(3)]
    sense_of_volume_axis = np.empty(3, np.int64)
    sense_of_volume_axis[axes] = senses.astype(np.int64)
    return tuple(int(a) for a in axes), sense_of_volume_axis, offset.astype(np.int64)


def paste(flags: Flags, placed: tuple[tuple[int, ...], Any, Any], target: Flags) -> int:
    """Add voxels of a grid that :func:`as_axis_order` describes to a mask; return how many lie outside."""
    axes, senses, offset = placed
    turned = flags.transpose(np.argsort(axes))
    into, out_of = [], []
    for axis, (sense, first) in enumerate(zip(senses.tolist(), offset.tolist(), strict=True)):
        n = turned.shape[axis]
        low = first if sense > 0 else first - n + 1
        if sense < 0:
            turned = np.flip(turned, axis)
        start, stop = max(low, 0), min(low + n, target.shape[axis])
        into.append(slice(start, max(stop, start)))
        out_of.append(slice(start - low, max(stop, start) - low))
    inside = turned[tuple(out_of)]
    target[tuple(into)] |= inside
    if inside.size == flags.size:
        return 0
    return int(np.count_nonzero(flags) - np.count_nonzero(inside))


def resample_nearest(flags: Flags, transform: Reals, target: Flags) -> None:
    """Set the voxels of a mask whose centre lies nearest to a set voxel of another grid.

    Parameters
    ----------
    flags : numpy.ndarray
        bool, the other grid.
    transform : numpy.ndarray
        Shape (4, 4), from indices of `flags` to indices of `target`.
    target : numpy.ndarray
        bool, shape (z, y, x); set voxels stay set.
    """
    where = [np.flatnonzero(flags.any(axis=tuple({0, 1, 2} - {a}))) for a in range(3)]
    if not all(len(w) for w in where):
        return
    ends = np.array(np.meshgrid(*[(w[0] - 0.5, w[-1] + 0.5) for w in where], indexing="ij")).reshape(3, -1)
    corners = transform[:3, :3] @ ends + transform[:3, 3:]
    low = np.clip(np.floor(corners.min(axis=1)).astype(int), 0, None)
    high = np.minimum(np.ceil(corners.max(axis=1)).astype(int) + 1, target.shape)
    if (low >= high).any():
        return
    back = np.linalg.inv(transform)
    y, x = np.meshgrid(np.arange(low[1], high[1]), np.arange(low[2], high[2]), indexing="ij")
    limits = np.array(flags.shape)[:, None, None]
    for z in range(low[0], high[0]):  # a slice at a time: indices of the whole box would take much memory
        at = np.stack([back[a, 0] * z + back[a, 1] * y + back[a, 2] * x + back[a, 3] for a in range(3)])
        nearest = np.floor(at + 0.5).astype(np.int64)
        inside = ((nearest >= 0) & (nearest < limits)).all(axis=0)
        nearest = np.where(inside, nearest, 0)
        target[z, low[1] : high[1], low[2] : high[2]] |= inside & flags[tuple(nearest)]


def place(flags: Flags, affine: Reals, volume: Volume) -> tuple[Flags, tuple[str, ...]]:
    """Return a mask on the volume's grid from voxels on another grid, and notes.

    Parameters
    ----------
    flags : numpy.ndarray
        bool, three axes in any order.
    affine : numpy.ndarray
        Shape (4, 4), from indices of `flags` to LPS, mm.
    volume : Volume
        Gives the grid.

    Returns
    -------
    tuple
        The mask, bool (z, y, x), and notes: ``resampled_nearest``, ``voxels_outside(12)``.
    """
    target = np.zeros(volume.array.shape, np.bool_)
    transform = index_transform(affine, volume)
    placed = as_axis_order(transform, flags.shape)
    if placed is None:
        resample_nearest(flags, transform, target)
        return target, ("resampled_nearest",)
    outside = paste(flags, placed, target)
    return target, (f"voxels_outside({outside})",) if outside else ()
