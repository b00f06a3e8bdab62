"""Snapshots: one writer wins, readers see a whole change or none, damage is told."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pytest
from deltalake import DeltaTable

from catalog import delta
from catalog.engine import query
from catalog.store import DamagedCatalogError, Store, TableChange, open_or_create_store, open_store, place
from catalog.tables import DataFile, tables, write_rows
from catalog.verify import verify
from hpc.errors import ConflictError, MissingError, UsageError

OTHERS = tables()["others"]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_or_create_store(tmp_path / "catalogue")


def _others(store: Store, name: str, ids: list[int], site: str = "a") -> DataFile:
    """Put a file of the simplest table in place."""
    columns = {c.name: pa.nulls(len(ids), c.arrow()) for c in OTHERS.columns}
    columns |= {"site": pa.array([site] * len(ids)), "file_id": pa.array(ids, pa.int64())}
    columns |= {"path": pa.array([f"/x/{site}/{i}" for i in ids]), "kind": pa.array(["not_dicom"] * len(ids))}
    staged = store.root / "staging" / f"{name}.parquet"
    data = write_rows(OTHERS, staged, [pa.table(columns)])
    return place(store, OTHERS, staged, data, f"{name}.parquet")


def _commit(
    store: Store, *add: DataFile, remove: frozenset[str] = frozenset(), base: int | None = None
) -> int:
    snapshot = store.snapshot(base)
    return store.commit({"others": TableChange(add, remove)}, base=snapshot, job="test", counts={}).number


def _ids(store: Store, number: int | None = None) -> list[int]:
    rows = query("SELECT file_id FROM others ORDER BY 1", store.snapshot(number).tables["others"])
    return [i for (i,) in rows]


def test_an_old_snapshot_stays_what_it_was(store: Store) -> None:
    first = _others(store, "one", [1, 2])
    assert _commit(store, first) == 1
    assert _commit(store, _others(store, "two", [2]), remove=frozenset({first.path})) == 2
    assert (_ids(store, 1), _ids(store, 2), _ids(store)) == ([1, 2], [2], [2])


def test_commits_of_many_writers_are_all_kept(store: Store) -> None:
    files = [_others(store, f"f{i}", [i]) for i in range(24)]
    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(lambda f: _commit(store, f), files))
    assert sorted(numbers) == list(range(1, 25))
    assert _ids(store) == list(range(24))


def test_two_that_replace_the_same_file_cannot_both_win(store: Store) -> None:
    first = _others(store, "one", [1, 2])
    _commit(store, first)
    _commit(store, _others(store, "two", [1]), remove=frozenset({first.path}), base=1)
    with pytest.raises(ConflictError, match="changed since snapshot 1"):
        _commit(store, _others(store, "three", [2]), remove=frozenset({first.path}), base=1)
    assert _ids(store) == [1]


def test_a_catalogue_can_be_moved(store: Store, tmp_path: Path) -> None:
    _commit(store, _others(store, "one", [1, 2]))
    moved = store.root.rename(tmp_path / "moved here")
    assert _ids(open_store(moved)) == [1, 2]


def test_only_the_owner_may_look_into_the_restricted_zone(store: Store) -> None:
    modes = {
        n: stat.S_IMODE((store.root / n).stat().st_mode) for n in ("restricted", "staging", "restricted/key")
    }
    assert modes == {"restricted": 0o700, "staging": 0o700, "restricted/key": 0o600}
    assert len(store.key()) == 32


def test_the_delta_logs_say_what_the_snapshot_says(store: Store) -> None:
    first = _others(store, "one", [1, 2])
    _commit(store, first)
    assert delta.behind(store.snapshot()) == ("others",)
    assert delta.project(store.snapshot()) == ("others",)
    _commit(store, _others(store, "two", [3]), remove=frozenset({first.path}))
    delta.project(store.snapshot())
    assert delta.behind(store.snapshot()) == ()
    folder = str(store.root / OTHERS.folder)
    assert pl.read_delta(folder)["file_id"].to_list() == [3]
    assert pl.read_delta(folder, version=0)["file_id"].to_list() == [1, 2]
    protocol = DeltaTable(folder).protocol()
    assert (protocol.min_reader_version, protocol.min_writer_version) == (1, 2)


def test_a_repeated_placing_does_no_harm(store: Store) -> None:
    one = _others(store, "one", [1])
    (store.root / one.path).unlink()
    (store.root / one.path).write_bytes(b"left by a killed commit")
    again = _others(store, "one", [1])
    _commit(store, again)
    assert _ids(store) == [1]


@pytest.mark.parametrize("content", [b"", b"{", b'{"number": 1}', b"null", b"\xff\xfe"])
def test_a_damaged_snapshot_is_told_and_never_read_as_empty(store: Store, content: bytes) -> None:
    _commit(store, _others(store, "one", [1]))
    store.snapshot_path(1).write_bytes(content)
    with pytest.raises(DamagedCatalogError, match="is damaged"):
        store.snapshot()


def test_verify_finds_each_kind_of_damage(store: Store) -> None:
    names = ("whole", "gone", "cut", "flipped", "swapped")
    files = {n: _others(store, n, [i]) for i, n in enumerate(names)}
    _commit(store, *files.values())
    paths = {n: store.root / f.path for n, f in files.items()}
    paths["gone"].unlink()
    paths["cut"].write_bytes(paths["cut"].read_bytes()[:-100])
    flipped = bytearray(paths["flipped"].read_bytes())
    flipped[10] ^= 1
    paths["flipped"].write_bytes(flipped)
    paths["swapped"].write_bytes(paths["whole"].read_bytes())
    problems = {Path(c.subject).stem: c.problem for c in verify(store) if c.problem}
    assert set(problems) == {"gone", "cut", "flipped", "swapped"}
    assert problems["gone"] == "is missing"
    assert "sha256" in problems["flipped"]


def test_verify_finds_a_path_that_is_there_twice(store: Store) -> None:
    _commit(store, _others(store, "one", [1]), _others(store, "two", [1]))
    assert [c.subject for c in verify(store) if c.problem] == [
        "every path is in one of files, failures and others"
    ]


def test_wrong_folders_are_refused_and_left_alone(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="no catalogue"):
        open_store(tmp_path / "nowhere")
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="is a file"):
        open_or_create_store(tmp_path / "file")
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "thesis.docx").touch()
    with pytest.raises(UsageError, match="holds other things"):
        open_or_create_store(tmp_path / "used")
    assert [p.name for p in (tmp_path / "used").iterdir()] == ["thesis.docx"]
    with pytest.raises(MissingError, match="no snapshot 7"):
        open_or_create_store(tmp_path / "new").snapshot(7)


def test_a_newer_format_is_refused(store: Store) -> None:
    path = store.root / "catalog.toml"
    path.write_text(path.read_text().replace("format = 1", "format = 99"))
    with pytest.raises(DamagedCatalogError, match="format 99"):
        open_store(store.root)


@pytest.mark.parametrize("name", sorted(tables()))
def test_an_empty_file_of_a_table_has_its_schema(name: str, tmp_path: Path) -> None:
    table = tables()[name]
    data = write_rows(table, tmp_path / "empty.parquet", [])
    described = duckdb.sql(f"DESCRIBE FROM '{tmp_path / data.path}'").fetchall()
    assert [row[0] for row in described] == [c.name for c in table.columns]
    assert not any(row[1].startswith("U") for row in described), "an unsigned type"
