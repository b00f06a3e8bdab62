"""Laws kernels with energy and rotation invariance (IBSI 2, arXiv 2006.05470; Laws 1980)."""

from __future__ import annotations

from itertools import permutations, product
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy import ndimage

from hpc.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

KERNELS: Final[dict[str, tuple[int, ...]]] = {
    "L3": (1, 2, 1),
    "L5": (1, 4, 6, 4, 1),
    "E3": (-1, 0, 1),
    "E5": (-1, -2, 0, 2, 1),
    "S3": (-1, 2, -1),
    "S5": (-1, 0, 2, 0, -1),
    "W5": (-1, 2, 0, -2, 1),
    "R5": (1, -4, 6, -4, 1),
}


def unit_kernel(name: str) -> npt.NDArray[np.float64]:
    """Return a kernel of Euclidean norm one."""
    kernel = np.array(KERNELS[name], np.float64)
    return kernel / np.linalg.norm(kernel)


def turned(kernels: tuple[npt.NDArray[np.float64], ...]) -> Iterator[tuple[npt.NDArray[np.float64], ...]]:
    """Yield the kernels under every right-angled proper rotation (4 in two dimensions, 24 in three)."""
    n = len(kernels)
    for order in permutations(range(n)):
        parity = (-1) ** sum(order[i] > order[j] for i in range(n) for j in range(i + 1, n))
        for flips in product((1, -1), repeat=n):
            if parity * int(np.prod(flips)) == 1:
                yield tuple(kernels[k][::flip] for k, flip in zip(order, flips, strict=True))


def laws(
    image: npt.NDArray[Any], names: tuple[str, ...], mode: str, pooling: str | None, energy: int
) -> npt.NDArray[Any]:
    """Return the response map, or with `energy` voxels of Chebyshev distance its mean of magnitudes.

    `names` are along x, y and (in three dimensions) z; `pooling` is None, "max" or "mean" over rotations.
    """
    kernels = tuple(unit_kernel(name) for name in names)
    turns = list(turned(kernels)) if pooling else [kernels]
    result: npt.NDArray[Any] | None = None
    for turn in turns:
        part = image
        for step, kernel in enumerate(turn):
            part = ndimage.convolve1d(part, kernel, axis=2 - step, mode=mode)
        if result is None:
            result = part
        elif pooling == "max":
            np.maximum(result, part, out=result)
        else:
            result += part
    if result is None:  # pragma: no cover
        raise UsageError("no kernel is given")
    if pooling == "mean":
        result /= len(turns)
    if energy:
        size = 2 * energy + 1
        shape = (size if len(names) == 3 else 1, size, size)
        result = np.asarray(ndimage.uniform_filter(np.abs(result), shape, mode=mode))
    return result
