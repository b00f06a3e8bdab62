"""The end of the features job: rows of many series in few files, failures that are no longer true dropped."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from catalog.engine import connect, literal, view
from catalog.features.failures import STAGE, requests
from catalog.scan.shard import Shard, read_shard, write_description
from catalog.scan.stages import WholeTasks, own_shards
from catalog.store import TableChange, place
from catalog.tables import DataFile, TableWriter, tables
from hpc.durable import fsync_folder
from hpc.errors import CohortiumError
from hpc.tasks import Outcome, Task

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from catalog.features.plan import Plan, Request
    from catalog.store import Snapshot, Store
    from hpc.marks import Mark
    from hpc.session import Session
    from hpc.staging import Staging

# What the job reads of a snapshot: it commits on these tables as it found them, or begins anew.
READ: Final = ("instances", "series", "rois", "features", "files", "failures")
_SHARDS_PER_FILE: Final = 512
_GROUP_ROWS: Final = 2_048


@dataclass(frozen=True, slots=True)
class GatherStage(WholeTasks):
    """Writes the rows of many series to one file for each table."""

    staging: Staging
    name: str = "gather"
    unit: str = "series"

    def work(self, task: Task, mark: Mark) -> Outcome:
        """Gather the shards of one task, in their order."""
        files: dict[str, list[Path]] = defaultdict(list)
        for folder in map(Path, task.payload):
            for name, data in read_shard(folder).data.items():
                files[name].append(folder / data.path)
        with self.staging.shard(self.name, task.name) as draft:
            joined = {name: _joined(name, paths, draft) for name, paths in files.items()}
            write_description(draft, Shard({}, joined))
        return Outcome({"series": len(task.payload)})


def _joined(name: str, paths: Sequence[Path], folder: Path) -> DataFile:
    """Write the rows of several files to one, in row groups that are neither small nor large."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    writer = TableWriter(tables()[name], folder / f"{name}.parquet")
    held: list[pa.Table] = []
    for path in paths:
        held.append(pq.read_table(path))
        if sum(rows.num_rows for rows in held) >= _GROUP_ROWS:
            writer.write(pa.concat_tables(held))
            held.clear()
    if held:
        writer.write(pa.concat_tables(held))
    return writer.close()


def commit(
    session: Session,
    plan: Plan,
    shards: Mapping[str, Path],
    store: Store,
    base: Snapshot,
    run: tuple[str, str],
) -> Snapshot:
    """Make a snapshot of what was measured.

    Parameters
    ----------
    shards : Mapping
        The staged rows of every item of the plan, by its key.
    base : Snapshot
        The snapshot from which the plan was made.
    run : tuple of str
        Name of the run, and hash of its settings.

    Raises
    ------
    ConflictError
        If another run has changed since what was measured.
    """
    counts, job = _counts(plan, shards), run[0]
    stage = GatherStage(session.staging)
    ordered = [str(shards[item.key]) for item in plan.items]
    parts = [ordered[i : i + _SHARDS_PER_FILE] for i in range(0, len(ordered), _SHARDS_PER_FILE)]
    tasks = [_task(i, part) for i, part in enumerate(parts)]
    session.run(stage, tasks)
    gathered = own_shards(session.staging, stage.name)
    changes = {name: list[DataFile]() for name in ("rois", "features", "failures")}
    for task in tasks:
        folder = gathered[task.name]
        for name, data in read_shard(folder).data.items():
            target = f"{job}-{task.name}.parquet"
            changes[name].append(place(store, tables()[name], folder / data.path, data, target))
    kept, dropped = _without(store, base, plan.again, session.staging, run)
    changes["failures"] += kept
    for name, added in changes.items():
        if added:
            fsync_folder(store.root / tables()[name].folder)
    session.staging.confirm()
    return store.commit(
        {
            name: TableChange(tuple(added), dropped if name == "failures" else frozenset())
            for name, added in changes.items()
        },
        base=base,
        job=job,
        counts=counts,
        unchanged=READ,
    )


def _task(number: int, folders: list[str]) -> Task:
    """Return a task whose name tells its shards: another plan of this run has others."""
    digest = hashlib.sha256("\n".join(folders).encode()).hexdigest()[:16]
    return Task(f"{number:06d}-{digest}", float(len(folders)), tuple(folders))


def _counts(plan: Plan, shards: Mapping[str, Path]) -> dict[str, int]:
    """What was counted; every request must have ended in features or in a failure."""
    counts: Counter[str] = Counter(dict.fromkeys(("series", "rois", "features", "failures", "requests"), 0))
    for item in plan.items:
        counts.update(read_shard(shards[item.key]).counts)
    wanted = sum(len(item.units) for item in plan.items)
    if counts.pop("requests") != wanted:
        raise CohortiumError("the features do not add up and were not committed; run it again")
    return {**counts, "skipped": plan.skipped}


def _without(
    store: Store, base: Snapshot, again: frozenset[Request], staging: Staging, run: tuple[str, str]
) -> tuple[list[DataFile], frozenset[str]]:
    """Write the files of ``failures`` anew that hold requests which were tried again, without these."""
    import pyarrow as pa

    if not again:
        return [], frozenset()
    table, (job, settings_hash) = tables()["failures"], run
    kept, dropped = [], set()
    for i, data in enumerate(base.tables["failures"].data):
        path = store.root / data.path
        with connect(staging.scratch / "spill-failures") as engine:
            view(engine, "failures", table, [str(path)])
            engine.register("again", pa.table(list(zip(*sorted(again), strict=True)), names=list("abcde")))
            rows: pa.Table = engine.sql(
                f"""SELECT * EXCLUDE q FROM (SELECT *, {requests()} AS q FROM failures)
                WHERE NOT coalesce(stage = {literal(STAGE)} AND q.settings_hash = {literal(settings_hash)}
                  AND (site, q.series_uid, q.source, q.object_uid, q.mask_series) IN (FROM again), false)"""
            ).to_arrow_table()
        if rows.num_rows == data.rows:
            continue
        dropped.add(data.path)
        if rows.num_rows:
            with staging.shard("drop", f"{i:06d}") as folder:
                writer = TableWriter(table, folder / "failures.parquet")
                writer.write(rows)
                written = writer.close()
            staged = own_shards(staging, "drop")[f"{i:06d}"] / written.path
            kept.append(place(store, table, staged, written, f"{job}-drop-{i:06d}.parquet"))
    return kept, frozenset(dropped)
