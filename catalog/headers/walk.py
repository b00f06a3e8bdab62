"""Walk the elements of a little-endian header that lies in a buffer, and note where the wanted values are.

The walker is pure: it reads arrays by checked indices and knows no files. When it needs bytes that are not in
the buffer it returns :data:`~catalog.headers.elements.MORE`; its caller fetches them and calls again
(:mod:`catalog.headers.reading`). Positions are offsets in the file; the element at position ``p`` starts with
``words[p + shift]``. Lengths are never trusted beyond the size of the file. What real files do against PS3.5
chapter 7 is repaired where the element that follows proves the repair right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

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
    F_LAST,
    F_SEQUENCE,
    FLOAT_PIXELS,
    FOUND,
    FOUND_SLOT,
    FULL,
    GO_ON,
    HEADER_END,
    MORE,
    NOTED,
    ORDINARY,
    PIXEL_GROUP,
    PIXEL_LENGTH,
    PIXEL_OFFSET,
    PIXELS,
    POSITION,
    RESYNC_IMPLICIT,
    RESYNC_LONG,
    RESYNC_NONE,
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
from catalog.headers.kernel import signed, unsigned
from catalog.headers.sequences import enter, in_sequence, stray
from catalog.headers.slots import (
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
from catalog.kernel import inlined_kernel, inner_kernel

if TYPE_CHECKING:
    from catalog.headers.kernel import Bytes, Ints, Words

LONGEST_VALUE: Final = 1 << 24  # of a wanted value; nothing in the catalogue is text of 16 MiB


@inlined_kernel
def note(
    place: int,
    length: int,
    code: int,
    slot: int,
    collect: int,
    state: Ints,
    stack: Ints,
    values: Ints,
    found: Ints,
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


@inner_kernel
def pause(stack: Ints, state: Ints, position: int, last: int, cursor: int, want: int) -> int:
    """Leave the walk where it can be taken up again at the element at ``position``."""
    depth = state[DEPTH]
    state[POSITION] = position
    state[WANT] = want
    stack[depth, F_LAST] = last
    stack[depth, F_CURSOR] = cursor
    return MORE


@inner_kernel
def at_edge(words: Words, position: int, shift: int, have: int, size: int, depth: int) -> int:
    """Tell what to do where fewer than 12 bytes are at hand: MORE, GO_ON, or a verdict."""
    if position >= size:
        return TRUNCATED
    if have < size:
        return MORE
    if position + 8 <= size:
        return GO_ON
    rest = load(words, position + shift) << unsigned(8 * (8 - (size - position)))
    return DONE if depth == 0 and rest == 0 else TRUNCATED


@inlined_kernel
def special(
    words: Words,
    shift: int,
    have: int,
    word: int,
    state: Ints,
    stack: Ints,
    context: Ints,
    header_of_vr: Bytes,
) -> int:
    """Handle what is no data element, or the last one: pixel data, padding, delimiters, what is in sequences.

    Returns
    -------
    int
        ORDINARY for a data element after all, GO_ON at the new position and depth, or a verdict.
    """
    depth, tag = state[DEPTH], tag_of(word)
    if stack[depth, F_SEQUENCE] == 1:
        return in_sequence(words, shift, have, word, state, stack, context, header_of_vr)
    if depth == 0:
        if tag in (PIXELS, FLOAT_PIXELS, DOUBLE_PIXELS):
            return pixel_data(words, shift, word, stack[0, F_EXPLICIT], state, header_of_vr)
        if word == 0:
            return DONE  # padding after the last element
    if tag >= DELIMITERS or word == 0:
        return stray(words, shift, have, word, state, stack, context)
    return ORDINARY


@inner_kernel
def layout(  # noqa: PLR0911 - one per layout
    words: Words,
    position: int,
    shift: int,
    have: int,
    size: int,
    end: int,
    explicit: int,
    careful: int,
    header_of_vr: Bytes,
) -> tuple[int, int, int, int, int]:
    """Find VR and length of an element that is not of the commonest kinds.

    Returns
    -------
    verdict, explicit, code, length, skip : int
        GO_ON, MORE (``length`` bytes are needed) or a verdict; whether this frame is explicit after all; VR,
        0 where the file tells none; length of the value and of what stands before it.
    """
    word = load(words, position + shift)
    code = vr_of(word)
    header = header_of_vr[code]
    if explicit == 0:
        length = signed(word >> unsigned(32))
        if length == UNDEFINED or position + 8 + length <= size or header == 0:
            return GO_ON, 0, 0, length, 8
        # An explicit element in an implicit data set: its VR was read as half of a huge length
    if header == SHORT_HEADER:
        length = signed(word >> unsigned(48))
        after = position + 8 + length
        if careful and not plausible(words, after, shift, have, size, 0, 1, end, header_of_vr):
            if have < after + 8 <= size:
                return MORE, 1, code, 16 + length, 8
            length = mended_length(words, position, shift, have, size, end, header_of_vr, length)
        return GO_ON, 1, code, length, 8
    if header == LONG_HEADER:
        if position + 12 > size:
            return TRUNCATED, 1, 0, 0, 0
        return GO_ON, 1, code, signed(load(words, position + shift + 8) & unsigned(0xFFFFFFFF)), 12
    kind, length, explicit = resync(words, position, shift, have, size, end, header_of_vr)
    if kind == RESYNC_NONE:
        return DAMAGED, explicit, 0, 0, 0
    code = UN if kind == RESYNC_IMPLICIT and length == UNDEFINED else 0
    return GO_ON, explicit, code, length, 12 if kind == RESYNC_LONG else 8


@inlined_kernel
def walk_frame(  # noqa: PLR0911, PLR0912, PLR0915 - the innermost loop: its state stays in registers
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
    """Walk from element to element of the innermost frame; GO_ON where another frame is to be walked."""
    size, careful, depth, position = state[SIZE], state[CAREFUL], state[DEPTH], state[POSITION]
    end, inside, explicit = stack[depth, F_END], stack[depth, F_CONTEXT], stack[depth, F_EXPLICIT]
    last, cursor = stack[depth, F_LAST], stack[depth, F_CURSOR]
    next_key = key_tag[cursor] if inside >= 0 else NEVER
    limit = PIXEL_GROUP if depth == 0 else DELIMITERS
    if stack[depth, F_SEQUENCE] == 1:
        limit = 0
    while position < end:
        if position + 12 > have:
            verdict = at_edge(words, position, shift, have, size, depth)
            if verdict == MORE:
                return pause(stack, state, position, last, cursor, min(12, size - position))
            if verdict != GO_ON:
                return verdict
        word = load(words, position + shift)
        tag = tag_of(word)
        if tag >= limit or tag < DATA_SET:
            state[POSITION], stack[depth, F_LAST], stack[depth, F_CURSOR] = position, last, cursor
            verdict = special(words, shift, have, word, state, stack, context, header_of_vr)
            if verdict == GO_ON and state[DEPTH] == depth:
                position = state[POSITION]
                continue
            if verdict != ORDINARY:
                return verdict
        code = vr_of(word)
        if explicit == 1 and careful == 0 and header_of_vr[unsigned(code)] == SHORT_HEADER:
            length, skip = signed(word >> unsigned(48)), 8
        elif explicit == 0 and position + 8 + signed(word >> unsigned(32)) <= size:
            length, skip, code = signed(word >> unsigned(32)), 8, 0
        else:
            verdict, explicit, code, length, skip = layout(
                words, position, shift, have, size, end, explicit, careful, header_of_vr
            )
            if verdict == MORE:
                return pause(stack, state, position, last, cursor, length)
            if verdict != GO_ON:
                return verdict
            stack[depth, F_EXPLICIT] = explicit
        before, at = last, NONE
        if tag > last:
            last = tag
            while next_key < tag:
                cursor += 1
                next_key = key_tag[unsigned(cursor)]
            if next_key == tag and tag >= DATA_SET:
                at = cursor
        elif inside >= 0 and tag >= DATA_SET:
            at = find(key_tag, context[inside, CONTEXT_START], context[inside, CONTEXT_END], tag)
            if at >= 0 and (key[at, KEY_CHILD] >= 0 or key[at, KEY_COLLECT] >= 0):
                return UNUSUAL  # a second copy, or out of order: which one counts is left to the slow path
        is_sequence = length == UNDEFINED or (careful == 1 and code == SQ)
        if at < 0 and not is_sequence:
            position += skip + length
            continue
        child = key[at, KEY_CHILD] if at >= 0 else NONE
        place = position + skip
        if is_sequence or child >= 0:
            stack[depth, F_LAST], stack[depth, F_CURSOR] = last, cursor
            verdict = enter(words, place, shift, have, code, length, child, state, stack, context)
            if verdict == MORE:
                return pause(stack, state, position, before, cursor, skip + 8)
            if verdict != GO_ON or state[DEPTH] != depth:
                return verdict
            position = state[POSITION]
            continue
        if place + length > size:
            return TRUNCATED
        if place + length > have:
            if length > LONGEST_VALUE:
                return UNUSUAL
            return pause(stack, state, position, before, cursor, skip + length)
        slot, collect = key[at, KEY_SLOT], key[at, KEY_COLLECT]
        if not note(place + shift, length, code, slot, collect, state, stack, values, found):
            return FULL
        position = place + length
    state[POSITION], stack[depth, F_LAST], stack[depth, F_CURSOR] = position, last, cursor
    return GO_ON


@inner_kernel
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
    while True:
        depth = state[DEPTH]
        if state[POSITION] >= stack[depth, F_END]:
            if depth == 0:
                return DONE if state[POSITION] == state[SIZE] else TRUNCATED
            state[DEPTH] = depth - 1
            continue
        verdict = walk_frame(
            words, have, shift, state, stack, values, found, key_tag, key, context, header_of_vr
        )
        if verdict != GO_ON:
            return verdict


@inner_kernel
def pixel_data(words: Words, shift: int, word: int, explicit: int, state: Ints, header_of_vr: Bytes) -> int:
    """Note where the pixel data lie; the header ends before their element."""
    position = state[POSITION]
    length = signed(word >> unsigned(32))
    place = position + 8
    if explicit and header_of_vr[vr_of(word)] != 0:
        if position + 12 > state[SIZE]:
            return TRUNCATED
        length = signed(load(words, position + 8 + shift) & unsigned(0xFFFFFFFF))
        place = position + 12
    state[PIXEL_OFFSET] = place
    state[PIXEL_LENGTH] = NONE if length == UNDEFINED else length
    state[HEADER_END] = position
    return DONE
