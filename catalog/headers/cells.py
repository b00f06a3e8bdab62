"""Turn the values that a walk has noted into the cells of one row.

Rows are written one after another, while their bytes are still in the processor's first cache. Text becomes a
number: the place of the value among the distinct values of its column, which are copied to a store of their
own. So the interpreter later sees each distinct value once, and only those that are not plain ASCII.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from catalog.headers.distinct import (
    E_CHARSET,
    E_LENGTH,
    E_LOCAL,
    E_ROW,
    E_START,
    ENTRIES,
    PLAIN,
    ROWS,
    STORED,
    charset_place,
    same_text,
    text_entry,
    trim,
)
from catalog.headers.elements import (
    FOUND_SLOT,
    V_LENGTH,
    V_START,
    V_VR,
    trimmed,
)
from catalog.headers.kernel import SLACK
from catalog.headers.numbers import (
    binary,
    binary_whole,
    days_since_1970,
    decimal,
    holds_numbers,
    plain_decimal,
    value_end,
    whole,
    width,
)
from catalog.headers.slots import (
    COLUMN_DISTINCT,
    COLUMN_END,
    COLUMN_START,
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
    columns_of,
)
from catalog.kernel import inlined_kernel, inner_kernel, kernel

if TYPE_CHECKING:
    import numpy.typing as npt

    from catalog.headers.kernel import Bytes, Ints, Words
    from catalog.headers.slots import Plan

R_INDEX, R_SIZE, R_MTIME, R_HEADER, R_PIXEL_OFFSET, R_PIXEL_LENGTH, R_TRUNCATED, R_SOURCE, R_RAW = range(9)
RECORD_WIDTH: Final = 9
SOURCE_KERNEL, SOURCE_SLOW = 0, 1

META_BYTES: Final = 1 << 16  # more than the few values of the file meta information

FEW_ROWS: Final = 256
RARELY_ALIKE: Final = 4  # a column with a new text in more than every fourth row is not worth looking up


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
    loose: Bytes  # text column: whether some of its texts were not looked up
    store: Bytes
    store_words: Words


def new_rows(capacity: int, scale: int) -> Rows:
    """Allocate room for a number of rows; ``scale`` widens what a single row may need."""
    from catalog.headers.kernel import overlapping_words
    from catalog.headers.slots import kernel_columns

    texts = len(columns_of(KIND_TEXT)) + len(columns_of(KIND_TEXTS))
    lists = len(columns_of(KIND_REALS)) + len(columns_of(KIND_TEXTS))
    children = max(capacity * 8, 1 << 16) * scale
    entries = max(capacity * 8, 1 << 16) * scale
    store = np.empty((4 << 20) * scale + capacity * 256, np.uint8)
    return Rows(
        counters=np.zeros(4, np.int64),
        record=np.zeros((capacity, RECORD_WIDTH), np.int64),
        valid=np.zeros((len(kernel_columns()), (capacity + 7) // 8), np.uint8),
        codes=np.zeros((len(columns_of(KIND_TEXT)), capacity), np.int32),
        dates=np.zeros((len(columns_of(KIND_DATE)), capacity), np.int32),
        integers=np.zeros((len(columns_of(KIND_INTEGER)), capacity), np.int64),
        reals=np.zeros((len(columns_of(KIND_REAL)), capacity), np.float64),
        ends=np.zeros((lists, capacity + 1), np.int32),
        children=np.empty((len(columns_of(KIND_REALS)), children), np.float64),
        child_codes=np.zeros((len(columns_of(KIND_TEXTS)), children), np.int32),
        entries=np.empty((entries, 7), np.int64),
        table=np.full(1 << (2 * entries).bit_length(), NONE, np.int32),
        last=np.full(texts, NONE, np.int64),
        counts=np.zeros(texts, np.int64),
        loose=np.zeros(texts, np.uint8),
        store=store,
        store_words=overlapping_words(store),
    )


@inlined_kernel
def first_number(words: Words, start: int, length: int, code: int, form: int) -> float:
    """First number of a value; NaN where it is none."""
    if form == FORM_BINARY:
        number = binary(words, start, code) if holds_numbers(length, code) else math.nan
        return number if math.isfinite(number) else math.nan
    number, stop = plain_decimal(words, start, start + length)
    return decimal(words, start, stop) if math.isnan(number) else number


@inlined_kernel
def first_whole(words: Words, start: int, length: int, code: int, form: int) -> tuple[bool, int]:
    """First whole number of a value."""
    if form == FORM_BINARY:
        return binary_whole(words, start, code) if holds_numbers(length, code) else (False, 0)
    return whole(words, start, value_end(words, start, start + length))


@inlined_kernel
def append_numbers(
    words: Words,
    start: int,
    length: int,
    code: int,
    form: int,
    children: npt.NDArray[np.float64],
    target: int,
    at: int,
) -> int:
    """Append all numbers of a value to a list from ``at`` on; return their end, or NONE where one is none."""
    end = start + length
    if form == FORM_BINARY:
        if not holds_numbers(length, code):
            return NONE
        for place in range(start, end, width(code)):
            number = binary(words, place, code)
            if not math.isfinite(number):
                return NONE
            children[target, at] = number
            at += 1
        return at
    while start <= end:
        number, stop = plain_decimal(words, start, end)
        if math.isnan(number):
            number = decimal(words, start, stop)
            if math.isnan(number):
                return NONE
        children[target, at] = number
        at += 1
        start = stop + 1
    return at


@inner_kernel
def is_blank(words: Words, start: int, length: int) -> bool:
    """Whether a value holds nothing but padding, so that the next place may be asked."""
    return trimmed(words, start, length) <= 0


@inner_kernel
def effective_vr(code: int, slot: int, form_of_vr: Bytes, slot_vr: Ints) -> int:
    """VR by which a value is read: the file's, or the dictionary's where the file's tells nothing."""
    return slot_vr[slot] if form_of_vr[code] == FORM_BYTES else code


@inlined_kernel
def store_texts(words: Words, values: Ints, row: int, plan: Plan, rows: Rows) -> None:
    """Write the text cells of a row."""
    column, column_slots, form_of_vr = plan.column, plan.column_slots, plan.form_of_vr
    entries, last, codes, valid = rows.entries, rows.last, rows.codes, rows.valid
    table, counts, counters, store_words = rows.table, rows.counts, rows.counters, rows.store_words
    loose = rows.loose
    root = plan.slot[SLOT_CHARSET]
    byte, bit = row >> 3, np.uint8(1 << (row & 7))
    for number in range(1, plan.kind_start[KIND_DATE]):
        how = column[number, COLUMN_TRIM]
        for at in range(column[number, COLUMN_START], column[number, COLUMN_END]):
            slot = column_slots[at]
            length = values[slot, V_LENGTH]
            form = form_of_vr[values[slot, V_VR]]
            if length <= 0 or (form not in (FORM_TEXT, FORM_BYTES)):
                continue
            start, length = trim(words, values[slot, V_START], length, how)
            if length <= 0:
                continue
            entry = last[number]
            if (
                entry < 0
                or entries[entry, E_LENGTH] != length
                or entries[entry, E_CHARSET] != PLAIN
                or not same_text(words, start, length, store_words, entries[entry, E_START])
            ):
                charset, charset_size = charset_place(values, slot, values, root)
                if row >= FEW_ROWS and counts[number] * RARELY_ALIKE > row:
                    loose[number] = 1
                distinct = column[number, COLUMN_DISTINCT] | loose[number]
                entry = text_entry(
                    words,
                    start,
                    length,
                    number,
                    distinct,
                    charset,
                    charset_size,
                    table,
                    entries,
                    counts,
                    counters,
                    store_words,
                )
                last[number] = entry
            codes[number, row] = entries[entry, E_LOCAL]
            valid[number, byte] |= bit
            break


@inlined_kernel
def store_numbers(words: Words, values: Ints, row: int, plan: Plan, rows: Rows) -> None:
    """Write the cells of a row that are dates, whole numbers and real numbers."""
    column, column_slots, form_of_vr, slot_vr = plan.column, plan.column_slots, plan.form_of_vr, plan.slot_vr
    valid, dates, integers, reals = rows.valid, rows.dates, rows.integers, rows.reals
    dates_from, integers_from, reals_from, reals_to = plan.kind_start[KIND_DATE : KIND_REALS + 1]
    byte, bit = row >> 3, np.uint8(1 << (row & 7))
    for number in range(dates_from, reals_to):
        for at in range(column[number, COLUMN_START], column[number, COLUMN_END]):
            slot = column_slots[at]
            start, length = values[slot, V_START], values[slot, V_LENGTH]
            if length <= 0:
                continue
            code = effective_vr(values[slot, V_VR], slot, form_of_vr, slot_vr)
            form = form_of_vr[code]
            if number >= reals_from:
                real = first_number(words, start, length, code, form)
                filled = not math.isnan(real)
                if filled:
                    reals[number - reals_from, row] = real
            elif number >= integers_from:
                filled, integer = first_whole(words, start, length, code, form)
                if filled:
                    integers[number - integers_from, row] = integer
            else:
                filled, day = days_since_1970(words, start, start + length)
                if filled:
                    dates[number - dates_from, row] = day
            if filled:
                valid[number, byte] |= bit
            if filled or not is_blank(words, start, length):
                break


@inlined_kernel
def store_lists(words: Words, values: Ints, row: int, plan: Plan, rows: Rows) -> None:
    """Write the cells of a row that are lists of numbers at one place."""
    column, column_slots, form_of_vr, slot_vr = plan.column, plan.column_slots, plan.form_of_vr, plan.slot_vr
    ends, children, valid = rows.ends, rows.children, rows.valid
    for list_column in range(len(ends)):
        ends[list_column, row + 1] = ends[list_column, row]
    first = plan.kind_start[KIND_REALS]
    for number in range(first, plan.kind_start[KIND_TEXTS]):
        for at in range(column[number, COLUMN_START], column[number, COLUMN_END]):
            slot = column_slots[at]
            start, length = values[slot, V_START], values[slot, V_LENGTH]
            if length <= 0:
                continue
            code = effective_vr(values[slot, V_VR], slot, form_of_vr, slot_vr)
            target = number - first
            stop = append_numbers(
                words, start, length, code, form_of_vr[code], children, target, ends[target, row]
            )
            if stop >= 0:
                ends[target, row + 1] = stop
                valid[number, row >> 3] |= np.uint8(1 << (row & 7))
            if stop >= 0 or not is_blank(words, start, length):
                break


@inner_kernel
def store_collected(
    words: Words, values: Ints, found: Ints, n_found: int, row: int, plan: Plan, rows: Rows
) -> None:
    """Append the values that were collected from every item to the lists of their columns."""
    column, form_of_vr, slot_vr = plan.column, plan.form_of_vr, plan.slot_vr
    entries, ends, valid = rows.entries, rows.ends, rows.valid
    first, first_texts = plan.kind_start[KIND_REALS], plan.kind_start[KIND_TEXTS]
    for at in range(n_found):
        slot = found[at, FOUND_SLOT]
        number = plan.slot_column[slot]
        start, length = found[at, V_START], found[at, V_LENGTH]
        code = effective_vr(found[at, V_VR], slot, form_of_vr, slot_vr)
        target = number - first  # of all list columns: those of numbers, then those of texts
        end = ends[target, row + 1]
        if number < first_texts:
            stop = append_numbers(words, start, length, code, form_of_vr[code], rows.children, target, end)
            if stop < 0:
                continue
            ends[target, row + 1] = stop
        else:
            start, length = trim(words, start, length, column[number, COLUMN_TRIM])
            if length <= 0 or form_of_vr[code] != FORM_TEXT:
                continue
            charset, charset_size = charset_place(found, at, values, plan.slot[SLOT_CHARSET])
            entry = text_entry(
                words,
                start,
                length,
                rows.codes.shape[0] + number - first_texts,
                0,
                charset,
                charset_size,
                rows.table,
                entries,
                rows.counts,
                rows.counters,
                rows.store_words,
            )
            if column[number, COLUMN_DISTINCT] == 1 and entries[entry, E_ROW] == row:
                continue
            entries[entry, E_ROW] = row
            rows.child_codes[number - first_texts, end] = entries[entry, E_LOCAL]
            ends[target, row + 1] = end + 1
        valid[number, row >> 3] |= np.uint8(1 << (row & 7))


@inner_kernel
def fits(found: int, noted: int, row: int, columns: int, rows: Rows) -> bool:
    """Whether one more row with values of ``noted`` bytes fits."""
    most = 0
    for column in range(len(rows.ends)):
        most = max(most, rows.ends[column, row])
    return (
        row < len(rows.record)
        and rows.counters[STORED] + noted + META_BYTES + SLACK <= len(rows.store)
        and rows.counters[ENTRIES] + 2 * (columns + found) <= len(rows.entries)
        and most + noted <= rows.children.shape[1]
    )


@kernel
def store_row(
    words: Words, values: Ints, found: Ints, n_found: int, noted: int, plan: Plan, rows: Rows
) -> bool:
    """Write the cells of all columns for the next row; False, and nothing written, where they do not fit."""
    row = rows.counters[ROWS]
    if not fits(n_found, noted, row, len(plan.column), rows):
        return False
    store_texts(words, values, row, plan, rows)
    store_numbers(words, values, row, plan, rows)
    store_lists(words, values, row, plan, rows)
    if n_found > 0:
        store_collected(words, values, found, n_found, row, plan, rows)
    rows.counters[ROWS] = row + 1
    return True
