"""Read one header with pydicom: big endian, deflated, without preamble or meta information, and the damaged.

pydicom takes the data set apart; the values it finds go through the same kernels as all others, so both ways
give equal cells. It never sees more than :data:`~catalog.headers.framing.LARGEST` bytes, and whatever it
raises becomes a :class:`Fault`.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from catalog.headers.elements import DELIMITERS, DOUBLE_PIXELS, FLOAT_PIXELS, PIXELS
from catalog.headers.framing import LARGEST, LONG, PADDING, Frame, frame
from catalog.headers.slots import (
    KEY_CHILD,
    KEY_COLLECT,
    KEY_SLOT,
    MEDIA_CLASS,
    MEDIA_INSTANCE,
    NESTED_CHARSET,
    NEVER,
    SPECIAL_UIDS,
    UID_DICOMDIR,
    Plan,
    vr_code,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydicom.dataelem import DataElement, RawDataElement

    Element = RawDataElement | DataElement

PIXEL_TAGS: Final = frozenset({PIXELS, FLOAT_PIXELS, DOUBLE_PIXELS})
SOP_CLASS: Final = 0x00080016
SOP_INSTANCE: Final = 0x00080018
UID: Final = re.compile(rb"[0-9]+(\.[0-9]+){3,}")
MOST_ELEMENTS: Final = 200_000  # of the data set itself
ITEM: Final = b"\xfe\xff\x00\xe0"
UNDEFINED: Final = 0xFFFFFFFF
SWAPPED: Final = {"US": 2, "SS": 2, "AT": 2, "UL": 4, "SL": 4, "FL": 4, "FD": 8, "SV": 8, "UV": 8}


class Fault(Exception):  # noqa: N818 - it is what the row in `failures` says, not an error of ours
    """Why a header gives no row.

    Parameters
    ----------
    error : str
        Name for the failures table.
    message : str
        Sentence for people, without any value of the header.
    """

    def __init__(self, error: str, message: str) -> None:
        super().__init__(message)
        self.error = error
        self.message = message


class NotAnInstance(Exception):  # noqa: N818 - no error: the file is something else
    """The file is no DICOM instance; its argument is the kind for the table of others."""


@dataclass(slots=True)
class Noted:
    """A wanted value: slot, little-endian bytes, VR code and, where the item has its own, character set."""

    slot: int
    raw: bytes
    code: int
    charset: bytes | None


@dataclass(slots=True)
class Header:
    """What one header holds.

    Attributes
    ----------
    first, collected : list of Noted
        Values of the first items, the last of each slot counting; values of all items in file order.
    header_bytes, pixel_offset, pixel_length : int
        As in the rows; -1 where there is none.
    truncated : bool
        Whether the file ends before its pixel data do.
    """

    first: list[Noted] = field(default_factory=list)
    collected: list[Noted] = field(default_factory=list)
    header_bytes: int = 0
    pixel_offset: int = -1
    pixel_length: int = -1
    truncated: bool = False


def read_slowly(data: bytes, size: int, plan: Plan) -> Header:
    """Read a header from the first bytes of a file.

    Parameters
    ----------
    data : bytes
        At most LARGEST bytes from the start of the file.
    size : int
        Size of the file.

    Raises
    ------
    Fault
        No row can be made of it.
    NotAnInstance
        It is no DICOM, or a DICOMDIR.
    """
    framed = frame(data)
    if framed is None:
        raise NotAnInstance("not_dicom")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        elements, end, complete = _elements(framed)
    _check_identity(framed, elements)
    if not complete and (len(data) < size or framed.deflated):
        raise Fault(
            "HeaderTooLong", f"no pixel data and no end in the first {LARGEST >> 20} MiB of the header"
        )
    header = Header(header_bytes=size)
    if end >= 0:
        _note_pixels(header, framed, end, size)
    for tag, raw in framed.meta.items():
        header.first.append(Noted(_key(plan, 0, tag)[KEY_SLOT], raw, vr_code("UI"), None))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _Gatherer(plan, framed, header).walk(elements.values(), 0, first=True, charset=None)
    return header


def _elements(framed: Frame) -> tuple[dict[int, Element], int, bool]:
    """Let pydicom cut the data set into elements.

    Returns
    -------
    elements, end, complete
        By tag; position of the pixel data element or -1; whether the data set has an end that is its own.
    """
    stream = BytesIO(framed.data)
    stream.seek(framed.start)
    found: dict[int, Element] = {}
    try:
        sound, at_pixels = _cut(stream, framed, found)
    except RecursionError:
        raise Fault("DamagedHeader", "sequences are nested too deeply") from None
    except Exception as error:  # noqa: BLE001 - pydicom raises many kinds on damaged input, each is a row in failures
        where = stream.tell()
        if where >= len(framed.data):
            raise _cut_off(framed) from None
        raise Fault(
            "DamagedHeader", f"pydicom gave up near byte {where} of the header ({type(error).__name__})"
        ) from None
    if len(found) > MOST_ELEMENTS:
        raise Fault("HeaderTooLong", f"more than {MOST_ELEMENTS} elements before the pixel data")
    if not sound:
        raise _cut_off(framed)
    return found, stream.tell() if at_pixels else -1, at_pixels or len(framed.data) < LARGEST


def _cut(stream: BytesIO, framed: Frame, found: dict[int, Element]) -> tuple[bool, bool]:
    """Fill ``found``; tell whether all elements are whole, and whether the pixel data were reached."""
    from pydicom.filereader import data_element_generator

    at_pixels = False

    def stop(tag: int, _vr: str | None, _length: int) -> bool:
        nonlocal at_pixels
        at_pixels = tag in PIXEL_TAGS
        return at_pixels

    last = None
    for element in data_element_generator(stream, framed.implicit, framed.little, stop_when=stop):
        last = element
        if element.tag != 0 and element.tag < DELIMITERS:
            found[int(element.tag)] = element
        if _falls_short(element):
            return False, False
        if len(found) > MOST_ELEMENTS:
            break
    rest = b"" if at_pixels or last is None else _rest(framed.data, last)
    return len(rest) >= 8 or not rest.strip(b"\0"), at_pixels


def _cut_off(framed: Frame) -> Fault:
    """Say that the file, or what may be read of it, ends inside an element; tags may be bytes of values."""
    if len(framed.data) >= LARGEST:
        return Fault("HeaderTooLong", f"the header is longer than {LARGEST >> 20} MiB")
    return Fault("TruncatedHeader", "the file ends inside an element before the pixel data")


def _falls_short(element: Element) -> bool:
    length = getattr(element, "length", None)
    value = getattr(element, "value", None)
    return length is not None and length != UNDEFINED and isinstance(value, bytes) and len(value) < length


def _rest(data: bytes, last: Element) -> bytes:
    """Bytes after the last element; empty where that is not known."""
    length = getattr(last, "length", UNDEFINED)
    return b"" if length == UNDEFINED else data[last.value_tell + length :]  # type: ignore[union-attr]


def _check_identity(framed: Frame, elements: dict[int, Element]) -> None:
    """Raise unless the data set says which object it is."""
    kind = _raw(elements.get(SOP_CLASS)) or framed.meta.get(MEDIA_CLASS, b"").strip(PADDING)
    if kind == SPECIAL_UIDS[UID_DICOMDIR].encode():
        raise NotAnInstance("dicomdir")
    name = _raw(elements.get(SOP_INSTANCE)) or framed.meta.get(MEDIA_INSTANCE, b"").strip(PADDING)
    if not framed.prefix and not UID.fullmatch(kind) and not UID.fullmatch(name):
        raise NotAnInstance("not_dicom")
    if not any(digit in name for digit in b"0123456789"):
        raise Fault("MissingIdentity", "the data set has no SOPInstanceUID (0008,0018)")


def _raw(element: Element | None) -> bytes:
    value = getattr(element, "value", b"")
    return value.strip(PADDING) if isinstance(value, bytes) else b""


def _note_pixels(header: Header, framed: Frame, end: int, size: int) -> None:
    """Note where the pixel data lie, whose element starts at ``end``."""
    if framed.deflated:
        return
    order = "little" if framed.little else "big"
    explicit = framed.data[end + 4 : end + 6] in LONG
    at = end + 8 if explicit else end + 4
    length = int.from_bytes(framed.data[at : at + 4], order)  # type: ignore[arg-type]
    header.header_bytes = end
    header.pixel_offset = at + 4
    header.pixel_length = -1 if length == UNDEFINED else length
    header.truncated = _pixels_truncated(framed, header, size)


def _pixels_truncated(framed: Frame, header: Header, size: int) -> bool:
    """Whether the file ends before its pixel data, by the rule of the kernels."""
    place = header.pixel_offset
    if header.pixel_length >= 0:
        return place + header.pixel_length > size
    for _ in range(2):
        if place + 8 > size:
            return True
        if framed.data[place : place + 4] != ITEM:
            return False
        place += 8 + int.from_bytes(framed.data[place + 4 : place + 8], "little")
    return place + 8 > size


def _key(plan: Plan, context: int, tag: int) -> Any:
    """Row of the table of keys for a tag in a context, or None."""
    from catalog.headers.elements import find

    at = find(plan.key_tag, plan.context[context, 0], plan.context[context, 1], tag)
    return plan.key[at] if at >= 0 else None


@dataclass(slots=True)
class _Gatherer:
    """Walks pydicom's elements along the contexts of the plan."""

    plan: Plan
    framed: Frame
    header: Header

    def walk(self, elements: Iterable[Element], context: int, *, first: bool, charset: bytes | None) -> None:
        """Note the wanted values among elements, and of the items below them."""
        for element in elements:
            tag = int(element.tag)
            key = None if tag == NEVER or tag < 0x00080000 else _key(self.plan, context, tag)
            if key is None:
                continue
            if key[KEY_SLOT] == NESTED_CHARSET:
                charset = element.value if isinstance(element.value, bytes) else charset
            elif key[KEY_CHILD] >= 0:
                self._items(element, int(key[KEY_CHILD]), first=first, charset=charset)
            else:
                self._note(element, key, first=first, charset=charset)

    def _items(self, element: Element, context: int, *, first: bool, charset: bytes | None) -> None:
        """Walk the items of a sequence: the first, and the others where something is collected."""
        for number, item in enumerate(self._sequence(element)):
            first_item = first and number == 0
            if not first_item and not self.plan.context[context, 2]:
                break
            self.walk(item.values(), context, first=first_item, charset=charset)

    def _sequence(self, element: Element) -> Iterable[Any]:
        """Items of a sequence; none where it is damaged inside."""
        from pydicom.values import convert_SQ

        if not isinstance(element.value, bytes):
            return element.value or ()
        if getattr(element, "VR", None) not in ("SQ", "UN", None):
            return ()
        if not element.value.startswith(ITEM if self.framed.little else b"\xff\xfe\xe0\x00"):
            return ()
        try:
            return convert_SQ(element.value, element.is_implicit_VR, element.is_little_endian)  # type: ignore[union-attr]
        except Exception:  # noqa: BLE001 - as above: the rest of the header is sound
            return ()

    def _note(self, element: Element, key: Any, *, first: bool, charset: bytes | None) -> None:
        raw = element.value
        if raw is None:
            raw = b""
        if not isinstance(raw, bytes):
            return
        vr = element.VR or ""
        code = vr_code(vr) if len(vr) == 2 else 0
        if self.plan.header_of_vr[code] == 0:
            code = 0
        slot = int(key[KEY_SLOT] if key[KEY_SLOT] >= 0 else key[KEY_COLLECT])
        if not self.framed.little:
            effective = code or int(self.plan.slot_vr[slot])
            raw = _swap(raw, chr(effective & 0xFF) + chr(effective >> 8))
        if key[KEY_SLOT] >= 0 and first:
            self.header.first.append(Noted(int(key[KEY_SLOT]), raw, code, charset))
        if key[KEY_COLLECT] >= 0 and raw:
            self.header.collected.append(Noted(int(key[KEY_COLLECT]), raw, code, charset))


def _swap(raw: bytes, vr: str) -> bytes:
    """Turn big-endian numbers round."""
    width = SWAPPED.get(vr, 1)
    if width == 1 or len(raw) % width:
        return raw
    return b"".join(raw[k : k + width][::-1] for k in range(0, len(raw), width))
