"""Files of the catalogue written anew, without the rows that a scan drops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from catalog.engine import connect, literal
from catalog.features.failures import failure_of
from catalog.scan.shard import Shard, write_description
from catalog.scan.stages import WholeTasks
from catalog.tables import ROW_GROUP_ROWS, TableWriter, tables
from hpc.tasks import Outcome, Task

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import duckdb
    import pyarrow as pa

    from catalog.scan.derive import Instances
    from catalog.store import Snapshot
    from hpc.marks import Mark
    from hpc.staging import Staging


# Tables that lose rows when series change, be it that these only gain objects.
_BY_SERIES: Final = frozenset({"series", "rois", "features", "failures"})


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
            connect(self.instances.folder / f"spill-{task.name}") as engine,
            self.staging.shard(self.name, task.name) as folder,
        ):
            _prepare(engine, self.instances)
            source = f"read_parquet({literal(str(self.root / path))})"
            kept = f"SELECT * FROM {source} WHERE NOT ({_dropped(name)})"
            writer = TableWriter(table, folder / f"{name}.parquet")
            for rows in _tables(engine, kept):
                writer.write(rows)
            data = writer.close()
            write_description(folder, Shard({"rows": data.rows}, {name: data} if data.rows else {}))
        return Outcome({"rows": data.rows})


def rewrite_tasks(instances: Instances, snapshot: Snapshot) -> list[Task]:
    """Find the files of the catalogue that hold rows to be dropped."""
    tasks = []
    with connect(instances.folder / "spill") as engine:
        _prepare(engine, instances)
        for name, files in snapshot.tables.items():
            if not files.data or (name not in _BY_SERIES and instances.removed is None):
                continue
            listed = ", ".join(map(literal, files.files))
            source = f"read_parquet([{listed}], filename = true, union_by_name = true)"
            query = f"SELECT DISTINCT filename FROM {source} WHERE {_dropped(name)}"
            hit = {path for (path,) in engine.execute(query).fetchall()}
            for i, (data, path) in enumerate(zip(files.data, files.files, strict=True)):
                if path in hit:
                    tasks.append(Task(f"{name}-{i:06d}", float(data.rows), (name, data.path)))
    return tasks


def _prepare(engine: duckdb.DuckDBPyConnection, instances: Instances) -> None:
    instances.prepare(engine)
    engine.execute(f"CREATE VIEW touched AS FROM read_parquet({literal(str(instances.touched))})")


def _dropped(name: str) -> str:
    """Condition on the rows of a table that a scan drops; it is never null."""
    touched = "(SELECT SeriesInstanceUID FROM touched)"
    conditions = {
        "series": f"SeriesInstanceUID IN {touched}",
        "rois": f"SeriesInstanceUID IN {touched} OR mask_series IN {touched}",
        "features": f"SeriesInstanceUID IN {touched} OR mask_series IN {touched}",
        "failures": f"file_id IN (SELECT file_id FROM removed) OR {failure_of(touched)}",
    }
    condition = conditions.get(name, "file_id IN (SELECT file_id FROM removed)")
    return f"site = (SELECT site FROM this) AND coalesce({condition}, false)"


def _tables(engine: duckdb.DuckDBPyConnection, query: str) -> Iterator[pa.Table]:
    import pyarrow as pa

    for batch in engine.sql(query).to_arrow_reader(ROW_GROUP_ROWS):
        yield pa.Table.from_batches([batch])
