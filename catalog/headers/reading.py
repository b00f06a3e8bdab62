"""Open, read and walk many files in one compiled loop.

The loop costs one ``open``, one ``statx``, one ``pread`` and one ``close`` for a common file. All addresses
that are handed to the C library are computed here, in :func:`fill` and :func:`examine`, and nowhere else.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import numpy as np
from numba import types

from catalog.headers.cells import (
    R_HEADER,
    R_INDEX,
    R_MTIME,
    R_PIXEL_LENGTH,
    R_PIXEL_OFFSET,
    R_SIZE,
    R_SLOW,
    R_TRUNCATED,
    ROWS,
    fits,
    store_row,
)
from catalog.headers.kernel import SLACK, kernel
from catalog.headers.slots import NONE
from catalog.headers.walk import (
    CAREFUL,
    DAMAGED,
    DONE,
    FOUND,
    FULL,
    HEADER_END,
    MORE,
    NOTED,
    PIXEL_LENGTH,
    PIXEL_OFFSET,
    POSITION,
    SIZE,
    STACK_SHAPE,
    STATE_SIZE,
    TRUNCATED,
    V_LENGTH,
    V_START,
    WANT,
    identity,
    pixels_truncated,
    start,
    walk,
)

if TYPE_CHECKING:
    from catalog.headers.cells import Rows
    from catalog.headers.kernel import Bytes, Ints, Words
    from catalog.headers.slots import Plan

# Verdicts beyond those of the walker.
OPEN_FAILED: Final = 16
READ_FAILED: Final = 17
SPECIAL: Final = 18
DIRECTORY: Final = 19
EMPTY: Final = 20
TOO_LONG: Final = 21  # more reads or bytes than a header may need

WINDOW: Final = 8192
RAW_LIMIT: Final = 1 << 20
MOST_READS: Final = 1 << 16
FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY

EINTR: Final = 4
AT_EMPTY_PATH: Final = 0x1000
STATX_BASIC: Final = 0x07FF
# Linux fixes the layout of struct statx (man 2 statx): 64-bit words of the fields used here.
STATX_WORDS: Final = 32
STATX_MODE, STATX_FILE_SIZE, STATX_MTIME_S, STATX_MTIME_NS = 3, 5, 14, 15
S_IFMT, S_IFREG, S_IFDIR = 0xF000, 0x8000, 0x4000

_open = types.ExternalFunction("open", types.int32(types.uintp, types.int32))
_close = types.ExternalFunction("close", types.int32(types.int32))
_pread = types.ExternalFunction("pread", types.intp(types.int32, types.uintp, types.uintp, types.int64))
_statx = types.ExternalFunction(
    "statx", types.int32(types.int32, types.uintp, types.int32, types.uint32, types.uintp)
)
_errno = types.ExternalFunction("__errno_location", types.CPointer(types.int32)())


@kernel
def examine(path: Bytes, place: int, stat: Words, scratch: Bytes) -> tuple[int, int]:
    """Open the zero-terminated path and ask for its size, type and time.

    Returns
    -------
    descriptor, error : int
        One of the two; the other is -1 or 0.
    """
    while True:
        descriptor = _open(path.ctypes.data + place, FLAGS)
        if descriptor >= 0:
            break
        error = _errno()[0]
        if error != EINTR:
            return -1, error
    if _statx(descriptor, scratch.ctypes.data, AT_EMPTY_PATH, STATX_BASIC, stat.ctypes.data) < 0:
        error = _errno()[0]
        _close(descriptor)
        return -1, error
    return descriptor, 0


@kernel
def fill(descriptor: int, buffer: Bytes, at: int, size: int, offset: int) -> tuple[int, int]:
    """Read ``size`` bytes from ``offset`` of the file into the buffer; fewer only where the file ends.

    Returns
    -------
    read, error : int
        Bytes read; 0, or the error of the C library.
    """
    if at < 0 or size < 0 or at + size > len(buffer):
        raise IndexError("a read must stay within its buffer")
    done = 0
    while done < size:
        got = _pread(descriptor, buffer.ctypes.data + at + done, size - done, offset + done)
        if got > 0:
            done += got
        elif got == 0:
            break
        else:
            error = _errno()[0]
            if error != EINTR:
                return done, error
    return done, 0


@kernel
def retain(buffer: Bytes, window: int, found_mark: int, values: Ints, found: Ints, n_found: int) -> int:
    """Move what was noted in the window to its front, so that the rest can be overwritten; return the end."""
    top = window
    for slot in range(len(values)):
        if values[slot, V_LENGTH] > 0 and values[slot, V_START] >= window:
            top = max(top, 0)
    return top


@kernel
def walk_file(
    descriptor: int,
    buffer: Bytes,
    words: Words,
    top: int,
    have: int,
    whole: bool,
    state: Ints,
    stack: Ints,
    values: Ints,
    found: Ints,
    plan: Plan,
) -> tuple[int, int, int]:
    """Walk a header whose data set is open, and fetch what the walk asks for.

    While ``whole``, the header is read without gaps up to RAW_LIMIT, so that it can be kept; beyond it, or
    where it is not kept, what is skipped is not read.

    Returns
    -------
    verdict, kept, error : int
        ``kept``: bytes at ``top`` that are the file from its start without a gap.
    """
    size = state[SIZE]
    shift = top
    kept, free = have, top + have
    for _ in range(MOST_READS):
        verdict = walk(words, have, shift, state, stack, values, found, plan)
        if verdict != MORE:
            return verdict, kept, 0
        position, want = state[POSITION], state[WANT]
        if whole and have == kept and position + want <= RAW_LIMIT:
            read = min(position + want + WINDOW, size) - have
            offset = have
        else:
            whole = False
            read = min(max(want, WINDOW), size - position)
            offset = position
            shift = free - position
        if free + read + SLACK > len(buffer):
            return FULL, kept, 0
        got, error = fill(descriptor, buffer, free, read, offset)
        if error != 0:
            return READ_FAILED, kept, error
        if got < read:
            return TRUNCATED, kept, 0  # the file has shrunk since it was opened
        free += got
        have = offset + got
        if whole:
            kept = have
    return TOO_LONG, kept, 0
