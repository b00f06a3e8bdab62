"""Deflated and big-endian data sets made explicit little-endian ones, so that the kernels can walk them.

Both are rare, and pydicom reads them too; but it takes a hundred times as long, and a few such files in a
thousand would cost more than all the others. Whatever is odd about them is left to pydicom.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np

from catalog.columns import META_TRANSFER_SYNTAX
from catalog.headers.elements import V_LENGTH, V_START, V_VR, VALUE_WIDTH
from catalog.headers.framing import LARGEST, PADDING, read_meta
from catalog.headers.kernel import SLACK
from catalog.headers.slots import (
    CONTEXT_END,
    CONTEXT_START,
    DEFLATED_UIDS,
    KEY_SLOT,
    LONG_HEADER,
    NONE,
    SHORT_HEADER,
    SPECIAL_UIDS,
    UID_BIG_ENDIAN,
    vr_code,
)
from catalog.kernel import inner_kernel, kernel

if TYPE_CHECKING:
    from catalog.headers.kernel import Bytes, Ints
    from catalog.headers.slots import Plan

WINDOW: Final = 1 << 16
UNDEFINED: Final = 0xFFFFFFFF
DELIMITER_GROUP: Final = 0xFFFE
PIXEL_GROUP: Final = 0x7FE0
SQ: Final = vr_code("SQ")
# Bytes of one number, for the VRs of binary numbers; bytes of pixels and the like are nobody's cell.
WIDTHS: Final = {"US": 2, "SS": 2, "AT": 2, "UL": 4, "SL": 4, "FL": 4, "FD": 8, "SV": 8, "UV": 8}


@dataclass(frozen=True, slots=True)
class Translated:
    """A header that the kernels can walk.

    Attributes
    ----------
    buffer : ndarray of uint8
        The data set, then values of the file meta information, then slack.
    start, have, size : int
        Where the data set starts in the buffer, where its bytes there end, and where it ends.
    meta : ndarray of int64, shape (n, 1 + VALUE_WIDTH)
        Slot, then V_*, of each value of the file meta information.
    in_file : bool
        Whether places in the buffer are places in the file.
    """

    buffer: Bytes
    start: int
    have: int
    size: int
    meta: Ints
    in_file: bool


def translate(data: bytes, size: int, plan: Plan) -> Translated | None:
    """Translate the first bytes of a file of ``size`` bytes; None where it is left to pydicom."""
    if data[128:132] != b"DICM":
        return None
    meta, start = read_meta(data, 132)
    syntax = meta.get(META_TRANSFER_SYNTAX, b"").strip(PADDING).decode("ascii", "replace")
    if syntax in DEFLATED_UIDS:
        return _inflated(data[start:], meta, plan)
    if syntax == SPECIAL_UIDS[UID_BIG_ENDIAN]:
        return _turned(data, start, size, meta, plan)
    return None


def _inflated(data: bytes, meta: dict[int, bytes], plan: Plan) -> Translated | None:
    """Inflate the beginning of a data set (PS3.5 A.5)."""
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        plain = stream.decompress(data, WINDOW)
    except zlib.error:
        return None
    buffer, places = _with_meta(plain, meta, plan)
    return Translated(buffer, 0, len(plain), len(plain) if stream.eof else LARGEST, places, in_file=False)


def _turned(data: bytes, start: int, size: int, meta: dict[int, bytes], plan: Plan) -> Translated | None:
    """Turn the beginning of a big-endian data set round, in place (PS3.5 A.3)."""
    buffer, places = _with_meta(data, meta, plan)
    have = turn_round(buffer, start, len(data), plan.header_of_vr, _width_of_vr())
    return None if have < 0 else Translated(buffer, start, have, size, places, in_file=True)


def _with_meta(data: bytes, meta: dict[int, bytes], plan: Plan) -> tuple[Bytes, Ints]:
    """Put the values of the file meta information behind the data."""
    low, high = plan.context[0, CONTEXT_START], plan.context[0, CONTEXT_END]
    places = np.full((len(meta), 1 + VALUE_WIDTH), NONE, np.int64)
    at = len(data)
    for place, (tag, value) in zip(places, meta.items(), strict=True):
        key = low + int(np.searchsorted(plan.key_tag[low:high], tag))
        place[0] = plan.key[key, KEY_SLOT]
        place[1:][[V_START, V_LENGTH, V_VR]] = at, len(value), vr_code("UI")
        at += len(value)
    return np.frombuffer(data + b"".join(meta.values()) + bytes(SLACK), np.uint8).copy(), places


@cache
def _width_of_vr() -> Bytes:
    """Width of a number by the code of its VR; 1 for text."""
    width = np.ones(1 << 16, np.uint8)
    for vr, size in WIDTHS.items():
        width[vr_code(vr)] = size
    return width


@kernel
def turn_round(buffer: Bytes, start: int, end: int, header_of_vr: Bytes, width_of_vr: Bytes) -> int:
    """Turn tags, lengths and numbers of explicit big-endian elements round, nested ones too.

    Explicit elements need no stack: whatever follows the head of a sequence or an item is the head of another
    element.

    Returns
    -------
    int
        How far the buffer is turned: to an element that is not whole, or past the head of the pixel data; -1
        where the bytes are no such elements.
    """
    at = start
    while at + 12 <= end:
        group = buffer[at] << 8 | buffer[at + 1]
        if group == DELIMITER_GROUP:
            reverse(buffer, at, 2, 2)
            reverse(buffer, at + 4, 4, 1)
            at += 8
            continue
        code = buffer[at + 4] | buffer[at + 5] << 8
        header = header_of_vr[code]
        if header == SHORT_HEADER:
            skip, wide = 8, 2
        elif header == LONG_HEADER:
            skip, wide = 12, 4
        else:
            return -1
        length = 0
        for k in range(at + skip - wide, at + skip):
            length = length << 8 | buffer[k]
        width = width_of_vr[code]
        inside = code == SQ
        if (length == UNDEFINED and not inside) or length % width:
            return -1
        whole = inside or at + skip + length <= end
        if not whole and group < PIXEL_GROUP:
            return at
        reverse(buffer, at, 2, 2)
        reverse(buffer, at + skip - wide, wide, 1)
        at += skip
        if not whole:
            return at
        if not inside:
            reverse(buffer, at, width, length // width)
            at += length
    return at


@inner_kernel
def reverse(buffer: Bytes, at: int, width: int, count: int) -> None:
    """Reverse the bytes of ``count`` numbers."""
    for number in range(count):
        low, high = at + number * width, at + number * width + width - 1
        while low < high:
            buffer[low], buffer[high] = buffer[high], buffer[low]
            low += 1
            high -= 1
