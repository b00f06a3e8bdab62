"""Deflated and big-endian headers: the same data set gives the same row, however it is encoded."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import DeflatedExplicitVRLittleEndian as Deflated
from pydicom.uid import ExplicitVRBigEndian as Big
from pydicom.uid import ExplicitVRLittleEndian as Little

from catalog.headers import iter_headers
from catalog.headers.framing import read_meta

SYNTAXES = {"little": Little, "big": Big, "deflated": Deflated}
# What tells of the file, and not of the data set.
OF_THE_FILE = ("size", "mtime_ns", "header_bytes", "reader", "TransferSyntaxUID", "pixel_offset")
UID = "1.2.826.0.1.3680043.8.498."


def data_set(*, pixels: int = 512, undefined: bool = False) -> Dataset:
    """Texts, numbers of every width, sequences within sequences, an icon with pixel data of its own."""
    ds = Dataset()
    ds.SpecificCharacterSet = "GB18030"
    ds.SOPClassUID, ds.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.128", UID + "1"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = UID + "2", UID + "3"
    ds.StudyDate, ds.Modality, ds.PatientName, ds.PatientID = "20240229", "PT", "Wang^XiaoDong=王^小东", "P1"
    ds.ImagePositionPatient, ds.ImageOrientationPatient = [-1.5, 2, 3e2], [1, 0, 0, 0, 1, 0]
    ds.Rows, ds.Columns, ds.SpiralPitchFactor = 16, 16, 0.6
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    nuclide, tracer, icon = Dataset(), Dataset(), Dataset()
    nuclide.CodeMeaning, tracer.RadionuclideTotalDose = "F^18^", 3.7e8
    tracer.RadionuclideCodeSequence = Sequence([nuclide])
    ds.RadiopharmaceuticalInformationSequence = Sequence([tracer])
    icon.Rows, icon.PixelData = 4, bytes(16)
    icon["PixelData"].VR = "OB"
    ds.IconImageSequence = Sequence([icon])
    segments = [Dataset(), Dataset()]
    for number, segment in enumerate(segments):
        segment.SegmentNumber, segment.SegmentLabel = number, f"label {number}"
    ds.SegmentSequence = Sequence(segments)
    if undefined:
        for sequence in (ds["SegmentSequence"], ds["RadiopharmaceuticalInformationSequence"]):
            sequence.is_undefined_length = True
            for item in sequence.value:
                item.is_undefined_length_sequence_item = True
    ds.PixelData = bytes(range(256)) * (pixels // 256)
    ds["PixelData"].VR = "OW"
    return ds


def write(ds: Dataset, syntax: str, path: Path) -> Path:
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = SYNTAXES[syntax]
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = (
        ds.SOPClassUID,
        ds.SOPInstanceUID,
    )
    ds.preamble = bytes(128)
    pydicom.dcmwrite(path, ds, implicit_vr=False, little_endian=syntax != "big")
    return path


def row(path: Path, **options: Any) -> dict[str, Any]:
    (batch,) = iter_headers([os.fsencode(path)], **options)
    (only,) = batch.rows.to_pylist()
    return only


@pytest.mark.parametrize("undefined", [False, True])
@pytest.mark.parametrize("syntax", ["big", "deflated"])
def test_every_encoding_of_a_data_set_gives_the_same_row(
    syntax: str, undefined: bool, tmp_path: Path
) -> None:
    ds = data_set(undefined=undefined)
    plain = row(write(ds, "little", tmp_path / "little"))
    other = row(write(ds, syntax, tmp_path / syntax))
    assert other["reader"] == plain["reader"] == "kernel"
    assert other["TransferSyntaxUID"] == SYNTAXES[syntax]
    differ = {n for n, value in plain.items() if other[n] != value} - set(OF_THE_FILE)
    assert differ == (set() if syntax == "big" else {"pixel_length", "pixel_truncated"})
    assert plain["SpiralPitchFactor"] == 0.6
    assert plain["segment_labels"] == ["label 0", "label 1"]


@pytest.mark.parametrize("syntax", ["big", "deflated"])
def test_the_kernels_and_pydicom_give_the_same_row(syntax: str, tmp_path: Path) -> None:
    path = write(data_set(), syntax, tmp_path / "file")
    fast, slow = row(path), row(path, force_slow=True)
    assert (fast.pop("reader"), slow.pop("reader")) == ("kernel", "pydicom")
    assert fast == slow


def test_big_endian_pixels_lie_where_the_row_says(tmp_path: Path) -> None:
    path = write(data_set(), "big", tmp_path / "file")
    found = row(path)
    data = path.read_bytes()[found["pixel_offset"] : found["pixel_offset"] + found["pixel_length"]]
    assert data == pydicom.dcmread(path).PixelData
    assert not found["pixel_truncated"]
    path.write_bytes(path.read_bytes()[:-2])
    assert row(path)["pixel_truncated"]


@pytest.mark.parametrize("syntax", ["big", "deflated"])
def test_a_header_longer_than_the_window_is_read_all_the_same(syntax: str, tmp_path: Path) -> None:
    ds = data_set()
    ds.add_new(0x00091001, "UT", "x" * 200_000)
    ds.add_new(0x00090010, "LO", "MAKER")
    path = write(ds, syntax, tmp_path / "file")
    fast = row(path)
    assert (fast["SeriesInstanceUID"], fast["Columns"]) == (UID + "3", 16)


@pytest.mark.parametrize("keep", [True, False])
def test_raw_headers_are_the_bytes_of_the_file(keep: bool, tmp_path: Path) -> None:
    paths = [write(data_set(), s, tmp_path / s) for s in SYNTAXES]
    (batch,) = iter_headers([os.fsencode(p) for p in paths], keep_raw=keep)
    if not keep:
        assert batch.raw is None
        return
    raw = dict(zip(*batch.raw.to_pydict().values(), strict=True))
    for found in batch.rows.to_pylist():
        path = paths[found["index"]]
        assert raw[found["index"]] == path.read_bytes()[: found["header_bytes"]]


@pytest.mark.parametrize("syntax", ["big", "deflated"])
def test_a_cut_file_is_a_failure_or_a_row_and_never_a_crash(syntax: str, tmp_path: Path) -> None:
    """Cut between two elements it may be a whole, shorter one; no value is ever a piece or another."""
    path = write(data_set(), syntax, tmp_path / "file")
    whole, data = row(path), path.read_bytes()
    cut = tmp_path / "cut"
    for size in range(200, len(data), 7):
        cut.write_bytes(data[:size])
        (batch,) = iter_headers([os.fsencode(cut)])
        assert batch.rows.num_rows + batch.failures.num_rows + batch.others.num_rows == 1
        for found in batch.rows.to_pylist():
            assert all(found[n] in {None, whole[n]} for n in ("PatientName", "Rows", "SeriesInstanceUID"))


def test_what_says_it_is_deflated_and_is_not_is_read_as_it_is(tmp_path: Path) -> None:
    plain, deflated = (write(data_set(), s, tmp_path / s).read_bytes() for s in ("little", "deflated"))
    starts = [read_meta(data, 132)[1] for data in (plain, deflated)]
    path = tmp_path / "file"
    path.write_bytes(deflated[: starts[1]] + plain[starts[0] :])
    assert row(path)["SOPInstanceUID"] == UID + "1"
