"""The benchmarks' corpus holds what it says: lawful files of many kinds, each with its own identity."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import warnings
from pathlib import Path

import pydicom
import pytest

CORPUS = Path(__file__).resolve().parents[2] / "benchmarks" / "corpus.py"
FILES = 1000


def write(folder: Path) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, CORPUS, folder, "--files", str(FILES)], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file())


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    report = write(folder)
    assert report["files"] == len(files(folder)) == FILES
    assert report["bytes"] == sum(p.stat().st_size for p in files(folder))
    return folder


@pytest.fixture(scope="module")
def headers(corpus: Path) -> list[pydicom.FileDataset]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom does not know the escapes of ISO 2022 IR 58
        return [pydicom.dcmread(p, stop_before_pixels=True) for p in files(corpus)]


def test_every_file_has_its_own_identity(headers: list[pydicom.FileDataset]) -> None:
    assert len({ds.SOPInstanceUID for ds in headers}) == FILES
    assert all(ds.file_meta.MediaStorageSOPInstanceUID == ds.SOPInstanceUID for ds in headers)
    assert len({(ds.SeriesInstanceUID, ds.InstanceNumber) for ds in headers}) == FILES


def test_kinds_syntaxes_and_charsets_are_many(headers: list[pydicom.FileDataset]) -> None:
    assert len({ds.SOPClassUID for ds in headers}) == 9
    assert len({ds.file_meta.TransferSyntaxUID for ds in headers}) == 11
    assert len({str(ds.get("SpecificCharacterSet", "")) for ds in headers}) >= 7


def test_headers_are_as_long_as_scanners_write_them(headers: list[pydicom.FileDataset]) -> None:
    lengths = [len(ds) for ds in headers if ds.Modality == "CT" and "NumberOfFrames" not in ds]
    assert min(lengths) >= 160
    assert sum(lengths) / len(lengths) > 200


def test_slices_of_a_series_are_apart(headers: list[pydicom.FileDataset]) -> None:
    by_series: dict[str, list[float]] = {}
    for ds in headers:
        if ds.Modality in ("CT", "MR", "PT") and "NumberOfFrames" not in ds:
            assert ds.SliceLocation == ds.ImagePositionPatient[2]
            by_series.setdefault(ds.SeriesInstanceUID, []).append(float(ds.SliceLocation))
    assert all(len(set(heights)) == len(heights) for heights in by_series.values())


def test_the_same_number_gives_the_same_bytes(corpus: Path, tmp_path: Path) -> None:
    write(tmp_path)
    digests = [
        {p.relative_to(folder): hashlib.sha256(p.read_bytes()).digest() for p in files(folder)}
        for folder in (corpus, tmp_path)
    ]
    assert digests[0] == digests[1]
