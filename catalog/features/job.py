"""The features job: from series and their regions of interest to a new snapshot of the catalogue."""

from __future__ import annotations

import time
import uuid
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Final

from catalog import delta
from catalog.features.commit import READ, commit
from catalog.features.compute import FeatureStage
from catalog.features.failures import NOBODY
from catalog.features.linking import DRAWN, LinkStage, link_tasks
from catalog.features.plan import COMPUTED, Plan, Wish, make_plan, unread_objects
from catalog.store import open_store
from hpc.errors import ConflictError, UsageError
from hpc.run import run_job
from hpc.tasks import Task

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pyarrow as pa

    from catalog.radiomics.settings import Settings
    from catalog.store import Snapshot, Store
    from hpc.run import ExecutorName
    from hpc.session import Session
    from hpc.tasks import Stage

SOURCES: Final = (*DRAWN, *COMPUTED)
DEFAULT_SOURCES: Final = tuple(DRAWN)
DEFAULT_MEMORY_BYTES: Final = 4 * 2**30
_LEAST_MEMORY_BYTES: Final = 2**26
# A series alone in its process: all matrices of a large region on a slow node.
_ISOLATED_S: Final = 3_600.0
_ATTEMPTS: Final = 5


@dataclass(frozen=True, slots=True)
class FeatureOptions:
    """What to measure in which catalogue, and how.

    Attributes
    ----------
    catalog : Path
        The catalogue's folder.
    settings : Settings
        How features are computed.
    sources : tuple of str
        Where regions come from: ``seg``, ``rtstruct``, ``lungs``, ``whole``.
    choose : callable, optional
        Given a snapshot's number, returns the keys (site, SeriesInstanceUID) of the series to measure.
        All of them where it is left out.
    workers : int, optional
        Processes; all cores where it is left out. Under a launcher its ranks count.
    executor : str
        ``auto``, ``serial``, ``processes`` or ``mpi``.
    memory_bytes : int
        What a series may be predicted to need; a larger one is a failure.
    retry : bool
        Try again what has failed in a former run.

    Raises
    ------
    UsageError
        If a source is unknown, or the memory too little for anything.
    """

    catalog: Path
    settings: Settings
    sources: tuple[str, ...] = DEFAULT_SOURCES
    choose: Callable[[int], pa.Table] | None = None
    workers: int | None = None
    executor: ExecutorName = "auto"
    memory_bytes: int = DEFAULT_MEMORY_BYTES
    retry: bool = False

    def __post_init__(self) -> None:
        unknown = [s for s in self.sources if s not in SOURCES]
        if unknown or not self.sources:
            raise UsageError(f"--masks {','.join(self.sources)}: expected some of {', '.join(SOURCES)}")
        if self.memory_bytes < _LEAST_MEMORY_BYTES:
            raise UsageError("--memory: a worker needs at least 64 MB")


@dataclass(frozen=True, slots=True)
class FeatureReport:
    """What a run did.

    Attributes
    ----------
    job : str
        The run.
    snapshot : int
        The snapshot that holds the result.
    series : int
        Series that were opened.
    rois : int
        New rows of ``rois``.
    features : int
        New rows of ``features``.
    failures : int
        New rows of ``failures``.
    skipped : int
        Sources of masks of a series that the catalogue held already, measured or failed.
    seconds : float
        Wall time.
    """

    job: str
    snapshot: int
    series: int = 0
    rois: int = 0
    features: int = 0
    failures: int = 0
    skipped: int = 0
    seconds: float = 0.0

    def as_dict(self) -> dict[str, object]:
        """Return the report as JSON knows it."""
        return asdict(self)


def features(options: FeatureOptions) -> FeatureReport | None:
    """Compute IBSI features of the regions of interest of a catalogue's series.

    The same call works in one process, in local processes and on MPI ranks. Run again after a kill, it goes
    on where it was; run again after success, it measures only what is new or has changed.

    Returns
    -------
    FeatureReport or None
        None on an MPI rank that only works.

    Raises
    ------
    MissingError
        If there is no catalogue.
    ConflictError
        If another live run computes features in the same catalogue.
    InterruptedRunError
        If the run was asked to stop; the same call goes on.
    """
    return run_job(
        lambda session: _manage(session, options),
        executor=options.executor,
        workers=options.workers,
        folder=lambda: open_store(options.catalog).root / "staging" / "features",
        title="features",
    )


def _manage(session: Session, options: FeatureOptions) -> FeatureReport:
    """Do the steps of the job; only the manager does."""
    started = time.monotonic()
    store = open_store(options.catalog)
    job = f"features-{uuid.uuid4().hex[:8]}"
    report = _report(session, options, store, job)
    delta.project(store.snapshot())
    session.staging.clear()
    return replace(report, seconds=round(time.monotonic() - started, 3))


def _report(session: Session, options: FeatureOptions, store: Store, job: str) -> FeatureReport:
    """Plan, measure and commit; begin anew, with what is measured, where a scan came in between."""
    for _ in range(_ATTEMPTS):
        base = store.snapshot()
        plan = _plan(session, options, base)
        if not plan.items:
            return FeatureReport(job, base.number, skipped=plan.skipped)
        stage = FeatureStage(session.staging, options.settings, options.memory_bytes, job)
        _measure(session, stage, plan)
        shards = _finished(session, stage)
        if _unchanged(base, store.snapshot()):
            made = commit(session, plan, shards, store, base, (job, options.settings.hash))
            return FeatureReport(job, made.number, **made.counts)
    raise ConflictError(
        f"{store.root}: it was scanned {_ATTEMPTS} times while this run measured; run it again afterwards"
    )


def _plan(session: Session, options: FeatureOptions, base: Snapshot) -> Plan:
    wish = Wish(
        tuple(dict.fromkeys(options.sources)),
        options.settings.hash,
        options.choose(base.number) if options.choose else None,
        options.retry,
        options.settings.grid_mm,
        salt=str(options.memory_bytes),
    )
    stage, spill = LinkStage(session.staging), session.staging.scratch / "spill"
    tasks = link_tasks(unread_objects(base, wish, spill))
    done = _finished(session, stage)
    session.run(stage, [task for task in tasks if task.name not in done])
    done = _finished(session, stage)
    return make_plan(base, wish, [done[task.name] for task in tasks], spill)


def _finished(session: Session, stage: Stage) -> dict[str, Path]:
    """Shards of a stage by the names of their tasks, which say all that they depend on."""
    return {path.name: path for path in session.staging.finished(stage.name).values()}


def _measure(session: Session, stage: FeatureStage, plan: Plan) -> None:
    """Measure what no run has measured yet, the largest series first."""
    finished = _finished(session, stage)
    items = [item for item in plan.items if item.key not in finished]
    wanted = {item.key for item in items}
    suspects = {task.name: task for task in session.suspects(stage) if task.name in wanted}
    tasks = [suspects.get(item.key) or Task(item.key, item.size_bytes, item) for item in items]
    n_series = sum(item.series_uid != NOBODY for item in items)
    session.run(stage, tasks, known_total=n_series, limit_s=_ISOLATED_S)


def _unchanged(base: Snapshot, newest: Snapshot) -> bool:
    return all(base.tables[name].data == newest.tables[name].data for name in READ)
