"""Open, read and walk many files in one compiled loop.

The loop costs one ``open``, one ``statx``, one ``pread`` and one ``close`` for a common file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from catalog.headers.cells import (
    R_HEADER,
    R_INDEX,
    R_MTIME,
    R_PIXEL_LENGTH,
    R_PIXEL_OFFSET,
    R_RAW,
    R_SIZE,
    R_SOURCE,
    R_TRUNCATED,
    SOURCE_KERNEL,
    store_row,
)
from catalog.headers.distinct import ROWS
from catalog.headers.elements import (
    CAREFUL,
    DAMAGED,
    DONE,
    FOUND,
    FOUND_WIDTH,
    FULL,
    HEADER_END,
    ITEM,
    MORE,
    NOTED,
    PIXEL_LENGTH,
    PIXEL_OFFSET,
    POSITION,
    SIZE,
    STACK_SHAPE,
    STATE_SIZE,
    TRUNCATED,
    V_LENGTH,
    VALUE_WIDTH,
    WANT,
    load,
    tag_of,
)
from catalog.headers.kernel import SLACK, overlapping_words, signed, unsigned
from catalog.headers.meta import identity, open_frame, start
from catalog.headers.slots import CONTEXT_START, NONE, plan
from catalog.headers.system import (
    S_IFDIR,
    S_IFMT,
    S_IFREG,
    STATX_FILE_SIZE,
    STATX_MODE,
    STATX_MTIME_NS,
    STATX_MTIME_S,
    STATX_WORDS,
    close,
    close_folder,
    examine,
    fill,
    open_folder,
)
from catalog.headers.walk import walk
from catalog.kernel import inner_kernel, kernel

if TYPE_CHECKING:
    from catalog.headers.cells import Rows
    from catalog.headers.kernel import Bytes, Ints, Words
    from catalog.headers.slots import Plan

# Verdicts beyond those of the walker.
OPEN_FAILED: Final = 16
READ_FAILED: Final = 17
SPECIAL: Final = 18
DIRECTORY: Final = 19
EMPTY: Final = 20
TOO_LONG: Final = 21  # more reads or bytes than a header may need

O_VERDICT, O_SIZE, O_MTIME, O_ERROR = range(4)

WINDOW: Final = 8192
LONG_WINDOW: Final = 1 << 16
RAW_LIMIT: Final = 1 << 20
ROOM: Final = 4 << 20  # of the buffer, for one more header
MOST_READS: Final = 1 << 16


class Scratch(NamedTuple):
    """What the kernels need for one file at a time."""

    state: Ints
    stack: Ints
    values: Ints  # slot x V_*
    found: Ints  # collected value x V_*, FOUND_SLOT
    stat: Words
    folder: Ints  # FOLDER_*
    empty: Bytes  # a path of no letters
    peek: Bytes  # a few bytes from elsewhere in the file, and the same as words
    peeked: Words


def new_scratch(rows: Rows) -> Scratch:
    """Allocate it; what may be collected grows with the room of the rows."""
    peek = np.zeros(SLACK, np.uint8)
    return Scratch(
        state=np.zeros(STATE_SIZE, np.int64),
        stack=np.zeros(STACK_SHAPE, np.int64),
        values=np.zeros((len(plan().slot_vr), VALUE_WIDTH), np.int64),
        found=np.empty((len(rows.entries) // 2, FOUND_WIDTH), np.int64),
        stat=np.zeros(STATX_WORDS, np.uint64),
        folder=np.full(3, NONE, np.int64),
        empty=np.zeros(8, np.uint8),
        peek=peek,
        peeked=overlapping_words(peek),
    )


@inner_kernel
def walk_file(
    descriptor: int,
    buffer: Bytes,
    words: Words,
    top: int,
    have: int,
    whole: int,
    state: Ints,
    stack: Ints,
    values: Ints,
    found: Ints,
    plan: Plan,
) -> tuple[int, int, int]:
    """Walk a header whose data set is open, and fetch what the walk asks for.

    While ``whole``, the header is read without gaps up to RAW_LIMIT, so that it can be kept; beyond it, or
    where it is not kept, what is skipped is not read.

    Returns
    -------
    verdict, kept, error : int
        ``kept``: how many bytes at ``top`` are the file from its start without a gap.
    """
    size = state[SIZE]
    key_tag, key, context, header_of_vr = plan.key_tag, plan.key, plan.context, plan.header_of_vr
    shift, kept, window = top, have, top
    noted = NONE
    for _ in range(MOST_READS):
        verdict = walk(words, have, shift, state, stack, values, found, key_tag, key, context, header_of_vr)
        if verdict != MORE:
            return verdict, kept, 0
        position, want = state[POSITION], state[WANT]
        if whole == 1 and position + want <= RAW_LIMIT:
            at, offset = shift + have, have
            read = min(position + want + WINDOW, size) - have
        else:
            # A window of which nothing was noted is overwritten; one that holds values must stay
            at = window if state[NOTED] == noted and whole == 0 else shift + have
            whole = 0
            offset = position
            read = min(max(want, LONG_WINDOW if position <= have else WINDOW), size - position)
            window = at
        noted = state[NOTED]
        if at + read + SLACK > len(buffer):
            return FULL, kept, 0
        got, error = fill(descriptor, buffer, at, read, offset)
        if error != 0:
            return READ_FAILED, kept, error
        if got < read:
            return TRUNCATED, kept, 0  # the file has shrunk since it was opened
        shift = at - offset
        have = offset + got
        if whole == 1:
            kept = have
    return TOO_LONG, kept, 0


@inner_kernel
def read_header(
    descriptor: int,
    buffer: Bytes,
    words: Words,
    top: int,
    keep_raw: int,
    state: Ints,
    stack: Ints,
    values: Ints,
    found: Ints,
    plan: Plan,
) -> tuple[int, int, int]:
    """Read and walk the header of an open file; where it makes no sense, once more with every repair.

    Returns
    -------
    verdict, kept, error : int
        As :func:`walk_file`.
    """
    size = state[SIZE]
    kept, error = fill(descriptor, buffer, top, min(WINDOW, size), 0)
    if error != 0:
        return READ_FAILED, 0, error
    if kept < min(WINDOW, size):
        return TRUNCATED, kept, 0
    verdict = DAMAGED
    for careful in range(2):
        state[CAREFUL] = careful
        for slot in range(len(values)):
            values[slot, V_LENGTH] = NONE
        verdict = start(words, top, kept, state, stack, values, plan)
        if verdict != MORE:
            break
        verdict, kept, error = walk_file(
            descriptor, buffer, words, top, kept, keep_raw, state, stack, values, found, plan
        )
        if verdict not in (DAMAGED, TRUNCATED):
            break
    if verdict != DONE:
        return verdict, kept, error
    end = state[HEADER_END]
    if keep_raw == 1 and kept < end <= RAW_LIMIT:
        if top + end + SLACK > len(buffer):
            return FULL, kept, 0
        got, error = fill(descriptor, buffer, top + kept, end - kept, kept)
        if error != 0:
            return READ_FAILED, kept, error
        kept += got
    return identity(words, values, plan), kept, 0


@inner_kernel
def pixels_truncated(
    descriptor: int, words: Words, top: int, kept: int, state: Ints, peek: Bytes, peeked: Words
) -> bool:
    """Whether the file ends before its pixel data; of compressed ones the first fragment is looked at."""
    place, size = state[PIXEL_OFFSET], state[SIZE]
    if place < 0:
        return False
    if state[PIXEL_LENGTH] >= 0:
        return bool(place + state[PIXEL_LENGTH] > size)
    for _ in range(2):  # offset table and first fragment (PS3.5 A.4)
        if place + 8 > size:
            return True
        if place + 8 <= kept:
            word = load(words, top + place)
        else:
            got, error = fill(descriptor, peek, 0, 8, place)
            if got < 8 or error != 0:
                return True
            word = load(peeked, 0)
        if tag_of(word) != ITEM:
            return False
        place += 8 + signed(word >> unsigned(32))
    return bool(place + 8 > size)


@inner_kernel
def record_row(
    rows: Rows, raw_ends: Ints, index: int, mtime: int, truncated: int, kept: int, state: Ints
) -> None:
    """Write what is known of the file beside the cells of the row that was stored last."""
    row = rows.counters[ROWS] - 1
    record = rows.record[row]
    record[R_INDEX] = index
    record[R_SIZE] = state[SIZE]
    record[R_MTIME] = mtime
    record[R_HEADER] = state[HEADER_END]
    record[R_PIXEL_OFFSET] = state[PIXEL_OFFSET]
    record[R_PIXEL_LENGTH] = state[PIXEL_LENGTH]
    record[R_TRUNCATED] = truncated
    record[R_RAW] = kept
    record[R_SOURCE] = SOURCE_KERNEL
    raw_ends[row + 1] = raw_ends[row] + (state[HEADER_END] if kept else 0)


@kernel
def read_many(
    paths: Bytes,
    places: Ints,
    base: int,
    keep_raw: int,
    buffer: Bytes,
    words: Words,
    raw_ends: Ints,
    outcome: Ints,
    progress: Ints,
    plan: Plan,
    rows: Rows,
    scratch: Scratch,
) -> int:
    """Read files as far as rows and buffer reach.

    Parameters
    ----------
    paths, places
        Zero-terminated paths, and where each of them starts.
    base
        What to add to a place in the batch for a place in the caller's list.
    raw_ends
        Ends in ``buffer`` of the headers that are kept, one per row.
    outcome
        Filled for each file: verdict, size, mtime_ns, error of the C library.
    progress
        progress[0] becomes the place of the file that is about to be opened.
    scratch
        Its contents do not matter.

    Returns
    -------
    int
        The first file that was not read.
    """
    state, stack, values, found = scratch.state, scratch.stack, scratch.values, scratch.found
    stat, folder = scratch.stat, scratch.folder
    done = len(places)
    for file in range(len(places)):
        row = rows.counters[ROWS]
        top = raw_ends[row]
        if row > 0 and top + ROOM > len(buffer):
            done = file
            break
        progress[0] = base + file
        open_folder(paths, places, file, folder)
        descriptor, error = examine(paths, places[file], folder, stat, scratch.empty)
        outcome[file, O_ERROR] = error
        if descriptor < 0:
            outcome[file, O_VERDICT] = OPEN_FAILED
            continue
        mode = signed(stat[STATX_MODE] >> unsigned(32)) & S_IFMT
        mtime = signed(stat[STATX_MTIME_S]) * 1_000_000_000 + signed(
            stat[STATX_MTIME_NS] & unsigned(0xFFFFFFFF)
        )
        outcome[file, O_SIZE] = state[SIZE] = signed(stat[STATX_FILE_SIZE])
        outcome[file, O_MTIME] = mtime
        if mode != S_IFREG:
            verdict = DIRECTORY if mode == S_IFDIR else SPECIAL
        elif state[SIZE] == 0:
            verdict = EMPTY
        else:
            verdict, kept, error = read_header(
                descriptor, buffer, words, top, keep_raw, state, stack, values, found, plan
            )
            outcome[file, O_ERROR] = error
            if verdict == DONE and not store_row(
                words, values, found, state[FOUND], state[NOTED], plan, rows
            ):
                verdict = FULL
            if verdict == DONE:
                truncated = pixels_truncated(
                    descriptor, words, top, kept, state, scratch.peek, scratch.peeked
                )
                whole = 1 if keep_raw == 1 and kept >= state[HEADER_END] else 0
                record_row(rows, raw_ends, base + file, mtime, truncated, whole, state)
        close(descriptor)
        if verdict == FULL and row > 0:
            done = file
            break
        outcome[file, O_VERDICT] = verdict
    close_folder(folder)
    return done


@kernel
def walk_translated(
    words: Words, start: int, have: int, size: int, meta: Ints, plan: Plan, rows: Rows, scratch: Scratch
) -> int:
    """Walk a data set in memory that was made explicit little-endian, and store its row.

    Parameters
    ----------
    start, have, size
        Where the data set starts, where its bytes that are there end, and where it ends.
    meta
        Slot, then V_*, of each value of the file meta information.

    Returns
    -------
    int
        DONE, and ``scratch.state`` tells of the pixel data; or why no row was stored.
    """
    state, values, found = scratch.state, scratch.values, scratch.found
    state[SIZE] = size
    state[CAREFUL] = 0
    for slot in range(len(values)):
        values[slot, V_LENGTH] = NONE
    for each in range(len(meta)):
        for k in range(VALUE_WIDTH):
            values[meta[each, 0], k] = meta[each, 1 + k]
    open_frame(start, 1, plan.context[0, CONTEXT_START], state, scratch.stack)
    verdict = walk(
        words,
        have,
        0,
        state,
        scratch.stack,
        values,
        found,
        plan.key_tag,
        plan.key,
        plan.context,
        plan.header_of_vr,
    )
    if verdict == DONE:
        verdict = identity(words, values, plan)
    if verdict == DONE and not store_row(words, values, found, state[FOUND], state[NOTED], plan, rows):
        verdict = FULL
    return verdict
