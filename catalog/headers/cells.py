"""Turn the values that a walk has noted into the cells of one row.

Rows are written one after another, while their bytes are still in the processor's first cache. Text becomes a
number: the place of the value among the distinct values of its column, which are copied to a store of their
own. So the interpreter later sees each distinct value once, and only those that are not plain ASCII.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from catalog.headers.kernel import SLACK, kernel
from catalog.headers.numbers import (
    binary,
    binary_whole,
    byte_at,
    days_since_1970,
    decimal,
    value_end,
    whole,
    width,
)
from catalog.headers.slots import (
    COLUMN_DISTINCT,
    COLUMN_END,
    COLUMN_KIND,
    COLUMN_START,
    COLUMN_TARGET,
    COLUMN_TRIM,
    FORM_BINARY,
    FORM_BYTES,
    FORM_TEXT,
    KIND_DATE,
    KIND_INTEGER,
    KIND_REAL,
    KIND_REALS,
    KIND_TEXT,
    KIND_TEXTS,
    NONE,
    SLOT_CHARSET,
    TRIM_END,
    TRIM_NAME,
    targets_of,
)
from catalog.headers.walk import (
    FOUND_SLOT,
    V_CHARSET,
    V_CHARSET_SIZE,
    V_LENGTH,
    V_START,
    V_VR,
    load,
    trimmed,
)

if TYPE_CHECKING:
    import numpy.typing as npt

    from catalog.headers.kernel import Bytes, Ints, Words
    from catalog.headers.slots import Plan

ROWS, ENTRIES, STORED = range(3)  # counters
R_INDEX, R_SIZE, R_MTIME, R_HEADER, R_PIXEL_OFFSET, R_PIXEL_LENGTH, R_TRUNCATED, R_RAW = range(8)
E_START, E_LENGTH, E_CHARSET, E_TARGET, E_LOCAL, E_ROW, E_CLEAN = range(7)
PLAIN: Final = -1  # E_CHARSET of ASCII text, which reads alike under every character set
NO_CHARSET: Final = -2

META_BYTES: Final = 1 << 16  # more than the few values of the file meta information
HASH_A: Final = np.uint64(0x9E3779B97F4A7C15)
HASH_B: Final = np.uint64(0xC2B2AE3D27D4EB4F)
HIGH_BITS: Final = np.uint64(0x8080808080808080)
LOW_BITS: Final = np.uint64(0x0101010101010101)
ESCAPES: Final = np.uint64(0x1B1B1B1B1B1B1B1B)
BACKSLASHES: Final = np.uint64(0x5C5C5C5C5C5C5C5C)


class Rows(NamedTuple):
    """Cells of a batch of rows, column by column, and the store of distinct texts."""

    counters: Ints
    record: Ints  # row x R_*
    valid: Bytes  # column x bit of the row
    codes: npt.NDArray[np.int32]  # text column x row
    dates: npt.NDArray[np.int32]
    integers: Ints
    reals: npt.NDArray[np.float64]
    ends: npt.NDArray[np.int32]  # list column x row + 1: end of the row's children
    children: npt.NDArray[np.float64]
    child_codes: npt.NDArray[np.int32]
    entries: Ints  # distinct text x E_*
    table: npt.NDArray[np.int32]  # hash table of entries
    last: Ints  # text column: entry of the row before
    counts: Ints  # text column: distinct texts
    store: Bytes
    store_words: Words


def new_rows(capacity: int, scale: int) -> Rows:
    """Allocate room for a number of rows; ``scale`` widens what a single row may need."""
    from catalog.headers.kernel import overlapping_words
    from catalog.headers.slots import kernel_columns

    texts = targets_of(KIND_TEXT) + targets_of(KIND_TEXTS)
    lists = targets_of(KIND_REALS) + targets_of(KIND_TEXTS)
    children = max(capacity * 32, 1 << 16) * scale
    entries = max(capacity * 16, 1 << 14) * scale
    store = np.empty((4 << 20) * scale + capacity * 512, np.uint8)
    return Rows(
        counters=np.zeros(4, np.int64),
        record=np.empty((capacity, 8), np.int64),
        valid=np.zeros((len(kernel_columns()), (capacity + 7) // 8), np.uint8),
        codes=np.empty((targets_of(KIND_TEXT), capacity), np.int32),
        dates=np.empty((targets_of(KIND_DATE), capacity), np.int32),
        integers=np.empty((targets_of(KIND_INTEGER), capacity), np.int64),
        reals=np.empty((targets_of(KIND_REAL), capacity), np.float64),
        ends=np.zeros((lists, capacity + 1), np.int32),
        children=np.empty((targets_of(KIND_REALS), children), np.float64),
        child_codes=np.empty((targets_of(KIND_TEXTS), children), np.int32),
        entries=np.empty((entries, 7), np.int64),
        table=np.full(1 << (2 * entries).bit_length(), NONE, np.int32),
        last=np.full(texts, NONE, np.int64),
        counts=np.zeros(texts, np.int64),
        store=store,
        store_words=overlapping_words(store),
    )


@kernel
def has_byte(word: int, pattern: int) -> bool:
    """Whether one of eight bytes equals the byte that the pattern repeats."""
    word ^= pattern
    return (word - LOW_BITS) & ~word & HIGH_BITS != 0


@kernel
def same_text(words: Words, start: int, length: int, rows: Rows, entry: int) -> bool:
    """Whether a value equals a stored one of the same length."""
    stored = rows.entries[entry, E_START]
    k = 0
    while k + 8 <= length:
        if load(words, start + k) != load(rows.store_words, stored + k):
            return False
        k += 8
    if k == length:
        return True
    shift = np.uint64(8 * (8 - (length - k)))
    return load(words, start + k) << shift == load(rows.store_words, stored + k) << shift


@kernel
def charset_entry(words: Words, start: int, length: int, rows: Rows) -> int:
    """Entry of the character set that a value is in; column 0 of the texts holds nothing else."""
    length = trimmed(words, start, length)
    if length <= 0:
        return NO_CHARSET
    local = text_code(words, start, length, 0, False, start, NONE, rows)
    return rows.last[0] if local >= 0 else NO_CHARSET


@kernel
def text_code(
    words: Words,
    start: int,
    length: int,
    target: int,
    distinct: bool,
    charset: int,
    charset_size: int,
    rows: Rows,
) -> int:
    """Number a trimmed, non-empty text among the distinct ones of its column."""
    entries = rows.entries
    last = rows.last[target]
    if last >= 0 and entries[last, E_LENGTH] == length and entries[last, E_CHARSET] == PLAIN:
        if same_text(words, start, length, rows, last):
            return entries[last, E_LOCAL]
    digest = np.uint64(length + (target << 32)) * HASH_B
    every = np.uint64(0)
    escape, clean = False, False
    k = 0
    while k < length:
        word = load(words, start + k)
        if k + 8 > length:
            word = word << np.uint64(8 * (8 - (length - k)))
        every |= word
        escape |= has_byte(word, ESCAPES)
        clean |= has_byte(word, BACKSLASHES)
        digest = (digest ^ word) * HASH_A
        digest ^= digest >> np.uint64(29)
        k += 8
    charset_id = PLAIN
    if escape or every & HIGH_BITS != 0:
        charset_id = charset_entry(words, charset, charset_size, rows) if target > 0 else NO_CHARSET
        digest = (digest ^ np.uint64(charset_id + 7)) * HASH_B
        clean = True
    mask = np.uint64(len(rows.table) - 1)
    place = (digest ^ (digest >> np.uint64(31))) & mask
    while not distinct and rows.table[place] >= 0:
        entry = rows.table[place]
        if (
            entries[entry, E_LENGTH] == length
            and entries[entry, E_TARGET] == target
            and entries[entry, E_CHARSET] == charset_id
            and same_text(words, start, length, rows, entry)
        ):
            rows.last[target] = entry
            return entries[entry, E_LOCAL]
        place = (place + np.uint64(1)) & mask
    entry = rows.counters[ENTRIES]
    if not distinct:
        rows.table[place] = entry
        rows.last[target] = entry
    keep_text(words, start, length, target, charset_id, clean, entry, rows)
    return entries[entry, E_LOCAL]


@kernel
def keep_text(
    words: Words, start: int, length: int, target: int, charset: int, clean: bool, entry: int, rows: Rows
) -> None:
    """Copy a text that was not met before to the store."""
    stored = rows.counters[STORED]
    for k in range(0, length, 8):
        rows.store_words[np.uint64(stored + k)] = load(words, start + k)
    rows.entries[entry, E_START] = stored
    rows.entries[entry, E_LENGTH] = length
    rows.entries[entry, E_CHARSET] = charset
    rows.entries[entry, E_TARGET] = target
    rows.entries[entry, E_LOCAL] = rows.counts[target]
    rows.entries[entry, E_ROW] = NONE
    rows.entries[entry, E_CLEAN] = clean
    rows.counts[target] += 1
    rows.counters[ENTRIES] = entry + 1
    rows.counters[STORED] = stored + length


@kernel
def trim(words: Words, start: int, length: int, how: int) -> tuple[int, int]:
    """Start and length of a text without what only fills it up."""
    while length > 0:
        byte = byte_at(words, start + length - 1)
        if byte != 32 and byte != 0 and not (how == TRIM_NAME and byte == 61):
            break
        length -= 1
    while how != TRIM_END and length > 0 and (byte_at(words, start) == 32 or byte_at(words, start) == 0):
        start += 1
        length -= 1
    return start, length


@kernel
def value_text(
    words: Words,
    value: Ints,
    code: int,
    how: int,
    target: int,
    distinct: bool,
    root: Ints,
    plan: Plan,
    rows: Rows,
) -> int:
    """Code of a noted text, or NONE where it is empty or no text. ``root`` is the file's character set."""
    form = plan.form_of_vr[code]
    if form != FORM_TEXT and form != FORM_BYTES:
        return NONE
    start, length = trim(words, value[V_START], value[V_LENGTH], how)
    if length <= 0:
        return NONE
    charset = value if value[V_CHARSET_SIZE] >= 0 else root
    if charset[V_CHARSET_SIZE] >= 0:
        return text_code(
            words, start, length, target, distinct, charset[V_CHARSET], charset[V_CHARSET_SIZE], rows
        )
    return text_code(words, start, length, target, distinct, root[V_START], root[V_LENGTH], rows)


@kernel
def value_number(words: Words, value: Ints, code: int, plan: Plan) -> float:
    """First number of a value; NaN where it is none."""
    start, length = value[V_START], value[V_LENGTH]
    if plan.form_of_vr[code] == FORM_BINARY:
        size = width(code)
        number = binary(words, start, code) if 0 < size <= length else np.nan
        return number if np.isfinite(number) else np.nan
    return decimal(words, start, value_end(words, start, start + length))


@kernel
def value_whole(words: Words, value: Ints, code: int, plan: Plan) -> tuple[bool, int]:
    """First whole number of a value."""
    start, length = value[V_START], value[V_LENGTH]
    if plan.form_of_vr[code] == FORM_BINARY:
        size = width(code)
        return binary_whole(words, start, code) if 0 < size <= length else (False, 0)
    return whole(words, start, value_end(words, start, start + length))


@kernel
def append_numbers(words: Words, value: Ints, code: int, target: int, at: int, plan: Plan, rows: Rows) -> int:
    """Append all numbers of a value to a list column from ``at`` on; return their end, or NONE where one is none."""
    start, length = value[V_START], value[V_LENGTH]
    end = start + length
    if plan.form_of_vr[code] == FORM_BINARY:
        size = width(code)
        if size == 0 or length < size:
            return NONE
        for place in range(start, end - size + 1, size):
            number = binary(words, place, code)
            if not np.isfinite(number):
                return NONE
            rows.children[target, at] = number
            at += 1
        return at
    while start <= end:
        stop = value_end(words, start, end)
        number = decimal(words, start, stop)
        if np.isnan(number):
            return NONE
        rows.children[target, at] = number
        at += 1
        start = stop + 1
    return at


@kernel
def fits(found: int, noted: int, row: int, plan: Plan, rows: Rows) -> bool:
    """Whether one more row with values of ``noted`` bytes fits."""
    most = 0
    for column in range(len(rows.ends)):
        most = max(most, rows.ends[column, row])
    return (
        row < len(rows.record)
        and rows.counters[STORED] + noted + META_BYTES + SLACK <= len(rows.store)
        and rows.counters[ENTRIES] + 2 * (len(plan.column) + found) <= len(rows.entries)
        and most + noted <= rows.children.shape[1]
    )


@kernel
def store_row(
    words: Words, values: Ints, found: Ints, n_found: int, noted: int, plan: Plan, rows: Rows
) -> bool:
    """Write the cells of all columns for the next row; False, and nothing written, where they do not fit."""
    row = rows.counters[ROWS]
    if not fits(n_found, noted, row, plan, rows):
        return False
    root = values[plan.slot[SLOT_CHARSET]]
    byte, bit = row >> 3, np.uint8(1 << (row & 7))
    first_texts = rows.children.shape[0]
    for list_column in range(len(rows.ends)):
        rows.ends[list_column, row + 1] = rows.ends[list_column, row]
    for number in range(len(plan.column)):
        column = plan.column[number]
        kind, target = column[COLUMN_KIND], column[COLUMN_TARGET]
        if kind == KIND_TEXT:
            rows.codes[target, row] = 0
        elif kind == KIND_REAL:
            rows.reals[target, row] = 0.0
        elif kind == KIND_INTEGER:
            rows.integers[target, row] = 0
        elif kind == KIND_DATE:
            rows.dates[target, row] = 0
        for at in range(column[COLUMN_START], column[COLUMN_END]):
            slot = plan.column_slots[at]
            value = values[slot]
            if value[V_LENGTH] <= 0:
                continue
            code = value[V_VR]
            if code == 0 or plan.form_of_vr[code] == FORM_BYTES:
                code = plan.slot_vr[slot]
            filled = True
            if kind == KIND_TEXT:
                local = value_text(
                    words,
                    value,
                    code,
                    column[COLUMN_TRIM],
                    target,
                    column[COLUMN_DISTINCT] != 0,
                    root,
                    plan,
                    rows,
                )
                filled = local >= 0
                rows.codes[target, row] = max(local, 0)
            elif kind == KIND_REAL:
                real = value_number(words, value, code, plan)
                filled = not np.isnan(real)
                rows.reals[target, row] = real if filled else 0.0
            elif kind == KIND_INTEGER:
                filled, integer = value_whole(words, value, code, plan)
                rows.integers[target, row] = integer if filled else 0
            elif kind == KIND_DATE:
                filled, day = days_since_1970(words, value[V_START], value[V_START] + value[V_LENGTH])
                rows.dates[target, row] = day if filled else 0
            elif kind == KIND_REALS:
                stop = append_numbers(words, value, code, target, rows.ends[target, row], plan, rows)
                filled = stop >= 0
                if filled:
                    rows.ends[target, row + 1] = stop
            if filled:
                rows.valid[number, byte] |= bit
            if filled or not is_blank(words, value):
                break
    for at in range(n_found):
        store_found(words, found[at], row, byte, bit, root, first_texts, plan, rows)
    rows.counters[ROWS] = row + 1
    return True


@kernel
def is_blank(words: Words, value: Ints) -> bool:
    """Whether a value holds nothing but padding, so that the next place may be asked."""
    return trimmed(words, value[V_START], value[V_LENGTH]) <= 0


@kernel
def store_found(
    words: Words,
    value: Ints,
    row: int,
    byte: int,
    bit: int,
    root: Ints,
    first_texts: int,
    plan: Plan,
    rows: Rows,
) -> None:
    """Append a collected value to the list of its column."""
    slot = value[FOUND_SLOT]
    number = plan.slot_column[slot]
    column = plan.column[number]
    target = column[COLUMN_TARGET]
    code = value[V_VR]
    if code == 0 or plan.form_of_vr[code] == FORM_BYTES:
        code = plan.slot_vr[slot]
    if column[COLUMN_KIND] == KIND_REALS:
        stop = append_numbers(words, value, code, target, rows.ends[target, row + 1], plan, rows)
        if stop >= 0:
            rows.ends[target, row + 1] = stop
            rows.valid[number, byte] |= bit
        return
    if column[COLUMN_KIND] != KIND_TEXTS:
        return
    text_target = rows.codes.shape[0] + target
    local = value_text(words, value, code, column[COLUMN_TRIM], text_target, False, root, plan, rows)
    if local < 0:
        return
    entry = rows.last[text_target]
    if column[COLUMN_DISTINCT] != 0:
        if rows.entries[entry, E_ROW] == row:
            return
        rows.entries[entry, E_ROW] = row
    ends = first_texts + target
    rows.child_codes[target, rows.ends[ends, row + 1]] = local
    rows.ends[ends, row + 1] += 1
    rows.valid[number, byte] |= bit
