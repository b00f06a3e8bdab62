"""What the compiled functions of this package share: how they are compiled, their types, small loads."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import numba
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Bytes = npt.NDArray[np.uint8]
    Words = npt.NDArray[np.uint64]
    Ints = npt.NDArray[np.int64]

F = TypeVar("F", bound="Callable[..., Any]")
# To the type checker words and numbers of the kernels are plain int.
signed = cast("Callable[[Any], int]", np.int64)
unsigned = cast("Callable[[Any], int]", np.uint64)

SLACK: Final = 64  # bytes after the used part of a buffer, so that 8-byte loads never leave it


def kernel(function: F) -> F:
    """Compile on first use, without the interpreter lock, and keep the machine code on disk.

    The function may not allocate: it counts no references to its arrays, which would cost half of its time.
    """
    return _compiled(function, no_cfunc_wrapper=True, _nrt=False)


def inner_kernel(function: F) -> F:
    """Compile as :func:`kernel` does a function that only kernels call; it takes less time to compile."""
    return _compiled(function, no_cpython_wrapper=True, no_cfunc_wrapper=True, _nrt=False)


def inlined_kernel(function: F) -> F:
    """Compile as :func:`kernel` does a function that becomes part of those that call it.

    A call passes every array as five to seven words, which costs more than a small function does.
    """
    return _compiled(function, no_cfunc_wrapper=True, forceinline=True, _nrt=False)


def allocating_kernel(function: F) -> F:
    """Compile as :func:`kernel` does a function that is called rarely and allocates arrays."""
    return _compiled(function, no_cfunc_wrapper=True, _nrt=True)


def _compiled(function: F, **options: bool) -> F:
    """Compile; without a folder that can be written, in every process anew.

    numba drops cached code when the file of its function changes. Kernels hold the code of others, in other
    files, so any change to any of them must do the same.
    """
    try:
        compiled = numba.njit(nogil=True, cache=True, **options)(function)
    except RuntimeError:  # numba found no place for its cache
        return cast("F", numba.njit(nogil=True, **options)(function))
    index = getattr(getattr(compiled, "_cache", None), "_cache_file", None)
    if index is not None:
        index._source_stamp = (index._source_stamp, _sources())  # noqa: SLF001 - there is no public way
    return cast("F", compiled)


@cache
def _sources() -> str:
    """Digest of all that the machine code is made from."""
    digest = hashlib.blake2b(str(numba.config.BOUNDSCHECK).encode(), digest_size=16)
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()


def overlapping_words(buffer: Bytes) -> Words:
    """View a buffer as the 8-byte little-endian words that start at each of its bytes.

    A load of eight bytes at any place is then one indexed access, which bounds checking covers.
    """
    view = buffer[: len(buffer) // 8 * 8].view(np.uint64)
    return np.lib.stride_tricks.as_strided(view, shape=(len(buffer) - 7,), strides=(1,))
