"""The end of a scan: series derived, old rows dropped, one snapshot made."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from catalog.scan.derive import Instances, SeriesStage, series_tasks
from catalog.scan.rewrite import RewriteStage, rewrite_tasks
from catalog.scan.settle import StagedFile
from catalog.scan.shard import read_shard
from catalog.scan.stages import own_shards
from catalog.store import TableChange, place
from catalog.tables import tables
from hpc.durable import fsync_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from catalog.scan.plan import Plan
    from catalog.scan.settle import Settlement
    from catalog.store import Snapshot, Store
    from catalog.tables import DataFile
    from hpc.session import Session
    from hpc.staging import Staging
    from hpc.tasks import Task


def commit(session: Session, plan: Plan, store: Store, site: str, settlement: Settlement) -> Snapshot:
    """Make a snapshot of what was read and settled.

    Returns
    -------
    Snapshot
        The new snapshot; its counts are those of the scan.
    """
    staging, base = session.staging, store.snapshot()
    objects = [f for f in settlement.files if f.table == "instances"]
    instances = Instances(
        site,
        tuple(str(f.path) for f in objects),
        base.tables["instances"].files,
        plan.removed,
        staging.scratch / "derive",
    )
    derive = SeriesStage(staging, instances)
    session.run(derive, series_tasks(instances))
    rewritten = rewrite_tasks(instances, base)
    rewrite = RewriteStage(staging, instances, store.root)
    if rewritten:
        session.run(rewrite, rewritten)
    added = [
        *settlement.files,
        *_shard_files(staging, derive.name, plan.job),
        *_shard_files(staging, rewrite.name, plan.job),
    ]
    staging.confirm()
    changes = _changes(store, added, rewritten)
    return store.commit(
        changes,
        base=base,
        job=plan.job,
        counts=_counts(staging, plan, settlement),
        unchanged=("rois", "features"),  # what was computed meanwhile may be of series that change
    )


def _shard_files(staging: Staging, stage: str, job: str) -> Iterator[StagedFile]:
    for name, folder in sorted(own_shards(staging, stage).items()):
        for table, data in read_shard(folder).data.items():
            yield StagedFile(table, f"{job}-{stage}-{name}.parquet", folder / data.path, data)


def _changes(store: Store, added: Iterable[StagedFile], rewritten: Iterable[Task]) -> dict[str, TableChange]:
    """Put the staged files in place; say what the snapshot adds and drops."""
    add: dict[str, list[DataFile]] = defaultdict(list)
    remove: dict[str, set[str]] = defaultdict(set)
    for file in added:
        add[file.table].append(place(store, tables()[file.table], file.path, file.data, file.name))
    for task in rewritten:
        table, path = task.payload
        remove[table].add(path)
    for name in add:
        fsync_folder(store.root / tables()[name].folder)
    return {name: TableChange(tuple(add[name]), frozenset(remove[name])) for name in {*add, *remove}}


def _counts(staging: Staging, plan: Plan, settlement: Settlement) -> dict[str, int]:
    """What the scan counted."""
    read = [read_shard(folder).counts for folder in staging.finished("read").values()]
    new = sum(f.data.rows for f in settlement.files if f.table == "instances")
    return {
        "files": plan.found,
        "instances": new,
        **settlement.counts,
        "failures": sum(c["failures"] for c in read),
        "not_dicom": sum(c["not_dicom"] for c in read),
        "skipped": plan.unchanged,
        "removed": plan.dropped,
    }
