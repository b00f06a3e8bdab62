# ruff: noqa: RUF001 -- the text is of many scripts
"""Text of headers: the examples of PS3.5, real files, Python's codecs and pydicom are the oracles."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import pydicom.charset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.headers.charsets import ESCAPES, NAMED, SETS, WHOLE, declare
from catalog.headers.text import decode

if TYPE_CHECKING:
    from pathlib import Path

# The person names and long texts of PS3.5 annexes H, I, J and K, byte by byte.
STANDARD = [
    (
        "H.3.1",
        "\\ISO 2022 IR 87",
        (
            "59616D6164615E5461726F753D1B24423B3345441B28425E1B244242404F3A1B28423D"
            "1B24422464245E24401B28425E1B2442243F246D24261B2842"
        ),
        "Yamada^Tarou=山田^太郎=やまだ^たろう",
    ),
    (
        "H.3.2",
        "ISO 2022 IR 13\\ISO 2022 IR 87",
        (
            "D4CFC0DE5EC0DBB33D1B24423B3345441B284A5E1B244242404F3A1B284A3D"
            "1B24422464245E24401B284A5E1B2442243F246D24261B284A"
        ),
        "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
    ),
    (
        "I.2",
        "\\ISO 2022 IR 149",
        "486F6E675E47696C646F6E673D1B242943FBF35E1B242943D1CED4D73D1B242943C8AB5E1B242943B1E6B5BF",
        "Hong^Gildong=洪^吉洞=홍^길동",
    ),
    (
        "J.1",
        "ISO_IR 192",
        "57616E675E5869616F446F6E673DE78E8B5EE5B08FE69DB13D",
        "Wang^XiaoDong=王^小東",
    ),
    ("J.3", "GB18030", "57616E675E5869616F446F6E673DCDF55ED0A1B6AB3D", "Wang^XiaoDong=王^小东"),
    (
        "K.2",
        "\\ISO 2022 IR 58",
        "5A68616E675E5869616F446F6E673D1B242941D5C55E1B242941D0A1B6AB3D20",
        "Zhang^XiaoDong=张^小东",
    ),
]
SINGLE_BYTE = {n: s for n, s in SETS.items() if s.half == 1 and s.width == 1}
LATIN = [
    "Müller",
    "Größe",
    "Süß^Jürgen",
    "Pääkkönen",
    "Jääskeläinen",
    "créée",
    "Observações",
    "INFORMAÇÕES",
    "¿Él vive?",
    "Åse^Blåøje",
    "5 °C ± 2 µm",
    "CAFÉ»",
    "Señor",
    "René",
    "Zoë",
]
CHINESE = [
    "张三",
    "张^三",
    "王^小东",
    "李玥",
    "张喆",
    "胸部CT平扫",
    "CT肺",
    "T2轴位",
    "腰椎（正侧位）",
    "Zhang^San=张^三",
    "Dr王",
    "镕基",
    "可疑",
]


@pytest.mark.parametrize(("name", "charset", "raw", "text"), STANDARD, ids=[s[0] for s in STANDARD])
def test_examples_of_the_standard(name: str, charset: str, raw: str, text: str) -> None:
    assert decode(bytes.fromhex(raw), charset, "PN") == (text, False)


@pytest.mark.parametrize(
    ("charset", "chinese"), [("ISO_IR 192", "E4B8ADE69687"), ("GB18030", "D6D0CEC4"), ("GBK", "D6D0CEC4")]
)
def test_long_text_of_the_standard(charset: str, chinese: str) -> None:
    """PS3.5 J.2 and J.4."""
    word = bytes.fromhex(chinese)
    raw = b"The first line includes %b.\r\nThe second line includes %b, too.\r\nThe third line.\r\n"
    text = "The first line includes 中文.\r\nThe second line includes 中文, too.\r\nThe third line.\r\n"
    assert decode(raw % (word, word), charset, "UT") == (text, False)


def test_real_files(shared_data: Path) -> None:
    with (shared_data / "truth_charset.csv").open(encoding="utf-8") as lines:
        rows = [row for row in csv.DictReader(lines) if row["raw_hex"]]
    assert len(rows) == 10
    for row in rows:
        raw = bytes.fromhex(row["raw_hex"])
        assert decode(raw, row["SpecificCharacterSet"], "PN") == (row["expected_PatientName"], False)


@pytest.mark.parametrize("number", sorted(SINGLE_BYTE))
@pytest.mark.parametrize(
    "term", ["ISO_IR {}", "ISO 2022 IR {}", "ISO-IR {}", "iso_ir_{}", "\\ISO 2022 IR {}"]
)
def test_every_character_of_a_single_byte_set(number: int, term: str) -> None:
    """Each byte is what Python's codec says; where value 1 is empty an escape sequence comes first."""
    chosen = SINGLE_BYTE[number]
    escape = next(e for e, s in ESCAPES.items() if s == chosen) if term.startswith("\\") else b""
    for value in range(0xA1, 0x100):
        byte = bytes([value])
        try:
            expected = byte.decode(chosen.codec)
        except UnicodeDecodeError:
            continue
        assert decode(b"a" + escape + byte + b"z", term.format(number), "LO") == (f"a{expected}z", False)


@pytest.mark.parametrize(
    ("codec", "charset"), [("gb18030", "GB18030"), ("gbk", "GBK"), ("utf_8", "ISO_IR 192")]
)
def test_every_character_of_a_multi_byte_set(codec: str, charset: str) -> None:
    """Trail bytes such as 5C and 5E are no delimiters."""
    pages = ["".join(map(chr, range(start, start + 64))) for start in range(0x4E00, 0x9F80, 64)]
    for page in pages:
        for text in (page, "^".join(page)):
            assert decode(text.encode(codec), charset, "PN") == (text, False)


@pytest.mark.parametrize(
    ("codec", "charset", "rows"),
    [
        ("gb2312", "\\ISO 2022 IR 58", range(0xB0, 0xF8)),
        ("euc_kr", "\\ISO 2022 IR 149", range(0xB0, 0xC9)),
        ("euc_jp", "\\ISO 2022 IR 87", range(0xB0, 0xF5)),
    ],
)
def test_every_character_of_a_designated_set(codec: str, charset: str, rows: range) -> None:
    """After the escape sequence; in IR 87 the bytes are 7-bit, so ``^``, ``=`` and backslash occur inside."""
    chosen = declare(charset).sets[0]
    escape = next(e for e, s in ESCAPES.items() if s == chosen)
    for row in rows:
        raw = b"".join(bytes([row, cell]) for cell in range(0xA1, 0xFF) if _is_in(codec, row, cell))
        written = raw if chosen.half else bytes(byte & 0x7F for byte in raw)
        after = b"" if chosen.half else b"\x1b(B"
        assert decode(b"A^" + escape + written + after + b"^Z", charset, "PN") == (
            f"A^{raw.decode(codec)}^Z",
            False,
        )


def _is_in(codec: str, row: int, cell: int) -> bool:
    try:
        bytes([row, cell]).decode(codec)
    except UnicodeDecodeError:
        return False
    return True


@given(st.text(st.sampled_from("abc^=\\ \r\nあいうアイウ山田太郎龠尭丂侄")))
def test_japanese_against_the_iso_2022_codec(text: str) -> None:
    """Python's own encoder of ISO-2022-JP-2 switches sets as DICOM does, and knows JIS X 0212."""
    charset = "\\ISO 2022 IR 87\\ISO 2022 IR 159"
    assert decode(text.encode("iso2022_jp_2"), charset, "UC") == (text.strip(" "), False)


@pytest.mark.parametrize(
    "charset", ["ISO 2022 IR 100\\ISO 2022 IR 144\\ISO 2022 IR 126", "\\ISO 2022 IR 149"]
)
def test_several_sets_as_pydicom_reads_them(charset: str) -> None:
    raw = b"Dionysios=\x1b-F\xc4\xe9\xef\xed\xf5\xf3\xe9\xef\xf2=\x1b-L\xbb\xee\xda^\x1b-A\xc4neas"
    if "149" in charset:
        raw = b"Hong=\x1b$)C\xfb\xf3^abc\\\x1b$)C\xd1\xce\xd4\xd7"
    codecs = pydicom.charset.convert_encodings(charset.split("\\"))
    expected = pydicom.charset.decode_bytes(raw, codecs, set("\\^=\r\n\t\f"))
    assert decode(raw, charset, "PN") == (expected, False)


@pytest.mark.parametrize("delimiter", ["^", "=", "\\", "\r\n", "\t", "\f"])
def test_the_first_set_is_active_again_after_a_delimiter(delimiter: str) -> None:
    """PS3.5 6.1.2.5.3: E9 is Greek before the delimiter and Latin after it."""
    raw = b"\x1b-F\xe9" + delimiter.encode() + b"\xe9"
    assert decode(raw, "ISO 2022 IR 100\\ISO 2022 IR 126", "PN") == (f"ι{delimiter}é", False)


@pytest.mark.parametrize(("vr", "after"), [("PN", "é"), ("LO", "ι"), ("LT", "ι")])
def test_only_names_have_components(vr: str, after: str) -> None:
    raw = b"\x1b-F\xe9^\xe9"
    assert decode(raw, "ISO 2022 IR 100\\ISO 2022 IR 126", vr) == (f"ι^{after}", False)


@pytest.mark.parametrize(
    ("charset", "codec"), [("\\ISO 2022 IR 58", "gb2312"), ("\\ISO 2022 IR 149", "euc_kr")]
)
def test_forgotten_escape_sequences(charset: str, codec: str) -> None:
    text = {"gb2312": "Zhang^San=张^三", "euc_kr": "Hong^Gildong=洪^吉洞=홍^길동"}[codec]
    assert decode(text.encode(codec), charset, "PN") == (text, True)
    once = text.encode(codec).replace(b"=", b"=" + next(e for e, s in ESCAPES.items() if s.codec == codec), 1)
    assert decode(once, charset, "PN") == (text, True)
    assert decode(text.encode(codec), charset.removeprefix("\\"), "PN") == (text, False)


def test_undeclared_escape_sequences_are_followed_and_marked() -> None:
    raw = b"Yamada=\x1b$B;3ED\x1b(B"
    assert decode(raw, "", "PN") == ("Yamada=山田", True)
    assert decode(raw, "ISO_IR 100", "PN") == ("Yamada=山田", True)
    assert decode(raw, "ISO_IR 192", "PN") == ("Yamada=山田", True)


@pytest.mark.parametrize(
    ("raw", "charset", "text"),
    [
        ("喆珺".encode("gbk"), "\\ISO 2022 IR 58", "喆珺"),
        ("펲시".encode("cp949"), "\\ISO 2022 IR 149", "펲시"),
        ("山田".encode("cp932"), "ISO_IR 13", "山田"),
        ("山田".encode("euc_jp"), "\\ISO 2022 IR 87", "山田"),
        ("𠀀".encode("gb18030"), "GBK", "𠀀"),
        ("O’Hara – €".encode("cp1252"), "ISO_IR 100", "O’Hara – €"),
        ("Жуков “Ѓ”".encode("cp1251"), "ISO_IR 144", "Жуков “Ѓ”"),
    ],
)
def test_characters_beyond_the_declared_set(raw: bytes, charset: str, text: str) -> None:
    assert decode(raw, charset, "LO") == (text, True)


@pytest.mark.parametrize("text", LATIN)
def test_latin_text_stays_latin(text: str) -> None:
    raw = text.encode("latin_1")
    assert decode(raw, "ISO_IR 100", "PN") == (text, False)
    assert decode(text.encode(), "ISO_IR 192", "PN") == (text, False)
    for charset in ("", "ISO_IR 6"):
        assert decode(raw, charset, "PN") == (text, True)
    for charset in ("", "ISO_IR 6", "ISO_IR 100"):
        assert decode(text.encode(), charset, "PN") == (text, True)


@pytest.mark.parametrize("text", CHINESE)
@pytest.mark.parametrize("codec", ["gb18030", "gbk", "utf_8"])
@pytest.mark.parametrize("charset", ["", "ISO_IR 6", "ISO_IR 100", "ISO_IR 192", "nonsense"])
def test_undeclared_chinese_is_recognised(text: str, codec: str, charset: str) -> None:
    lawful = (codec, charset) == ("utf_8", "ISO_IR 192")
    assert decode(text.encode(codec), charset, "PN") == (text, not lawful)


def test_utf8_declared_as_gb18030() -> None:
    for text in ("张三", "胸部CT平扫", "Wang^XiaoDong=王^小東"):
        assert decode(text.encode(), "GB18030", "PN") == (text, True)


def test_frequent_chinese_names_are_recognised_under_latin_1() -> None:
    """Surnames and given names in all combinations."""
    surnames = (
        "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎"
    )
    given_names = "伟芳娜秀英敏静丽强磊军洋勇艳杰娟涛明超兰霞平刚桂"
    wrong: list[str] = []
    for surname in surnames:
        for first in given_names:
            names = [surname + first, *(f"{surname}^{first}{second}" for second in given_names)]
            wrong += [
                name for name in names if decode(name.encode("gbk"), "ISO_IR 100", "PN") != (name, True)
            ]
    assert not wrong


@pytest.mark.parametrize(
    ("codec", "charset"), [("utf_8", "ISO_IR 192"), ("gb18030", "GB18030"), ("gb18030", "")]
)
def test_a_value_cut_inside_a_character(codec: str, charset: str) -> None:
    text, repaired = decode("胸部平扫三维重建".encode(codec)[:-1], charset, "LO")
    assert (text, repaired) == ("胸部平扫三维重\ufffd", True)


@pytest.mark.parametrize(
    ("given_name", "number"),
    [
        ("ISO-IR 100", 100),
        ("ISO_IR_100", 100),
        ("iso_ir 100", 100),
        ("ISO IR 100 ", 100),
        ("ISO 2022 IR 100", 100),
        ("ISO8859-1", 100),
        ("GB2312", 58),
        ("ISO_IR 58", 58),
        ("ISO 2022 58", 58),
        ("ISO 2022 GB2312", 58),
        ("EUC-KR", 149),
    ],
)
def test_misspelt_sets(given_name: str, number: int) -> None:
    assert declare(given_name).first == SETS[number]


@pytest.mark.parametrize(
    ("given_name", "codec"),
    [
        ("UTF-8", "utf_8"),
        ("utf8", "utf_8"),
        ("ISO 2022 IR 192", "utf_8"),
        ("ISO 2022 GBK", "gbk"),
        ("gb18030", "gb18030"),
    ],
)
def test_misspelt_encodings(given_name: str, codec: str) -> None:
    assert declare(given_name).whole == codec


def test_every_named_encoding_is_known_to_python() -> None:
    assert all("a".encode(codec) for codec in WHOLE.values())
    assert all(number in SETS for number in NAMED.values())


@pytest.mark.parametrize(
    ("raw", "vr", "text"),
    [
        (b"  CHEST \0", "LO", "CHEST"),
        (b"  two\r\n  lines  ", "LT", "  two\r\n  lines"),
        (b"Doe^John==", "PN", "Doe^John"),
        (b"Doe^John^^^", "PN", "Doe^John^^^"),
        (b"^^^^", "PN", "^^^^"),
        (b"a = b \\ c", "LO", "a = b \\ c"),
        (b" ", "LO", ""),
    ],
)
def test_padding(raw: bytes, vr: str, text: str) -> None:
    assert decode(raw, "", vr) == (text, False)


SINGLE = [
    "",
    "ISO_IR 6",
    "ISO_IR 100",
    "ISO_IR 192",
    "GB18030",
    "GBK",
    "ISO_IR 13",
    "ISO_IR 166",
    "Big5",
    "junk",
]
SWITCHED = ["\\ISO 2022 IR 58", "\\ISO 2022 IR 149", "\\ISO 2022 IR 87\\ISO 2022 IR 159", "ISO_IR 58"]
CHARSETS = st.sampled_from([*SINGLE, *SWITCHED])
PIECES = st.lists(st.one_of(st.sampled_from([*ESCAPES, b"^", b"=", b"\\", b"\x1b"]), st.binary(max_size=6)))


@given(PIECES.map(b"".join), st.one_of(CHARSETS, st.text(max_size=20)), st.sampled_from(["PN", "LO", "LT"]))
def test_any_bytes_give_text_that_can_be_stored(raw: bytes, charset: str, vr: str) -> None:
    """Never an error, never a lone surrogate; what nothing explains is marked."""
    text, repaired = decode(raw, charset, vr)
    assert text.encode().decode() == text
    assert repaired or "\ufffd" not in text


@given(st.binary(), CHARSETS)
def test_ascii_stays_as_it_is_around_other_text(raw: bytes, charset: str) -> None:
    assert decode(b"plain", charset, "LO") == ("plain", False)
    assert decode(b"A1-" + raw, charset, "LO")[0].startswith("A1-")
