"""One pass from stored bits to values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from catalog.kernel import kernel

if TYPE_CHECKING:
    import numpy.typing as npt

    Stored = npt.NDArray[Any]


@kernel
def rescale(
    stored: Stored,
    low: int,
    mask: int,
    sign: int,
    slope: float,
    intercept: float,
    out: npt.NDArray[np.float32],
) -> None:
    """Write value = number x slope + intercept for every stored pixel.

    Parameters
    ----------
    stored : numpy.ndarray
        Unsigned integers as stored, shape (n,).
    low : int
        Lowest bit in use: HighBit + 1 - BitsStored.
    mask : int
        2 ** BitsStored - 1.
    sign : int
        2 ** (BitsStored - 1) where numbers are signed, else 0 (two's complement, PS3.5 8.1.1).
    slope, intercept : float
        Computed in double precision.
    out : numpy.ndarray
        float32, shape (n,).
    """
    down, within, top = np.int64(low), np.int64(mask), np.int64(sign)
    for i in range(len(stored)):
        number = (((np.int64(stored[i]) >> down) & within) ^ top) - top
        out[i] = np.float32(number * slope + intercept)


@kernel
def rescale_whole(stored: Stored, slope: float, intercept: float, out: npt.NDArray[np.float32]) -> None:
    """Write value = number x slope + intercept where every bit is in use, or all others are zero.

    Parameters
    ----------
    stored : numpy.ndarray
        Integers, signed or not, shape (n,).
    slope, intercept : float
        Computed in double precision.
    out : numpy.ndarray
        float32, shape (n,).
    """
    for i in range(len(stored)):
        out[i] = np.float32(np.float64(stored[i]) * slope + intercept)


@kernel
def rescale_16(
    stored: npt.NDArray[np.uint16],
    low: int,
    up: int,
    slope: float,
    intercept: float,
    out: npt.NDArray[np.float32],
) -> None:
    """Do as :func:`rescale` for 16 bits of which fewer are in use, signed: shift up, then back down.

    Parameters
    ----------
    stored : numpy.ndarray
        uint16, shape (n,).
    low, up : int
        Shift up by ``up``, so that the highest bit in use is bit 15; then down by ``low``.
    slope, intercept : float
        Computed in double precision.
    out : numpy.ndarray
        float32, shape (n,).
    """
    for i in range(len(stored)):
        out[i] = np.float32(np.float64(np.int16(stored[i] << up) >> low) * slope + intercept)
