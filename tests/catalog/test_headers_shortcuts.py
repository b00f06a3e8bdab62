"""What makes reading fast must not show: folders opened once, texts that are looked up or not."""

from __future__ import annotations

import os
from pathlib import Path

import header_bytes as hb
import pyarrow as pa
import pytest

from catalog.headers import iter_headers

TIME = 0x00080032  # AcquisitionTime


def write(folder: Path, names: list[str], times: list[str]) -> list[bytes]:
    folder.mkdir(exist_ok=True)
    paths = [folder / name for name in names]
    for path, time in zip(paths, times, strict=True):
        path.write_bytes(hb.file(hb.element(TIME, "TM", time)))
    return [os.fsencode(p) for p in paths]


@pytest.mark.parametrize("order", ["by folder", "interleaved"])
def test_files_of_folders_that_lose_some_meanwhile(order: str, tmp_path: Path) -> None:
    """Many files of a folder make the reader open it; what is gone or turned is told the same."""
    names = [f"{i:03d}.dcm" for i in range(40)]
    folders = [write(tmp_path / f"f{k}", names, [f"{k:02d}{i:02d}00" for i in range(40)]) for k in range(3)]
    paths = (
        [p for f in folders for p in f]
        if order == "by folder"
        else [p for t in zip(*folders, strict=True) for p in t]
    )
    gone, turned = paths[50], paths[70]
    os.unlink(gone)
    os.unlink(turned)
    os.mkdir(turned)
    whole = tmp_path / "f2"
    missing = {p for p in paths if p.startswith(os.fsencode(whole))}
    whole.rename(tmp_path / "elsewhere")
    (tmp_path / "f2").write_bytes(b"a file where a folder was")
    found, failed = {}, {}
    for batch in iter_headers(paths, keep_raw=False):
        found |= {paths[r["index"]]: r["AcquisitionTime"] for r in batch.rows.to_pylist()}
        failed |= {paths[r["index"]]: r["error"] for r in batch.failures.to_pylist()}
        assert batch.others.num_rows == 0
    assert set(failed) == missing | {gone, turned}
    expected = {
        p: f"{int(p.split(b'/f')[-1][:1]):02d}{int(p[-7:-4]):02d}00" for p in paths if p not in failed
    }
    assert found == expected
    assert failed[gone] == "FileVanishedError" or gone in missing
    assert failed[turned] == "IsADirectoryError" or turned in missing
    assert {failed[p] for p in missing} == {"NotADirectoryError"}


def test_texts_that_differ_in_nearly_every_row_and_come_again(tmp_path: Path) -> None:
    """Such a column is no longer looked up; its dictionary is unique all the same."""
    times = [f"{i // 3600:02d}{i // 60 % 60:02d}{i % 60:02d}" for i in range(700)]
    given = [*times, *reversed(times), *["120000"] * 100]
    paths = write(tmp_path / "f", [f"{i:05d}.dcm" for i in range(len(given))], given)
    (batch,) = iter_headers(paths, keep_raw=False)
    column = batch.rows.column("AcquisitionTime").combine_chunks()
    assert column.to_pylist() == given
    if pa.types.is_dictionary(column.type):
        values = column.dictionary.to_pylist()
        assert len(values) == len(set(values))
