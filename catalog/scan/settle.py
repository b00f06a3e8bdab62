"""Copies and conflicts: files that carry the same SOPInstanceUID.

Files with the same data set are copies: one row in ``instances``, several in ``files``. Different data sets
under one UID are a conflict: each keeps its row, told apart by ``uid_version``. Only files that share a UID
are read again, whole, to be compared.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from catalog.engine import connect, literal, view
from catalog.scan.shard import Shard, read_shard, write_description
from catalog.scan.stages import WholeTasks, own_shards
from catalog.tables import tables, write_rows
from hpc.tasks import Outcome, Task

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa

    from catalog.scan.plan import Plan
    from catalog.store import Snapshot
    from catalog.tables import DataFile
    from hpc.marks import Mark
    from hpc.session import Session
    from hpc.staging import Staging

_SETTLED_TABLES: Final = ("instances", "files")
_META_BYTES: Final = 65_536
_CHUNK_BYTES: Final = 1 << 20
_LONG_VRS: Final = frozenset({b"OB", b"OW", b"UN", b"SQ", b"UT", b"UC", b"UR", b"OF", b"OD", b"OL", b"OV"})


@dataclass(frozen=True, slots=True)
class DigestStage(WholeTasks):
    """Compares files: each task digests the data sets of some of those that share a UID."""

    staging: Staging
    shared: Path
    name: str = "compare"
    unit: str = "files"

    def work(self, task: Task, mark: Mark) -> Outcome:
        """Digest one slice of the shared files."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        start, stop = task.payload
        rows = pq.read_table(self.shared, columns=["file_id", "key"]).slice(start, stop - start)
        digests = []
        for i, path in enumerate(rows.column("key").to_pylist()):
            mark.array[0] = i
            digests.append(content_digest(path))
        table = pa.table({"file_id": rows.column("file_id"), "digest": pa.array(digests, pa.string())})
        with self.staging.shard(self.name, task.name) as folder:
            pq.write_table(table, folder / "digests.parquet")
        return Outcome({"files": stop - start})

    def cut(self, task: Task, size: float) -> tuple[Task, Task] | None:
        """Cut a slice in two."""
        start, stop = task.payload
        middle = start + max(1, int(size))
        return None if middle >= stop else (digest_task(start, middle), digest_task(middle, stop))


def digest_task(start: int, stop: int) -> Task:
    """Return the task of digesting a slice of the shared files."""
    return Task(f"{start:09d}-{stop:09d}", float(stop - start), (start, stop))


def content_digest(path: bytes) -> str | None:
    """Digest a data set: transfer syntax, then every byte after the file meta information.

    Preamble and meta information are the wrapping (PS3.10): two exports of an object differ there.

    Returns
    -------
    str or None
        32 hexadecimal digits; None if the file cannot be read.
    """
    digest = hashlib.blake2b(digest_size=16)
    try:
        with Path(path.decode("utf-8", "surrogateescape")).open("rb") as file:
            start, syntax = _data_set_start(file.read(_META_BYTES))
            digest.update(syntax)
            file.seek(start)
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
    except OSError:
        return None
    return digest.hexdigest()


def _data_set_start(head: bytes) -> tuple[int, bytes]:
    """Find the end of the file meta information, which is always explicit little endian, and its syntax."""
    if head[128:132] != b"DICM":
        return 0, b""
    at, syntax = 132, b""
    while head[at : at + 2] == b"\x02\x00" and at + 12 <= len(head):
        if head[at + 4 : at + 6] in _LONG_VRS:
            value, length = at + 12, int.from_bytes(head[at + 8 : at + 12], "little")
        else:
            value, length = at + 8, int.from_bytes(head[at + 6 : at + 8], "little")
        if head[at + 2 : at + 4] == b"\x10\x00":
            syntax = head[value : value + length].rstrip(b"\0 ")
        at = value + length
    return at, syntax


def find_shared(
    shards: Mapping[str, Path], snapshot: Snapshot, site: str, removed: Path | None, folder: Path
) -> int:
    """Write ``shared.parquet``: the files whose SOPInstanceUID another file has too.

    Parameters
    ----------
    shards : Mapping
        Folders of the staged rows by name.
    snapshot : Snapshot
        What the catalogue holds; its files stay as they are.
    removed : Path or None
        Rows that the next snapshot drops.

    Returns
    -------
    int
        Number of such files.
    """
    staged = [str(p / "files.parquet") for p in shards.values() if (p / "files.parquet").exists()]
    if not staged:
        return 0
    folder.mkdir(parents=True, exist_ok=True)
    with connect(folder / "spill") as engine:
        table = snapshot.tables["files"]
        view(engine, "known", table.table, table.files)
        engine.execute("CREATE TABLE this AS SELECT ?::VARCHAR AS site", [site])
        dropped = (
            f"SELECT file_id FROM read_parquet({literal(str(removed))})"
            if removed
            else "SELECT 0 WHERE false"
        )
        engine.execute(
            f"""CREATE VIEW both_files AS
            SELECT file_id, coalesce(path_bytes, encode(path)) AS key, SOPInstanceUID, uid_version, content,
              false AS fresh, '' AS shard
            FROM known SEMI JOIN this USING (site) WHERE file_id NOT IN ({dropped})
            UNION ALL
            SELECT file_id, coalesce(path_bytes, encode(path)), SOPInstanceUID, NULL, NULL,
              true, parse_path(filename)[-2]
            FROM read_parquet([{", ".join(map(literal, staged))}], filename = true)"""
        )
        # Grouping by a hash keeps the UIDs of a whole archive out of memory; equality is checked below.
        engine.execute(
            """CREATE TABLE suspects AS SELECT hash(SOPInstanceUID) AS h FROM both_files
            GROUP BY ALL HAVING count(*) > 1 AND bool_or(fresh)"""
        )
        engine.execute(
            """CREATE TABLE shared AS SELECT * FROM both_files SEMI JOIN suspects ON hash(SOPInstanceUID) = h
            WINDOW of_uid AS (PARTITION BY SOPInstanceUID)
            QUALIFY count(*) OVER of_uid > 1 AND bool_or(fresh) OVER of_uid
            ORDER BY key"""
        )
        engine.execute(f"COPY shared TO {literal(str(folder / 'shared.parquet'))} (FORMAT parquet)")
        return int(engine.execute("SELECT count(*) FROM shared").fetchall()[0][0])


def judge(folder: Path, digests: Sequence[Path]) -> tuple[dict[str, int], tuple[str, ...]]:
    """Decide copies and versions; write ``settled.parquet`` for the files that were read.

    A content that the catalogue holds keeps its version and its file. New contents get the next versions in
    the order of their first paths, and the file of the first path stands for the copies.

    Returns
    -------
    counts : dict
        ``duplicates`` (files) and ``conflicts`` (UIDs).
    shards : tuple of str
        Names of the shards that hold such files.
    """
    listed = ", ".join(literal(str(p / "digests.parquet")) for p in digests)
    with connect(folder / "spill") as engine:
        engine.execute(
            f"""CREATE TABLE judged AS
            SELECT s.*, coalesce(d.digest, 'unread ' || s.file_id) AS digest
            FROM read_parquet({literal(str(folder / "shared.parquet"))}) s
            JOIN read_parquet([{listed}]) d USING (file_id)"""
        )
        for statement in _JUDGE:
            engine.execute(statement)
        engine.execute(f"COPY settled TO {literal(str(folder / 'settled.parquet'))} (FORMAT parquet)")
        duplicates = engine.execute("SELECT count(*) FROM settled WHERE NOT is_primary").fetchall()[0][0]
        conflicts = engine.execute(
            "SELECT count(*) FROM (SELECT 1 FROM versions GROUP BY SOPInstanceUID HAVING count(*) > 1)"
        ).fetchall()[0][0]
        shards = engine.execute("SELECT DISTINCT shard FROM settled ORDER BY 1").fetchall()
    return {"duplicates": duplicates, "conflicts": conflicts}, tuple(s for (s,) in shards)


_JUDGE: Final = (
    """CREATE TABLE contents AS
    SELECT SOPInstanceUID, digest, min(uid_version) AS held, min(key) AS first_key
    FROM judged GROUP BY ALL""",
    """CREATE TABLE versions AS
    SELECT SOPInstanceUID, digest, first_key, held IS NOT NULL AS is_held,
      coalesce(held, coalesce(max(held) OVER (PARTITION BY SOPInstanceUID), -1)
        + row_number() OVER (PARTITION BY SOPInstanceUID, held IS NULL ORDER BY first_key)) AS uid_version
    FROM contents""",
    """CREATE TABLE settled AS
    SELECT j.file_id, v.uid_version, NOT v.is_held AND j.key = v.first_key AS is_primary,
      j.digest AS content, j.shard
    FROM judged j JOIN versions v USING (SOPInstanceUID, digest) WHERE j.fresh""",
)


@dataclass(frozen=True, slots=True)
class SettleStage(WholeTasks):
    """Applies what was decided: each task rewrites the object and file rows of one staged shard."""

    staging: Staging
    settled: Path
    name: str = "settle"
    unit: str = "shards"

    def work(self, task: Task, mark: Mark) -> Outcome:
        """Rewrite one shard."""
        import pyarrow.compute as pc
        import pyarrow.parquet as pq

        source: Path = task.payload
        verdicts = pq.read_table(self.settled, filters=[("shard", "=", source.name)])
        data = {}
        with self.staging.shard(self.name, task.name) as folder:
            for name in _SETTLED_TABLES:
                rows = _apply(pq.read_table(source / f"{name}.parquet"), verdicts)
                if name == "instances":
                    rows = rows.filter(rows.column("is_primary"))
                if rows.num_rows:
                    data[name] = write_rows(tables()[name], folder / f"{name}.parquet", [rows])
            write_description(
                folder, Shard({"instances": pc.sum(verdicts.column("is_primary")).as_py()}, data)
            )
        return Outcome({"shards": 1})


def _apply(rows: pa.Table, verdicts: pa.Table) -> pa.Table:
    """Put verdicts into the rows of the files that they are about."""
    import pyarrow as pa
    import pyarrow.compute as pc

    at = pc.index_in(rows.column("file_id"), verdicts.column("file_id").combine_chunks())
    found = pc.is_valid(at)
    for name, default in (("uid_version", 0), ("is_primary", True), ("content", None)):
        decided = verdicts.column(name).take(at)
        given = rows.column(name) if name in rows.column_names else pa.scalar(default, decided.type)
        column = pc.if_else(found, decided, given)
        if name in rows.column_names:
            rows = rows.set_column(rows.column_names.index(name), name, column)
        else:
            rows = rows.append_column(name, column)
    return rows


@dataclass(frozen=True, slots=True)
class StagedFile:
    """A staged Parquet file that is to become one of a table's."""

    table: str
    name: str
    path: Path
    data: DataFile


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a scan has read, with copies and conflicts settled.

    Attributes
    ----------
    files : tuple of StagedFile
        The staged rows of every table.
    counts : Mapping
        ``duplicates`` and ``conflicts``.
    """

    files: tuple[StagedFile, ...]
    counts: Mapping[str, int]


def settle(session: Session, plan: Plan, snapshot: Snapshot, site: str) -> Settlement:
    """Find copies and conflicts among what was read and what the catalogue holds, and settle them."""
    staging = session.staging
    shards = {path.name: path for path in staging.finished("read").values()}
    folder = staging.scratch / "settle"
    counts = {"duplicates": 0, "conflicts": 0}
    settled: dict[str, Path] = {}
    if shared := find_shared(shards, snapshot, site, plan.removed, folder):
        compare = DigestStage(staging, folder / "shared.parquet")
        session.run(compare, [digest_task(0, shared)])
        counts, affected = judge(folder, list(own_shards(staging, compare.name).values()))
        stage = SettleStage(staging, folder / "settled.parquet")
        session.run(stage, [Task(name, 1.0, shards[name]) for name in affected])
        settled = own_shards(staging, stage.name)
    return Settlement(tuple(_staged_files(shards, settled, plan.job)), counts)


def _staged_files(shards: Mapping[str, Path], settled: Mapping[str, Path], job: str) -> Iterator[StagedFile]:
    """List what the shards hold, the settled rows instead of those they replace."""
    for name, folder in sorted(shards.items()):
        replaced = settled.get(name)
        for table, data in read_shard(folder).data.items():
            if replaced is None or table not in _SETTLED_TABLES:
                yield StagedFile(table, f"{job}-{name}.parquet", folder / data.path, data)
        if replaced is not None:
            for table, data in read_shard(replaced).data.items():
                yield StagedFile(table, f"{job}-{name}.parquet", replaced / data.path, data)
