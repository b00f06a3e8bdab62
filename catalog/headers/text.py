"""Text of a header: bytes to characters, by the declared sets, else by what the bytes say themselves.

Many scanners in China write GBK or GB18030 and declare nothing or Latin-1; others declare Latin-1 and write
UTF-8. :func:`decode` reads what is declared, tells such values apart from lawful ones and marks what it
repaired; the raw header keeps the bytes.
"""

from __future__ import annotations

import codecs
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from catalog.headers.charsets import (
    ESCAPE,
    ESCAPE_SEQUENCE,
    LINE_ENDS,
    NAME_ENDS,
    ONE_VALUE,
    REPLACEMENT,
    VALUE_ENDS,
    WINDOWS,
    Declaration,
    declare,
    walk,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

PADDING: Final = " \0"

# Scripts that UTF-8 writes with two bytes: Latin, Greek, Cyrillic, Hebrew, Arabic. A value is of one of them.
TWO_BYTE_SCRIPTS: Final = tuple(
    re.compile(f"[\\x00-\\x7f{script}]*")
    for script in (
        "\u00a0-\u024f",
        "\u00b0\u00b5\u0370-\u03ff",
        "\u0400-\u052f",
        "\u0590-\u05ff",
        "\u0600-\u06ff",
    )
)
# The same, as words are: bytes that are Chinese as well must look like this to be UTF-8.
TWO_BYTE_WORDS: Final = re.compile(
    "(?:[\\x00-\\x7f]|(?<=[A-Za-z])[\u00c0-\u017f]+|[\u00c0-\u017f]+(?=[A-Za-z])"
    "|[\u00a1\u00ab\u00bf](?=[A-Za-z\u00c0-\u017f])|(?<=[A-Za-z0-9 \u00c0-\u017f])[\u00a0-\u00bf])*"
    "|(?:[\\x00-\\x7f]|[\u0386-\u038f\u0391-\u03af\u03b1-\u03ce]{2,})*"
    "|(?:[\\x00-\\x7f]|[\u0400-\u045f]{2,})*"
    "|(?:[\\x00-\\x7f]|[\u05d0-\u05ea]{2,})*"
    "|(?:[\\x00-\\x7f]|[\u0621-\u064a]{2,})*"
)
HIGH_RUN: Final = re.compile(rb"[\x80-\xff]+")
LATIN_OPENS: Final = b"\xa0\xa1\xab\xbf"  # no-break space and the marks that stand before a word
LATIN_CLOSES: Final = b"\xa0\xaa\xae\xb0\xb2\xb3\xb9\xba\xbb"  # marks that stand after one


def decode(raw: bytes, charset: str, vr: str) -> tuple[str, bool]:
    """Decode the text of one element.

    Parameters
    ----------
    raw : bytes
        The whole value: values joined by backslashes, and for PN groups joined by "=".
    charset : str
        The SpecificCharacterSet that holds there, values joined by backslashes; empty where it is absent.
    vr : str
        Value representation; it decides which characters are delimiters, and the padding.

    Returns
    -------
    text : str
        The text without padding and, for PN, without empty groups at its end. Bytes that nothing explains are
        U+FFFD.
    repaired : bool
        True where the text is not what the declared sets strictly say.

    Notes
    -----
    Sets and code extensions follow PS3.3 C.12.1.1.2 and PS3.5 6.1.2.5. Never raises for any bytes.
    """
    if raw.isascii() and ESCAPE not in raw:
        return _tidy(raw.decode("ascii"), vr), False
    delimiters = NAME_ENDS if vr == "PN" else LINE_ENDS if vr in ONE_VALUE else VALUE_ENDS
    text, repaired = _read(raw, declare(charset), delimiters)
    return _tidy(text, vr), repaired


def _tidy(text: str, vr: str) -> str:
    """Remove padding; leading spaces of long text are its own (PS3.5 6.2)."""
    if vr in ONE_VALUE:
        return text.rstrip(PADDING)
    text = text.strip(PADDING)
    return text.rstrip("=" + PADDING) if vr == "PN" else text


def _read(raw: bytes, declaration: Declaration, delimiters: bytes) -> tuple[str, bool]:
    """Read by the declared sets where they explain every byte, else repair."""
    switched = ESCAPE_SEQUENCE.search(raw) is not None
    if declaration.whole and not switched:
        text = _strict(raw, declaration.whole)
        if text is None:
            return _repair(raw, declaration, raw.decode(declaration.whole, "replace")), True
        hidden = _utf8_under_gb(raw, text) if declaration.whole in {"gbk", "gb18030"} else None
        return (hidden, True) if hidden is not None else (text, False)
    walked = walk(raw, declaration, delimiters)
    if walked.faults:
        return _repair(ESCAPE_SEQUENCE.sub(b"", raw), declaration, walked.text), True
    hidden = _hidden_under_latin(raw) if declaration.numbers <= {6, 14, 100} and not switched else None
    if hidden is not None:
        return hidden, True
    return walked.text, not walked.lawful


def _repair(raw: bytes, declaration: Declaration, fallback: str) -> str:
    """Return the likeliest reading of bytes that the declared sets do not explain."""
    return next((text for text in _readings(raw, declaration) if text is not None), fallback)


def _readings(raw: bytes, declaration: Declaration) -> Iterator[str | None]:
    """Yield readings, the surest first; None for one that fails."""
    utf8 = _strict(raw, "utf_8")
    yield utf8 if utf8 is not None and _is_wide(utf8) else None
    for codec in declaration.wider:
        yield _strict(raw, codec)
    yield utf8 if utf8 is not None and _is_one_script(utf8, raw) else None
    yield _cut(raw, declaration.whole or "utf_8")
    yield _cut(raw, "utf_8")
    latin = _looks_latin(raw, 0x80)
    yield None if latin else _chinese(raw)
    number = declaration.first.number if declaration.first else 0
    if number in WINDOWS or (latin and not declaration.wider):
        yield _strict(raw, WINDOWS.get(number, "cp1252"))


def _hidden_under_latin(raw: bytes) -> str | None:
    """Return the UTF-8 or Chinese text of bytes that are Latin-1 only by declaration, or None."""
    utf8 = _strict(raw, "utf_8")
    if utf8 is not None and (_is_wide(utf8) or _is_one_script(utf8, raw)):
        return utf8
    return None if _looks_latin(raw, 0xA0) else _chinese(raw)


def _utf8_under_gb(raw: bytes, text: str) -> str | None:
    """Return the UTF-8 text of bytes that GB18030 explains only with rare characters, or None."""
    utf8 = _strict(raw, "utf_8")
    _, rare, odd = _count_hanzi(text)
    return utf8 if utf8 is not None and _is_wide(utf8) and rare + odd else None


def _strict(raw: bytes, codec: str) -> str | None:
    """Decode, or return None; C1 controls are no text, so a codec that finds them is the wrong one."""
    try:
        text = raw.decode(codec)
    except UnicodeDecodeError:
        return None
    return None if any("\x80" <= character < "\xa0" for character in text) else text


def _cut(raw: bytes, codec: str) -> str | None:
    """Decode a value that a length limit cut inside its last character, or return None."""
    decoder = codecs.getincrementaldecoder(codec)()
    try:
        text = decoder.decode(raw)
    except UnicodeDecodeError:
        return None
    return text + REPLACEMENT if decoder.getstate()[0] and not text.isascii() else None


def _is_wide(text: str) -> bool:
    """Tell whether UTF-8 needed three bytes or more for a character: chance hardly makes such bytes."""
    return any(character >= "\u0800" for character in text)


def _is_one_script(text: str, raw: bytes) -> bool:
    """Tell whether UTF-8 text is of one script that takes two bytes a character, and is not Chinese."""
    if not any(script.fullmatch(text) for script in TWO_BYTE_SCRIPTS):
        return False
    return TWO_BYTE_WORDS.fullmatch(text) is not None or _chinese(raw) is None


def _looks_latin(raw: bytes, lowest: int) -> bool:
    """Tell whether bytes read as Latin-1 give words as Western European languages write them.

    Accented letters stand alone or in pairs inside a word, and no small letter precedes a capital.
    """
    for found in HIGH_RUN.finditer(raw):
        run = found[0]
        core = run.lstrip(LATIN_OPENS).rstrip(LATIN_CLOSES) if len(run) > 1 else b""
        if min(run) < lowest or len(core) > 2:
            return False
        start = found.start() + run.index(core)
        end = start + len(core)
        if core and not _is_latin_word(raw[max(start - 1, 0) : start], core, raw[end : end + 1]):
            return False
    return True


def _is_latin_word(before: bytes, accented: bytes, after: bytes) -> bool:
    """Tell whether accented letters stand beside a plain one, with no small letter before a capital."""
    plain = [part.decode("ascii") if part.isalpha() else "" for part in (before, after)]
    word = accented.decode("latin_1").join(plain)
    small_first = any(a.islower() and b.isupper() for a, b in pairwise(word))
    return any(plain) and word.isalpha() and not small_first


def _chinese(raw: bytes) -> str | None:
    """Return the GB18030 text of bytes that are plausibly Chinese: mostly characters of GB2312, or None."""
    whole = _strict(raw, "gb18030")
    text = _cut(raw, "gb18030") if whole is None else whole
    if text is None:
        return None
    common, rare, odd = _count_hanzi(text.removesuffix(REPLACEMENT))
    enough = 1 if whole is not None else 2  # values that a limit cut are long ones
    return text if common >= max(enough, rare) and not odd else None


def _count_hanzi(text: str) -> tuple[int, int, int]:
    """Return how many characters are hanzi of GB2312, other hanzi, and neither nor any sign of GB2312."""
    common = rare = odd = 0
    for character in text:
        if character < "\x80":
            continue
        try:
            character.encode("gb2312")
            common += "\u4e00" <= character <= "\u9fff"
        except UnicodeEncodeError:
            hanzi = "\u3400" <= character <= "\u9fff" or character >= "\U00020000"
            rare, odd = rare + hanzi, odd + (not hanzi)
    return common, rare, odd
