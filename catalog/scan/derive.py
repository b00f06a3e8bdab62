"""Series of a scan: which have to be derived again, and their rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from catalog.engine import connect, literal, quoted, view
from catalog.scan.shard import Shard, write_description
from catalog.scan.stages import WholeTasks
from catalog.tables import tables, write_rows
from hpc.tasks import Outcome, Task

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import duckdb

    from hpc.marks import Mark
    from hpc.staging import Staging

# Rows of instances that a worker holds at once when it derives series.
_PART_ROWS: Final = 32_768


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
    folder : Path
        Folder for ``touched.parquet``, and for what does not fit in memory.
    """

    site: str
    staged: tuple[str, ...]
    held: tuple[str, ...]
    removed: Path | None
    folder: Path

    @property
    def touched(self) -> Path:
        """Series that gain or lose rows: ``SeriesInstanceUID``, and ``part``, null where no row is left."""
        return self.folder / "touched.parquet"

    def prepare(self, engine: duckdb.DuckDBPyConnection, files: Sequence[str] = ()) -> None:
        """Make ``this`` (the site), ``removed``, and for given files ``staged`` and ``live`` (their rows)."""
        engine.execute("CREATE TABLE this AS SELECT ?::VARCHAR AS site", [self.site])
        nothing = "(SELECT 0::BIGINT AS file_id, ''::VARCHAR AS SeriesInstanceUID WHERE false)"
        source = f"read_parquet({literal(str(self.removed))})" if self.removed else nothing
        engine.execute(f"CREATE VIEW removed AS SELECT * FROM {source}")
        table, given = tables()["instances"], set(files)
        view(engine, "staged", table, [f for f in self.staged if f in given], filename=True)
        view(engine, "held", table, [f for f in self.held if f in given], filename=True)
        # a file that is read again has a row to go and a row to come
        engine.execute(
            """CREATE VIEW live AS SELECT * FROM staged UNION ALL BY NAME
            SELECT * FROM held SEMI JOIN this USING (site) ANTI JOIN removed USING (file_id)"""
        )


@dataclass(frozen=True, slots=True)
class SeriesStage(WholeTasks):
    """Derives series; each task the series of one part."""

    staging: Staging
    instances: Instances
    name: str = "series"
    unit: str = "series"

    def work(self, task: Task, mark: Mark) -> Outcome:
        """Derive one part of the series."""
        from catalog.series import needed_columns, summarise

        part, files = task.payload
        columns = ", ".join(map(quoted, needed_columns()))
        with connect(self.instances.folder / f"spill-{task.name}") as engine:
            self.instances.prepare(engine, files)
            engine.execute(
                f"CREATE VIEW touched AS FROM read_parquet({literal(str(self.instances.touched))})"
            )
            rows = engine.sql(
                f"SELECT {columns} FROM live "
                f"SEMI JOIN (FROM touched WHERE part = {part}) USING (SeriesInstanceUID)"
            ).to_arrow_table()
        derived = summarise(rows)
        with self.staging.shard(self.name, task.name) as folder:
            data = {"series": write_rows(tables()["series"], folder / "series.parquet", [derived])}
            write_description(folder, Shard({"series": derived.num_rows}, data))
        return Outcome({"series": derived.num_rows})


def series_tasks(instances: Instances) -> list[Task]:
    """Write ``touched.parquet``, and return the tasks that derive its series.

    A series belongs to the part of the first file that holds rows of it: a folder's files are read together,
    so most series lie in one file, and a part reads few.
    """
    with connect(instances.folder / "spill") as engine:
        instances.prepare(engine, (*instances.staged, *instances.held))
        for statement in _TOUCHED:
            engine.execute(statement)
        engine.execute(
            f"COPY (FROM touched ORDER BY part) TO {literal(str(instances.touched))} (FORMAT parquet)"
        )
        parts = engine.execute(
            """SELECT part, list(DISTINCT filename ORDER BY filename)
            FROM places JOIN touched USING (SeriesInstanceUID) GROUP BY part ORDER BY part"""
        ).fetchall()
    return [Task(f"{part:06d}", 1.0, (part, tuple(files))) for part, files in parts]


_TOUCHED: Final = (
    """CREATE TABLE uids AS
    SELECT SeriesInstanceUID FROM staged WHERE SeriesInstanceUID IS NOT NULL
    UNION SELECT SeriesInstanceUID FROM removed WHERE SeriesInstanceUID IS NOT NULL""",
    """CREATE TABLE places AS
    SELECT SeriesInstanceUID, filename, count(*) AS n FROM live SEMI JOIN uids USING (SeriesInstanceUID)
    GROUP BY ALL""",
    """CREATE TABLE homes AS
    SELECT SeriesInstanceUID, min(filename) AS home, sum(n) AS n FROM places GROUP BY ALL""",
    f"""CREATE TABLE parts AS
    SELECT home, ((sum(sum(n)) OVER (ORDER BY home) - 1) // {_PART_ROWS})::BIGINT AS part
    FROM homes GROUP BY home""",
    """CREATE TABLE touched AS
    SELECT SeriesInstanceUID, part
    FROM uids LEFT JOIN homes USING (SeriesInstanceUID) LEFT JOIN parts USING (home)""",
)
