"""The operating system as the kernels call it: open, ask, read, close.

A folder of many files is opened once, so that Linux need not walk down to it for each of them. All addresses
that are handed to the C library are computed here, from :func:`in_folder` to :func:`fill`, and nowhere else.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from numba import types

from catalog.headers.slots import NONE
from catalog.kernel import inner_kernel

if TYPE_CHECKING:
    from catalog.headers.kernel import Bytes, Ints, Words

FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
FOLDER_FLAGS: Final = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
WORTH_A_FOLDER: Final = 8  # files in a row for which it is opened, so that each need not look it up
SLASH: Final = 47

EINTR: Final = 4
AT_EMPTY_PATH: Final = 0x1000
STATX_BASIC: Final = 0x07FF
# Linux fixes the layout of struct statx (man 2 statx): 64-bit words of the fields used here.
STATX_WORDS: Final = 32
STATX_MODE, STATX_FILE_SIZE, STATX_MTIME_S, STATX_MTIME_NS = 3, 5, 14, 15
S_IFMT, S_IFREG, S_IFDIR = 0xF000, 0x8000, 0x4000

_open = types.ExternalFunction("open", types.int32(types.uintp, types.int32))
_openat = types.ExternalFunction("openat", types.int32(types.int32, types.uintp, types.int32))
_memcmp = types.ExternalFunction("memcmp", types.int32(types.uintp, types.uintp, types.uintp))
close = types.ExternalFunction("close", types.int32(types.int32))
_pread = types.ExternalFunction("pread", types.intp(types.int32, types.uintp, types.uintp, types.int64))
_statx = types.ExternalFunction(
    "statx", types.int32(types.int32, types.uintp, types.int32, types.uint32, types.uintp)
)
_errno = types.ExternalFunction("__errno_location", types.CPointer(types.int32)())
FOLDER_OPEN, FOLDER_PLACE, FOLDER_LENGTH = range(3)  # descriptor of a folder; where its path starts; length


@inner_kernel
def folder_length(paths: Bytes, places: Ints, file: int) -> int:
    """Length of the folder in a path, with its last slash; 0 where the path names none."""
    last = (places[file + 1] if file + 1 < len(places) else len(paths)) - 2
    while last >= places[file] and paths[last] != SLASH:
        last -= 1
    length: int = last + 1 - places[file]
    return length


@inner_kernel
def in_folder(paths: Bytes, place: int, folder: int, length: int) -> bool:
    """Whether the path at ``place`` starts with the folder that starts at ``folder``."""
    if length < 1 or place + length > len(paths) or folder + length > len(paths):
        return False
    return bool(_memcmp(paths.ctypes.data + place, paths.ctypes.data + folder, length) == 0)


@inner_kernel
def open_folder(paths: Bytes, places: Ints, file: int, folder: Ints) -> None:
    """Keep the folder of a file open where it is that of the next files, too; close the one before."""
    length = folder_length(paths, places, file)
    if length == folder[FOLDER_LENGTH] and in_folder(paths, places[file], folder[FOLDER_PLACE], length):
        return
    close_folder(folder)
    folder[FOLDER_PLACE], folder[FOLDER_LENGTH] = places[file], length
    then = file + WORTH_A_FOLDER
    if length > 1 and then < len(places) and in_folder(paths, places[then], places[file], length):
        paths[places[file] + length - 1] = 0
        folder[FOLDER_OPEN] = _open(paths.ctypes.data + places[file], FOLDER_FLAGS)
        paths[places[file] + length - 1] = SLASH


@inner_kernel
def close_folder(folder: Ints) -> None:
    """Close the folder that is kept open, if there is one."""
    if folder[FOLDER_OPEN] >= 0:
        close(folder[FOLDER_OPEN])
    folder[FOLDER_OPEN] = NONE
    folder[FOLDER_LENGTH] = NONE


@inner_kernel
def open_file(paths: Bytes, place: int, folder: Ints) -> tuple[int, int]:
    """Open a file for reading, from its folder where that is open; return descriptor and error."""
    descriptor = NONE
    if folder[FOLDER_OPEN] >= 0:
        name = paths.ctypes.data + place + folder[FOLDER_LENGTH]
        descriptor = _openat(folder[FOLDER_OPEN], name, FLAGS)
    while descriptor < 0:
        descriptor = _open(paths.ctypes.data + place, FLAGS)
        if descriptor < 0:
            error = _errno()[0]
            if error != EINTR:
                return NONE, error
    return descriptor, 0


@inner_kernel
def examine(paths: Bytes, place: int, folder: Ints, stat: Words, empty: Bytes) -> tuple[int, int]:
    """Open the zero-terminated path and ask for its size, type and time.

    Returns
    -------
    descriptor, error : int
        One of the two; the other is -1 or 0.
    """
    descriptor, error = open_file(paths, place, folder)
    if descriptor < 0:
        return NONE, error
    if _statx(descriptor, empty.ctypes.data, AT_EMPTY_PATH, STATX_BASIC, stat.ctypes.data) < 0:
        error = _errno()[0]
        close(descriptor)
        return NONE, error
    return descriptor, 0


@inner_kernel
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
