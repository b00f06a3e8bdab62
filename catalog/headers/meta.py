"""Preamble and file meta information (PS3.10 section 7), and how the data set after them is encoded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from catalog.headers.elements import (
    DEPTH,
    DICOMDIR,
    DONE,
    F_CHARSET,
    F_CHARSET_SIZE,
    F_CONTEXT,
    F_CURSOR,
    F_END,
    F_EXPLICIT,
    F_FIRST,
    F_ITEMS,
    F_LAST,
    F_SEQUENCE,
    FOUND,
    HEADER_END,
    MORE,
    NO_IDENTITY,
    NOT_DICOM,
    NOTED,
    ODD_FRAME,
    PIXEL_LENGTH,
    PIXEL_OFFSET,
    POSITION,
    SIZE,
    TRUNCATED,
    V_CHARSET_SIZE,
    V_LENGTH,
    V_START,
    V_VR,
    find,
    load,
    tag_of,
    trimmed,
    vr_of,
)
from catalog.headers.kernel import signed, unsigned
from catalog.headers.slots import (
    CONTEXT_END,
    CONTEXT_START,
    FORM_BYTES,
    FORM_TEXT,
    KEY_SLOT,
    LONG_HEADER,
    NONE,
    SHORT_HEADER,
    SLOT_CLASS,
    SLOT_INSTANCE,
    SLOT_MEDIA_CLASS,
    SLOT_MEDIA_INSTANCE,
    SLOT_SYNTAX,
    UID_DICOMDIR,
    UID_IMPLICIT,
)
from catalog.kernel import inner_kernel

if TYPE_CHECKING:
    from catalog.headers.kernel import Bytes, Ints, Words
    from catalog.headers.slots import Plan

DICM: Final = 0x4D434944
PREAMBLE: Final = 132
META_GROUP: Final = 2
LAST_FIRST_GROUP: Final = (
    0x0020  # data sets start with a group that identifies; anything else needs a closer look
)


@inner_kernel
def start(words: Words, top: int, have: int, state: Ints, stack: Ints, values: Ints, plan: Plan) -> int:
    """Read preamble and file meta information, and open the data set.

    Parameters
    ----------
    top, have : int
        Index in ``words`` of the file's first byte, and how many of its bytes are there.

    Returns
    -------
    int
        MORE where the walk can start, or a verdict.
    """
    size = state[SIZE]
    if have < PREAMBLE or load(words, top + PREAMBLE - 4) & unsigned(0xFFFFFFFF) != DICM:
        return ODD_FRAME if may_be_dicom(words, top, have) else NOT_DICOM
    low, high = plan.context[0, CONTEXT_START], plan.context[0, CONTEXT_END]
    position = PREAMBLE
    while True:
        if position + 8 > size:
            return NO_IDENTITY if position == size else TRUNCATED
        if position + 12 > have:
            return ODD_FRAME
        word = load(words, top + position)
        tag = tag_of(word)
        if tag >> 16 != META_GROUP:
            break
        header = plan.header_of_vr[vr_of(word)]
        if header == SHORT_HEADER:
            length, skip = signed(word >> unsigned(48)), 8
        elif header == LONG_HEADER:
            length, skip = signed(load(words, top + position + 8) & unsigned(0xFFFFFFFF)), 12
        else:
            return ODD_FRAME
        if position + skip + length > have:
            return TRUNCATED if position + skip + length > size else ODD_FRAME
        key = find(plan.key_tag, low, high, tag)
        if key >= 0:
            slot = plan.key[key, KEY_SLOT]
            values[slot, V_START] = top + position + skip
            values[slot, V_LENGTH] = length
            values[slot, V_VR] = vr_of(word)
            values[slot, V_CHARSET_SIZE] = NONE
        position += skip + length
    return open_data_set(words, top, position, state, stack, values, plan)


@inner_kernel
def may_be_dicom(words: Words, top: int, have: int) -> bool:
    """Whether a file without the usual preamble starts like a data set, or with the prefix."""
    if have < 8:
        return False
    first = signed(load(words, top) & unsigned(0xFFFFFFFF))
    group = first & 0xFFFF
    return first == DICM or group in (2, 8, 0x0200, 0x0800)


@inner_kernel
def open_data_set(
    words: Words, top: int, position: int, state: Ints, stack: Ints, values: Ints, plan: Plan
) -> int:
    """Decide from transfer syntax and first element how the data set is encoded, and open the first frame."""
    if is_uid(words, values, plan.slot[SLOT_MEDIA_CLASS], plan.uids, plan.uid_length, UID_DICOMDIR):
        return DICOMDIR
    for which in range(len(plan.uid_length)):
        if which != UID_IMPLICIT and is_uid(
            words, values, plan.slot[SLOT_SYNTAX], plan.uids, plan.uid_length, which
        ):
            return ODD_FRAME
    word = load(words, top + position)
    group = tag_of(word) >> 16
    if group > LAST_FIRST_GROUP or group == 0:
        return ODD_FRAME
    # What the first element looks like counts for more than what the transfer syntax says
    open_frame(position, min(plan.header_of_vr[vr_of(word)], 1), plan.context[0, CONTEXT_START], state, stack)
    return MORE


@inner_kernel
def open_frame(position: int, explicit: int, cursor: int, state: Ints, stack: Ints) -> None:
    """Open the frame of the data set; the walk starts at ``position``."""
    state[POSITION] = position
    state[DEPTH] = 0
    state[FOUND] = 0
    state[NOTED] = 0
    state[PIXEL_OFFSET] = NONE
    state[PIXEL_LENGTH] = NONE
    state[HEADER_END] = state[SIZE]
    stack[0, F_END] = state[SIZE]
    stack[0, F_SEQUENCE] = 0
    stack[0, F_CONTEXT] = 0
    stack[0, F_EXPLICIT] = explicit
    stack[0, F_ITEMS] = 0
    stack[0, F_CURSOR] = cursor
    stack[0, F_LAST] = 0
    stack[0, F_FIRST] = 1
    stack[0, F_CHARSET] = 0
    stack[0, F_CHARSET_SIZE] = NONE


@inner_kernel
def is_uid(words: Words, values: Ints, slot: int, uids: Bytes, uid_length: Ints, which: int) -> bool:
    """Whether a noted value is one of the UIDs that the walker knows."""
    begin, length = values[slot, V_START], values[slot, V_LENGTH]
    expected = uid_length[which]
    if length < expected or length > expected + 1 or trimmed(words, begin, length) != expected:
        return False
    for k in range(expected - 1, -1, -1):  # noqa: SIM110 - they differ at the end; kernels know no generators
        if load(words, begin + k) & unsigned(0xFF) != uids[which, k]:
            return False
    return True


@inner_kernel
def has_digit(words: Words, begin: int, length: int) -> bool:
    """Whether a value holds a digit, as every UID does."""
    for k in range(length):  # noqa: SIM110 - kernels know no generators
        if 48 <= load(words, begin + k) & unsigned(0xFF) <= 57:
            return True
    return False


@inner_kernel
def identity(words: Words, values: Ints, plan: Plan) -> int:
    """Give DONE for an instance, or the verdict on a data set that is none."""
    for which in (SLOT_CLASS, SLOT_MEDIA_CLASS):
        if is_uid(words, values, plan.slot[which], plan.uids, plan.uid_length, UID_DICOMDIR):
            return DICOMDIR
    for which in (SLOT_INSTANCE, SLOT_MEDIA_INSTANCE):
        slot = plan.slot[which]
        form = plan.form_of_vr[values[slot, V_VR]]
        length = trimmed(words, values[slot, V_START], values[slot, V_LENGTH])
        if form in (FORM_TEXT, FORM_BYTES) and length > 0:
            return DONE if has_digit(words, values[slot, V_START], length) else NO_IDENTITY
    return NO_IDENTITY
