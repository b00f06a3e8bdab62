"""What follows from new rows: series to derive again, files of the catalogue to write without old rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from catalog.engine import connect, literal, view
from catalog.scan.shard import Shard, write_description
from catalog.scan.stages import WholeTasks
from catalog.tables import ROW_GROUP_ROWS, TableWriter, tables, write_rows
from hpc.tasks import Outcome, Task

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import duckdb
    import pyarrow as pa

    from catalog.store import Snapshot
    from hpc.marks import Mark
    from hpc.staging import Staging

# Rows of instances that a worker holds at once when it derives series.
_PART_ROWS: Final = 250_000


@dataclass(frozen=True, slots=True)
class Instances:
    """Where the rows of a site's objects lie once the scan is committed.

    Attributes
    ----------
    site : str
        The hospital.
    staged : tuple of str
        Staged files of ``instances``.
    held : tuple of str
        Files of ``instances`` that the catalogue holds.
    removed : Path or None
        Rows that the next snapshot drops: ``file_id``, ``SeriesInstanceUID``.
    spill : Path
        Folder for what does not fit in memory.
    """

    site: str
    staged: tuple[str, ...]
    held: tuple[str, ...]
    removed: Path | None
    spill: Path

    def views(self, engine: duckdb.DuckDBPyConnection) -> None:
        """Make the views ``touched`` (series UIDs) and ``live`` (their rows)."""
        table = tables()["instances"]
        view(engine, "staged", table, self.staged)
        view(engine, "held", table, self.held)
        engine.execute("CREATE TABLE this AS SELECT ?::VARCHAR AS site", [self.site])
        nothing = "(SELECT 0::BIGINT AS file_id, ''::VARCHAR AS SeriesInstanceUID WHERE false)"
        source = f"read_parquet({literal(str(self.removed))})" if self.removed else nothing
        engine.execute(f"CREATE VIEW removed AS SELECT * FROM {source}")
        engine.execute(
            """CREATE VIEW touched AS
            SELECT SeriesInstanceUID FROM staged WHERE SeriesInstanceUID IS NOT NULL
            UNION SELECT SeriesInstanceUID FROM removed WHERE SeriesInstanceUID IS NOT NULL"""
        )
        engine.execute(
            """CREATE VIEW live AS
            SELECT * FROM staged UNION ALL BY NAME
            SELECT * FROM held SEMI JOIN this USING (site)
            ANTI JOIN removed USING (file_id) SEMI JOIN touched USING (SeriesInstanceUID)"""
        )


@dataclass(frozen=True, slots=True)
class SeriesStage(WholeTasks):
    """Derives series; each task takes those whose UID has one remainder."""

    staging: Staging
    instances: Instances
    parts: int
    name: str = "series"
    unit: str = "series"

    def work(self, task: Task, mark: Mark) -> Outcome:
        """Derive one part of the series."""
        from catalog.series import needed_columns, summarise

        part: int = task.payload
        columns = ", ".join(f'"{c}"' for c in needed_columns())
        with connect(self.instances.spill / task.name) as engine:
            self.instances.views(engine)
            rows = engine.sql(
                f"SELECT {columns} FROM live WHERE SeriesInstanceUID IS NOT NULL "
                f"AND hash(SeriesInstanceUID) % {self.parts} = {part}"
            ).to_arrow_table()
        derived = summarise(rows)
        with self.staging.shard(self.name, task.name) as folder:
            data = {"series": write_rows(tables()["series"], folder / "series.parquet", [derived])}
            write_description(folder, Shard({"series": derived.num_rows}, data if derived.num_rows else {}))
        return Outcome({"series": derived.num_rows})


def series_tasks(rows: int) -> list[Task]:
    """Return the tasks that derive the series of so many instances."""
    parts = -(-rows // _PART_ROWS) or 1
    return [Task(f"{i:05d}-of-{parts:05d}", 1.0, i) for i in range(parts)]


@dataclass(frozen=True, slots=True)
class RewriteStage(WholeTasks):
    """Writes files of the catalogue without the rows that are dropped; each task one file."""

    staging: Staging
    instances: Instances
    root: Path
    name: str = "rewrite"
    unit: str = "rows"

    def work(self, task: Task, mark: Mark) -> Outcome:
        """Rewrite one file."""
        name, path = task.payload
        table = tables()[name]
        with (
            connect(self.instances.spill / task.name) as engine,
            self.staging.shard(self.name, task.name) as folder,
        ):
            self.instances.views(engine)
            kept = (
                f"SELECT * FROM read_parquet({literal(str(self.root / path))}) WHERE NOT ({_dropped(name)})"
            )
            writer = TableWriter(table, folder / f"{name}.parquet")
            for rows in _tables(engine, kept):
                writer.write(rows)
            data = writer.close()
            write_description(folder, Shard({"rows": data.rows}, {name: data} if data.rows else {}))
        return Outcome({"rows": data.rows})


def rewrite_tasks(instances: Instances, snapshot: Snapshot) -> list[Task]:
    """Find the files of the catalogue that hold rows to be dropped."""
    tasks = []
    with connect(instances.spill / "rewrite") as engine:
        instances.views(engine)
        for name, files in snapshot.tables.items():
            if not files.data or (name != "series" and instances.removed is None):
                continue
            listed = ", ".join(map(literal, files.files))
            source = f"read_parquet([{listed}], filename = true, union_by_name = true)"
            found = engine.execute(
                f"SELECT DISTINCT filename FROM {source} WHERE {_dropped(name)}"
            ).fetchall()
            hit = {path for (path,) in found}
            for i, (data, path) in enumerate(zip(files.data, files.files, strict=True)):
                if path in hit:
                    tasks.append(Task(f"{name}-{i:06d}", float(data.rows), (name, data.path)))
    return tasks


def _dropped(name: str) -> str:
    """Condition on the rows of a table that a scan drops."""
    of_site = "site = (SELECT site FROM this)"
    if name == "series":
        return f"{of_site} AND SeriesInstanceUID IN (SELECT SeriesInstanceUID FROM touched)"
    return f"{of_site} AND file_id IN (SELECT file_id FROM removed)"


def _tables(engine: duckdb.DuckDBPyConnection, query: str) -> Iterator[pa.Table]:
    import pyarrow as pa

    for batch in engine.sql(query).to_arrow_reader(ROW_GROUP_ROWS):
        yield pa.Table.from_batches([batch])
