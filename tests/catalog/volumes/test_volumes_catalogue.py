"""Rows of a catalogue make the volumes that the files themselves make, and the same refusals."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
from awkward_series import CASES, write
from pydicom.uid import generate_uid

from catalog.scan import ScanOptions, scan
from catalog.store import open_store
from catalog.volumes import Volume, VolumeError, load_volume, volume_from_rows


def outcome(make: Callable[[], Volume]) -> Volume | str:
    try:
        return make()
    except VolumeError as refusal:
        return refusal.reason


def test_rows_of_a_catalogue_do(tmp_path: Path) -> None:
    archive, folders = tmp_path / "archive", {}
    for number, (make, reason) in enumerate(CASES.values()):
        images, series = make(), generate_uid(entropy_srcs=["volumes", str(number)])
        for ds in images:
            ds.SeriesInstanceUID = series
        folders[series] = archive / str(number), reason
        write(images, archive / str(number))
    scan(ScanOptions((archive,), tmp_path / "catalogue", "a", executor="serial"))
    tables = open_store(tmp_path / "catalogue").snapshot().tables
    table = {
        name: pl.concat([pl.read_parquet(file) for file in tables[name].files])
        for name in ("instances", "files", "series")
    }
    paths = dict(table["files"].select("file_id", "path").iter_rows())
    judged = dict(table["series"].select("SeriesInstanceUID", "geometry_reason").iter_rows())
    for series, (folder, reason) in folders.items():
        rows = table["instances"].filter(pl.col("SeriesInstanceUID") == series).to_arrow()
        named = [str(archive / paths[file]) for file in rows.column("file_id").to_pylist()]
        by_rows = outcome(lambda rows=rows, named=named: volume_from_rows(rows, named))
        by_files = outcome(lambda folder=folder: load_volume(folder))
        if reason is None:
            assert isinstance(by_rows, Volume)
            assert isinstance(by_files, Volume)
            assert np.array_equal(by_rows.array, by_files.array)
            assert np.array_equal(by_rows.affine, by_files.affine)
        else:
            assert by_rows == by_files == reason
        assert judged[series] == reason  # the catalogue said so before any pixel was read
