"""Numbers and dates from the bytes of a value (PS3.5 section 6.2), exactly, without the interpreter."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
from numba import types

from catalog.headers.elements import load
from catalog.headers.kernel import signed, unsigned
from catalog.headers.slots import vr_code
from catalog.kernel import allocating_kernel, inlined_kernel, kernel

if TYPE_CHECKING:
    from catalog.headers.kernel import Words

US: Final = vr_code("US")
SS: Final = vr_code("SS")
UL: Final = vr_code("UL")
SL: Final = vr_code("SL")
FL: Final = vr_code("FL")
FD: Final = vr_code("FD")
UV: Final = vr_code("UV")
SV: Final = vr_code("SV")

BACKSLASH, PLUS, MINUS, POINT, COMMA, SPACE = 92, 43, 45, 46, 44, 32
EXACT: Final = 1 << 53  # whole numbers up to here are exact doubles, as are the powers of ten up to 22
POWERS: Final = np.array([10.0**k for k in range(23)])
LONGEST_NUMBER: Final = 250
DAYS_BEFORE: Final = np.array([0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365])

_strtod = types.ExternalFunction("strtod", types.float64(types.uintp, types.uintp))


@kernel
def byte_at(words: Words, at: int) -> int:
    """One byte."""
    return signed(load(words, at) & unsigned(0xFF))


@kernel
def is_digit(byte: int) -> bool:
    """Whether a byte is 0 to 9."""
    return 48 <= byte <= 57


@kernel
def value_end(words: Words, at: int, end: int) -> int:
    """End of the first of several values joined by backslashes."""
    while at < end and byte_at(words, at) != BACKSLASH:
        at += 1
    return at


@kernel
def scan_decimal(words: Words, at: int, end: int) -> tuple[bool, bool, int, int, int]:
    """Read a decimal number with an optional exponent; a comma counts as the point.

    Returns
    -------
    valid, negative, mantissa, exponent, dropped : bool, bool, int, int, int
        The number is mantissa x 10^exponent; ``dropped`` counts digits beyond the 18 of the mantissa.
    """
    while at < end and (byte_at(words, at) == SPACE or byte_at(words, at) == 0):
        at += 1
    while end > at and (byte_at(words, end - 1) == SPACE or byte_at(words, end - 1) == 0):
        end -= 1
    negative = False
    if at < end and (byte_at(words, at) == MINUS or byte_at(words, at) == PLUS):
        negative = byte_at(words, at) == MINUS
        at += 1
    mantissa, exponent, digits, dropped, fraction = 0, 0, 0, 0, False
    while at < end:
        byte = byte_at(words, at)
        if is_digit(byte):
            digits += 1
            if mantissa < 100_000_000_000_000_000:
                mantissa = mantissa * 10 + (byte - 48)
                exponent -= fraction
            else:
                dropped += 1
                exponent += not fraction
        elif byte in (POINT, COMMA) and not fraction:
            fraction = True
        else:
            break
        at += 1
    if digits == 0:
        return False, negative, 0, 0, 0
    if at < end:
        valid, power = scan_exponent(words, at, end)
        return valid, negative, mantissa, exponent + power, dropped
    return True, negative, mantissa, exponent, dropped


@kernel
def scan_exponent(words: Words, at: int, end: int) -> tuple[bool, int]:
    """Read E, sign and digits up to the end of the number."""
    if byte_at(words, at) | 32 != 101:
        return False, 0
    at += 1
    negative = False
    if at < end and (byte_at(words, at) == MINUS or byte_at(words, at) == PLUS):
        negative = byte_at(words, at) == MINUS
        at += 1
    if at == end:
        return False, 0
    power = 0
    while at < end:
        byte = byte_at(words, at)
        if not is_digit(byte):
            return False, 0
        power = min(power * 10 + byte - 48, 100_000)
        at += 1
    return True, -power if negative else power


@allocating_kernel
def slow_decimal(words: Words, at: int, end: int) -> float:
    """Let the C library convert a number whose form is known to be right but which has many digits."""
    text = np.zeros(LONGEST_NUMBER + 6, np.uint8)
    if end - at > LONGEST_NUMBER:
        return math.nan
    point = -1
    size = 0
    for k in range(at, end):
        byte = byte_at(words, k)
        if byte in (SPACE, 0):
            continue
        if byte in (COMMA, POINT):
            byte, point = POINT, size
        text[size] = byte
        size += 1
    stopped = np.zeros(1, np.uint64)
    number: float = _strtod(text.ctypes.data, stopped.ctypes.data)
    if point >= 0 and stopped[0] != unsigned(text.ctypes.data + size):
        text[point] = COMMA  # the process runs under a locale that writes a decimal comma
        number = _strtod(text.ctypes.data, stopped.ctypes.data)
    return number


@inlined_kernel
def plain_decimal(words: Words, at: int, end: int) -> tuple[float, int]:
    """Read the common form: up to 15 digits with sign and point, then padding up to a backslash or the end.

    Returns
    -------
    number, stop : float, int
        ``stop`` is the end of the value among several; NaN where the value has another form.
    """
    negative = byte_at(words, at) == MINUS
    at += negative
    mantissa, digits, scale, point = 0, 0, 0, 0
    while at < end:
        byte = byte_at(words, at)
        if is_digit(byte):
            mantissa = mantissa * 10 + byte - 48
            digits += 1
            scale += point
        elif byte == POINT and point == 0:
            point = 1
        else:
            break
        at += 1
    while at < end and (byte_at(words, at) == SPACE or byte_at(words, at) == 0):
        at += 1
    if digits == 0 or digits > 15 or (at < end and byte_at(words, at) != BACKSLASH):
        return math.nan, value_end(words, at, end)
    number = mantissa / POWERS[scale] if scale > 0 else float(mantissa)
    return -number if negative else number, at


@kernel
def decimal(words: Words, at: int, end: int) -> float:
    """Value of a decimal number, correctly rounded; NaN where it is none or too large."""
    valid, negative, mantissa, exponent, dropped = scan_decimal(words, at, end)
    if not valid:
        return math.nan
    if mantissa == 0:
        return -0.0 if negative else 0.0
    if dropped == 0 and mantissa <= EXACT and -22 <= exponent <= 22:
        number: float = mantissa / POWERS[-exponent] if exponent < 0 else mantissa * POWERS[exponent]
        return -number if negative else number
    exact = slow_decimal(words, at, end)
    return exact if math.isfinite(exact) else math.nan


@kernel
def whole(words: Words, at: int, end: int) -> tuple[bool, int]:
    """Read a decimal number that is whole: ``2`` and ``2.0`` are, ``2.5`` is not."""
    valid, negative, mantissa, exponent, dropped = scan_decimal(words, at, end)
    while valid and exponent < 0 and mantissa % 10 == 0 and mantissa > 0:
        mantissa //= 10
        exponent += 1
    if mantissa == 0:
        exponent = 0
    while valid and exponent > 0 and mantissa < 100_000_000_000_000_000:
        mantissa *= 10
        exponent -= 1
    return valid and exponent == 0 and dropped == 0, -mantissa if negative else mantissa


@kernel
def width(code: int) -> int:
    """Bytes of one value of a binary VR; 0 for a VR that holds no number."""
    if code in (US, SS):
        return 2
    if code in (UL, SL, FL):
        return 4
    return 8 if code in (FD, UV, SV) else 0


@kernel
def holds_numbers(length: int, code: int) -> bool:
    """Whether a value of a binary VR is one or more numbers."""
    size = width(code)
    return size > 0 and length >= size and length % size == 0


@kernel
def binary(words: Words, at: int, code: int) -> float:  # noqa: PLR0911 - one line per VR
    """One number of a binary VR."""
    word = load(words, at)
    if code == US:
        return float(word & unsigned(0xFFFF))
    if code == UL:
        return float(word & unsigned(0xFFFFFFFF))
    if code == SS:
        return float(signed(word << unsigned(48)) >> 48)
    if code == SL:
        return float(signed(word << unsigned(32)) >> 32)
    if code == UV:
        return float(word)
    if code == SV:
        return float(signed(word))
    if code == FL:
        return float(np.uint32(word & unsigned(0xFFFFFFFF)).view(np.float32))
    number: float = np.uint64(word).view(np.float64)
    return number


@kernel
def binary_whole(words: Words, at: int, code: int) -> tuple[bool, int]:
    """One whole number of a binary VR; real ones are rounded to the nearest."""
    if code == SV:
        return True, signed(load(words, at))
    number = binary(words, at, code)
    if math.isfinite(number) and abs(number) < EXACT:
        return True, signed(np.rint(number))
    return False, 0


@kernel
def two_digits(words: Words, at: int) -> int:
    """Two digits as a number; far below zero where they are none."""
    high, low = byte_at(words, at), byte_at(words, at + 1)
    return (high - 48) * 10 + low - 48 if is_digit(high) and is_digit(low) else -100_000


@inlined_kernel
def days_since_1970(words: Words, at: int, end: int) -> tuple[bool, int]:
    """Read YYYYMMDD, YYYY.MM.DD or YYYY-MM-DD as days since 1970-01-01 in the Gregorian calendar."""
    end = value_end(words, at, end)
    while end > at and (byte_at(words, end - 1) == SPACE or byte_at(words, end - 1) == 0):
        end -= 1
    while at < end and byte_at(words, at) == SPACE:
        at += 1
    if end - at != 8 and end - at != 10:
        return False, 0
    gap = 0
    if end - at == 10:
        mark = byte_at(words, at + 4)
        if mark not in (POINT, MINUS) or byte_at(words, at + 7) != mark:
            return False, 0
        gap = 1
    year = two_digits(words, at) * 100 + two_digits(words, at + 2)
    month = two_digits(words, at + 4 + gap)
    day = two_digits(words, at + 6 + 2 * gap)
    if year < 1 or month < 1 or month > 12 or day < 1:
        return False, 0
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    length = DAYS_BEFORE[month] - DAYS_BEFORE[month - 1] + (leap and month == 2)
    if day > length:
        return False, 0
    before = year - 1
    days = before * 365 + before // 4 - before // 100 + before // 400
    days += DAYS_BEFORE[month - 1] + (leap and month > 2) + day - 1
    return True, days - 719_162
