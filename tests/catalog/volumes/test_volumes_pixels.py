"""Stored bits become values: against pydicom, SimpleITK, highdicom and known statistics of real images."""

from __future__ import annotations

import csv
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pydicom
import pytest
from awkward_series import image, multi_frame, plane, positions, regular, write
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from catalog.headers import iter_headers
from catalog.volumes import VolumeError, load_volume, volume_from_rows


@pytest.mark.parametrize("signed", [0, 1])
@pytest.mark.parametrize(("allocated", "stored", "low"), [
    (8, 8, 0), (8, 5, 0), (8, 5, 2), (16, 16, 0), (16, 12, 0), (16, 12, 4), (16, 10, 3),
    (32, 32, 0), (32, 20, 4),
])  # fmt: skip
def test_bits_in_use_and_sign(tmp_path: Path, allocated: int, stored: int, low: int, signed: int) -> None:
    """Law: writing numbers among random other bits and reading them again changes nothing (PS3.5 8.1.1)."""
    rng = np.random.default_rng(allocated * 100 + stored + low)
    least, most = (-(1 << stored - 1), (1 << stored - 1) - 1) if signed else (0, (1 << stored) - 1)
    images, numbers = [], []
    for p in positions(3):
        number = rng.integers(least, most + 1, (48, 64))
        number.flat[:2] = least, most
        noise = rng.integers(0, 1 << 62, number.shape) & ((1 << allocated) - 1)
        mask = ((1 << stored) - 1) << low
        raw = ((number << low) & mask) | (noise & ~mask)
        ds = image(p, "1.2.5.1", BitsStored=stored, HighBit=stored + low - 1, BitsAllocated=allocated)
        ds.PixelRepresentation, ds.RescaleSlope, ds.RescaleIntercept = signed, 0.3, 7
        ds.PixelData = raw.astype(f"<u{allocated // 8}").tobytes()
        images.append(ds)
        numbers.append(number)
    volume = load_volume(write(images, tmp_path))
    assert np.array_equal(volume.array, (np.stack(numbers) * 0.3 + 7).astype(np.float32))


@pytest.mark.parametrize("syntax", [
    ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian,
])  # fmt: skip
def test_native_transfer_syntaxes_agree(tmp_path: Path, syntax: str) -> None:
    expected = load_volume(write(regular(), tmp_path / "explicit"))
    images = regular()
    if syntax == ExplicitVRBigEndian:
        for ds in images:
            ds.PixelData = np.frombuffer(ds.PixelData, "<u2").astype(">u2").tobytes()
            ds["PixelData"].VR = "OW"
    volume = load_volume(write(images, tmp_path / "other", syntax))
    assert np.array_equal(volume.array, expected.array)


def _encoded(images: list, syntax: str) -> list:
    import imagecodecs

    encoders = {
        RLELossless: None,
        JPEG2000Lossless: lambda a: imagecodecs.jpeg2k_encode(a, level=0, codecformat="j2k"),
        HTJ2KLossless: imagecodecs.htj2k_encode,
        JPEGLSLossless: imagecodecs.jpegls_encode,
    }
    for ds in images:
        if syntax == RLELossless:
            ds.compress(RLELossless, encoding_plugin="pydicom", generate_instance_uid=False)
            continue
        array = np.frombuffer(ds.PixelData, "<u2").reshape(-1, ds.Rows, ds.Columns)
        ds.PixelData = pydicom.encaps.encapsulate([encoders[syntax](frame) for frame in array])
        ds["PixelData"].VR = "OB"
    return images


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless, HTJ2KLossless, JPEGLSLossless])
@pytest.mark.parametrize("make", [regular, multi_frame])
def test_lossless_compression_changes_nothing(tmp_path: Path, syntax: str, make) -> None:
    pytest.importorskip("imagecodecs")
    images = make()
    for ds in images:
        ds.file_meta = pydicom.dataset.FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    expected = load_volume(write(make(), tmp_path / "native"))
    volume = load_volume(write(_encoded(images, syntax), tmp_path / "encoded", syntax))
    assert np.array_equal(volume.array, expected.array)


@pytest.mark.parametrize("syntax", [JPEGLSLossless, JPEG2000Lossless])
def test_sign_follows_the_header_where_the_code_stream_has_none(tmp_path: Path, syntax: str) -> None:
    """A code stream of unsigned 12-bit numbers in an object that says signed: two's complement of 12 bits."""
    pytest.importorskip("imagecodecs")
    numbers = np.random.default_rng(4).integers(-2048, 2048, (3, 48, 64))
    images = []
    for p, number in zip(positions(3), numbers, strict=True):
        ds = image(p, "1.2.5.2", BitsStored=12, HighBit=11)
        ds.PixelRepresentation, ds.RescaleSlope, ds.RescaleIntercept = 1, 1, 0
        ds.PixelData = (number & 0xFFF).astype("<u2").tobytes()
        images.append(ds)
    volume = load_volume(write(_encoded(images, syntax), tmp_path, syntax))
    assert np.array_equal(volume.array, numbers.astype(np.float32))


def test_missing_decoder_is_refused_with_the_extra_that_brings_it(tmp_path: Path, monkeypatch) -> None:
    pytest.importorskip("imagecodecs")
    paths = write(_encoded(regular(), JPEGLSLossless), tmp_path, JPEGLSLossless)
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    decoder = type(pydicom.pixels.decoders.base.get_decoder(JPEGLSLossless))
    monkeypatch.setattr(decoder, "is_available", property(lambda self: False))
    with pytest.raises(VolumeError, match=r"cohortium\[pixels\]") as caught:
        load_volume(paths)
    assert caught.value.reason == "decoder_missing"


def test_pydicom_decodes_where_imagecodecs_is_missing(tmp_path: Path, monkeypatch) -> None:
    images = regular()
    for ds in images:
        ds.file_meta = pydicom.dataset.FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    expected = load_volume(write(regular(), tmp_path / "native"))
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    volume = load_volume(write(_encoded_rle(images), tmp_path / "rle", RLELossless))
    assert np.array_equal(volume.array, expected.array)


def _encoded_rle(images: list) -> list:
    for ds in images:
        ds.compress(RLELossless, encoding_plugin="pydicom", generate_instance_uid=False)
    return images


def test_damaged_code_stream_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("imagecodecs")
    images = _encoded(regular(), JPEGLSLossless)
    images[3].PixelData = pydicom.encaps.encapsulate([b"\xff\xd8" + bytes(100)])
    images[3]["PixelData"].VR = "OB"
    with pytest.raises(VolumeError) as caught:
        load_volume(write(images, tmp_path, JPEGLSLossless))
    assert caught.value.reason == "pixels_unreadable"


def test_rows_in_any_order_and_paths_of_text(tmp_path: Path) -> None:
    paths = write(regular(), tmp_path)
    (batch,) = iter_headers([bytes(p) for p in paths], keep_raw=False)
    rows = batch.rows.take(list(range(len(paths)))[::-1])
    named = [str(paths[i]) for i in rows.column("index").to_pylist()]
    assert np.array_equal(volume_from_rows(rows, named).array, load_volume(paths).array)
    with pytest.raises(ValueError, match="one path per row"):
        volume_from_rows(rows, named[1:])


def test_file_cut_after_its_header_was_read_is_refused(tmp_path: Path) -> None:
    paths = write(regular(), tmp_path)
    (batch,) = iter_headers([bytes(p) for p in paths], keep_raw=False)
    named = [str(paths[i]) for i in batch.rows.column("index").to_pylist()]
    Path(named[2]).write_bytes(Path(named[2]).read_bytes()[:-100])
    with pytest.raises(VolumeError) as caught:
        volume_from_rows(batch.rows, named)
    assert caught.value.reason == "pixels_unreadable"


def test_simpleitk_and_highdicom_agree_on_a_turned_series(tmp_path: Path) -> None:
    sitk = pytest.importorskip("SimpleITK")
    highdicom = pytest.importorskip("highdicom")
    turn = np.array([[0.0, 0.6, 0.8], [1.0, 0.0, 0.0], [0.0, 0.8, -0.6]]).T  # columns: row, column, normal
    images = []
    for k in range(12):
        ds = image(turn[:, 2] * 2.5 * k + [5, 6, 7], "1.2.5.3", RescaleSlope=1, RescaleIntercept=-1000)
        ds.ImageOrientationPatient = [*turn[:, 0], *turn[:, 1]]
        ds.PixelData = (plane([0, 0, 0]) + 1000 + 17 * k).astype("<u2").tobytes()
        images.append(ds)
    paths = write(images, tmp_path)
    volume = load_volume(paths)
    theirs = highdicom.get_volume_from_series([pydicom.dcmread(p) for p in paths], dtype=np.float64)
    there = theirs.affine @ np.array([0, 0, 0, 1.0])
    at = np.rint(np.linalg.inv(volume.affine) @ there).astype(int)[:3]  # it may count slices downwards
    array = theirs.array if at[0] == 0 else theirs.array[::-1]
    assert np.array_equal(volume.array, array.astype(np.float32))
    by_place = sorted(paths, key=lambda p: float(turn[:, 2] @ pydicom.dcmread(p).ImagePositionPatient))
    stack = sitk.ReadImage([str(p) for p in by_place])
    assert np.array_equal(volume.array, sitk.GetArrayFromImage(stack).astype(np.float32))
    for index in ((0, 0, 0), (11, 47, 63), (3, 1, 9)):
        expected = stack.TransformIndexToPhysicalPoint([int(i) for i in index[::-1]])
        assert np.allclose(volume.affine @ [*index, 1.0], [*expected, 1.0], atol=1e-6)


def test_real_series_have_their_pixels(shared_data: Path) -> None:
    """Mean, least and greatest stored number of each file, known from another decoder."""
    series = defaultdict(list)
    with (shared_data / "truth.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if (
                row["kind"] == "file"
                and row["pydicom"] == "ok"
                and row["Modality"] in {"CT", "MR", "PT"}
                and row["set"] != "hard_files"
            ):
                series[row["set"], row["SeriesInstanceUID"]].append(row)
    checked = 0
    for rows in series.values():
        if any(row["pixels"] != "ok" for row in rows):
            continue
        paths = [shared_data / row["file"] for row in rows]
        try:
            volume = load_volume(paths, suv=False, correct_tilt=False)
        except VolumeError:
            continue
        truth = {row["SOPInstanceUID"]: row for row in rows}
        if len(truth) < len(volume.array):
            continue  # frames of one object: their statistics are those of all
        for uid, values in zip(volume.sop_instance_uids, volume.array, strict=True):
            row = truth[uid]
            ds = pydicom.dcmread(shared_data / row["file"], stop_before_pixels=True)
            slope, intercept = float(ds.get("RescaleSlope", 1)), float(ds.get("RescaleIntercept", 0))
            least, most = float(row["px_min"]) * slope + intercept, float(row["px_max"]) * slope + intercept
            mean = float(row["px_mean"]) * slope + intercept
            size = max(abs(least), abs(most), 1)
            assert abs(values.min() - least) <= 1e-6 * size
            assert abs(values.max() - most) <= 1e-6 * size
            assert abs(values.mean(dtype=np.float64) - mean) <= 1e-6 * size + 1e-6 * abs(slope)
            checked += 1
    assert checked > 500


def test_every_transfer_syntax_of_one_real_image(shared_data: Path) -> None:
    pytest.importorskip("imagecodecs")
    with (shared_data / "truth.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["set"] == "transfer_syntaxes"]
    checked = 0
    for row in rows:
        if row["Modality"] != "CT" or row["pixels"] != "ok" or row["NumberOfFrames"] not in {"", "1"}:
            continue
        values = load_volume([shared_data / row["file"]]).array
        ds = pydicom.dcmread(shared_data / row["file"], stop_before_pixels=True)
        slope, intercept = float(ds.RescaleSlope), float(ds.RescaleIntercept)
        # Decoders of lossy code streams differ by a step.
        step = (
            1.01 * slope if ds.file_meta.TransferSyntaxUID[-2:] in {"50", "51", "53", "55", "81", "91"} else 0
        )
        assert abs(values.min() - (float(row["px_min"]) * slope + intercept)) <= step
        assert abs(values.max() - (float(row["px_max"]) * slope + intercept)) <= step
        assert abs(values.mean(dtype=np.float64) - (float(row["px_mean"]) * slope + intercept)) < 0.05 * slope
        checked += 1
    assert checked >= 14


def test_real_tilt(shared_data: Path) -> None:
    volume = load_volume(shared_data / "ct_philips_tilt", correct_tilt=True)
    assert volume.notes == ("tilt_corrected(16.5 deg)",)
    assert volume.array.shape[0] == 22
