"""Where the data set of an unusual file starts, and how it is encoded.

The ladder: preamble and prefix as PS3.10 section 7 wants them; prefix without preamble; neither. Meta
information that is implicit, has a wrong length or none; a transfer syntax that is missing or that the data
contradict. Without a prefix a file is DICOM only if it starts like a data set and, in the end, says which
object it is (:mod:`catalog.headers.slow`).
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from catalog.columns import META_TRANSFER_SYNTAX
from catalog.headers.slots import (
    DEFLATED_UIDS,
    LONG_VRS,
    MEDIA_CLASS,
    MEDIA_INSTANCE,
    SHORT_VRS,
    SPECIAL_UIDS,
    UID_BIG_ENDIAN,
    UID_IMPLICIT,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

LARGEST: Final = 8 << 20  # bytes of an unusual header that are looked at, inflated or not
META: Final = (META_TRANSFER_SYNTAX, MEDIA_CLASS, MEDIA_INSTANCE)
LONG: Final = frozenset(vr.encode() for vr in LONG_VRS)
VRS: Final = LONG | frozenset(vr.encode() for vr in SHORT_VRS)
PADDING: Final = b" \0"


@dataclass(frozen=True, slots=True)
class Frame:
    """How a file is to be read.

    Attributes
    ----------
    data : bytes
        The bytes that hold the data set: the file's own, or the inflated ones.
    start : int
        Where the data set starts in them.
    implicit, little : bool
        Encoding of its elements.
    meta : Mapping[int, bytes]
        Wanted values of the file meta information.
    prefix : bool
        Whether the file says itself that it is DICOM.
    deflated : bool
        Whether places in ``data`` are no places in the file.
    """

    data: bytes
    start: int
    implicit: bool
    little: bool
    meta: Mapping[int, bytes]
    prefix: bool
    deflated: bool


def frame(data: bytes) -> Frame | None:
    """Find the data set in the first bytes of a file; None where the file is no DICOM."""
    prefix = data[128:132] == b"DICM" or data[:4] == b"DICM"
    start = 132 if data[128:132] == b"DICM" else 4 if data[:4] == b"DICM" else 0
    meta, start = read_meta(data, start)
    syntax = meta.get(META_TRANSFER_SYNTAX, b"").strip(PADDING).decode("ascii", "replace")
    deflated = syntax in DEFLATED_UIDS
    if deflated:
        inflated = _inflate(data[start:])
        if inflated is None:
            deflated = False  # says so, but is not
        else:
            data, start = inflated, 0
    encoding = _sniff(data, start, syntax)
    if encoding is None:
        if not prefix:
            return None
        encoding = syntax == SPECIAL_UIDS[UID_IMPLICIT], syntax != SPECIAL_UIDS[UID_BIG_ENDIAN]
    return Frame(data, start, *encoding, meta, prefix, deflated)


def read_meta(data: bytes, at: int) -> tuple[dict[int, bytes], int]:
    """Read group 0002 element by element; its stated length is often wrong."""
    values: dict[int, bytes] = {}
    while at + 8 <= len(data) and data[at : at + 2] == b"\x02\x00":
        tag = 0x00020000 | int.from_bytes(data[at + 2 : at + 4], "little")
        vr = data[at + 4 : at + 6]
        if vr in LONG:
            skip, length = 12, int.from_bytes(data[at + 8 : at + 12], "little")
        elif vr in VRS:
            skip, length = 8, int.from_bytes(data[at + 6 : at + 8], "little")
        else:
            skip, length = 8, int.from_bytes(data[at + 4 : at + 8], "little")
        if at + skip + length > len(data):
            break
        if tag in META:
            values[tag] = data[at + skip : at + skip + length]
        at += skip + length
    return values, at


def _inflate(data: bytes) -> bytes | None:
    """Inflate a data set (PS3.5 A.5); None where it is not deflated."""
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, LARGEST) or None
    except zlib.error:
        return None


def _sniff(data: bytes, at: int, syntax: str) -> tuple[bool, bool] | None:
    """Tell from the first element whether a data set is implicit and little-endian; None if it is none."""
    first = data[at : at + 8]
    if len(first) < 8:
        return None
    room = len(data) - at
    explicit = first[4:6] in VRS
    little, big = (2 <= int.from_bytes(first[:2], order) <= 0x20 for order in ("little", "big"))
    declared_big = syntax == SPECIAL_UIDS[UID_BIG_ENDIAN]
    for fits, encoding in (
        (explicit and little, (False, True)),
        ((explicit or declared_big) and big, (False, False)),
        (little and int.from_bytes(first[4:8], "little") <= room, (True, True)),
        (big and int.from_bytes(first[4:8], "big") <= room, (True, False)),
    ):
        if fits:
            return encoding
    return None
