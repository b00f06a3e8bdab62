"""Exports: every format the same rows, whole or not there, and recognised when asked for again."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pyarrow.parquet as pq
import pytest
from polars.testing import assert_frame_equal

from cohorts import Definition, Rule, Select
from cohorts.export import EXPORTERS, Exporter, folder
from hpc.errors import ConflictError, UsageError

if TYPE_CHECKING:
    from small_catalog import SmallCatalog

    from cohorts import Catalog, Cohort

RULES = (Rule("CT", "include", "Modality = 'CT'"), Rule("regular", "include", "geometry_regular"))


@pytest.fixture
def cohort(opened: Catalog) -> Cohort:
    return opened.cohort(Definition("regular CT", "series", RULES))


def read_csv(path: Path, like: pl.DataFrame) -> pl.DataFrame:
    """Rows of an exported CSV file, by Python's own reader, with the types of another frame."""
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    columns = {n: [r[i] or None for r in rows] for i, n in enumerate(header)}
    frame = pl.DataFrame(columns, schema=dict.fromkeys(header, pl.String))
    casts = []
    for name, kind in like.schema.items():
        cell = pl.col(name)
        if isinstance(kind, pl.List):
            cell = cell.str.split("\\").cast(kind)
        elif kind == pl.Boolean:
            cell = cell.replace_strict({"true": True, "false": False}, default=None, return_dtype=pl.Boolean)
        casts.append(cell.str.to_date() if kind == pl.Date else cell.cast(kind))
    return frame.select(casts)


READERS = {
    "parquet": lambda path, _: pl.read_parquet(path),
    "csv": read_csv,
}


@pytest.mark.parametrize("form", EXPORTERS)
@pytest.mark.parametrize("level", ["instance", "series", "study", "patient"])
def test_an_export_holds_the_rows_of_the_cohort(
    opened: Catalog, tmp_path: Path, form: str, level: str
) -> None:
    rule = Rule("site", "exclude", "site = 'south'")
    cohort = opened.cohort(Definition("x", level, (rule,)))
    done = cohort.export(tmp_path / "new" / "export", form)
    frame = cohort.frame()
    [path] = done.folder.glob(f"{cohort.level.view}.*")
    assert frame.height > 0
    assert_frame_equal(READERS[form](path, frame), frame)


@pytest.mark.parametrize("form", EXPORTERS)
def test_the_manifest_tells_all(cohort: Cohort, opened: Catalog, tmp_path: Path, form: str) -> None:
    done = cohort.export(tmp_path / "export", form)
    manifest = json.loads((done.folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest == done.manifest
    assert (manifest["key"], manifest["as"], manifest["snapshot"]) == (cohort.key, form, 1)
    assert manifest["catalog"] == opened.catalog_id
    assert manifest["counts"] == cohort.counts
    assert_frame_equal(pl.DataFrame(manifest["attrition"]), cohort.attrition)
    assert Definition.from_toml(manifest["definition"]) == cohort.definition
    assert Definition.read(done.folder / "definition.toml") == cohort.definition
    listed = {f["path"]: (f["size_bytes"], f["sha256"]) for f in manifest["files"]}
    there = {p.name: p.read_bytes() for p in done.folder.iterdir() if p.name != "manifest.json"}
    assert listed == {n: (len(b), hashlib.sha256(b).hexdigest()) for n, b in there.items()}


def test_the_dictionary_describes_every_column(cohort: Cohort, tmp_path: Path) -> None:
    done = cohort.export(tmp_path / "export")
    dictionary = pl.read_csv(done.folder / "dictionary.csv")
    assert dictionary["column"].to_list() == cohort.frame().columns
    assert dictionary["text"].null_count() == 0
    row = dictionary.row(by_predicate=pl.col("column") == "SliceThickness", named=True)
    assert (row["unit"], row["tag"], row["kind"]) == ("mm", "(0018,0050)", "real")
    field = pq.read_schema(done.folder / "series.parquet").field("SliceThickness")
    assert field.metadata == {b"text": row["text"].encode(), b"unit": b"mm", b"tag": b"(0018,0050)"}


def test_no_identifier_leaves(opened: Catalog, tmp_path: Path) -> None:
    for level in ("instance", "series", "study", "patient"):
        done = opened.cohort(Definition("x", level)).export(tmp_path / level, "csv")
        text = b"".join(p.read_bytes() for p in done.folder.iterdir())
        assert b"Doe^Jane" not in text
        assert b"PatientName" not in text


def test_the_same_export_again_is_left_as_it_is(cohort: Cohort, tmp_path: Path) -> None:
    first = cohort.export(tmp_path / "export")
    before = {p.name: p.stat().st_mtime_ns for p in first.folder.iterdir()}
    again = cohort.export(tmp_path / "export")
    assert (first.was_there, again.was_there) == (False, True)
    assert again.manifest == first.manifest
    assert {p.name: p.stat().st_mtime_ns for p in again.folder.iterdir()} == before


def test_anything_else_in_its_place_is_refused(opened: Catalog, cohort: Cohort, tmp_path: Path) -> None:
    target = cohort.export(tmp_path / "export").folder
    other = opened.cohort(Definition("other", "series", RULES[:1]))
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for rows, place, form in (
        (other, target, "parquet"),
        (cohort, target, "csv"),
        (cohort, tmp_path / "file", "parquet"),
        (cohort, tmp_path / "empty", "parquet"),
        (cohort, tmp_path / "link", "parquet"),
    ):
        with pytest.raises(UsageError, match="exists and does not hold this export"):
            rows.export(place, form)
    (target / "series.parquet").write_bytes(b"changed")
    with pytest.raises(UsageError, match="exists and does not hold this export"):
        cohort.export(target)


def test_an_unknown_format_is_answered_with_the_known_ones(cohort: Cohort, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"'parket' \(did you mean parquet\?\); there are parquet, csv"):
        cohort.export(tmp_path / "export", "parket")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [OSError(28, "no space"), KeyboardInterrupt()])
def test_a_failed_export_leaves_nothing(
    cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def write(rows: Cohort, place: Path) -> int:
        (place / "series.parquet").write_bytes(b"half")
        raise error

    monkeypatch.setitem(EXPORTERS, "parquet", Exporter("parquet", "", write))
    with pytest.raises(type(error)):
        cohort.export(tmp_path / "export")
    assert list(tmp_path.iterdir()) == []


def test_lost_rows_are_noticed(cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EXPORTERS, "parquet", Exporter("parquet", "", lambda rows, place: 1))
    with pytest.raises(folder.InconsistentExportError, match="1 rows were written"):
        cohort.export(tmp_path / "export")
    assert list(tmp_path.iterdir()) == []


def test_two_exports_to_one_place_do_not_mix(
    cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = EXPORTERS["parquet"]

    def write(rows: Cohort, place: Path) -> int:
        monkeypatch.setitem(EXPORTERS, "parquet", real)
        rows.export(tmp_path / "export")  # another run is faster
        return real.write(rows, place)

    monkeypatch.setitem(EXPORTERS, "parquet", Exporter("parquet", "", write))
    with pytest.raises(ConflictError, match="another run made"):
        cohort.export(tmp_path / "export")
    assert [p.name for p in tmp_path.iterdir()] == ["export"]
    assert cohort.export(tmp_path / "export").was_there


KILLED = """
import os, signal, sys
import cohorts
from cohorts.export import EXPORTERS, Exporter
def write(rows, place):
    (place / "series.parquet").write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
EXPORTERS["parquet"] = Exporter("parquet", "", write)
rule = cohorts.Rule("CT", "include", "Modality = 'CT'")
cohorts.open_catalog(sys.argv[1]).cohort(cohorts.Definition("x", "series", (rule,))).export(sys.argv[2])
"""


@pytest.mark.kill
def test_a_killed_export_is_never_taken_for_whole(
    small: SmallCatalog, opened: Catalog, tmp_path: Path
) -> None:
    target = tmp_path / "export"
    done = subprocess.run([sys.executable, "-c", KILLED, small.root, target], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert not target.exists()
    assert [p.suffix for p in tmp_path.iterdir()] == [".partial"]
    living = tmp_path / folder._draft_name(target, os.getpid())
    living.mkdir()
    cohort = opened.cohort(Definition("x", "series", RULES[:1]))
    assert not cohort.export(target).was_there
    assert {p.name for p in tmp_path.iterdir()} == {"export", living.name}


def test_a_set_of_cohorts_is_exported_with_its_parts(opened: Catalog, tmp_path: Path) -> None:
    ct, regular = (opened.cohort(Definition(r.name, "series", (r,), None)) for r in RULES)
    rows = ct - regular
    done = rows.export(tmp_path / "export")
    assert done.manifest["operator"] == "minus"
    assert [p["key"] for p in done.manifest["parts"]] == [ct.key, regular.key]
    assert_frame_equal(pl.read_parquet(done.folder / "series.parquet"), rows.frame())


def test_the_selection_holds_in_the_export(opened: Catalog, tmp_path: Path) -> None:
    cohort = opened.cohort(Definition("x", "series", RULES, Select("patient", "StudyDate")))
    done = cohort.export(tmp_path / "export")
    patients = pl.read_parquet(done.folder / "series.parquet").select("site", "PatientKey")
    assert patients.is_duplicated().sum() == 0
    assert patients.height == cohort.counts["patients"]
