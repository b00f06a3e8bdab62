"""What a scan has to do: which of the files found are new, changed or gone since the last snapshot."""

from __future__ import annotations

import json
import os
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from catalog.engine import connect, view
from catalog.scan.listing import Listing, listing_schema, write_listing
from hpc.durable import write_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import duckdb
    import pyarrow as pa

    from catalog.store import Snapshot, Store
    from hpc.staging import Staging

_PLAN_FILE: Final = "plan.json"
_KNOWN_TABLES: Final = ("files", "failures", "others")


@dataclass(frozen=True, slots=True)
class Plan:
    """What a scan has to do.

    Attributes
    ----------
    job : str
        The scan, through all its runs.
    roots : tuple of bytes
        Folders that were walked.
    found : int
        Entries found by the walk.
    unchanged : int
        Those that a former snapshot holds as they are.
    listing : Listing
        The entries to read.
    dropped : int
        Number of the known files that have changed or vanished.
    removed : Path or None
        Parquet file of the rows that the new snapshot drops: ``file_id``, ``SeriesInstanceUID``.
    """

    job: str
    roots: tuple[bytes, ...]
    found: int
    unchanged: int
    listing: Listing
    dropped: int
    removed: Path | None


def knows_site(snapshot: Snapshot, site: str, folder: Path) -> bool:
    """Tell whether a snapshot holds anything of a site."""
    with connect(folder) as engine:
        _known_view(engine, snapshot, site)
        return bool(engine.execute("SELECT count(*) FROM known").fetchall()[0][0])


def new_job(site: str) -> str:
    """Name a scan."""
    return f"scan-{site}-{uuid.uuid4().hex[:8]}"


def save_plan(plan: Plan, staging: Staging) -> None:
    """Keep a plan for later runs of the scan."""
    content = {
        "job": plan.job,
        "roots": [r.hex() for r in plan.roots],
        "found": plan.found,
        "unchanged": plan.unchanged,
        "listing": [(str(p), rows) for p, rows in plan.listing.parts],
        "dropped": plan.dropped,
        "removed": str(plan.removed) if plan.removed else None,
    }
    write_bytes(staging.scratch / _PLAN_FILE, json.dumps(content).encode())


def load_plan(staging: Staging) -> Plan | None:
    """Return the plan that a former run has left, if it got so far."""
    for path in sorted(staging.home.parent.glob(f"*/scratch/{_PLAN_FILE}")):
        content = json.loads(path.read_bytes())
        return Plan(
            content["job"],
            tuple(bytes.fromhex(r) for r in content["roots"]),
            content["found"],
            content["unchanged"],
            Listing(tuple((Path(p), rows) for p, rows in content["listing"])),
            content["dropped"],
            Path(content["removed"]) if content["removed"] else None,
        )
    return None


def committed(plan: Plan, store: Store) -> bool:
    """Tell whether the catalogue holds the scan's result: it was killed after its commit."""
    return any(s.job == plan.job for s in store.snapshots())


def plan_first(job: str, found: Listing, roots: Sequence[bytes]) -> Plan:
    """Plan the first scan of a site: everything is to be read."""
    return Plan(job, tuple(roots), found.rows, 0, found, 0, None)


def plan_again(
    job: str,
    found: Listing,
    snapshot: Snapshot,
    site: str,
    roots: Sequence[bytes],
    folder: Path,
) -> Plan:
    """Compare what was found with what a snapshot holds of the site.

    Unchanged is what has the same path, size and modification time. Dropped are the rows of what has changed
    or vanished below the roots; the other files of an object that loses a file are read again, so that copies
    and conflicts are decided afresh. Folders that could not be listed keep what is known of them.

    Parameters
    ----------
    found : Listing
        What the walk found, with sizes and times.
    roots : sequence of bytes
        Folders that were walked.
    folder : Path
        Where to write the plan.
    """
    import pyarrow.dataset as ds

    folder.mkdir(parents=True, exist_ok=True)
    with connect(folder / "spill") as engine:
        _known_view(engine, snapshot, site)
        files = [str(p) for p, _ in found.parts]
        engine.register(
            "found", ds.dataset(files, listing_schema(), "ipc") if files else listing_schema().empty_table()
        )
        engine.execute("CREATE TABLE roots (path BLOB)")
        engine.executemany("INSERT INTO roots VALUES (?)", [(r,) for r in roots])
        _retry_table(engine)
        for statement in _COMPARE:
            engine.execute(statement)
        rows = write_listing(folder / "read.arrow", _batches(engine))
        removed = folder / "removed.parquet"
        engine.execute(f"COPY (SELECT * FROM removed) TO '{removed}' (FORMAT parquet)")
        gone = engine.execute("SELECT count(*) FROM removed").fetchall()[0][0]
        same = engine.execute("SELECT count(*) FROM unchanged ANTI JOIN siblings USING (file_id)").fetchall()[
            0
        ][0]
    listing = Listing(((folder / "read.arrow", rows),) if rows else ())
    return Plan(job, tuple(roots), found.rows, same, listing, gone, removed if gone else None)


def _retry_table(engine: duckdb.DuckDBPyConnection) -> None:
    """Make the table ``retry``: files that could not be opened and can be now."""
    denied = engine.execute("SELECT key FROM known WHERE denied").fetchall()
    engine.execute("CREATE TABLE retry (key BLOB)")
    if opened := [(key,) for (key,) in denied if os.access(key, os.R_OK)]:
        engine.executemany("INSERT INTO retry VALUES (?)", opened)


def _batches(engine: duckdb.DuckDBPyConnection) -> Iterator[pa.RecordBatch]:
    reader = engine.sql("SELECT path, kind, size, mtime_ns, error FROM to_read").to_arrow_reader(16_384)
    yield from reader


def _known_view(engine: duckdb.DuckDBPyConnection, snapshot: Snapshot, site: str) -> None:
    """Make the view ``known``: every entry of a site that the snapshot holds."""
    for name in _KNOWN_TABLES:
        table = snapshot.tables[name]
        view(engine, name, table.table, table.files)
    engine.execute("CREATE TABLE this AS SELECT ?::VARCHAR AS site", [site])
    common = "file_id, coalesce(path_bytes, encode(path)) AS key, size, mtime_ns"
    engine.execute(
        f"""CREATE VIEW known AS
        SELECT {common}, 'file' AS kind, SOPInstanceUID, SeriesInstanceUID, false AS denied
        FROM files SEMI JOIN this USING (site)
        UNION ALL
        SELECT {common}, CASE stage WHEN 'discover' THEN 'unreadable' ELSE 'file' END, NULL, NULL,
          stage = 'read' AND error IN ('PermissionError', 'OSError', 'TimeoutError')
        FROM failures SEMI JOIN this USING (site) WHERE stage <> 'features'
        UNION ALL
        SELECT {common}, CASE WHEN kind IN ('link', 'special') THEN kind ELSE 'file' END, NULL, NULL, false
        FROM others SEMI JOIN this USING (site)"""
    )


_COMPARE: Final = (
    """CREATE TABLE unchanged AS
    SELECT k.file_id, k.key FROM known k JOIN found f ON k.key = f.path ANTI JOIN retry r ON k.key = r.key
    WHERE k.kind = f.kind AND (k.denied
      OR (k.size IS NOT DISTINCT FROM f.size AND k.mtime_ns IS NOT DISTINCT FROM f.mtime_ns))""",
    # Compared in hexadecimal: two digits a byte keep prefixes prefixes.
    """CREATE TABLE lost AS
    SELECT k.* FROM known k ANTI JOIN unchanged u ON k.key = u.key
    WHERE EXISTS (SELECT 1 FROM roots r WHERE k.key = r.path OR starts_with(hex(k.key), hex(r.path) || '2F'))
      AND (k.kind = 'unreadable' OR NOT EXISTS (
        SELECT 1 FROM found f
        WHERE f.kind = 'unreadable' AND starts_with(hex(k.key), hex(f.path) || '2F')))""",
    """CREATE TABLE siblings AS
    SELECT k.* FROM known k ANTI JOIN lost l ON k.key = l.key
    WHERE k.SOPInstanceUID IN (SELECT SOPInstanceUID FROM lost)""",
    """CREATE TABLE removed AS
    SELECT DISTINCT file_id, SeriesInstanceUID FROM (SELECT * FROM lost UNION ALL SELECT * FROM siblings)""",
    """CREATE VIEW to_read AS
    SELECT path, kind, size, mtime_ns, error FROM found f ANTI JOIN unchanged u ON f.path = u.key
    UNION ALL
    SELECT key, kind, size, mtime_ns, NULL FROM siblings""",
)
