"""Opening a catalogue: what is readable, what is locked, and how limits and damage are told."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from polars.testing import assert_frame_equal
from small_catalog import MODALITIES, make_rows, write_catalog

import cohorts
from catalog.store import DamagedCatalogError, open_store
from cohorts.engine import LimitError, UnreadableTableError
from hpc.errors import CohortiumError, MissingError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from small_catalog import SmallCatalog

    from cohorts import Catalog
    from cohorts.engine import Engine


def test_tables_hold_the_rows_that_were_written(small: SmallCatalog, opened: Catalog) -> None:
    for name, key in (("series", "SeriesInstanceUID"), ("instances", "SOPInstanceUID")):
        found = opened.sql(f"SELECT * FROM {name}").pl()
        assert_frame_equal(found.sort("site", key), small.frame(name).sort("site", key))


def test_studies_and_patients_are_derived(small: SmallCatalog, opened: Catalog) -> None:
    series = small.frame("series")
    studies = (
        series.group_by("site", "StudyInstanceUID")
        .agg(
            pl.col("PatientKey", "StudyDate").min(),
            MODALITIES,
            pl.len().cast(pl.Int64).alias("n_series"),
            pl.col("n_instances").sum(),
        )
        .sort("site", "StudyInstanceUID")
    )
    found = opened.sql("SELECT * FROM studies ORDER BY site, StudyInstanceUID").pl()
    assert_frame_equal(found.select(studies.columns), studies)
    patients = (
        series.filter(pl.col("PatientKey").is_not_null())
        .group_by("site", "PatientKey")
        .agg(
            pl.col("StudyDate").min().alias("first_study_date"),
            pl.col("StudyDate").max().alias("last_study_date"),
            pl.col("StudyInstanceUID").n_unique().cast(pl.Int64).alias("n_studies"),
            pl.len().cast(pl.Int64).alias("n_series"),
        )
        .sort("site", "PatientKey")
    )
    found = opened.sql("SELECT * FROM patients ORDER BY site, PatientKey").pl()
    assert_frame_equal(found.select(patients.columns), patients)


@pytest.mark.parametrize("table", ["series", "instances", "studies", "patients", "files", "failures"])
def test_columns_are_as_the_table_says(opened: Catalog, table: str) -> None:
    relation = opened.sql(f"SELECT * FROM {table}")
    assert relation.columns == [c.name for c in opened.tables[table].columns]
    found = [str(t) for t in relation.types]
    kinds = {"text": "VARCHAR", "date": "DATE", "integer": "BIGINT", "real": "DOUBLE", "boolean": "BOOLEAN"}
    kinds |= {"reals": "DOUBLE[]", "texts": "VARCHAR[]", "bytes": "BLOB"}
    assert found == [kinds[c.kind] for c in opened.tables[table].columns]


def test_disagreement_within_a_study_is_counted(tmp_path: Path) -> None:
    series, _ = make_rows(1)
    series = [series[0] | {"SeriesInstanceUID": f"9.{i}", "PatientSex": sex} for i, sex in enumerate("MFF")]
    opened = cohorts.open_catalog(write_catalog(tmp_path / "c", series, []).root)
    query = "SELECT PatientSex, n_distinct_PatientSex, n_series FROM studies"
    assert opened.sql(query).fetchall() == [("F", 2, 3)]


def test_several_questions_may_be_open_at_once(opened: Catalog) -> None:
    first = opened.sql("SELECT count(*) FROM series")
    second = opened.sql("SELECT count(*) FROM instances")
    assert second.fetchall() != first.fetchall()


def test_who_may_not_read_the_restricted_zone_does_not_see_it(
    small: SmallCatalog, opened: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert opened.sql("SELECT DISTINCT PatientName FROM identity").fetchall() == [("Doe^Jane",)]
    real = os.access
    monkeypatch.setattr(os, "access", lambda p, mode: "restricted" not in str(p) and real(p, mode))
    researcher = cohorts.open_catalog(small.root)
    assert set(researcher.tables) == {"instances", "series", "rois", "features", "studies", "patients"}
    with pytest.raises(UsageError, match="there is no table identity"):
        researcher.sql("SELECT * FROM identity")


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM read_csv('/etc/hostname')",
        "SELECT * FROM '/etc/hostname'",
        "SELECT * FROM glob('/etc/*')",
        "COPY series TO '/tmp/stolen.parquet'",
        "ATTACH '/tmp/stolen.db' AS stolen",
        "SET enable_external_access = true",
        "SET memory_limit = '100GB'",
        "SET allowed_paths = ['/etc/hostname']",
        "INSTALL httpfs",
        "SELECT * FROM secret",
    ],
)
def test_the_engine_is_locked_even_without_the_gate(opened: Catalog, statement: str) -> None:
    secret = pa.table({"x": [1]})  # a variable of the caller, which DuckDB would find by its name
    with pytest.raises((CohortiumError, duckdb.Error)):
        opened.engine.rows(statement)
    assert secret.num_rows == 1


def test_the_gate_stands_before_sql(opened: Catalog) -> None:
    with pytest.raises(UsageError, match="exactly one SELECT"):
        opened.sql("COPY series TO 'x'")


def test_a_column_that_older_files_lack_is_null(tmp_path: Path) -> None:
    series, instances = make_rows(5)
    root = write_catalog(tmp_path / "c", series, instances).root
    older, newer = sorted((root / "research" / "series").iterdir())
    lacking = pq.read_table(older).drop_columns(["geometry_regular", "layout"])
    pq.write_table(lacking, older)
    pq.write_table(pq.read_table(newer).drop_columns(["layout"]), newer)
    opened = cohorts.open_catalog(root)
    relation = opened.sql("SELECT geometry_regular, layout FROM series")
    assert [str(t) for t in relation.types] == ["BOOLEAN", "VARCHAR"]
    found = relation.pl()
    assert found["layout"].null_count() == len(series)
    assert found["geometry_regular"].is_not_null().sum() == sum(
        r["geometry_regular"] is not None for r in series[1::2]
    )


def test_a_snapshot_stays_what_it_was(tmp_path: Path) -> None:
    series, instances = make_rows(5)
    root = write_catalog(tmp_path / "c", series, instances).root
    opened = cohorts.open_catalog(root)
    write_catalog(root, series, instances)
    assert opened.sql("SELECT count(*) FROM series").fetchall() == [(len(series),)]
    assert cohorts.open_catalog(root).snapshot == 2
    assert cohorts.open_catalog(root, snapshot=1).sql("SELECT count(*) FROM series").fetchall() == [
        (len(series),)
    ]
    assert cohorts.open_catalog(root).sql("SELECT count(*) FROM series").fetchall() == [(2 * len(series),)]


def test_what_is_missing_is_told(tmp_path: Path, small: SmallCatalog) -> None:
    with pytest.raises(MissingError, match="no catalogue"):
        cohorts.open_catalog(tmp_path)
    with pytest.raises(MissingError, match="no snapshot 7; it has: 1"):
        cohorts.open_catalog(small.root, snapshot=7)


def test_damage_is_told_as_damage(tmp_path: Path) -> None:
    root = write_catalog(tmp_path / "c", *make_rows(5)).root
    victim = next((root / "research" / "series").iterdir())
    whole = victim.read_bytes()
    victim.write_bytes(whole[:100])
    with pytest.raises(UnreadableTableError, match="cohortium verify"):
        cohorts.open_catalog(root).sql("SELECT * FROM series")
    victim.unlink()
    with pytest.raises(UnreadableTableError, match="cohortium verify"):
        cohorts.open_catalog(root).sql("SELECT * FROM series")
    open_store(root).snapshot_path(1).write_text("{}", encoding="utf-8")
    with pytest.raises(DamagedCatalogError):
        cohorts.open_catalog(root)


LONG = "SELECT count(*) FROM range(100000000) a, range(100000) b WHERE (a.range + b.range) % 7 = 3"


def test_a_query_ends_at_its_time_limit(small: SmallCatalog) -> None:
    opened = cohorts.open_catalog(small.root, limits=cohorts.Limits(time_s=0.3))
    with pytest.raises(LimitError, match=r"longer than 0\.3 s"):
        opened.engine.rows(LONG)
    assert opened.engine.rows("SELECT 1") == [(1,)]


@pytest.mark.parametrize(
    "ask",
    [
        lambda engine: engine.frame(LONG),
        lambda engine: list(engine.stream(LONG)[1]),
        lambda engine: list(engine.batches(LONG)),
    ],
)
def test_every_way_to_ask_has_the_time_limit(small: SmallCatalog, ask: Callable[[Engine], object]) -> None:
    engine = cohorts.open_catalog(small.root, limits=cohorts.Limits(time_s=0.3)).engine
    with pytest.raises(LimitError):
        ask(engine)


def test_rows_come_as_they_are_asked_for(small: SmallCatalog) -> None:
    engine = cohorts.open_catalog(small.root, limits=cohorts.Limits(memory_bytes=2**28)).engine
    names, rows = engine.stream("SELECT range AS n, repeat('x', 1000) AS text FROM range(100000000)", 10)
    assert names == ["n", "text"]
    assert [next(rows)[0] for _ in range(25)] == list(range(25))
    rows.close()
    assert next(engine.batches("SELECT range AS n FROM range(100000000)", 5)).num_rows > 0


def test_a_query_ends_at_its_memory_limit(small: SmallCatalog) -> None:
    opened = cohorts.open_catalog(small.root, limits=cohorts.Limits(memory_bytes=32 * 2**20, threads=1))
    with pytest.raises(LimitError, match="more memory than its limit of 32 MiB"):
        opened.engine.rows("SELECT list(range) FROM range(100000000)")


def test_limits_must_make_sense() -> None:
    with pytest.raises(UsageError, match="must be positive"):
        cohorts.Limits(threads=0)


def test_scratch_is_private_and_goes_with_the_catalogue(
    small: SmallCatalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    opened = cohorts.open_catalog(small.root)
    [scratch] = tmp_path.iterdir()
    assert stat.S_IMODE(scratch.stat().st_mode) == 0o700
    before = Path.cwd() / ".tmp"
    assert not before.exists()
    del opened
    assert list(tmp_path.iterdir()) == []
