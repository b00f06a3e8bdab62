"""Memory that a process has freed goes back to the system."""

from __future__ import annotations

import sys
from functools import cache
from typing import Final

_M_MMAP_THRESHOLD: Final = -3  # mallopt(3)
_LARGE_BYTES: Final = 1 << 19


@cache
def return_freed_memory() -> None:
    """Have the C library give large blocks back as soon as they are freed.

    By default it learns from each large block to keep the next one, and a process that works through batches
    of many megabytes ends with several of them that nobody uses.
    """
    if sys.platform == "linux":
        import ctypes

        library = ctypes.CDLL(None)
        if hasattr(library, "mallopt"):  # glibc
            library.mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
