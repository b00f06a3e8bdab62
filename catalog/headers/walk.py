"""Walk the elements of a little-endian header that lies in a buffer, and note where the wanted values are.

The walker is pure: it reads arrays by checked indices and knows no files. When it needs bytes that are not in
the buffer it returns :data:`~catalog.headers.elements.MORE`; its caller fetches them and calls again
(:mod:`catalog.headers.reading`). Positions are offsets in the file; the element at position ``p`` starts with
``words[p + shift]``. Lengths are never trusted beyond the size of the file. What real files do against PS3.5
chapter 7 is repaired where the element that follows proves the repair right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from catalog.headers.elements import (
    CAREFUL,
    DAMAGED,
    DATA_SET,
    DELIMITERS,
    DEPTH,
    DONE,
    DOUBLE_PIXELS,
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
    FLOAT_PIXELS,
    FOUND,
    FOUND_SLOT,
    FULL,
    HEADER_END,
    ITEM,
    ITEM_END,
    MORE,
    NOTED,
    OPEN_END,
    PIXEL_GROUP,
    PIXEL_LENGTH,
    PIXEL_OFFSET,
    PIXELS,
    POSITION,
    RESYNC_IMPLICIT,
    RESYNC_LONG,
    RESYNC_NONE,
    SEQUENCE_END,
    SIZE,
    SQ,
    TRUNCATED,
    UN,
    UNDEFINED,
    UNUSUAL,
    V_CHARSET,
    V_CHARSET_SIZE,
    V_LENGTH,
    V_START,
    V_VR,
    WANT,
    find,
    load,
    mended_length,
    plausible,
    resync,
    tag_of,
    vr_of,
)
from catalog.headers.kernel import kernel
from catalog.headers.slots import (
    CONTEXT_COLLECTS,
    CONTEXT_END,
    CONTEXT_START,
    KEY_CHILD,
    KEY_COLLECT,
    KEY_SLOT,
    LONG_HEADER,
    NESTED_CHARSET,
    NEVER,
    NONE,
    SHORT_HEADER,
)

if TYPE_CHECKING:
    from catalog.headers.kernel import Bytes, Ints, Words

LONGEST_VALUE: Final = 1 << 24  # of a wanted value; nothing in the catalogue is text of 16 MiB


@kernel
def push(stack: Ints, depth: int, end: int, child: int, sequence: int, context: Ints) -> None:
    """Open a frame below the one at ``depth``; what is not set here is inherited."""
    below = depth + 1
    stack[below, F_END] = end
    stack[below, F_SEQUENCE] = sequence
    stack[below, F_CONTEXT] = child
    stack[below, F_EXPLICIT] = stack[depth, F_EXPLICIT]
    stack[below, F_ITEMS] = 0
    stack[below, F_CURSOR] = context[child, CONTEXT_START] if child >= 0 else NONE
    stack[below, F_LAST] = 0
    stack[below, F_FIRST] = stack[depth, F_FIRST]
    stack[below, F_CHARSET] = stack[depth, F_CHARSET]
    stack[below, F_CHARSET_SIZE] = stack[depth, F_CHARSET_SIZE]


@kernel
def in_sequence(
    words: Words, shift: int, have: int, word: int, state: Ints, stack: Ints, context: Ints, header_of_vr: Bytes
) -> int:
    """Handle what stands where an item should; DONE to go on at the new position and depth, or a verdict."""
    position, depth = state[POSITION], state[DEPTH]
    tag = tag_of(word)
    if word == 0:
        state[POSITION] = position + 2  # NULs where the delimiter is due
    elif tag == ITEM:
        return open_item(words, shift, have, np.int64(word >> np.uint64(32)), state, stack, context, header_of_vr)
    elif tag == ITEM_END:
        state[POSITION] = position + 8
    else:
        if tag == SEQUENCE_END:
            state[POSITION] = position + 8
        # Else the sequence ended without a delimiter, or its length was too long
        state[DEPTH] = depth - 1
    return DONE


@kernel
def open_item(
    words: Words, shift: int, have: int, length: int, state: Ints, stack: Ints, context: Ints, header_of_vr: Bytes
) -> int:
    """Open an item where something in it may be wanted or its end must be found; skip it otherwise."""
    depth, position = state[DEPTH], state[POSITION] + 8
    inside = stack[depth, F_CONTEXT]
    first = stack[depth, F_FIRST] == 1 and stack[depth, F_ITEMS] == 0
    stack[depth, F_ITEMS] += 1
    if inside >= 0 and not first and context[inside, CONTEXT_COLLECTS] == 0:
        inside = NONE
    state[POSITION] = position
    if length != UNDEFINED and inside < 0 and state[CAREFUL] == 0:
        state[POSITION] = position + length
        return DONE
    if depth + 1 >= len(stack):
        return UNUSUAL
    end = OPEN_END if length == UNDEFINED else position + length
    limit = stack[depth, F_END]
    if limit < end < OPEN_END and depth > 0:
        # Item and sequence disagree: the end that an element of the enclosing data set follows is the true one
        above = depth - 1
        explicit = stack[above, F_EXPLICIT] == 1
        if plausible(
            words, limit, shift, have, state[SIZE], stack[above, F_LAST], explicit, stack[above, F_END], header_of_vr
        ):
            end = limit
    push(stack, depth, end, inside, 0, context)
    stack[depth + 1, F_FIRST] = first
    state[DEPTH] = depth + 1
    return DONE


@kernel
def stray(words: Words, shift: int, have: int, word: int, state: Ints, stack: Ints, context: Ints) -> int:
    """Handle a delimiter, an item or NULs between data elements; as :func:`in_sequence`."""
    position, depth = state[POSITION], state[DEPTH]
    tag = tag_of(word)
    if word == 0:
        state[POSITION] = position + 2
        return DONE
    state[POSITION] = position + 8
    if tag == ITEM:  # an item outside of any sequence
        length = np.int64(word >> np.uint64(32))
        if length != UNDEFINED:
            state[POSITION] += length
        elif depth + 1 >= len(stack):
            return UNUSUAL
        else:
            push(stack, depth, OPEN_END, NONE, 0, context)
            state[DEPTH] = depth + 1
    elif stack[depth, F_END] == OPEN_END:
        state[DEPTH] = depth - 1
        if tag == SEQUENCE_END and depth > 1 and stack[depth - 1, F_END] == OPEN_END:
            # Some writers end an item with it; most forgot the end of the item and mean the sequence
            follows = tag_of(load(words, position + 8 + shift)) if position + 16 <= have else 0
            if follows not in (ITEM, SEQUENCE_END):
                state[DEPTH] = depth - 2
    return DONE


@kernel
def note(
    place: int, length: int, code: int, slot: int, collect: int, state: Ints, stack: Ints, values: Ints, found: Ints
) -> bool:
    """Note where a wanted value lies; False where the list of collected values is full."""
    depth = state[DEPTH]
    state[NOTED] += length
    if slot == NESTED_CHARSET:
        stack[depth, F_CHARSET] = place
        stack[depth, F_CHARSET_SIZE] = length
        return True
    if slot >= 0 and stack[depth, F_FIRST] == 1:
        values[slot, V_START] = place
        values[slot, V_LENGTH] = length
        values[slot, V_VR] = code
        values[slot, V_CHARSET] = stack[depth, F_CHARSET]
        values[slot, V_CHARSET_SIZE] = stack[depth, F_CHARSET_SIZE]
    if collect >= 0 and length > 0:
        at = state[FOUND]
        if at >= len(found):
            return False
        found[at, V_START] = place
        found[at, V_LENGTH] = length
        found[at, V_VR] = code
        found[at, V_CHARSET] = stack[depth, F_CHARSET]
        found[at, V_CHARSET_SIZE] = stack[depth, F_CHARSET_SIZE]
        found[at, FOUND_SLOT] = collect
        state[FOUND] = at + 1
    return True


@kernel
def pause(stack: Ints, state: Ints, position: int, last: int, cursor: int, want: int) -> int:
    """Leave the walk where it can be taken up again at the element at ``position``."""
    depth = state[DEPTH]
    state[POSITION] = position
    state[WANT] = want
    stack[depth, F_LAST] = last
    stack[depth, F_CURSOR] = cursor
    return MORE


@kernel
def walk(
    words: Words,
    have: int,
    shift: int,
    state: Ints,
    stack: Ints,
    values: Ints,
    found: Ints,
    key_tag: Ints,
    key: Ints,
    context: Ints,
    header_of_vr: Bytes,
) -> int:
    """Walk from ``state`` on until the pixel data, the end of the file, or the end of the bytes at hand.

    Parameters
    ----------
    have : int
        Position after the last byte at hand.
    shift : int
        What to add to a position to get an index of ``words``.
    key_tag, key, context, header_of_vr
        Tables of :class:`~catalog.headers.slots.Plan`.

    Returns
    -------
    int
        DONE, MORE (``state[WANT]`` bytes are needed at ``state[POSITION]``), or a verdict.
    """
    size, careful = state[SIZE], state[CAREFUL] == 1
    while True:
        depth, position = state[DEPTH], state[POSITION]
        end = stack[depth, F_END]
        if position >= end:
            if depth == 0:
                return DONE if position == size else TRUNCATED
            state[DEPTH] = depth - 1
            continue
        sequence, inside = stack[depth, F_SEQUENCE] == 1, stack[depth, F_CONTEXT]
        explicit = stack[depth, F_EXPLICIT] == 1
        last, cursor = stack[depth, F_LAST], stack[depth, F_CURSOR]
        next_key = key_tag[cursor] if inside >= 0 else NEVER
        limit = PIXEL_GROUP if depth == 0 else DELIMITERS
        # This loop goes from element to element of one frame, and is left for anything that changes the frame.
        while position < end:
            if position + 12 > have:
                if position >= size:
                    return TRUNCATED
                if have < size:
                    return pause(stack, state, position, last, cursor, min(12, size - position))
                if position + 8 > size:
                    rest = load(words, position + shift) << np.uint64(8 * (8 - (size - position)))
                    return DONE if depth == 0 and rest == 0 else TRUNCATED
            word = load(words, position + shift)
            tag = tag_of(word)
            if sequence or tag >= limit or tag < DATA_SET:
                state[POSITION] = position
                if depth == 0:
                    if tag in (PIXELS, FLOAT_PIXELS, DOUBLE_PIXELS):
                        return pixel_data(words, shift, word, explicit, state, header_of_vr)
                    if word == 0:
                        return DONE  # padding after the last element
                if sequence or tag >= DELIMITERS or word == 0:
                    stack[depth, F_LAST], stack[depth, F_CURSOR] = last, cursor
                    if sequence:
                        verdict = in_sequence(words, shift, have, word, state, stack, context, header_of_vr)
                    else:
                        verdict = stray(words, shift, have, word, state, stack, context)
                    if verdict != DONE:
                        return verdict
                    if state[DEPTH] != depth:
                        break
                    position = state[POSITION]
                    continue
            code = vr_of(word)
            if explicit:
                header = header_of_vr[np.uint64(code)]
                if header == SHORT_HEADER:
                    length = np.int64(word >> np.uint64(48))
                    skip = 8
                    after = position + 8 + length
                    if careful and not plausible(words, after, shift, have, size, 0, True, end, header_of_vr):
                        if have < after + 8 <= size:
                            return pause(stack, state, position, last, cursor, 16 + length)
                        length = mended_length(words, position, shift, have, size, end, header_of_vr, length)
                elif header == LONG_HEADER:
                    if position + 12 > size:
                        return TRUNCATED
                    length = np.int64(load(words, position + shift + 8) & np.uint64(0xFFFFFFFF))
                    skip = 12
                else:
                    layout, length, explicit = resync(words, position, shift, have, size, end, header_of_vr)
                    if layout == RESYNC_NONE:
                        return DAMAGED
                    stack[depth, F_EXPLICIT] = explicit
                    skip = 12 if layout == RESYNC_LONG else 8
                    code = UN if layout == RESYNC_IMPLICIT and length == UNDEFINED else 0
            else:
                length = np.int64(word >> np.uint64(32))
                skip = 8
                if position + 8 + length > size and length != UNDEFINED and header_of_vr[np.uint64(code)] != 0:
                    # An explicit element in an implicit data set: its VR was read as half of a huge length
                    explicit = True
                    stack[depth, F_EXPLICIT] = 1
                    continue
                code = 0
            before = last
            at = NONE
            if tag > last:
                last = tag
                while next_key < tag:
                    cursor += 1
                    next_key = key_tag[np.uint64(cursor)]
                if next_key == tag and tag >= DATA_SET:
                    at = cursor
            elif inside >= 0 and tag >= DATA_SET:
                at = find(key_tag, context[inside, CONTEXT_START], context[inside, CONTEXT_END], tag)
                if at >= 0 and (key[at, KEY_CHILD] >= 0 or key[at, KEY_COLLECT] >= 0):
                    return UNUSUAL  # a second copy, or out of order: which one counts is left to the slow path
            nested = length == UNDEFINED or (careful and code == SQ)
            child = NONE
            if at >= 0:
                child = key[at, KEY_CHILD]
                nested |= child >= 0
            elif not nested:
                position += skip + length
                continue
            place = position + skip
            if nested:
                finish = OPEN_END if length == UNDEFINED else place + length
                if finish != OPEN_END:
                    if place + 8 > have and have < size:
                        return pause(stack, state, position, before, cursor, skip + 8)
                    if length == 0 or place + 8 > have or tag_of(load(words, place + shift)) != ITEM:
                        position = finish  # empty, or no sequence whatever VR or dictionary say
                        continue
                    if careful and finish > size:
                        finish = OPEN_END
                if depth + 1 >= len(stack):
                    return UNUSUAL
                state[POSITION], state[DEPTH] = place, depth + 1
                stack[depth, F_LAST], stack[depth, F_CURSOR] = last, cursor
                push(stack, depth, finish, child, 1, context)
                if code == UN and length == UNDEFINED:
                    stack[depth + 1, F_EXPLICIT] = 0  # PS3.5 6.2.2, note 2
                break
            if place + length > size:
                return TRUNCATED
            if place + length > have:
                if length > LONGEST_VALUE:
                    return UNUSUAL
                return pause(stack, state, position, before, cursor, skip + length)
            if not note(place + shift, length, code, key[at, KEY_SLOT], key[at, KEY_COLLECT], state, stack, values, found):
                return FULL
            position = place + length
        else:
            state[POSITION] = position
            stack[depth, F_LAST], stack[depth, F_CURSOR] = last, cursor


@kernel
def pixel_data(words: Words, shift: int, word: int, explicit: bool, state: Ints, header_of_vr: Bytes) -> int:
    """Note where the pixel data lie; the header ends before their element."""
    position = state[POSITION]
    length = np.int64(word >> np.uint64(32))
    place = position + 8
    if explicit and header_of_vr[vr_of(word)] != 0:
        if position + 12 > state[SIZE]:
            return TRUNCATED
        length = np.int64(load(words, position + 8 + shift) & np.uint64(0xFFFFFFFF))
        place = position + 12
    state[PIXEL_OFFSET] = place
    state[PIXEL_LENGTH] = NONE if length == UNDEFINED else length
    state[HEADER_END] = position
    return DONE
