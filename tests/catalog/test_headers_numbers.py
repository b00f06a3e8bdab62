"""Numbers and dates of the kernels against Python's own conversions."""

from __future__ import annotations

import datetime
import math
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.headers import numbers
from catalog.headers.kernel import SLACK, overlapping_words
from catalog.headers.slots import vr_code


def words_of(raw: bytes) -> np.ndarray:
    return overlapping_words(np.frombuffer(raw + bytes(SLACK), np.uint8).copy())


def decimal(text: str) -> float:
    raw = text.encode()
    number, stop = numbers.plain_decimal(words_of(raw), 0, len(raw))
    return numbers.decimal(words_of(raw), 0, stop) if math.isnan(number) else number


def whole(text: str) -> int | None:
    found, number = numbers.whole(words_of(text.encode()), 0, len(text))
    return number if found else None


DIGITS = st.text("0123456789", min_size=1, max_size=25)
SIGNS = st.sampled_from(["", "+", "-"])
DECIMALS = st.builds(
    lambda sign, a, b, exponent: f"{sign}{a}{'.' + b if b is not None else ''}{exponent}",
    SIGNS,
    DIGITS,
    st.none() | st.text("0123456789", max_size=25),
    st.just("") | st.builds("{}{}{}".format, st.sampled_from("eE"), SIGNS, st.integers(0, 330).map(str)),
)


@settings(deadline=None, max_examples=3000)
@given(DECIMALS, st.sampled_from(["", " ", "\0", "   "]), st.sampled_from(["", " "]))
def test_decimals_are_rounded_as_python_rounds(text: str, after: str, before: str) -> None:
    expected = float(text)
    found = decimal(before + text + after)
    if math.isinf(expected):
        assert math.isnan(found)
    else:
        assert (found, math.copysign(1, found)) == (expected, math.copysign(1, expected))


@settings(deadline=None, max_examples=2000)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_shortest_forms_come_back(number: float) -> None:
    assert decimal(repr(number)) == number


@settings(deadline=None, max_examples=2000)
@given(st.text("0123456789+-.eE, \0_xnaif", max_size=12))
def test_what_is_no_decimal_is_null(text: str) -> None:
    """Python's float knows more forms than DS (PS3.5 6.2): underscores, nan, infinity."""
    cleaned = text.strip(" \0").replace(",", ".")
    try:
        expected = float(cleaned) if not set(cleaned) & set("_xnaif\0 ") else math.nan
    except ValueError:
        expected = math.nan
    found = decimal(text)
    assert found == expected or (math.isnan(found) and not math.isfinite(expected))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2", 2),
        ("2.0", 2),
        ("+002 ", 2),
        ("-7.000", -7),
        ("2e3", 2000),
        ("2000e-3", 2),
        ("0.0", 0),
        ("-0", 0),
        ("2.5", None),
        ("", None),
        ("1 2", None),
        ("12a", None),
        ("e5", None),
        ("9" * 30, None),
        ("1e30", None),
        (str(2**53 + 1), 2**53 + 1),
    ],
)
def test_whole_numbers(text: str, expected: int | None) -> None:
    assert whole(text) == expected


def date(text: str) -> datetime.date | None:
    found, days = numbers.days_since_1970(words_of(text.encode()), 0, len(text))
    return datetime.date(1970, 1, 1) + datetime.timedelta(days) if found else None


@settings(deadline=None, max_examples=2000)
@given(
    st.dates(), st.sampled_from(["%Y%m%d", "%Y.%m.%d", "%Y-%m-%d"]), st.sampled_from(["", " ", "\\20200101"])
)
def test_every_date_comes_back(day: datetime.date, form: str, after: str) -> None:
    text = day.strftime(form).zfill(10 if "." in form or "-" in form else 8)
    assert date(text + after) == day


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00000000",
        "20230229",
        "19000229",
        "20231301",
        "20230100",
        "20230132",
        "2023-1-01",
        "2023.01-01",
        "****",
        "20230101-20230102",
        "202301",
        "2023010a",
        "2O230101",
    ],
)
def test_what_is_no_date_is_null(text: str) -> None:
    assert date(text) is None


@pytest.mark.parametrize(
    ("vr", "form"),
    [
        ("US", "<H"),
        ("SS", "<h"),
        ("UL", "<I"),
        ("SL", "<i"),
        ("UV", "<Q"),
        ("SV", "<q"),
        ("FL", "<f"),
        ("FD", "<d"),
    ],
)
def test_binary_numbers_are_those_of_struct(vr: str, form: str) -> None:
    rng = np.random.default_rng(20)
    for _ in range(300):
        raw = rng.bytes(struct.calcsize(form))
        expected = struct.unpack(form, raw)[0]
        found = numbers.binary(words_of(raw), 0, vr_code(vr))
        assert found == float(expected) or (math.isnan(found) and math.isnan(expected))
        assert numbers.width(vr_code(vr)) == len(raw)
