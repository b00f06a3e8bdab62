"""The words that tell elements apart, and the tests by which one is recognised (PS3.5 chapter 7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from llvmlite import ir
from numba import config, types
from numba.extending import intrinsic

from catalog.headers.kernel import signed, unsigned
from catalog.headers.slots import LONG_HEADER, NONE, vr_code
from catalog.kernel import inner_kernel, kernel

if TYPE_CHECKING:
    from catalog.headers.kernel import Bytes, Ints, Words

# What the walker returns. Up to MORE the walk goes on; the rest are verdicts.
DONE: Final = 0
MORE: Final = 1
NOT_DICOM: Final = 2
ODD_FRAME: Final = 3  # preamble, meta information or transfer syntax that the walker does not know
DICOMDIR: Final = 4
NO_IDENTITY: Final = 5
TRUNCATED: Final = 6  # the file ends inside an element
DAMAGED: Final = 7  # an element that makes no sense, even after repair
UNUSUAL: Final = 8  # lawful or not, but left to the slow path
FULL: Final = 9  # the notes of this file do not fit
GO_ON: Final = -1  # between the functions of the walker: no verdict yet
ORDINARY: Final = -2

# State of a walk, and its frames: one row of the stack per open sequence or item.
POSITION, DEPTH, SIZE, FOUND, CAREFUL, WANT, PIXEL_OFFSET, PIXEL_LENGTH = range(8)
HEADER_END, NOTED = range(8, 10)  # NOTED: bytes of all noted values
STATE_SIZE: Final = 16
F_END, F_SEQUENCE, F_CONTEXT, F_EXPLICIT, F_ITEMS, F_CURSOR, F_LAST, F_FIRST, F_CHARSET, F_CHARSET_SIZE = (
    range(10)
)
STACK_SHAPE: Final = (64, 10)

# A noted value: where it starts in the buffer, its length, its VR, and the character set of its item.
V_START, V_LENGTH, V_VR, V_CHARSET, V_CHARSET_SIZE = range(5)
VALUE_WIDTH: Final = 5
FOUND_SLOT: Final = 5
FOUND_WIDTH: Final = 6

ITEM: Final = 0xFFFEE000
ITEM_END: Final = 0xFFFEE00D
SEQUENCE_END: Final = 0xFFFEE0DD
DELIMITERS: Final = 0xFFFE0000
DATA_SET: Final = 0x00080000
PIXEL_GROUP: Final = 0x7FE00000
FLOAT_PIXELS: Final = 0x7FE00008
DOUBLE_PIXELS: Final = 0x7FE00009
PIXELS: Final = 0x7FE00010
UNDEFINED: Final = 0xFFFFFFFF
OPEN_END: Final = 1 << 62  # end of what has a delimiter in place of a length
FURTHEST: Final = 4096  # how far the end of a value is looked for
SQ: Final = vr_code("SQ")
UN: Final = vr_code("UN")

CHECKED: Final = bool(config.BOUNDSCHECK)
RESYNC_SHORT, RESYNC_LONG, RESYNC_IMPLICIT, RESYNC_NONE = range(4)


def _load_eight(_: Any, words: Any, at: Any) -> Any:
    """Load the eight bytes at a byte's index, without the multiplication by a stride that is always 1."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        first = builder.bitcast(data, ir.IntType(8).as_pointer())
        place = builder.gep(first, [arguments[1]])
        return builder.load(builder.bitcast(place, ir.IntType(64).as_pointer()), align=1)

    return types.uint64(words, at), generate


_eight_bytes = intrinsic(_load_eight)


@kernel
def load(words: Words, at: int) -> int:
    """Return the eight bytes at an index; unsigned, so that no index wraps round."""
    word: int = words[unsigned(at)] if CHECKED else _eight_bytes(words, unsigned(at))
    return word


@inner_kernel
def tag_of(word: int) -> int:
    """Tag of the element whose first eight bytes are given."""
    return signed(((word & unsigned(0xFFFF)) << unsigned(16)) | ((word >> unsigned(16)) & unsigned(0xFFFF)))


@inner_kernel
def vr_of(word: int) -> int:
    """Two bytes where an explicit element has its VR."""
    return signed((word >> unsigned(32)) & unsigned(0xFFFF))


@inner_kernel
def trimmed(words: Words, start: int, length: int) -> int:
    """Length of a value without the spaces and NULs at its end."""
    while length > 0:
        byte = load(words, start + length - 1) & unsigned(0xFF)
        if byte not in (32, 0):
            break
        length -= 1
    return length


@kernel
def find(key_tag: Ints, low: int, high: int, tag: int) -> int:
    """Index of a tag among sorted keys, or NONE."""
    end = high
    while low < high:
        middle = (low + high) >> 1
        if key_tag[middle] < tag:
            low = middle + 1
        else:
            high = middle
    return low if low < end and key_tag[low] == tag else NONE


@inner_kernel
def plausible(
    words: Words,
    at: int,
    shift: int,
    have: int,
    size: int,
    after: int,
    explicit: int,
    end: int,
    header_of_vr: Bytes,
) -> bool:
    """Whether an element that follows the tag ``after`` in a data set that ends at ``end`` may start here."""
    if at in (size, end):
        return True
    if at + 8 > have:
        return False
    word = load(words, at + shift)
    tag = tag_of(word)
    if tag >= DELIMITERS:
        return tag in (ITEM_END, SEQUENCE_END)
    if tag <= after:
        return False
    if explicit == 1:
        return bool(header_of_vr[vr_of(word)] != 0)
    length = signed(word >> unsigned(32))
    return length == UNDEFINED or at + 8 + length <= size


@inner_kernel
def resync(
    words: Words, at: int, shift: int, have: int, size: int, end: int, header_of_vr: Bytes
) -> tuple[int, int, int]:
    """Find how an element without a valid VR is laid out: the layout after which another element follows.

    Returns
    -------
    layout, length, explicit : int
        RESYNC_NONE where no layout leads to a plausible element; whether the elements after it are explicit.
    """
    word = load(words, at + shift)
    tag = tag_of(word)
    short = signed(word >> unsigned(48))
    implicit = signed(word >> unsigned(32))
    if plausible(words, at + 8 + short, shift, have, size, tag, 1, end, header_of_vr):
        return RESYNC_SHORT, short, 1
    if short == 0 and at + 12 <= have:
        long = signed(load(words, at + 8 + shift) & unsigned(0xFFFFFFFF))
        if plausible(words, at + 12 + long, shift, have, size, tag, 1, end, header_of_vr):
            return RESYNC_LONG, long, 1
    for explicit in (1, 0):  # one element, or the whole item, is implicit
        if plausible(words, at + 8 + implicit, shift, have, size, tag, explicit, end, header_of_vr):
            return RESYNC_IMPLICIT, implicit, explicit
    if implicit == UNDEFINED:
        return RESYNC_IMPLICIT, implicit, 1
    return RESYNC_NONE, 0, 1


@inner_kernel
def mended_length(
    words: Words, at: int, shift: int, have: int, size: int, end: int, header_of_vr: Bytes, length: int
) -> int:
    """Give the true length of an explicit short element whose stated one leads nowhere, else the stated one.

    The value ends at the first place where two elements follow, one after the other.
    """
    tag = tag_of(load(words, at + shift))
    for place in range(at + 8, min(at + 8 + FURTHEST, have - 12)):
        if not plausible(words, place, shift, have, size, tag, 1, NONE, header_of_vr):
            continue
        word = load(words, place + shift)
        following = tag_of(word)
        if following in (PIXELS, FLOAT_PIXELS, DOUBLE_PIXELS):
            return place - at - 8
        if following > PIXEL_GROUP:
            continue
        after = place + 8 + signed(word >> unsigned(48))
        if header_of_vr[vr_of(word)] == LONG_HEADER:
            after = place + 12 + signed(load(words, place + 8 + shift) & unsigned(0xFFFFFFFF))
        if plausible(words, after, shift, have, size, following, 1, end, header_of_vr):
            return place - at - 8
    return length
