"""How compiled functions are compiled: without the interpreter lock, on first use, kept on disk."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numba

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")


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
    files of the same folder, so any change to any of them must do the same.
    """
    try:
        compiled = numba.njit(nogil=True, cache=True, **options)(function)
    except RuntimeError:  # numba found no place for its cache
        return cast("F", numba.njit(nogil=True, **options)(function))
    index = getattr(getattr(compiled, "_cache", None), "_cache_file", None)
    if index is not None:
        index._source_stamp = (index._source_stamp, _sources(Path(function.__code__.co_filename).parent))  # noqa: SLF001 - there is no public way
    return cast("F", compiled)


@cache
def _sources(folder: Path) -> str:
    """Digest of all that the machine code of a package is made from."""
    digest = hashlib.blake2b(str(numba.config.BOUNDSCHECK).encode(), digest_size=16)
    for source in sorted(folder.glob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()
