"""What the compiled functions of this package share: their types, small loads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Bytes = npt.NDArray[np.uint8]
    Words = npt.NDArray[np.uint64]
    Ints = npt.NDArray[np.int64]

# To the type checker words and numbers of the kernels are plain int.
signed = cast("Callable[[Any], int]", np.int64)
unsigned = cast("Callable[[Any], int]", np.uint64)

SLACK: Final = 64  # bytes after the used part of a buffer, so that 8-byte loads never leave it


def overlapping_words(buffer: Bytes) -> Words:
    """View a buffer as the 8-byte little-endian words that start at each of its bytes.

    A load of eight bytes at any place is then one indexed access, which bounds checking covers.
    """
    view = buffer[: len(buffer) // 8 * 8].view(np.uint64)
    return np.lib.stride_tricks.as_strided(view, shape=(len(buffer) - 7,), strides=(1,))
