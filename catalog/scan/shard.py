"""Staged rows: one folder with a Parquet file for each table that has rows."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from catalog.keys import file_id, patient_key
from catalog.scan.listing import size_and_time
from catalog.tables import DataFile, TableWriter, tables, write_rows
from hpc.memory import return_freed_memory

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    import pyarrow as pa


_SHARD_FILE: Final = "shard.json"


@dataclass(frozen=True, slots=True)
class Source:
    """Whose files are read, and for what run.

    Attributes
    ----------
    secret : bytes
        The catalogue's key.
    site : str
        The hospital.
    job : str
        The run.
    keep_headers : bool
        Keep raw header bytes.
    """

    secret: bytes
    site: str
    job: str
    keep_headers: bool = True


@dataclass(frozen=True, slots=True)
class Shard:
    """What a staged folder holds.

    Attributes
    ----------
    counts : Mapping
        How many files ended where.
    data : Mapping
        The Parquet file of each table that has rows, with its path relative to the folder.
    """

    counts: Mapping[str, int]
    data: Mapping[str, DataFile]


def read_shard(folder: Path) -> Shard:
    """Read what a staged folder holds."""
    content = json.loads((folder / _SHARD_FILE).read_bytes())
    return Shard(content["counts"], {name: DataFile(**d) for name, d in content["data"].items()})


def write_description(folder: Path, shard: Shard) -> None:
    """Write what a staged folder holds."""
    content = {"counts": dict(shard.counts), "data": {name: asdict(d) for name, d in shard.data.items()}}
    (folder / _SHARD_FILE).write_text(json.dumps(content), encoding="utf-8")


def write_shard(folder: Path, entries: pa.Table, source: Source, progress: np.ndarray) -> dict[str, int]:
    """Read the headers of a slice of a list and write their rows.

    Parameters
    ----------
    folder : Path
        Where to write.
    entries : pyarrow.Table
        Slice of a list (:mod:`catalog.scan.listing`).
    source : Source
        Whose files they are.
    progress : numpy.ndarray
        Its first number is kept at the index, among the files, of the one being read.

    Returns
    -------
    dict
        How many entries ended where: ``instances``, ``failures``, ``not_dicom``; they add up to ``files``.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    from catalog.headers import iter_headers

    return_freed_memory()
    pa.set_memory_pool(pa.system_memory_pool())  # the others keep what they free for a while
    is_file = pc.equal(entries.column("kind"), "file")
    paths = entries.filter(is_file).column("path").to_pylist()
    rows: list[pa.Table] = []
    failures, others = [_unlisted(entries, source)], [_unopened(entries, source)]
    headers = TableWriter(tables()["headers"], folder / "headers.parquet")
    for batch in iter_headers(paths, keep_raw=source.keep_headers, progress=progress):
        part = _with_keys(batch.rows, paths, source)
        rows.append(part)
        failures.append(_with_path(batch.failures, paths, source))
        others.append(_with_path(batch.others, paths, source))
        if batch.raw is not None and part.num_rows:
            headers.write(_headers(part, batch.raw))
        del batch  # before the next one is read: its raw headers are large
    data = {"headers": headers.close()}
    data |= _write_instances(folder, rows) if rows else {}
    for name, parts in (("failures", failures), ("others", others)):
        data[name] = write_rows(tables()[name], folder / f"{name}.parquet", [p for p in parts if p.num_rows])
    return _finish(folder, data, entries.num_rows)


def write_unread(folder: Path, entries: pa.Table, source: Source, reason: str) -> dict[str, int]:
    """Write a failure for each entry of a slice that killed its reader."""
    import pyarrow as pa

    paths = entries.column("path").to_pylist()
    n = len(paths)
    found = [size_and_time(p) for p in paths]  # as it is now, so that the next scan leaves it alone
    rows = pa.table(
        {
            "index": pa.array(range(n), pa.int64()),
            "size": pa.array([size for size, _ in found], pa.int64()),
            "mtime_ns": pa.array([time for _, time in found], pa.int64()),
            "stage": pa.array(["read"] * n),
            "error": pa.array(["ReaderKilledError"] * n),
            "message": pa.array(
                [f"reading it was {reason}, twice; the second time in a process of its own"] * n
            ),
        }
    )
    table = tables()["failures"]
    data = {"failures": write_rows(table, folder / "failures.parquet", [_with_path(rows, paths, source)])}
    return _finish(folder, data, n)


def _finish(folder: Path, data: Mapping[str, DataFile], files: int) -> dict[str, int]:
    """Describe a staged folder, without its empty tables."""
    counts = {
        "files": files,
        "instances": data["instances"].rows if "instances" in data else 0,
        "failures": data["failures"].rows if "failures" in data else 0,
        "not_dicom": data["others"].rows if "others" in data else 0,
    }
    for described in data.values():
        if not described.rows:
            (folder / described.path).unlink()
    write_description(folder, Shard(counts, {name: d for name, d in data.items() if d.rows}))
    return counts


def _write_instances(folder: Path, parts: list[pa.Table]) -> dict[str, DataFile]:
    """Write what is known of DICOM objects, in the order of their series and positions; empties the list."""
    import pyarrow as pa

    from catalog.series import position_order

    rows = pa.concat_tables(parts).unify_dictionaries()
    parts.clear()  # one copy of the rows at a time
    rows = rows.take(position_order(rows))
    names = ("instances", "identity", "files")
    return {n: write_rows(tables()[n], folder / f"{n}.parquet", [rows]) for n in names}


def _with_keys(rows: pa.Table, paths: list[bytes], source: Source) -> pa.Table:
    """Add to rows of headers what the tables need beside the attributes."""
    import pyarrow as pa

    n = rows.num_rows
    keyed = _with_path(rows, paths, source)
    for name, column in (
        ("PatientKey", _patient_keys(rows.column("PatientID"), source)),
        ("uid_version", pa.array([0] * n, pa.int64())),
        ("is_primary", pa.array([True] * n)),
        ("content", pa.nulls(n, pa.string())),
    ):
        keyed = keyed.append_column(name, column)
    return keyed


def _with_path(rows: pa.Table, paths: list[bytes], source: Source) -> pa.Table:
    """Add site, file and run to rows that know their file by its index."""
    import pyarrow as pa

    own = [paths[i] for i in rows.column("index").to_pylist()]
    text, odd = _path_columns(own)
    added = {
        "site": _constant(source.site, len(own)),
        "file_id": pa.array([file_id(source.secret, p) for p in own], pa.int64()),
        "path": text,
        "path_bytes": odd,
        "job": _constant(source.job, len(own)),
    }
    for name, column in added.items():
        rows = rows.append_column(name, column)
    return rows


def _path_columns(paths: list[bytes]) -> tuple[pa.Array, pa.Array]:
    """Paths as text, and as bytes where they are no UTF-8."""
    import pyarrow as pa

    raw = pa.array(paths, pa.binary())
    try:
        return raw.cast(pa.string()), pa.nulls(len(paths), pa.binary())
    except pa.ArrowInvalid:
        text = [p.decode("utf-8", "replace") for p in paths]
        return pa.array(text), pa.array(
            [p if t.encode() != p else None for p, t in zip(paths, text, strict=True)], pa.binary()
        )


def _constant(value: str, n: int) -> pa.Array:
    import numpy as np
    import pyarrow as pa

    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, np.int32)), pa.array([value]))


def _patient_keys(ids: pa.ChunkedArray, source: Source) -> pa.ChunkedArray:
    """Keys of patients, made once for each different PatientID; null where there is none."""
    import pyarrow as pa

    chunks = []
    for chunk in ids.chunks:
        coded = chunk if pa.types.is_dictionary(chunk.type) else chunk.dictionary_encode()
        keys = [
            None if v is None else patient_key(source.secret, source.site, v)
            for v in coded.dictionary.to_pylist()
        ]
        chunks.append(pa.DictionaryArray.from_arrays(coded.indices, pa.array(keys, pa.string())))
    return pa.chunked_array(chunks, pa.dictionary(pa.int32(), pa.string()))


def _headers(part: pa.Table, raw: pa.Table) -> pa.Table:
    """Raw headers with their keys, series beside series so that they compress."""
    import numpy as np
    import pyarrow.compute as pc

    rows = part.select(["site", "file_id", "SOPInstanceUID", "SeriesInstanceUID"])
    rows = rows.append_column("header", raw.column("header").cast("binary"))
    series = pc.fill_null(part.column("SeriesInstanceUID").combine_chunks().indices, -1).to_numpy()
    beside = np.count_nonzero(np.diff(series)) < len(np.unique(series))
    return rows if beside else rows.take(np.argsort(series, kind="stable"))


def _unopened(entries: pa.Table, source: Source) -> pa.Table:
    """Entries that are no files: links, pipes, sockets, devices."""
    return _indexed(entries, ("link", "special"), source)


def _unlisted(entries: pa.Table, source: Source) -> pa.Table:
    """Folders that could not be listed, as failures."""
    import pyarrow as pa

    rows = _indexed(entries, ("unreadable",), source)
    n = rows.num_rows
    rows = rows.append_column("stage", pa.array(["discover"] * n, pa.string()))
    return rows.append_column("message", pa.array(["the folder could not be listed"] * n, pa.string()))


def _indexed(entries: pa.Table, kinds: tuple[str, ...], source: Source) -> pa.Table:
    import pyarrow as pa
    import pyarrow.compute as pc

    chosen = entries.filter(pc.is_in(entries.column("kind"), pa.array(kinds)))
    rows = chosen.append_column("index", pa.array(range(chosen.num_rows), pa.int64()))
    return _with_path(rows.drop_columns("path"), chosen.column("path").to_pylist(), source)
