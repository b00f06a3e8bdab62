"""The distinct texts of each column: looked up, and copied to a store when they are first met."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from catalog.headers.elements import (
    V_CHARSET,
    V_CHARSET_SIZE,
    V_LENGTH,
    V_START,
    load,
    trimmed,
)
from catalog.headers.kernel import signed, unsigned
from catalog.headers.numbers import (
    byte_at,
)
from catalog.headers.slots import (
    NONE,
    TRIM_END,
    TRIM_NAME,
)
from catalog.kernel import inner_kernel, kernel

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from catalog.headers.kernel import Ints, Words

ROWS, ENTRIES, STORED = range(3)  # counters
E_START, E_LENGTH, E_CHARSET, E_TARGET, E_LOCAL, E_ROW, E_CLEAN = range(7)
PLAIN: Final = -1  # E_CHARSET of ASCII text, which reads alike under every character set
NO_CHARSET: Final = -2

SPACE, EQUALS = 32, 61
HASH_A: Final = unsigned(0x9E3779B97F4A7C15)
HASH_B: Final = unsigned(0xC2B2AE3D27D4EB4F)
HIGH_BITS: Final = unsigned(0x8080808080808080)
LOW_BITS: Final = unsigned(0x0101010101010101)
ESCAPES: Final = unsigned(0x1B1B1B1B1B1B1B1B)
BACKSLASHES: Final = unsigned(0x5C5C5C5C5C5C5C5C)


@inner_kernel
def has_byte(word: int, pattern: int) -> bool:
    """Whether one of eight bytes equals the byte that the pattern repeats."""
    word ^= pattern
    return (word - LOW_BITS) & ~word & HIGH_BITS != 0


@inner_kernel
def same_text(words: Words, start: int, length: int, store_words: Words, stored: int) -> bool:
    """Whether a value equals a stored one of the same length."""
    k = 0
    while k + 8 <= length:
        if load(words, start + k) != load(store_words, stored + k):
            return False
        k += 8
    if k == length:
        return True
    shift = unsigned(8 * (8 - (length - k)))
    return load(words, start + k) << shift == load(store_words, stored + k) << shift


@inner_kernel
def digest_text(words: Words, start: int, length: int) -> tuple[int, bool, bool]:
    """Hash a text.

    Returns
    -------
    digest, plain, several : int, bool, bool
        ``plain``: ASCII without escapes; ``several``: with a backslash.
    """
    digest, every = unsigned(length) * HASH_B, unsigned(0)
    escape, several = False, False
    for k in range(0, length, 8):
        word = load(words, start + k)
        if k + 8 > length:
            word = word << unsigned(8 * (8 - (length - k)))
        every |= word
        escape |= has_byte(word, ESCAPES)
        several |= has_byte(word, BACKSLASHES)
        digest = (digest ^ word) * HASH_A
        digest ^= digest >> unsigned(29)
    return digest, not escape and every & HIGH_BITS == 0, several


@inner_kernel
def find_text(
    words: Words,
    start: int,
    length: int,
    target: int,
    charset: int,
    digest: int,
    table: npt.NDArray[np.int32],
    entries: Ints,
    store_words: Words,
) -> tuple[int, int]:
    """Look a text up among the distinct ones of its column.

    Returns
    -------
    entry, place : int
        The entry, or NONE and the free place of the hash table where it belongs.
    """
    mask = unsigned(len(table) - 1)
    digest = (digest ^ unsigned(target * 1024 + charset + 7)) * HASH_B
    place = (digest ^ (digest >> unsigned(31))) & mask
    while table[place] >= 0:
        entry = table[place]
        if (
            entries[entry, E_LENGTH] == length
            and entries[entry, E_TARGET] == target
            and entries[entry, E_CHARSET] == charset
            and same_text(words, start, length, store_words, entries[entry, E_START])
        ):
            return entry, signed(place)
        place = (place + unsigned(1)) & mask
    return NONE, signed(place)


@inner_kernel
def keep_text(
    words: Words,
    start: int,
    length: int,
    target: int,
    charset: int,
    clean: int,
    entries: Ints,
    counts: Ints,
    counters: Ints,
    store_words: Words,
) -> int:
    """Copy a text that was not met before to the store; return its entry."""
    entry: int = counters[ENTRIES]
    stored = counters[STORED]
    for k in range(0, length, 8):
        store_words[unsigned(stored + k)] = load(words, start + k)
    entries[entry, E_START] = stored
    entries[entry, E_LENGTH] = length
    entries[entry, E_CHARSET] = charset
    entries[entry, E_TARGET] = target
    entries[entry, E_LOCAL] = counts[target]
    entries[entry, E_ROW] = NONE
    entries[entry, E_CLEAN] = clean
    counts[target] += 1
    counters[ENTRIES] = entry + 1
    counters[STORED] = stored + length
    return entry


@inner_kernel
def text_entry(
    words: Words,
    start: int,
    length: int,
    target: int,
    distinct: int,
    charset: int,
    charset_size: int,
    table: npt.NDArray[np.int32],
    entries: Ints,
    counts: Ints,
    counters: Ints,
    store_words: Words,
) -> int:
    """Entry of a trimmed text, which is in the character set whose name lies at ``charset``.

    Where texts are known to be ``distinct`` they are not looked up.
    """
    digest, plain, several = digest_text(words, start, length)
    charset_id = PLAIN
    if not plain:
        charset_id = NO_CHARSET
        charset_size = trimmed(words, charset, charset_size)
        if charset_size > 0:
            name, _, _ = digest_text(words, charset, charset_size)
            charset_id, place = find_text(
                words, charset, charset_size, 0, PLAIN, name, table, entries, store_words
            )
            if charset_id < 0:
                charset_id = keep_text(
                    words, charset, charset_size, 0, PLAIN, 0, entries, counts, counters, store_words
                )
                table[place] = charset_id
    clean = 1 if several or not plain else 0
    if distinct == 1:
        return keep_text(
            words, start, length, target, charset_id, clean, entries, counts, counters, store_words
        )
    entry, place = find_text(words, start, length, target, charset_id, digest, table, entries, store_words)
    if entry < 0:
        entry = keep_text(
            words, start, length, target, charset_id, clean, entries, counts, counters, store_words
        )
        table[place] = entry
    return entry


@kernel
def merge_texts(
    words: Words, ends: npt.NDArray[np.int32], table: npt.NDArray[np.int32], codes: npt.NDArray[np.int32]
) -> int:
    """Number texts, equal ones alike, in the order in which they are first met.

    Parameters
    ----------
    ends
        Text ``i`` lies from ``ends[i]`` to ``ends[i + 1]``.
    table
        Free places, all NONE: a power of two, and more than there are texts.
    codes
        Filled with the number of each text.

    Returns
    -------
    int
        How many different texts there are.
    """
    mask = unsigned(len(table) - 1)
    count = 0
    for text in range(len(codes)):
        start, length = ends[text], ends[text + 1] - ends[text]
        digest, _, _ = digest_text(words, start, length)
        place = (digest ^ (digest >> unsigned(31))) & mask
        while table[place] >= 0:
            other = table[place]
            if ends[other + 1] - ends[other] == length and same_text(
                words, start, length, words, ends[other]
            ):
                break
            place = (place + unsigned(1)) & mask
        if table[place] >= 0:
            codes[text] = codes[table[place]]
        else:
            table[place] = text
            codes[text] = count
            count += 1
    return count


@inner_kernel
def trim(words: Words, start: int, length: int, how: int) -> tuple[int, int]:
    """Start and length of a text without what only fills it up."""
    while length > 0:
        byte = byte_at(words, start + length - 1)
        if byte not in (SPACE, 0) and not (how == TRIM_NAME and byte == EQUALS):
            break
        length -= 1
    while how != TRIM_END and length > 0 and byte_at(words, start) in (SPACE, 0):
        start += 1
        length -= 1
    return start, length


@inner_kernel
def charset_place(noted: Ints, at: int, values: Ints, root: int) -> tuple[int, int]:
    """Where the name of the character set of a noted value lies: its item's, else the file's."""
    if noted[at, V_CHARSET_SIZE] >= 0:
        return noted[at, V_CHARSET], noted[at, V_CHARSET_SIZE]
    return values[root, V_START], values[root, V_LENGTH]
