"""Headers byte by byte, lawful and not; the nasty ones follow reports of real files."""

from __future__ import annotations

import struct

LONG = {"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"}
EXPLICIT = "1.2.840.10008.1.2.1"
IMPLICIT = "1.2.840.10008.1.2"
CT = "1.2.840.10008.5.1.4.1.1.2"
UID = "1.2.826.0.1.3680043.10.1337.1"
UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD


def tag(number: int) -> bytes:
    return struct.pack("<HH", number >> 16, number & 0xFFFF)


def element(number: int, vr: str | bytes, value: bytes | str, *, length: int | None = None) -> bytes:
    """Explicit little-endian element; ``length`` to lie about it."""
    raw = value.encode("latin-1") if isinstance(value, str) else value
    if isinstance(vr, str) and len(raw) % 2 and length is None:
        raw += b"\0" if vr in ("UI", "OB", "UN") else b" "
    code = vr.encode() if isinstance(vr, str) else vr
    stated = len(raw) if length is None else length
    if isinstance(vr, str) and vr in LONG:
        return tag(number) + code + b"\0\0" + struct.pack("<I", stated) + raw
    return tag(number) + code + struct.pack("<H", stated) + raw


def implicit(number: int, value: bytes | str, *, length: int | None = None) -> bytes:
    raw = value.encode("latin-1") if isinstance(value, str) else value
    raw += b" " * (len(raw) % 2)
    return tag(number) + struct.pack("<I", len(raw) if length is None else length) + raw


def delimiter(number: int, length: int = 0) -> bytes:
    return tag(number) + struct.pack("<I", length)


def item(content: bytes, *, length: int | None = None) -> bytes:
    """Item of defined length, or of undefined length with its delimiter."""
    if length == UNDEFINED:
        return delimiter(ITEM, UNDEFINED) + content + delimiter(ITEM_END)
    return delimiter(ITEM, len(content) if length is None else length) + content


def sequence(number: int, *items: bytes, undefined: bool = False, vr: str = "SQ", lie: int = 0) -> bytes:
    content = b"".join(items)
    if undefined:
        return element(number, vr, content + delimiter(SEQUENCE_END), length=UNDEFINED)
    return element(number, vr, content, length=len(content) + lie)


def meta(syntax: str | None = EXPLICIT, *, group_length: int | None = None) -> bytes:
    """Preamble, prefix and file meta information."""
    content = (
        element(0x00020001, "OB", b"\0\1") + element(0x00020002, "UI", CT) + element(0x00020003, "UI", UID)
    )
    if syntax is not None:
        content += element(0x00020010, "UI", syntax)
    stated = len(content) if group_length is None else group_length
    return bytes(128) + b"DICM" + element(0x00020000, "UL", struct.pack("<I", stated)) + content


IDENTITY = element(0x00080016, "UI", CT) + element(0x00080018, "UI", UID)
PIXELS = element(0x7FE00010, "OW", bytes(8))


def head() -> bytes:
    """Elements before the place where something is broken."""
    return element(0x00080005, "CS", "ISO_IR 100") + IDENTITY + element(0x00080060, "CS", "CT")


def tail() -> bytes:
    """Elements after it, which a good reader still finds."""
    return (
        element(0x00100010, "PN", "Doe^Jane")
        + element(0x00100020, "LO", "P1")
        + element(0x00180050, "DS", "1.25")
        + element(0x0020000E, "UI", UID + ".2")
        + element(0x00200013, "IS", "7")
        + element(0x00280010, "US", struct.pack("<H", 4))
        + element(0x00280011, "US", struct.pack("<H", 1))
    )


TAIL = {
    "PatientName": "Doe^Jane",
    "PatientID": "P1",
    "SliceThickness": 1.25,
    "SeriesInstanceUID": UID + ".2",
    "InstanceNumber": 7,
    "Rows": 4,
    "Columns": 1,
}


def file(middle: bytes = b"", *, start: bytes | None = None, end: bytes | None = None) -> bytes:
    """A file with something in the middle."""
    return (meta() if start is None else start) + head() + middle + tail() + (PIXELS if end is None else end)


def implicit_data() -> bytes:
    return (
        implicit(0x00080005, "ISO_IR 100")
        + implicit(0x00080016, CT + "\0")
        + implicit(0x00080018, UID + "\0")
        + implicit(0x00080060, "CT")
        + implicit(0x00100010, "Doe^Jane")
        + implicit(0x00100020, "P1")
        + implicit(0x00180050, "1.25")
        + implicit(0x0020000E, UID + ".2\0")
        + implicit(0x00200013, "7 ")
        + implicit(0x00280010, struct.pack("<H", 4))
        + implicit(0x00280011, struct.pack("<H", 1))
        + implicit(0x7FE00010, bytes(8))
    )


def explicit_data() -> bytes:
    return head() + tail() + PIXELS
