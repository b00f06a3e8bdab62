"""Headers as real devices and archives spoil them: each ends in a row, a failure or a note; none is junk."""

from __future__ import annotations

import os
import struct
import warnings
import zlib
from typing import TYPE_CHECKING, Any

import header_bytes as hb
import header_oracle
import pydicom
import pytest

from catalog.headers import iter_headers

if TYPE_CHECKING:
    from pathlib import Path

U = hb.UNDEFINED
CODE = hb.element(0x00080100, "SH", "71260") + hb.element(0x00080104, "LO", "CHEST")
CODES = {"ProcedureCodeValue": "71260", "ProcedureCodeMeaning": "CHEST"}
SECRET = "Doe^Jane"


def code_items(**kwargs: Any) -> bytes:
    return hb.sequence(0x00081032, hb.item(CODE), **kwargs)


def deflated(syntax: str) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return hb.meta(syntax) + packer.compress(hb.explicit_data()) + packer.flush()


def big_endian() -> bytes:
    def element(number: int, vr: str, raw: bytes) -> bytes:
        start = struct.pack(">HH", number >> 16, number & 0xFFFF) + vr.encode()
        if vr in hb.LONG:
            return start + b"\0\0" + struct.pack(">I", len(raw)) + raw
        return start + struct.pack(">H", len(raw)) + raw

    elements = (
        (0x00080016, "UI", hb.CT.encode() + b"\0"),
        (0x00080018, "UI", hb.UID.encode() + b"\0"),
        (0x00100010, "PN", b"Doe^Jane"),
        (0x00100020, "LO", b"P1"),
        (0x00180050, "DS", b"1.25"),
        (0x00189307, "FD", struct.pack(">d", 38.4)),
        (0x0020000E, "UI", hb.UID.encode() + b".2\0"),
        (0x00200013, "IS", b"7 "),
        (0x00280010, "US", struct.pack(">H", 4)),
        (0x00280011, "US", struct.pack(">H", 1)),
        (0x7FE00010, "OW", bytes(8)),
    )
    data = b"".join(element(number, vr, raw + b"\0" * (len(raw) % 2)) for number, vr, raw in elements)
    return hb.meta("1.2.840.10008.1.2.2") + data


def implicit_meta() -> bytes:
    content = hb.implicit(0x00020002, hb.CT + "\0") + hb.implicit(0x00020010, hb.EXPLICIT + "\0")
    return bytes(128) + b"DICM" + hb.implicit(0x00020000, struct.pack("<I", len(content))) + content


def icon() -> bytes:
    """Icon whose pixel data are encapsulated, inside an item of defined length."""
    fragments = hb.delimiter(hb.ITEM, 0) + hb.item(bytes(16)) + hb.delimiter(hb.SEQUENCE_END)
    pixels = hb.element(0x7FE00010, "OB", fragments, length=U)
    return hb.sequence(0x00880200, hb.item(hb.element(0x00280010, "US", struct.pack("<H", 64)) + pixels))


def un_undefined() -> bytes:
    """VR UN of undefined length: what is in it is implicit (PS3.5 6.2.2)."""
    content = hb.implicit(0x00080100, "71260 ") + hb.implicit(0x00080104, "CHEST ")
    return hb.sequence(0x00081032, hb.item(content, length=U), undefined=True, vr="UN")


def forced(vr: str | bytes) -> bytes:
    return hb.file(hb.element(0x00081030, vr, "CHEST "))


# Name, file, and attributes beyond those of hb.TAIL that must be read.
ROWS: list[tuple[str, bytes, dict[str, Any]]] = [
    ("sound", hb.file(), {"Modality": "CT"}),
    ("no preamble, no meta, implicit", hb.implicit_data(), {}),
    ("no preamble, no meta, explicit", hb.explicit_data(), {}),
    ("meta without preamble", hb.file()[132:], {}),
    ("prefix at the start", hb.file()[128:], {}),
    ("preamble of a TIFF", b"II*\0" + hb.file()[4:], {}),
    ("group length too long", hb.file(start=hb.meta(group_length=99_999)), {}),
    ("group length zero", hb.file(start=hb.meta(group_length=0)), {}),
    ("no group length", hb.file(start=hb.meta()[:132] + hb.meta()[144:]), {}),
    ("implicit meta", hb.file(start=implicit_meta()), {}),
    (
        "group 2 again in the data set",
        hb.meta() + hb.element(0x00020010, "UI", hb.EXPLICIT) + hb.explicit_data(),
        {},
    ),
    ("no transfer syntax, explicit", hb.meta(None) + hb.explicit_data(), {}),
    ("no transfer syntax, implicit", hb.meta(None) + hb.implicit_data(), {}),
    ("empty transfer syntax", hb.meta("") + hb.explicit_data(), {}),
    ("private transfer syntax", hb.meta("1.2.840.113619.5.2") + hb.implicit_data(), {}),
    ("says implicit, is explicit", hb.meta(hb.IMPLICIT) + hb.explicit_data(), {}),
    ("says explicit, is implicit", hb.meta(hb.EXPLICIT) + hb.implicit_data(), {}),
    ("big endian", big_endian(), {"TotalCollimationWidth": 38.4}),
    ("deflated", deflated("1.2.840.10008.1.2.1.99"), {}),
    ("deflated, JPIP", deflated("1.2.840.10008.1.2.4.95"), {}),
    ("deflated, JPIP of HTJ2K", deflated("1.2.840.10008.1.2.4.205"), {}),
    ("says deflated, is plain", hb.file(start=hb.meta("1.2.840.10008.1.2.1.99")), {}),
    ("NULs after the pixel data", hb.file() + bytes(513), {}),
    ("NULs in place of pixel data", hb.file(end=bytes(64)), {}),
    *[
        (f"VR {vr!r}", forced(vr), {"StudyDescription": "CHEST"})
        for vr in (b"XX", b"\0\0", b"??", b"--", b"  ", "UN", "OB")
    ],
    (
        "implicit element among explicit",
        hb.file(hb.implicit(0x00081030, "CHEST ")),
        {"StudyDescription": "CHEST"},
    ),
    (
        "implicit items among explicit",
        hb.file(
            hb.sequence(
                0x00081032, hb.item(hb.implicit(0x00080100, "71260 ") + hb.implicit(0x00080104, "CHEST "))
            )
        ),
        CODES,
    ),
    ("UN sequence of undefined length", hb.file(un_undefined()), CODES),
    ("odd length", hb.file(hb.element(0x00081030, "LO", "CHEST", length=5)), {"StudyDescription": "CHEST"}),
    (
        "US of three bytes",
        hb.file(hb.element(0x00080050, "US", b"\1\0\0", length=3)),
        {"AccessionNumber": None},
    ),
    (
        "length FFFF",
        hb.file(hb.element(0x00081030, "LO", "CHEST ", length=0xFFFF)),
        {"StudyDescription": "CHEST"},
    ),
    ("length a little too short", hb.file(hb.element(0x00081030, "LO", "CHEST LOW", length=6)), {}),
    (
        "group lengths everywhere",
        hb.file(
            hb.element(0x00090000, "UL", struct.pack("<I", 9))
            + hb.element(0x000F0000, "UL", struct.pack("<I", 9))
        ),
        {},
    ),
    ("stray delimiters", hb.file(hb.delimiter(hb.ITEM_END) + hb.delimiter(hb.SEQUENCE_END)), {}),
    (
        "tag given twice",
        hb.file(hb.element(0x00081030, "LO", "HEAD") + hb.element(0x00081030, "LO", "CHEST ")),
        {"StudyDescription": "CHEST"},
    ),
    (
        "tags out of order",
        hb.file(hb.element(0x00200010, "SH", "S1") + hb.element(0x00081030, "LO", "CHEST ")),
        {"StudyDescription": "CHEST", "StudyID": "S1"},
    ),
    (
        "sequence given twice",
        hb.file(hb.sequence(0x00081032, hb.item(hb.element(0x00080100, "SH", "OLD1"))) + code_items()),
        CODES,
    ),
    ("sequence", hb.file(code_items()), CODES),
    ("sequence of undefined length", hb.file(code_items(undefined=True)), CODES),
    (
        "item of undefined length",
        hb.file(hb.sequence(0x00081032, hb.item(CODE, length=U), undefined=True)),
        CODES,
    ),
    ("empty sequence", hb.file(hb.sequence(0x00081032)), {"ProcedureCodeValue": None}),
    ("empty sequence of undefined length", hb.file(hb.sequence(0x00081032, undefined=True)), {}),
    (
        "item ended by the wrong delimiter",
        hb.file(
            hb.sequence(
                0x00081032, hb.delimiter(hb.ITEM, U) + CODE + hb.delimiter(hb.SEQUENCE_END), undefined=True
            )
        ),
        CODES,
    ),
    (
        "item without a delimiter",
        hb.file(
            hb.element(
                0x00081032, "SQ", hb.delimiter(hb.ITEM, U) + CODE + hb.delimiter(hb.SEQUENCE_END), length=U
            )
        ),
        CODES,
    ),
    (
        "delimiter of length FFFFFFFF",
        hb.file(hb.element(0x00081032, "SQ", hb.item(CODE) + hb.delimiter(hb.SEQUENCE_END, U), length=U)),
        CODES,
    ),
    (
        "delimiter in a sequence of defined length",
        hb.file(hb.sequence(0x00081032, hb.item(CODE), hb.delimiter(hb.SEQUENCE_END))),
        CODES,
    ),
    (
        "delimiter of an item of defined length",
        hb.file(hb.sequence(0x00081032, hb.item(CODE + hb.delimiter(hb.ITEM_END)))),
        CODES,
    ),
    (
        "NULs where the delimiter is due",
        hb.file(
            hb.element(0x00081032, "SQ", hb.item(CODE) + bytes(24) + hb.delimiter(hb.SEQUENCE_END), length=U)
        ),
        CODES,
    ),
    ("sequence too long by 40", hb.file(code_items(lie=40)), CODES),
    ("sequence too short by 20", hb.file(code_items(lie=-20)), CODES),
    ("sequence as long as the world", hb.file(code_items(lie=0x7FFF0000)), CODES),
    ("item too long by 16", hb.file(hb.sequence(0x00081032, hb.item(CODE, length=len(CODE) + 16))), CODES),
    ("item without its sequence", hb.file(hb.item(CODE, length=U)), {}),
    (
        "byte-swapped items",
        hb.file(hb.element(0x20011068, "SQ", b"\xff\xfe\xe0\x00" + struct.pack(">I", 4) + bytes(4))),
        {},
    ),
    (
        "private bytes that start like an item",
        hb.file(hb.element(0x00290010 + 0x1000, "UN", hb.item(bytes(9)))),
        {},
    ),
    (
        "delimiter by chance in a fragment",
        hb.file(
            hb.element(
                0x00091010,
                "OB",
                hb.item(b"ab" + hb.delimiter(hb.SEQUENCE_END) + b"cd") + hb.delimiter(hb.SEQUENCE_END),
                length=U,
            )
        ),
        {},
    ),
    ("icon with pixel data of its own", hb.file(icon()), {"Rows": 4}),
    (
        "sixty sequences deep",
        hb.file(
            (hb.element(0x00400260, "SQ", b"", length=U) + hb.delimiter(hb.ITEM, U)) * 30
            + (hb.delimiter(hb.ITEM_END) + hb.delimiter(hb.SEQUENCE_END)) * 30
        ),
        {},
    ),
    (
        "30,000 elements",
        hb.file(
            b"".join(
                hb.element(0x00091000 + k % 0xEFFF + (k // 0xEFFF << 17), "LO", "x ") for k in range(30_000)
            )
        ),
        {},
    ),
    ("text for a number", hb.file(hb.element(0x00101030, "DS", "heavy ")), {"PatientWeight": None}),
    ("not a number", hb.file(hb.element(0x00101030, "DS", "NaN ")), {"PatientWeight": None}),
    ("infinite", hb.file(hb.element(0x00101030, "DS", "1e999 ")), {"PatientWeight": None}),
    ("decimal comma", hb.file(hb.element(0x00101030, "DS", "82,5")), {"PatientWeight": 82.5}),
    (
        "many digits",
        hb.file(hb.element(0x00101030, "DS", "82.500000000000000000001234")),
        {"PatientWeight": 82.5},
    ),
    ("exponent with zeros", hb.file(hb.element(0x00101030, "DS", "+825.0e-001")), {"PatientWeight": 82.5}),
    ("IS with decimals", hb.file(hb.element(0x00280008, "IS", "2.0 ")), {"NumberOfFrames": 2}),
    (
        "stars for everything",
        hb.file(hb.element(0x00080020, "DA", "***") + hb.element(0x00101010, "AS", "***")),
        {"StudyDate": None},
    ),
    ("charset misspelt", hb.file(hb.element(0x00080005, "CS", "ISO-IR 100")), {}),
    ("charset unknown", hb.file(hb.element(0x00080005, "CS", "KLINGON")), {}),
    (
        "NULs and spaces around text",
        hb.file(hb.element(0x00081030, "LO", b" CHEST \0\0")),
        {"StudyDescription": "CHEST"},
    ),
    (
        "several values with spaces",
        hb.file(hb.element(0x00080008, "CS", "ORIGINAL \\ PRIMARY ")),
        {"ImageType": "ORIGINAL\\PRIMARY"},
    ),
]

# Name, file, what becomes of it.
MISSES: list[tuple[str, bytes, str]] = [
    ("empty", b"", "EmptyFile"),
    ("132 bytes", bytes(128) + b"DICM", "MissingIdentity"),
    ("100 NULs", bytes(100), "not_dicom"),
    ("text", b"hello this is not dicom\n" * 100, "not_dicom"),
    ("JPEG", b"\xff\xd8\xff\xe0\0\x10JFIF" + bytes(3000), "not_dicom"),
    (
        "text that starts like a group",
        b"\x08\x00\x05\x00 and then some words of no meaning at all",
        "not_dicom",
    ),
    ("a program's data", b"\x02\0\0\0" * 4000, "not_dicom"),
    ("cut in the meta information", hb.file()[:200], "TruncatedHeader"),
    ("cut in a value", hb.file()[: len(hb.meta() + hb.head()) + 12], "TruncatedHeader"),
    ("cut in the head of an element", hb.file()[: len(hb.meta() + hb.head()) + 5], "TruncatedHeader"),
    (
        "cut in a sequence",
        hb.file(code_items(), end=b"")[: len(hb.meta() + hb.head()) + 30],
        "TruncatedHeader",
    ),
    ("cut deflated", deflated("1.2.840.10008.1.2.1.99")[:-40], "TruncatedHeader"),
    (
        "no identity",
        hb.meta()[:132] + hb.element(0x00020010, "UI", hb.EXPLICIT) + hb.tail(),
        "MissingIdentity",
    ),
    (
        "an escape for an identity",
        hb.meta() + hb.element(0x00080018, "UI", b"\x1b$)C") + hb.tail() + hb.PIXELS,
        "MissingIdentity",
    ),
    ("garbage after the meta information", hb.meta() + b"\xff" * 64 + hb.explicit_data(), "DamagedHeader"),
    (
        "DICOMDIR",
        hb.meta(None)[:132]
        + hb.element(0x00020002, "UI", "1.2.840.10008.1.3.10")
        + hb.element(0x00020010, "UI", hb.EXPLICIT)
        + hb.element(0x00041130, "CS", "SET "),
        "dicomdir",
    ),
]


def read(path: Path, content: bytes, **options: Any) -> tuple[dict[str, Any] | None, str, str]:
    """Row, what became of the file otherwise, and the message that says so."""
    path.write_bytes(content)
    batch = next(iter_headers([os.fsencode(path)], **options))
    assert batch.rows.num_rows + batch.failures.num_rows + batch.others.num_rows == 1
    if batch.rows.num_rows:
        return batch.rows.to_pylist()[0], "", ""
    if batch.others.num_rows:
        return None, batch.others.to_pylist()[0]["kind"], ""
    failure = batch.failures.to_pylist()[0]
    return None, failure["error"], failure["message"]


def by_pydicom(path: Path) -> dict[str, Any]:
    """Attributes that pydicom finds when it is forced."""
    try:
        cells = header_oracle.expected(path, force=True)
    except Exception:  # noqa: BLE001 - pydicom gives up in many ways
        return {}
    return {n: v for n, v in cells.items() if v not in (None, header_oracle.UNKNOWN)}


@pytest.mark.parametrize(("name", "content", "extra"), ROWS, ids=[row[0] for row in ROWS])
def test_spoilt_headers_give_their_row(
    name: str, content: bytes, extra: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "a.dcm"
    row, miss, _ = read(path, content)
    assert row is not None, miss
    expected = {"SOPInstanceUID": hb.UID, "SOPClassUID": hb.CT, **hb.TAIL, **extra}
    assert {n: row[n] for n in expected} == expected
    assert row["pixel_offset"] is None or row["pixel_truncated"] is False


@pytest.mark.parametrize(("name", "content", "extra"), ROWS, ids=[row[0] for row in ROWS])
def test_no_attribute_is_lost_that_pydicom_finds(
    name: str, content: bytes, extra: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "a.dcm"
    row, _, _ = read(path, content)
    assert row is not None
    lost = {n for n in by_pydicom(path) if row[n] is None}
    assert not lost - {n for n, value in extra.items() if value is None}


@pytest.mark.parametrize(("name", "content", "error"), MISSES, ids=[miss[0] for miss in MISSES])
@pytest.mark.parametrize("force_slow", [False, True], ids=["kernel", "pydicom"])
def test_what_gives_no_row_is_named(
    name: str, content: bytes, error: str, force_slow: bool, tmp_path: Path
) -> None:
    row, miss, message = read(tmp_path / "a.dcm", content, force_slow=force_slow)
    assert row is None
    assert miss == error
    assert not any(part in message for part in ("Doe", "Jane", hb.UID, "CHEST"))


def test_every_cut_of_a_header_is_a_failure_or_a_whole_element(tmp_path: Path) -> None:
    """A file cut at any byte before its pixel data is a failure, but for cuts between two elements."""
    whole = hb.file(code_items() + code_items(undefined=True).replace(b"\x32\x10", b"\x33\x10", 1))
    header = len(whole) - len(hb.PIXELS)
    first = len(hb.meta() + hb.head())
    paths = []
    for cut in range(first, header):
        (tmp_path / f"{cut}.dcm").write_bytes(whole[:cut])
        paths.append(os.fsencode(tmp_path / f"{cut}.dcm"))
    batch = next(iter_headers(paths))
    sound = {first + index for index in batch.rows.column("index").to_pylist()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data_set = pydicom.dcmread(os.fsdecode(paths[-1]), force=True)
    boundaries = {
        first,
        first + len(code_items()),
        first + len(code_items()) + len(code_items(undefined=True)),
    }
    at = header - len(hb.tail())
    for element in (data_set.get_item(t) for t in list(data_set.keys()) if t > 0x00100000):
        boundaries.add(at)
        at += 8 + (element.length or 0)
    assert sound == {b for b in boundaries if first <= b < header}
    assert set(batch.failures.column("error").to_pylist()) == {"TruncatedHeader"}


def test_pixel_data_shorter_than_stated_are_marked(tmp_path: Path) -> None:
    whole = hb.file()
    row, _, _ = read(tmp_path / "a.dcm", whole)
    assert row is not None
    assert (row["pixel_truncated"], row["pixel_length"]) == (False, 8)
    row, _, _ = read(tmp_path / "a.dcm", whole[:-3])
    assert row is not None
    assert (row["pixel_truncated"], row["pixel_length"]) == (True, 8)


@pytest.mark.parametrize("force_slow", [False, True], ids=["kernel", "pydicom"])
def test_compressed_pixel_data_cut_in_their_first_fragment_are_marked(
    force_slow: bool, tmp_path: Path
) -> None:
    fragments = hb.delimiter(hb.ITEM, 0) + hb.item(bytes(20_000)) + hb.delimiter(hb.SEQUENCE_END)
    whole = hb.file(
        start=hb.meta("1.2.840.10008.1.2.4.90"), end=hb.element(0x7FE00010, "OB", fragments, length=U)
    )
    for cut, truncated in ((None, False), (-8, True), (-9000, True), (-20_010, True), (-20_020, True)):
        row, _, _ = read(tmp_path / "a.dcm", whole[:cut], force_slow=force_slow)
        assert row is not None
        assert (row["pixel_truncated"], row["pixel_length"]) == (truncated, None)


def test_a_deflated_bomb_is_refused(tmp_path: Path) -> None:
    packer = zlib.compressobj(wbits=-15)
    bomb = hb.head() + hb.element(0x00091010, "OB", bytes(1 << 28))
    content = hb.meta("1.2.840.10008.1.2.1.99") + packer.compress(bomb) + packer.flush()
    assert len(content) < 1 << 20
    assert read(tmp_path / "a.dcm", content)[1] == "HeaderTooLong"


def test_sequences_deeper_than_any_are_refused(tmp_path: Path) -> None:
    deep = (hb.element(0x00400260, "SQ", b"", length=U) + hb.delimiter(hb.ITEM, U)) * 20_000
    assert read(tmp_path / "a.dcm", hb.file(deep))[1] in {"DamagedHeader", "TruncatedHeader"}


def test_a_header_of_millions_of_values_is_refused_or_read(tmp_path: Path) -> None:
    """What does not fit in a common batch is read alone, and does not disturb its neighbours."""
    frames = hb.item(hb.sequence(0x00209113, hb.item(hb.element(0x00200032, "DS", "1\\2\\3 ")))) * 150_000
    paths = []
    for k, content in enumerate(
        (hb.file(), hb.file(end=hb.element(0x52009230, "SQ", frames) + hb.PIXELS), hb.file())
    ):
        (tmp_path / f"{k}.dcm").write_bytes(content)
        paths.append(os.fsencode(tmp_path / f"{k}.dcm"))
    found = {
        row["index"]: row["frame_positions"]
        for batch in iter_headers(paths)
        for row in batch.rows.select(["index", "frame_positions"]).to_pylist()
    }
    assert found == {0: None, 1: [1.0, 2.0, 3.0] * 150_000, 2: None}
