"""What a file's SpecificCharacterSet means, and the walk through text that switches between sets.

The sets, their defined terms and escape sequences are those of PS3.3 C.12.1.1.2; PS3.5 6.1.2.5.3 says where a
switch ends. Code tables are Python's codecs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

ESCAPE: Final = 0x1B
REPLACEMENT: Final = "\ufffd"

# Delimiters at which the sets of value 1 are active again: all text, short text, names (PS3.5 6.1.2.5.3).
LINE_ENDS: Final = b"\t\n\f\r"
VALUE_ENDS: Final = LINE_ENDS + b"\\"
NAME_ENDS: Final = VALUE_ENDS + b"^="
ONE_VALUE: Final = frozenset({"LT", "ST", "UT"})


@dataclass(frozen=True, slots=True)
class CodedSet:
    """A set of characters for one half of the 8-bit code table.

    Attributes
    ----------
    number : int
        Registration number (ISO-IR) that the defined term carries.
    half : int
        0 for bytes below 0x80 (G0), 1 for bytes above (G1).
    width : int
        Bytes of a character.
    codec : str
        Python codec that knows the characters by their bytes with the high bit set.
    prefix : bytes
        What that codec wants before the bytes.
    """

    number: int
    half: int
    width: int
    codec: str
    prefix: bytes = b""

    def character(self, unit: bytes) -> str | None:
        """Return the character of one unit of ``width`` bytes, or None where the set has none there."""
        high = bytes(byte | 0x80 for byte in unit)
        if len(unit) != self.width or any(byte & 0x7F < 0x20 for byte in unit):
            return None
        try:
            return (self.prefix + high).decode(self.codec)
        except UnicodeDecodeError:
            return None


ASCII: Final = CodedSet(6, 0, 1, "ascii")
ROMAJI: Final = CodedSet(
    14, 0, 1, "ascii"
)  # JIS X 0201: DICOM keeps 0x5C as the delimiter, whatever its shape
KATAKANA: Final = CodedSet(13, 1, 1, "shift_jis")
KANJI: Final = CodedSet(87, 0, 2, "euc_jp")

ESCAPES: Final[dict[bytes, CodedSet]] = {
    b"\x1b(B": ASCII,
    b"\x1b(J": ROMAJI,
    b"\x1b)I": KATAKANA,
    b"\x1b(I": CodedSet(13, 0, 1, "shift_jis"),  # as CP50221 writes it
    b"\x1b$B": KANJI,
    b"\x1b$@": KANJI,  # the set's edition of 1978
    b"\x1b$(D": CodedSet(159, 0, 2, "euc_jp", b"\x8f"),
    b"\x1b-A": CodedSet(100, 1, 1, "latin_1"),
    b"\x1b-B": CodedSet(101, 1, 1, "iso8859_2"),
    b"\x1b-C": CodedSet(109, 1, 1, "iso8859_3"),
    b"\x1b-D": CodedSet(110, 1, 1, "iso8859_4"),
    b"\x1b-L": CodedSet(144, 1, 1, "iso8859_5"),
    b"\x1b-G": CodedSet(127, 1, 1, "iso8859_6"),
    b"\x1b-F": CodedSet(126, 1, 1, "iso8859_7"),
    b"\x1b-H": CodedSet(138, 1, 1, "iso8859_8"),
    b"\x1b-M": CodedSet(148, 1, 1, "iso8859_9"),
    b"\x1b-T": CodedSet(166, 1, 1, "iso8859_11"),
    b"\x1b-b": CodedSet(203, 1, 1, "iso8859_15"),
    b"\x1b$)C": CodedSet(149, 1, 2, "euc_kr"),
    b"\x1b$)A": CodedSet(58, 1, 2, "gb2312"),
}
ESCAPE_SEQUENCE: Final = re.compile(b"|".join(re.escape(e) for e in sorted(ESCAPES, key=len, reverse=True)))
SETS: Final[dict[int, CodedSet]] = {s.number: s for s in reversed(ESCAPES.values())}

# Sets without code extensions, and the names that other systems give to encodings.
WHOLE: Final[dict[str, str]] = {
    "UTF8": "utf_8",
    "GB18030": "gb18030",
    "GB18030RECODED": "gb18030",
    "GBK": "gbk",
    "CP936": "gbk",
    "BIG5": "big5hkscs",
    "SHIFTJIS": "cp932",
    "SJIS": "cp932",
    "EUCJP": "euc_jp",
    "UHC": "cp949",
    "CP949": "cp949",
}
NAMED: Final[dict[str, int]] = {
    "ASCII": 6,
    "USASCII": 6,
    "LATIN1": 100,
    "ISO88591": 100,
    "ISO88592": 101,
    "ISO88593": 109,
    "ISO88594": 110,
    "ISO88595": 144,
    "ISO88596": 127,
    "ISO88597": 126,
    "ISO88598": 138,
    "ISO88599": 148,
    "ISO885915": 203,
    "GB2312": 58,
    "EUCCN": 58,
    "EUCKR": 149,
    "KSC5601": 149,
}
UTF8_NUMBER: Final = 192

# What writers put under a set's name beyond its own characters; all bytes of the value are read with it.
WIDER: Final[dict[int, tuple[str, ...]]] = {
    13: ("cp932",),
    58: ("gb18030",),
    87: ("euc_jp", "cp932"),
    149: ("cp949",),
    159: ("euc_jp",),
}
WIDER_WHOLE: Final[dict[str, tuple[str, ...]]] = {"gbk": ("gb18030",)}
WINDOWS: Final[dict[int, str]] = {
    101: "cp1250",
    110: "cp1257",
    126: "cp1253",
    127: "cp1256",
    138: "cp1255",
    144: "cp1251",
    148: "cp1254",
    166: "cp874",
}


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a SpecificCharacterSet declares.

    Attributes
    ----------
    first : CodedSet or None
        G1 set that is active at the start and after each delimiter.
    sets : tuple of CodedSet
        Every set it names, in order.
    whole : str
        Codec of the whole value where the first named set allows no code extensions, else empty.
    """

    first: CodedSet | None
    sets: tuple[CodedSet, ...]
    whole: str

    @property
    def numbers(self) -> frozenset[int]:
        """Registration numbers of the declared sets; ASCII and JIS Roman are always there."""
        return frozenset({6, 14, *(s.number for s in self.sets)})

    @property
    def wider(self) -> tuple[str, ...]:
        """Codecs for values that the declared sets nearly explain, best first."""
        named = WIDER_WHOLE.get(self.whole, ())
        return (*named, *(codec for s in self.sets for codec in WIDER.get(s.number, ())))


@lru_cache(maxsize=4096)
def declare(charset: str) -> Declaration:
    """Read a SpecificCharacterSet, misspelt or not; a term that nobody knows counts as none.

    Parameters
    ----------
    charset : str
        Its values, joined by backslashes; empty where the attribute is absent.
    """
    terms = [re.sub("[^A-Z0-9]", "", term.upper()) for term in charset.split("\\")]
    known = [_term(term) for term in terms]
    whole = next((k for k in known if isinstance(k, str)), "")
    sets = tuple(k for k in known if isinstance(k, CodedSet))
    first = known[0] if isinstance(known[0], CodedSet) and known[0].half == 1 else None
    return Declaration(first, sets, whole)


def _term(term: str) -> CodedSet | str | None:
    """Return the set or the codec that a defined term, stripped to letters and digits, means."""
    spelt = re.fullmatch("(?:ISO)?(?:2022)?(?:IR)?([0-9]{1,3}|[A-Z][A-Z0-9]+)", term)
    if spelt is None or term in NAMED or term in WHOLE:
        return SETS[NAMED[term]] if term in NAMED else WHOLE.get(term)
    name = spelt[1]
    if not name.isdigit():
        return SETS[NAMED[name]] if name in NAMED else WHOLE.get(name)
    return "utf_8" if int(name) == UTF8_NUMBER else SETS.get(int(name))


@dataclass(frozen=True, slots=True)
class Walked:
    """Text as the walk found it.

    Attributes
    ----------
    text : str
        The text, with U+FFFD for each byte that no active set explains.
    faults : int
        How many such bytes there are.
    lawful : bool
        False where an escape sequence was undeclared, unknown or missing.
    """

    text: str
    faults: int
    lawful: bool


def walk(raw: bytes, declaration: Declaration, delimiters: bytes) -> Walked:
    """Decode a value that may switch between sets by escape sequences.

    A character whose escape sequence the writer forgot is taken from the first declared set that has it.
    """
    low, high = ASCII, declaration.first
    numbers, spare = declaration.numbers, [s for s in declaration.sets if s.half == 1]
    parts: list[str] = []
    faults, lawful, at = 0, True, 0
    while at < len(raw):
        byte = raw[at]
        if byte == ESCAPE and (found := ESCAPE_SEQUENCE.match(raw, at)):
            chosen = ESCAPES[found[0]]
            low, high = (chosen, high) if chosen.half == 0 else (low, chosen)
            lawful &= chosen.number in numbers
            at = found.end()
            continue
        active = high if byte >= 0x80 else low
        width = active.width if active else 1
        unit = raw[at : at + width]
        if byte < 0x80 and (byte <= 0x20 or active in {ASCII, ROMAJI} or not _is_low(unit, width)):
            character: str | None = chr(byte)
            width = 1
            lawful &= byte != ESCAPE
            if byte in delimiters:
                low, high = ASCII, declaration.first
        else:
            character = active.character(unit) if active and _is_half(unit, byte) else None
            if character is None and byte >= 0x80:
                character, width = _spare(raw, at, spare)
                lawful = False
        faults += character is None
        parts.append(REPLACEMENT if character is None else character)
        at += width
    return Walked("".join(parts), faults, lawful)


def _is_low(unit: bytes, width: int) -> bool:
    """Tell whether all bytes can be of one character of a G0 set of 94 or 94 x 94 characters."""
    return len(unit) == width and all(0x21 <= byte <= 0x7E for byte in unit)


def _is_half(unit: bytes, byte: int) -> bool:
    """Tell whether all bytes lie in the half of the code table in which the first one lies."""
    return all(other & 0x80 == byte & 0x80 for other in unit)


def _spare(raw: bytes, at: int, sets: list[CodedSet]) -> tuple[str | None, int]:
    """Return the character that starts here in the first of the sets that has one, and its width."""
    for other in sets:
        unit = raw[at : at + other.width]
        if _is_half(unit, raw[at]) and (character := other.character(unit)) is not None:
            return character, other.width
    return None, 1
