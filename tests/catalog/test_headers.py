"""The header reader against pydicom, on pydicom's own files and the shared sets."""

from __future__ import annotations

import os
import stat
import warnings
from pathlib import Path
from typing import Any

import header_bytes as hb
import header_oracle
import numpy as np
import pydicom
import pytest

import catalog
from catalog.columns import ATTRIBUTES
from catalog.headers import batches, iter_headers, read_header
from catalog.headers.errors import HeaderError, NotDicomError, UnreadableFileError
from hpc.errors import MissingError

PYDICOM_FILES = Path(pydicom.__file__).parent / "data"


def files_below(folder: Path) -> list[bytes]:
    return sorted(os.fsencode(path) for path in folder.rglob("*") if path.is_file())


def read(paths: list[bytes], **options: Any) -> tuple[dict[int, dict[str, Any]], dict[int, tuple[str, ...]]]:
    """Rows by index, and what became of the others."""
    rows: dict[int, dict[str, Any]] = {}
    misses: dict[int, tuple[str, ...]] = {}
    for batch in iter_headers(paths, **options):
        batch.rows.validate(full=True)
        rows |= {row.pop("index"): row for row in batch.rows.to_pylist()}
        misses |= {f["index"]: (f["error"],) for f in batch.failures.to_pylist()}
        misses |= {f["index"]: ("other", f["kind"]) for f in batch.others.to_pylist()}
    assert sorted([*rows, *misses]) == list(range(len(paths))), "every file ends in exactly one table"
    return rows, misses


def assert_same_both_ways(paths: list[bytes]) -> None:
    fast, fast_misses = read(paths)
    slow, slow_misses = read(paths, force_slow=True)
    assert fast_misses == slow_misses
    for index, row in fast.items():
        row.pop("reader")
        assert slow[index].pop("reader") == "pydicom"
        assert row == slow[index], paths[index]


def assert_as_pydicom_says(paths: list[bytes]) -> None:
    rows, _ = read(paths)
    compared = 0
    for index, row in rows.items():
        theirs = header_oracle.expected(os.fsdecode(paths[index]), force=True)
        differing = {n: (row[n], v) for n, v in theirs.items() if not header_oracle.equal(row[n], v)}
        assert not differing, paths[index]
        compared += len(theirs)
    assert compared == len(rows) * len(ATTRIBUTES)


def assert_pixels_where_pydicom_finds_them(paths: list[bytes]) -> None:
    rows, _ = read(paths)
    for index, row in rows.items():
        path = os.fsdecode(paths[index])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data_set = pydicom.dcmread(path, force=True, defer_size=64)
        element = next((data_set.get_item(k) for k in ("PixelData", "FloatPixelData") if k in data_set), None)
        if element is None or getattr(data_set.file_meta, "TransferSyntaxUID", "").endswith("1.99"):
            assert row["pixel_offset"] is None
        else:
            assert row["pixel_offset"] == (getattr(element, "value_tell", None) or element.file_tell), path


def test_pydicoms_files_read_alike_by_both_ways() -> None:
    assert_same_both_ways(files_below(PYDICOM_FILES))


def test_shared_sets_read_alike_by_both_ways(shared_data: Path) -> None:
    assert_same_both_ways(files_below(shared_data))


def test_pydicoms_files_hold_what_pydicom_says() -> None:
    assert_as_pydicom_says(files_below(PYDICOM_FILES))


def test_shared_sets_hold_what_pydicom_says(shared_data: Path) -> None:
    assert_as_pydicom_says(files_below(shared_data))


def test_pixel_data_lie_where_pydicom_finds_them() -> None:
    assert_pixels_where_pydicom_finds_them(files_below(PYDICOM_FILES))


def test_dicomdirs_and_plain_files_are_told_apart(shared_data: Path) -> None:
    paths = files_below(shared_data / "dicomdir_tree")
    _, misses = read(paths)
    named = {i for i, p in enumerate(paths) if os.path.basename(p).startswith(b"DICOMDIR")}
    assert {i for i, miss in misses.items() if miss == ("other", "dicomdir")} == named


def test_raw_headers_are_the_bytes_before_the_pixel_data() -> None:
    paths = files_below(PYDICOM_FILES)
    for force_slow in (False, True):
        for batch in iter_headers(paths, force_slow=force_slow):
            assert batch.raw is not None
            assert batch.raw.column("index") == batch.rows.column("index")
            raws = batch.raw.column("header").to_pylist()
            for row, raw in zip(batch.rows.to_pylist(), raws, strict=True):
                start = Path(os.fsdecode(paths[row["index"]])).read_bytes()[: row["header_bytes"]]
                assert raw == (start if row["header_bytes"] <= 1 << 20 else None)


def test_without_raw_headers_the_rows_are_the_same() -> None:
    paths = files_below(PYDICOM_FILES)
    assert read(paths, keep_raw=False) == read(paths)
    assert all(batch.raw is None for batch in iter_headers(paths, keep_raw=False))


def test_order_of_files_does_not_matter() -> None:
    paths = files_below(PYDICOM_FILES)
    rows, misses = read(paths)
    order = np.random.default_rng(20).permutation(len(paths))
    mixed_rows, mixed_misses = read([paths[k] for k in order])
    assert {int(order[k]): row for k, row in mixed_rows.items()} == rows
    assert {int(order[k]): miss for k, miss in mixed_misses.items()} == misses


@pytest.mark.parametrize("size", [1, 7])
def test_size_of_batches_does_not_matter(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = files_below(PYDICOM_FILES / "test_files")
    whole = read(paths)
    monkeypatch.setattr(batches, "MOST_ROWS_WITH_RAW", size)
    assert read(paths) == whole


def test_size_and_time_are_those_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.dcm"
    path.write_bytes(hb.file())
    os.utime(path, ns=(1_600_000_000_123_456_789, -86_400_000_000_001))
    row = read_header(path)
    assert row["size"] == path.stat().st_size
    assert row["mtime_ns"] == path.stat().st_mtime_ns == -86_400_000_000_001


def test_every_attribute_is_a_column_of_its_type() -> None:
    batch = next(iter_headers(files_below(PYDICOM_FILES / "test_files")[:50]))
    for column in ATTRIBUTES:
        found = batch.rows.schema.field(column.name).type
        assert (found.value_type if hasattr(found, "index_type") else found) == column.arrow()


def test_progress_is_the_file_being_read(tmp_path: Path) -> None:
    path = tmp_path / "a.dcm"
    path.write_bytes(hb.file())
    progress = np.full(2, -1, np.int64)
    list(iter_headers([os.fsencode(path)] * 5, progress=progress))
    assert progress.tolist() == [4, -1]


@pytest.mark.parametrize("name", [b"new\nline.dcm", b"caf\xe9.dcm", "名前.dcm".encode(), b"%41 'q'.dcm"])
def test_names_of_files_are_bytes(name: bytes, tmp_path: Path) -> None:
    path = os.path.join(os.fsencode(tmp_path), name)
    with open(path, "wb") as out:
        out.write(hb.file())
    rows, _ = read([path])
    assert rows[0]["SOPInstanceUID"] == hb.UID


def test_what_is_no_file_is_told_apart_and_does_not_hang(tmp_path: Path) -> None:
    import socket

    fifo, folder, empty, gone = (tmp_path / n for n in ("pipe", "folder.dcm", "empty.dcm", "gone.dcm"))
    os.mkfifo(fifo)
    folder.mkdir()
    empty.touch()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        paths = [*(os.fsencode(p) for p in (fifo, tmp_path / "socket", folder, empty, gone)), b"/dev/null"]
        _, misses = read(paths)
    assert misses == {
        0: ("other", "special"),
        1: ("other", "special"),
        2: ("IsADirectoryError",),
        3: ("EmptyFile",),
        4: ("FileVanishedError",),
        5: ("other", "special"),
    }


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_a_failure(tmp_path: Path) -> None:
    path = tmp_path / "a.dcm"
    path.write_bytes(hb.file())
    path.chmod(stat.S_IWUSR)
    assert read([os.fsencode(path)])[1] == {0: ("PermissionError",)}
    with pytest.raises(UnreadableFileError):
        read_header(path)


def test_a_single_header_is_read_from_the_room_itself(tmp_path: Path) -> None:
    path = tmp_path / "image.dcm"
    path.write_bytes(hb.file())
    assert catalog.read_header(path) == read_header(path)
    assert catalog.read_header(path)["SOPInstanceUID"] == pydicom.dcmread(path).SOPInstanceUID


def test_single_headers_raise_what_is_wrong(tmp_path: Path) -> None:
    for name, content, error in (
        ("text", b"hello, no image here\n" * 20, NotDicomError),
        ("cut", hb.file()[:420], HeaderError),
        ("empty", b"", HeaderError),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(error, match=name):
            read_header(tmp_path / name)
    with pytest.raises(MissingError, match="gone"):
        read_header(tmp_path / "gone")


def test_collected_values_keep_every_item_in_order(tmp_path: Path) -> None:
    frames = [
        hb.item(
            hb.sequence(
                0x00209113, hb.item(hb.element(0x00200032, "DS", f"{k}\\-{k}.5\\0")), undefined=k % 2 == 0
            ),
            length=hb.UNDEFINED if k % 3 == 0 else None,
        )
        for k in range(3000)
    ]
    references = [hb.item(hb.element(0x0020000E, "UI", f"1.2.{k}")) for k in (3, 1, 3, 2, 1)]
    path = tmp_path / "many.dcm"
    path.write_bytes(
        hb.meta()
        + hb.head()
        + hb.sequence(0x00081115, *references)
        + hb.tail()
        + hb.sequence(0x52009230, *frames, undefined=True)
        + hb.PIXELS
    )
    assert_same_both_ways([os.fsencode(path)])
    row = read_header(path)
    assert row["referenced_series"] == ["1.2.3", "1.2.1", "1.2.2"]
    assert row["frame_positions"] == [x for k in range(3000) for x in (k, -k - 0.5, 0)]
    assert row["ImagePositionPatient"] == [0, -0.5, 0]


def test_headers_beyond_the_limit_are_read_but_not_kept(tmp_path: Path) -> None:
    """A private element of megabytes is skipped, whatever comes after it is found."""
    blob = hb.element(0x00091010, "OB", bytes(3 << 20))
    path = tmp_path / "large.dcm"
    path.write_bytes(hb.file(blob + hb.element(0x00091011, "OB", bytes(20_000))))
    assert_same_both_ways([os.fsencode(path)])
    batch = next(iter_headers([os.fsencode(path)]))
    assert batch.raw is not None
    assert batch.raw.column("header").to_pylist() == [None]
    row = batch.rows.to_pylist()[0]
    assert {name: row[name] for name in hb.TAIL} == hb.TAIL
    assert row["header_bytes"] == path.stat().st_size - len(hb.PIXELS)
    assert row["reader"] == "kernel"


def test_wanted_values_across_windows_are_whole(tmp_path: Path) -> None:
    """Values that start in one read and end in another, at every place around the end of the first."""
    comment = "x" * 9000
    paths = []
    for k in range(40):
        filler = hb.element(0x00091010, "OB", bytes(8192 - 560 + 2 * k))
        path = tmp_path / f"{k}.dcm"
        path.write_bytes(hb.file(filler, end=hb.element(0x00204000, "LT", comment)[:None]))
        paths.append(os.fsencode(path))
    for keep_raw in (False, True):
        rows, _ = read(paths, keep_raw=keep_raw)
        for row in rows.values():
            assert row["ImageComments"] == comment
            assert {name: row[name] for name in hb.TAIL} == hb.TAIL


def test_character_set_of_an_item_is_its_own(tmp_path: Path) -> None:
    inside = hb.element(0x00080005, "CS", "ISO_IR 192") + hb.element(0x00080104, "LO", "Müller".encode())
    path = tmp_path / "a.dcm"
    path.write_bytes(
        hb.meta() + hb.head() + hb.sequence(0x00081032, hb.item(inside))
        + hb.element(0x00081050, "PN", "Müller".encode("latin-1")) + hb.tail() + hb.PIXELS
    )  # fmt: skip
    assert_same_both_ways([os.fsencode(path)])
    row = read_header(path)
    assert row["ProcedureCodeMeaning"] == "Müller"
    assert row["PerformingPhysicianName"] == "Müller"
    assert row["text_repaired"] is False


def test_a_first_place_without_a_value_leaves_it_to_the_next(tmp_path: Path) -> None:
    measures = hb.item(hb.sequence(0x00289110, hb.item(hb.element(0x00180050, "DS", "2.5"))))
    path = tmp_path / "a.dcm"
    path.write_bytes(
        hb.meta()
        + hb.head()
        + hb.element(0x00180050, "DS", "  ")
        + hb.sequence(0x52009229, measures)
        + hb.PIXELS
    )
    assert read_header(path)["SliceThickness"] == 2.5
