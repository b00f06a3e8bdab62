"""Whether a catalogue is what its snapshot says: digests, counts, references."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from catalog import delta
from catalog.engine import connect, view
from catalog.tables import describe

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

    from catalog.store import Snapshot, Store
    from catalog.tables import DataFile

# What must hold between the tables: what it says, and a query for the number of rows that break it.
_REFERENCES: Final = (
    (
        "every file_id of a site is one file's",
        "SELECT count(*) FROM (SELECT 1 FROM files GROUP BY site, file_id HAVING count(*) > 1)",
    ),
    (
        "every path is in one of files, failures and others",
        """SELECT count(*) FROM (SELECT 1 FROM (
          SELECT site, path, path_bytes FROM files
          UNION ALL SELECT site, path, path_bytes FROM failures WHERE stage <> 'features'
          UNION ALL SELECT site, path, path_bytes FROM others)
          GROUP BY site, path, path_bytes HAVING count(*) > 1)""",
    ),
    (
        "every object and version has one row in instances",
        """SELECT count(*) FROM (
          SELECT 1 FROM instances GROUP BY site, SOPInstanceUID, uid_version HAVING count(*) > 1)""",
    ),
    (
        "every row of instances has its file",
        """SELECT count(*) FROM instances
        ANTI JOIN (FROM files WHERE is_primary) USING (site, file_id, SOPInstanceUID)""",
    ),
    (
        "every file has its row in instances",
        "SELECT count(*) FROM files ANTI JOIN instances USING (site, SOPInstanceUID, uid_version)",
    ),
    (
        "every file has its row in identity",
        "SELECT count(*) FROM files ANTI JOIN identity USING (site, file_id)",
    ),
    (
        "every row of identity has its file",
        "SELECT count(*) FROM identity ANTI JOIN files USING (site, file_id)",
    ),
    (
        "every row of headers has its file",
        "SELECT count(*) FROM headers ANTI JOIN files USING (site, file_id)",
    ),
    (
        "every series has instances",
        "SELECT count(*) FROM series ANTI JOIN instances USING (site, SeriesInstanceUID)",
    ),
    (
        "every series counts its instances",
        """SELECT count(*) FROM (
          SELECT site, SeriesInstanceUID, count(DISTINCT SOPInstanceUID) AS n FROM instances
          WHERE SeriesInstanceUID IS NOT NULL GROUP BY ALL) i
        FULL JOIN (SELECT site, SeriesInstanceUID, n_instances AS n FROM series) s
        USING (site, SeriesInstanceUID)
        WHERE i.n IS DISTINCT FROM s.n""",
    ),
    (
        "every region has one row in rois",
        "SELECT count(*) FROM (SELECT 1 FROM rois GROUP BY site, roi_key HAVING count(*) > 1)",
    ),
    (
        "every region has its series",
        "SELECT count(*) FROM rois ANTI JOIN series USING (site, SeriesInstanceUID)",
    ),
    (
        "every region that was drawn has its object",
        """SELECT count(*) FROM (FROM rois WHERE SOPInstanceUID IS NOT NULL) r
        ANTI JOIN instances i ON r.site = i.site AND r.SOPInstanceUID = i.SOPInstanceUID
          AND r.mask_series = i.SeriesInstanceUID""",
    ),
    (
        "every region and settings have one row in features",
        """SELECT count(*) FROM (
          SELECT 1 FROM features GROUP BY site, roi_key, settings_hash HAVING count(*) > 1)""",
    ),
    (
        "every row of features has its region",
        "SELECT count(*) FROM features ANTI JOIN rois USING (site, roi_key, SeriesInstanceUID)",
    ),
    (
        "every region has features",
        "SELECT count(*) FROM rois ANTI JOIN features USING (site, roi_key, SeriesInstanceUID)",
    ),
)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was checked.

    Attributes
    ----------
    subject : str
        What it is about: a file, a table, or a law between tables.
    problem : str
        What is wrong, or empty.
    """

    subject: str
    problem: str


def verify(store: Store, number: int | None = None) -> Iterator[Check]:
    """Check a snapshot: size, digest and rows of every file; if they are sound, the laws between the tables.

    Yields a check at a time, so that a long verification can tell how far it is. A Delta log that a killed
    run left behind is healed, and said so.
    """
    snapshot = store.snapshot(number)
    sound = True
    for check in _files(store, snapshot):
        sound = sound and not check.problem
        yield check
    if not sound:
        return
    yield from _references(snapshot)
    if snapshot.number == max(store.numbers(), default=0):
        healed = delta.project(snapshot)
        yield Check("Delta logs" + (f" (brought up to date: {', '.join(healed)})" if healed else ""), "")


def _files(store: Store, snapshot: Snapshot) -> Iterator[Check]:
    for table in snapshot.tables.values():
        for data in table.data:
            yield Check(data.path, _damage(store.root / data.path, data))


def _damage(path: Path, data: DataFile) -> str:
    """What is wrong with a file of a table, or nothing."""
    import pyarrow.parquet as pq

    try:
        found = describe(path, pq.read_metadata(path).num_rows)
    except FileNotFoundError:
        return "is missing"
    except (OSError, ValueError) as error:  # pyarrow's ArrowInvalid is a ValueError
        return f"cannot be read ({type(error).__name__})"
    changed = [n for n in ("size_bytes", "sha256", "rows") if getattr(found, n) != getattr(data, n)]
    return f"differs from the snapshot in {', '.join(changed)}" if changed else ""


def _references(snapshot: Snapshot) -> Iterator[Check]:
    with tempfile.TemporaryDirectory() as spill, connect(Path(spill), memory="1GB") as engine:
        for name, table in snapshot.tables.items():
            view(engine, name, table.table, table.files)
        for law, query in _REFERENCES:
            yield _law(engine, law, query)


def _law(engine: duckdb.DuckDBPyConnection, law: str, query: str) -> Check:
    broken = engine.execute(query).fetchall()[0][0]
    return Check(law, f"does not hold for {broken} rows" if broken else "")
