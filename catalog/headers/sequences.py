"""Open, leave and repair sequences and items (PS3.5 section 7.5) during a walk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from catalog.headers.elements import (
    CAREFUL,
    DEPTH,
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
    GO_ON,
    ITEM,
    ITEM_END,
    MORE,
    OPEN_END,
    POSITION,
    SEQUENCE_END,
    SIZE,
    UN,
    UNDEFINED,
    UNUSUAL,
    load,
    plausible,
    tag_of,
)
from catalog.headers.kernel import signed, unsigned
from catalog.headers.slots import (
    CONTEXT_COLLECTS,
    CONTEXT_START,
    NONE,
)
from catalog.kernel import inlined_kernel, inner_kernel

if TYPE_CHECKING:
    from catalog.headers.kernel import Bytes, Ints, Words


@inlined_kernel
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


@inlined_kernel
def in_sequence(
    words: Words,
    shift: int,
    have: int,
    word: int,
    state: Ints,
    stack: Ints,
    context: Ints,
    header_of_vr: Bytes,
) -> int:
    """Handle what stands where an item should; GO_ON at the new position and depth, or a verdict."""
    position, depth = state[POSITION], state[DEPTH]
    tag = tag_of(word)
    if word == 0:
        state[POSITION] = position + 2  # NULs where the delimiter is due
    elif tag == ITEM:
        return open_item(
            words, shift, have, signed(word >> unsigned(32)), state, stack, context, header_of_vr
        )
    elif tag == ITEM_END:
        state[POSITION] = position + 8
    else:
        if tag == SEQUENCE_END:
            state[POSITION] = position + 8
        # Else the sequence ended without a delimiter, or its length was too long
        state[DEPTH] = depth - 1
    return GO_ON


@inlined_kernel
def open_item(
    words: Words,
    shift: int,
    have: int,
    length: int,
    state: Ints,
    stack: Ints,
    context: Ints,
    header_of_vr: Bytes,
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
        return GO_ON
    if depth + 1 >= len(stack):
        return UNUSUAL
    end = OPEN_END if length == UNDEFINED else position + length
    limit = stack[depth, F_END]
    if limit < end < OPEN_END and depth > 0:
        # Item and sequence disagree: the true end is where an element of the enclosing data set follows
        above = depth - 1
        explicit = stack[above, F_EXPLICIT]
        if plausible(
            words,
            limit,
            shift,
            have,
            state[SIZE],
            stack[above, F_LAST],
            explicit,
            stack[above, F_END],
            header_of_vr,
        ):
            end = limit
    push(stack, depth, end, inside, 0, context)
    stack[depth + 1, F_FIRST] = first
    state[DEPTH] = depth + 1
    return GO_ON


@inner_kernel
def stray(words: Words, shift: int, have: int, word: int, state: Ints, stack: Ints, context: Ints) -> int:
    """Handle a delimiter, an item or NULs between data elements; as :func:`in_sequence`."""
    position, depth = state[POSITION], state[DEPTH]
    tag = tag_of(word)
    if word == 0:
        state[POSITION] = position + 2
        return GO_ON
    state[POSITION] = position + 8
    if tag == ITEM:  # an item outside of any sequence
        length = signed(word >> unsigned(32))
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
    return GO_ON


@inlined_kernel
def enter(
    words: Words,
    place: int,
    shift: int,
    have: int,
    code: int,
    length: int,
    child: int,
    state: Ints,
    stack: Ints,
    context: Ints,
) -> int:
    """Open a sequence whose first item is to be at ``place``; GO_ON, MORE, or a verdict."""
    depth, size = state[DEPTH], state[SIZE]
    finish = OPEN_END if length == UNDEFINED else place + length
    state[POSITION] = finish
    if finish != OPEN_END:
        if place + 8 > have and have < size:
            return MORE
        if length == 0 or place + 8 > have or tag_of(load(words, place + shift)) != ITEM:
            return GO_ON  # empty, or no sequence whatever VR or dictionary say
        if state[CAREFUL] and finish > size:
            finish = OPEN_END
    if depth + 1 >= len(stack):
        return UNUSUAL
    state[POSITION], state[DEPTH] = place, depth + 1
    push(stack, depth, finish, child, 1, context)
    if code == UN and length == UNDEFINED:
        stack[depth + 1, F_EXPLICIT] = 0  # PS3.5 6.2.2, note 2
    return GO_ON
