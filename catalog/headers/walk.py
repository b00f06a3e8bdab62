"""Walk the elements of a little-endian header that lies in a buffer, and note where the wanted values are.

The walker is pure: it reads arrays by checked indices and knows no files. When it needs bytes that are not in
the buffer it returns :data:`MORE`; its caller fetches them and calls again (:mod:`catalog.headers.reading`).
Positions are offsets in the file; the byte at position ``p`` is ``words[p + shift]``'s lowest. Lengths are
never trusted beyond the size of the file. PS3.5 chapter 7 and section 10 of PS3.10 are the rules; what real
files do against them is repaired where the next element proves the repair right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from catalog.headers.kernel import kernel
from catalog.headers.slots import (
    CHARSET,
    CONTEXT_COLLECTS,
    CONTEXT_END,
    CONTEXT_START,
    KEY_CHILD,
    KEY_COLLECT,
    KEY_SLOT,
    LONG_HEADER,
    NESTED_CHARSET,
    NONE,
    SHORT_HEADER,
    SLOT_CLASS,
    SLOT_INSTANCE,
    SLOT_MEDIA_CLASS,
    SLOT_MEDIA_INSTANCE,
    SLOT_SYNTAX,
    UID_BIG_ENDIAN,
    UID_DICOMDIR,
    UID_IMPLICIT,
    vr_code,
)

if TYPE_CHECKING:
    from catalog.headers.kernel import Ints, Words
    from catalog.headers.slots import Plan

# What start() and walk() return. Up to MORE the walk goes on; the rest are verdicts.
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

# State of a walk, and its frames: one row of the stack per open sequence or item.
POSITION, DEPTH, SIZE, FOUND, CAREFUL, WANT, PIXEL_OFFSET, PIXEL_LENGTH = range(8)
HEADER_END, REPAIRS, NOTED = range(8, 11)  # NOTED: bytes of all noted values
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
GROUP_FFFE: Final = 0xFFFE0000
DATA_SET: Final = 0x00080000
PIXEL_GROUP: Final = 0x7FE00000
FLOAT_PIXELS: Final = 0x7FE00008
PIXELS: Final = 0x7FE00010
UNDEFINED: Final = 0xFFFFFFFF
OPEN_END: Final = 1 << 62  # end of what has a delimiter in place of a length
LONGEST_VALUE: Final = 1 << 24  # of a wanted value; nothing in the catalogue is text of 16 MiB
DICM: Final = 0x4D434944
SQ: Final = vr_code("SQ")
UN: Final = vr_code("UN")

RESYNC_SHORT, RESYNC_LONG, RESYNC_IMPLICIT, RESYNC_NONE = range(4)


@kernel
def tag_of(word: int) -> int:
    """Tag of the element whose first eight bytes are given."""
    return np.int64(
        ((word & np.uint64(0xFFFF)) << np.uint64(16)) | ((word >> np.uint64(16)) & np.uint64(0xFFFF))
    )


@kernel
def load(words: Words, at: int) -> int:
    """Return the eight bytes at an index; unsigned, so that no index wraps round."""
    return words[np.uint64(at)]


@kernel
def trimmed(words: Words, start: int, length: int) -> int:
    """Length of a value without the spaces and NULs at its end."""
    while length > 0:
        byte = load(words, start + length - 1) & np.uint64(0xFF)
        if byte != 32 and byte != 0:
            break
        length -= 1
    return length


@kernel
def is_uid(words: Words, start: int, length: int, plan: Plan, which: int) -> bool:
    """Whether a value is one of the UIDs that the walker knows."""
    if length != plan.uid_length[which]:
        return False
    for k in range(length):
        if load(words, start + k) & np.uint64(0xFF) != plan.uids[which, k]:
            return False
    return True


@kernel
def start(words: Words, have: int, state: Ints, stack: Ints, values: Ints, plan: Plan) -> int:
    """Read preamble and file meta information, and open the data set.

    Parameters
    ----------
    words : Words
        The file from its first byte on.
    have : int
        How many bytes of it are there.

    Returns
    -------
    int
        MORE where :func:`walk` can start, or a verdict.
    """
    size = state[SIZE]
    if have < 132 or load(words, 128) & np.uint64(0xFFFFFFFF) != DICM:
        if have < 8:
            return NOT_DICOM
        first = np.int64(load(words, 0) & np.uint64(0xFFFFFFFF))
        group = first & 0xFFFF
        sniff = group == 2 or group == 8 or group == 0x0200 or group == 0x0800 or first == DICM
        return ODD_FRAME if sniff else NOT_DICOM
    position = 132
    while True:
        if position + 12 > have:
            if position + 8 > size:
                return NO_IDENTITY if position >= size else TRUNCATED
            if have < size or position + 8 > have:
                return ODD_FRAME
        word = load(words, position)
        tag = tag_of(word)
        if tag >> 16 != 2:
            break
        code = np.int64((word >> np.uint64(32)) & np.uint64(0xFFFF))
        header = plan.header_of_vr[code]
        if header == SHORT_HEADER:
            length = np.int64(word >> np.uint64(48))
            skip = 8
        elif header == LONG_HEADER:
            length = np.int64(load(words, position + 8) & np.uint64(0xFFFFFFFF))
            skip = 12
        else:
            return ODD_FRAME
        if position + skip + length > size:
            return TRUNCATED
        if position + skip + length > have:
            return ODD_FRAME
        note_meta(values, plan, tag, position + skip, length, code)
        position += skip + length
    return open_data_set(words, position, state, stack, values, plan)


@kernel
def note_meta(values: Ints, plan: Plan, tag: int, begin: int, length: int, code: int) -> None:
    """Note a value of the file meta information if it is wanted."""
    for at in range(plan.context[0, CONTEXT_START], plan.context[0, CONTEXT_END]):
        if plan.key_tag[at] >= tag:
            if plan.key_tag[at] == tag:
                slot = plan.key[at, KEY_SLOT]
                values[slot, V_START] = begin
                values[slot, V_LENGTH] = length
                values[slot, V_VR] = code
                values[slot, V_CHARSET_SIZE] = NONE
            return


@kernel
def open_data_set(words: Words, position: int, state: Ints, stack: Ints, values: Ints, plan: Plan) -> int:
    """Decide from transfer syntax and first element how the data set is encoded, and open the first frame."""
    syntax = values[plan.slot[SLOT_SYNTAX]]
    length = trimmed(words, syntax[V_START], syntax[V_LENGTH])
    media = values[plan.slot[SLOT_MEDIA_CLASS]]
    if is_uid(words, media[V_START], trimmed(words, media[V_START], media[V_LENGTH]), plan, UID_DICOMDIR):
        return DICOMDIR
    for which in range(len(plan.uid_length)):
        if which != UID_IMPLICIT and is_uid(words, syntax[V_START], length, plan, which):
            return ODD_FRAME
    word = load(words, position)
    group = tag_of(word) >> 16
    if (
        group > 0x0020 or group == 0
    ):  # data sets start in a group of identification; anything else needs a closer look
        return ODD_FRAME
    code = np.int64((word >> np.uint64(32)) & np.uint64(0xFFFF))
    begin(position, plan.header_of_vr[code] != 0, state, stack, plan)
    return MORE


@kernel
def begin(position: int, explicit: bool, state: Ints, stack: Ints, plan: Plan) -> None:
    """Open the frame of the data set."""
    state[POSITION] = position
    state[DEPTH] = 0
    state[FOUND] = 0
    state[NOTED] = 0
    state[REPAIRS] = 0
    state[PIXEL_OFFSET] = NONE
    state[PIXEL_LENGTH] = NONE
    state[HEADER_END] = state[SIZE]
    stack[0, F_END] = state[SIZE]
    stack[0, F_SEQUENCE] = 0
    stack[0, F_CONTEXT] = 0
    stack[0, F_EXPLICIT] = explicit
    stack[0, F_ITEMS] = 0
    stack[0, F_CURSOR] = plan.context[0, CONTEXT_START]
    stack[0, F_LAST] = 0
    stack[0, F_FIRST] = 1
    stack[0, F_CHARSET] = 0
    stack[0, F_CHARSET_SIZE] = NONE


@kernel
def push(stack: Ints, depth: int, end: int, context: int, plan: Plan) -> None:
    """Open a frame below the one at ``depth``; what is not set here is inherited."""
    below = depth + 1
    stack[below, F_END] = end
    stack[below, F_SEQUENCE] = 1 - stack[depth, F_SEQUENCE]
    stack[below, F_CONTEXT] = context
    stack[below, F_EXPLICIT] = stack[depth, F_EXPLICIT]
    stack[below, F_ITEMS] = 0
    stack[below, F_CURSOR] = plan.context[context, CONTEXT_START] if context >= 0 else 0
    stack[below, F_LAST] = 0
    stack[below, F_FIRST] = stack[depth, F_FIRST]
    stack[below, F_CHARSET] = stack[depth, F_CHARSET]
    stack[below, F_CHARSET_SIZE] = stack[depth, F_CHARSET_SIZE]


@kernel
def plausible(
    words: Words, at: int, shift: int, have: int, size: int, after: int, frame: Ints, plan: Plan
) -> bool:
    """Whether an element that follows the tag ``after`` in the frame may start at a position."""
    if at == size or (at == frame[F_END] and not frame[F_SEQUENCE]):
        return True
    if at + 8 > have:
        return False
    word = load(words, at + shift)
    tag = tag_of(word)
    if tag >= GROUP_FFFE:
        return tag == ITEM_END or tag == SEQUENCE_END
    if tag <= after:
        return False
    if frame[F_EXPLICIT]:
        return plan.header_of_vr[np.int64((word >> np.uint64(32)) & np.uint64(0xFFFF))] != 0
    length = np.int64(word >> np.uint64(32))
    return length == UNDEFINED or at + 8 + length <= size


@kernel
def resync(
    words: Words, at: int, shift: int, have: int, size: int, frame: Ints, plan: Plan
) -> tuple[int, int]:
    """Find how an element without a valid VR is laid out: the layout after which another element follows.

    Returns
    -------
    layout, length : int
        RESYNC_NONE where no layout leads to a plausible element.
    """
    word = load(words, at + shift)
    tag = tag_of(word)
    short = np.int64(word >> np.uint64(48))
    implicit = np.int64(word >> np.uint64(32))
    if plausible(words, at + 8 + short, shift, have, size, tag, frame, plan):
        return RESYNC_SHORT, short
    if at + 12 <= have:
        long = np.int64(load(words, at + 8 + shift) & np.uint64(0xFFFFFFFF))
        if short == 0 and plausible(words, at + 12 + long, shift, have, size, tag, frame, plan):
            return RESYNC_LONG, long
    # One element, or a whole item, that is implicit inside an explicit file
    if implicit == UNDEFINED or plausible(words, at + 8 + implicit, shift, have, size, tag, frame, plan):
        return RESYNC_IMPLICIT, implicit
    was = frame[F_EXPLICIT]
    frame[F_EXPLICIT] = 0
    if plausible(words, at + 8 + implicit, shift, have, size, tag, frame, plan):
        return RESYNC_IMPLICIT, implicit
    frame[F_EXPLICIT] = was
    return RESYNC_NONE, 0


@kernel
def find(plan: Plan, context: int, tag: int) -> int:
    """Index of the key of a tag in a context, or NONE."""
    low, high = plan.context[context, CONTEXT_START], plan.context[context, CONTEXT_END]
    while low < high:
        middle = (low + high) >> 1
        if plan.key_tag[middle] < tag:
            low = middle + 1
        else:
            high = middle
    return low if low < plan.context[context, CONTEXT_END] and plan.key_tag[low] == tag else NONE


@kernel
def delimiter(
    words: Words, shift: int, have: int, tag: int, word: int, state: Ints, stack: Ints, plan: Plan
) -> int:
    """Handle what is no data element: items, delimiters, runs of NULs, and what stands where an item should.

    Returns
    -------
    int
        DONE to go on with the walk at the new position and depth, or a verdict.
    """
    position, depth = state[POSITION], state[DEPTH]
    frame = stack[depth]
    length = np.int64(word >> np.uint64(32))
    if word == 0:
        state[POSITION] = position + 2
        state[REPAIRS] += 1
        return DONE
    if frame[F_SEQUENCE]:
        if tag == ITEM:
            return open_item(words, position + 8, shift, have, length, state, stack, plan)
        if tag == SEQUENCE_END:
            state[POSITION] = position + 8
        elif tag == ITEM_END:
            state[POSITION] = position + 8
            return DONE
        else:
            state[REPAIRS] += 1  # the sequence ended without a delimiter, or its length was too long
        state[DEPTH] = depth - 1
        return DONE
    state[POSITION] = position + 8
    if tag == ITEM:  # an item outside of any sequence
        state[REPAIRS] += 1
        if length == UNDEFINED:
            if depth + 1 >= len(stack):
                return UNUSUAL
            push(stack, depth, OPEN_END, NONE, plan)
            stack[depth + 1, F_SEQUENCE] = 0
            state[DEPTH] = depth + 1
        else:
            state[POSITION] += length
    elif frame[F_END] == OPEN_END:
        state[DEPTH] = depth - 1
        if tag == SEQUENCE_END:
            # Some writers end an item with it; most forgot the end of the item and mean the sequence
            state[REPAIRS] += 1
            follows = tag_of(load(words, position + 8 + shift)) if position + 16 <= have else 0
            if (
                follows != ITEM
                and follows != SEQUENCE_END
                and depth > 1
                and stack[depth - 1, F_END] == OPEN_END
            ):
                state[DEPTH] = depth - 2
    return DONE


@kernel
def open_item(
    words: Words, position: int, shift: int, have: int, length: int, state: Ints, stack: Ints, plan: Plan
) -> int:
    """Open an item where something in it may be wanted or its end must be found; skip it otherwise."""
    depth = state[DEPTH]
    frame = stack[depth]
    context = frame[F_CONTEXT]
    first = frame[F_FIRST] and frame[F_ITEMS] == 0
    frame[F_ITEMS] += 1
    if context >= 0 and not first and not plan.context[context, CONTEXT_COLLECTS]:
        context = NONE
    state[POSITION] = position
    if length != UNDEFINED and context < 0 and not state[CAREFUL]:
        state[POSITION] = position + length
        return DONE
    if depth + 1 >= len(stack):
        return UNUSUAL
    end = OPEN_END if length == UNDEFINED else position + length
    if end != OPEN_END and end > frame[F_END] and depth > 0:
        # Item and sequence disagree: the end that an element of the enclosing data set follows is the true one
        state[REPAIRS] += 1
        if plausible(
            words, frame[F_END], shift, have, state[SIZE], stack[depth - 1, F_LAST], stack[depth - 1], plan
        ):
            end = frame[F_END]
    push(stack, depth, end, context, plan)
    stack[depth + 1, F_FIRST] = first
    state[DEPTH] = depth + 1
    return DONE


@kernel
def note(
    values: Ints,
    found: Ints,
    state: Ints,
    frame: Ints,
    plan: Plan,
    key: int,
    place: int,
    length: int,
    code: int,
) -> bool:
    """Note where a wanted value lies; False where the list of collected values is full."""
    slot, collect = plan.key[key, KEY_SLOT], plan.key[key, KEY_COLLECT]
    state[NOTED] += length
    if slot == NESTED_CHARSET:
        frame[F_CHARSET] = place
        frame[F_CHARSET_SIZE] = length
        return True
    if slot >= 0 and frame[F_FIRST]:
        values[slot, V_START] = place
        values[slot, V_LENGTH] = length
        values[slot, V_VR] = code
        values[slot, V_CHARSET] = frame[F_CHARSET]
        values[slot, V_CHARSET_SIZE] = frame[F_CHARSET_SIZE]
    if collect >= 0 and length > 0:
        at = state[FOUND]
        if at >= len(found):
            return False
        found[at, V_START] = place
        found[at, V_LENGTH] = length
        found[at, V_VR] = code
        found[at, V_CHARSET] = frame[F_CHARSET]
        found[at, V_CHARSET_SIZE] = frame[F_CHARSET_SIZE]
        found[at, FOUND_SLOT] = collect
        state[FOUND] = at + 1
    return True


@kernel
def walk(
    words: Words, have: int, shift: int, state: Ints, stack: Ints, values: Ints, found: Ints, plan: Plan
) -> int:
    """Walk from ``state`` on until the pixel data, the end of the file, or the end of the bytes at hand.

    Parameters
    ----------
    have : int
        Position after the last byte at hand.
    shift : int
        What to add to a position to get an index of ``words``.

    Returns
    -------
    int
        DONE, MORE (``state[WANT]`` bytes are needed at ``state[POSITION]``), or a verdict.
    """
    size, careful = state[SIZE], state[CAREFUL]
    key_tag = plan.key_tag
    header_of_vr = plan.header_of_vr
    while True:
        depth, position = state[DEPTH], state[POSITION]
        frame = stack[depth]
        if position >= frame[F_END]:
            if depth == 0:
                return DONE if position == size else TRUNCATED
            state[DEPTH] = depth - 1
            continue
        end, in_sequence, context = frame[F_END], frame[F_SEQUENCE], frame[F_CONTEXT]
        explicit, last, cursor = frame[F_EXPLICIT], frame[F_LAST], frame[F_CURSOR]
        key_end = plan.context[context, CONTEXT_END] if context >= 0 else 0
        limit = PIXEL_GROUP if depth == 0 else GROUP_FFFE
        # The loop runs from element to element of one frame and leaves it for anything that changes the frame.
        while position < end:
            if position + 12 > have:
                if have < size:
                    state[WANT] = 12
                    state[POSITION] = position
                    frame[F_LAST], frame[F_CURSOR] = last, cursor
                    return MORE
                if position + 8 > size:
                    state[POSITION] = size
                    return DONE if depth == 0 else TRUNCATED
            word = load(words, position + shift)
            tag = tag_of(word)
            if in_sequence or tag >= limit or tag < DATA_SET:
                if depth == 0 and (tag == PIXELS or tag == FLOAT_PIXELS or tag == FLOAT_PIXELS + 1):
                    state[POSITION] = position
                    return pixel_data(words, have, shift, word, state, explicit, plan)
                if word == 0 and depth == 0:  # padding after the last element
                    state[POSITION] = size
                    return DONE
                if in_sequence or tag >= GROUP_FFFE or word == 0:
                    state[POSITION] = position
                    frame[F_LAST], frame[F_CURSOR] = last, cursor
                    verdict = delimiter(words, shift, have, tag, word, state, stack, plan)
                    if verdict != DONE:
                        return verdict
                    if state[DEPTH] != depth or in_sequence:
                        break
                    position = state[POSITION]
                    continue
            code = np.int64((word >> np.uint64(32)) & np.uint64(0xFFFF))
            if explicit:
                header = header_of_vr[np.uint64(code)]
                if header == SHORT_HEADER:
                    length = np.int64(word >> np.uint64(48))
                    skip = 8
                elif header == LONG_HEADER:
                    if position + 12 > size:
                        return TRUNCATED
                    length = np.int64(load(words, position + shift + 8) & np.uint64(0xFFFFFFFF))
                    skip = 12
                else:
                    state[REPAIRS] += 1
                    layout, length = resync(words, position, shift, have, size, frame, plan)
                    if layout == RESYNC_NONE:
                        state[POSITION] = position
                        return DAMAGED
                    explicit = frame[F_EXPLICIT]
                    skip = 12 if layout == RESYNC_LONG else 8
                    code = UN if layout == RESYNC_IMPLICIT and length == UNDEFINED else 0
            else:
                length = np.int64(word >> np.uint64(32))
                skip = 8
                if (
                    position + 8 + length > size
                    and length != UNDEFINED
                    and header_of_vr[np.uint64(code)] != 0
                ):
                    # An explicit element in an implicit data set: its VR was read as half of a huge length
                    state[REPAIRS] += 1
                    explicit = 1
                    frame[F_EXPLICIT] = 1
                    continue
                code = 0
            key = NONE
            if context >= 0 and tag >= DATA_SET:
                if tag > last:
                    last = tag
                    while cursor < key_end and key_tag[np.uint64(cursor)] < tag:
                        cursor += 1
                    if cursor < key_end and key_tag[np.uint64(cursor)] == tag:
                        key = cursor
                else:
                    key = find(plan, context, tag)
                    if key >= 0 and (plan.key[key, KEY_CHILD] >= 0 or plan.key[key, KEY_COLLECT] >= 0):
                        return UNUSUAL  # a second copy, or out of order: the last one counts
            if key < 0 and length != UNDEFINED and not (careful and code == SQ):
                position += skip + length
                continue
            child = plan.key[key, KEY_CHILD] if key >= 0 else NONE
            if length == UNDEFINED or child >= 0 or (careful and code == SQ):
                place = position + skip
                finish = OPEN_END if length == UNDEFINED else place + length
                if finish != OPEN_END:
                    if place + 8 > have and have < size:
                        state[WANT] = skip + 8
                        state[POSITION] = position
                        frame[F_LAST], frame[F_CURSOR] = last - 1 if tag == last else last, cursor
                        return MORE
                    if length == 0 or (place + 8 <= have and tag_of(load(words, place + shift)) != ITEM):
                        position = finish  # empty, or no sequence whatever the dictionary says
                        continue
                    if careful and finish > size:
                        finish = OPEN_END
                if depth + 1 >= len(stack):
                    return UNUSUAL
                state[POSITION] = place
                state[DEPTH] = depth + 1
                frame[F_LAST], frame[F_CURSOR] = last, cursor
                push(stack, depth, finish, child, plan)
                stack[depth + 1, F_SEQUENCE] = 1
                if code == UN and length == UNDEFINED:
                    stack[depth + 1, F_EXPLICIT] = 0  # PS3.5 6.2.2, note 2
                break
            if position + skip + length > size:
                state[POSITION] = position
                return TRUNCATED
            if position + skip + length > have:
                if length > LONGEST_VALUE:
                    return UNUSUAL
                state[WANT] = skip + length
                state[POSITION] = position
                frame[F_LAST], frame[F_CURSOR] = last - 1 if tag == last else last, cursor
                return MORE
            if not note(values, found, state, frame, plan, key, position + skip + shift, length, code):
                return FULL
            position += skip + length
        else:
            state[POSITION] = position
            frame[F_LAST], frame[F_CURSOR] = last, cursor


@kernel
def pixel_data(words: Words, have: int, shift: int, word: int, state: Ints, explicit: int, plan: Plan) -> int:
    """Note where the pixel data lie; the header ends before their element."""
    position = state[POSITION]
    length = np.int64(word >> np.uint64(32))
    place = position + 8
    if explicit and plan.header_of_vr[np.int64((word >> np.uint64(32)) & np.uint64(0xFFFF))] != 0:
        if position + 12 > state[SIZE]:
            return TRUNCATED
        length = np.int64(load(words, position + 8 + shift) & np.uint64(0xFFFFFFFF))
        place = position + 12
    state[PIXEL_OFFSET] = place
    state[PIXEL_LENGTH] = NONE if length == UNDEFINED else length
    state[HEADER_END] = position
    return DONE


@kernel
def pixels_truncated(words: Words, have: int, shift: int, state: Ints) -> bool:
    """Whether the file ends before its pixel data; of compressed ones, as far as the bytes at hand show."""
    place, size = state[PIXEL_OFFSET], state[SIZE]
    if state[PIXEL_LENGTH] >= 0:
        return place + state[PIXEL_LENGTH] > size
    while place + 8 <= have:
        word = load(words, place + shift)
        if tag_of(word) != ITEM:
            return False
        place += 8 + np.int64(word >> np.uint64(32))
    return place + 8 > size


@kernel
def identity(words: Words, values: Ints, plan: Plan) -> int:
    """Give DONE for an instance, or the verdict on a data set that is none."""
    for which in (SLOT_CLASS, SLOT_MEDIA_CLASS):
        slot = plan.slot[which]
        length = trimmed(words, values[slot, V_START], values[slot, V_LENGTH])
        if is_uid(words, values[slot, V_START], length, plan, UID_DICOMDIR):
            return DICOMDIR
    for which in (SLOT_INSTANCE, SLOT_MEDIA_INSTANCE):
        slot = plan.slot[which]
        if trimmed(words, values[slot, V_START], values[slot, V_LENGTH]) > 0:
            return DONE
    return NO_IDENTITY
