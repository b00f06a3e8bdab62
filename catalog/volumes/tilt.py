"""A sheared stack, as from a tilted gantry, resampled in plane to one with its slices above each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Voxels = npt.NDArray[np.float32]

WHOLE: Final = 1e-6  # of a pixel: a shift this near to a whole number moves without interpolation


def straightened_shape(shape: tuple[int, int, int], shift: npt.NDArray[np.float64]) -> tuple[int, int, int]:
    """Return the shape that holds every slice of a stack where its shift puts it.

    Parameters
    ----------
    shape : tuple of int
        Slices, rows, columns.
    shift : numpy.ndarray
        Shape (n, 2): by how many rows and columns each slice lies off.
    """
    base = np.floor(shift.min(axis=0) + WHOLE)
    more = np.ceil((shift - base).max(axis=0) - WHOLE).astype(int)
    return shape[0], shape[1] + int(more[0]), shape[2] + int(more[1])


def straighten(array: Voxels, shift: npt.NDArray[np.float64]) -> tuple[Voxels, tuple[int, int]]:
    """Move every slice to where it lies, by linear interpolation in plane.

    Parameters
    ----------
    array : numpy.ndarray
        float32, shape (z, y, x).
    shift : numpy.ndarray
        Shape (z, 2): by how many rows and columns each slice lies off.

    Returns
    -------
    numpy.ndarray
        float32, the shape of :func:`straightened_shape`; voxels outside of their slice have the least value
        of the stack.
    tuple of int
        Row and column of the result, relative to the first slice's voxel [0, 0].
    """
    base = np.floor(shift.min(axis=0) + WHOLE)
    shape = array.shape[0], array.shape[1], array.shape[2]
    out = np.full(straightened_shape(shape, shift), array.min(), np.float32)
    for k in range(len(array)):
        moved = array[k]
        starts = []
        for axis in (0, 1):
            whole = int(np.floor(shift[k, axis] - base[axis] + WHOLE))
            part = max(float(shift[k, axis] - base[axis]) - whole, 0.0)
            if part > WHOLE:
                count = moved.shape[axis]
                before, after = moved.take(range(count - 1), axis), moved.take(range(1, count), axis)
                moved = before * np.float32(part) + after * np.float32(1 - part)
                whole += 1
            starts.append(whole)
        y, x = starts
        out[k, y : y + moved.shape[0], x : x + moved.shape[1]] = moved
    return out, (int(base[0]), int(base[1]))
