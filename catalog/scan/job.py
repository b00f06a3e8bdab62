"""The scan: from folders of files to a new snapshot of the catalogue."""

from __future__ import annotations

import os
import re
import time
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Final

from catalog import delta
from catalog.scan.commit import commit
from catalog.scan.discover import DiscoverStage, first_tasks
from catalog.scan.plan import (
    Plan,
    committed,
    knows_site,
    load_plan,
    new_job,
    plan_again,
    plan_first,
    save_plan,
)
from catalog.scan.read import ReadStage, remaining_tasks
from catalog.scan.settle import settle
from catalog.scan.shard import Source, read_shard
from catalog.store import open_or_create_store, open_store
from hpc.errors import CohortiumError, UsageError
from hpc.run import run_job

if TYPE_CHECKING:
    from pathlib import Path

    from catalog.store import Store
    from hpc.run import ExecutorName
    from hpc.session import Session

_SITE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
# Files in one task: few enough to lose without grief, many enough for row groups that compress.
_SMALLEST_BATCH: Final = 2_048
_LARGEST_BATCH: Final = 20_480


@dataclass(frozen=True, slots=True)
class ScanOptions:
    """What to scan into which catalogue, and how.

    Attributes
    ----------
    paths : tuple of Path
        Folders (or files) of one hospital.
    catalog : Path
        The catalogue's folder; made if it is not there.
    site : str
        Name of the hospital: letters, digits, dots, hyphens and underscores, at most 64.
    workers : int or None
        Processes; all cores where it is left out. Under a launcher its ranks count.
    executor : str
        ``auto``, ``serial``, ``processes`` or ``mpi``.
    keep_headers : bool
        Keep raw header bytes in the restricted zone.
    restart : bool
        Drop what an interrupted run of this site has left.
    accept_empty : bool
        Believe that every known file has vanished; an archive that is not mounted looks the same.

    Raises
    ------
    UsageError
        If there is no path, or the site's name is none.
    """

    paths: tuple[Path, ...]
    catalog: Path
    site: str
    workers: int | None = None
    executor: ExecutorName = "auto"
    keep_headers: bool = True
    restart: bool = False
    accept_empty: bool = False

    def __post_init__(self) -> None:
        if not _SITE.fullmatch(self.site):
            raise UsageError(
                f"--site {self.site!r}: expected letters, digits, dots, hyphens and underscores, at most 64, "
                "the first a letter or digit"
            )
        if not self.paths:
            raise UsageError("no PATH was given: name the folders of the site's files")

    def roots(self) -> tuple[bytes, ...]:
        """Absolute paths without links, none below another."""
        real = sorted({os.fsencode(p.resolve()) for p in self.paths})
        return tuple(p for p in real if not any(p.startswith(q.rstrip(b"/") + b"/") for q in real if q != p))


@dataclass(frozen=True, slots=True)
class ScanReport:
    """What a scan did; ``files`` is the sum of ``instances`` to ``skipped``.

    Attributes
    ----------
    job : str
        The run.
    snapshot : int
        The snapshot that holds the result.
    files : int
        Entries found, folders excepted.
    instances : int
        New rows of ``instances``.
    duplicates : int
        Files that are copies of another.
    failures, not_dicom : int
        New rows of ``failures`` and ``others``.
    skipped : int
        Files that were known and have not changed.
    conflicts : int
        SOPInstanceUIDs under which there are several contents.
    removed : int
        Known files that have changed or vanished.
    seconds : float
        Wall time.
    """

    job: str
    snapshot: int
    files: int = 0
    instances: int = 0
    duplicates: int = 0
    failures: int = 0
    not_dicom: int = 0
    skipped: int = 0
    conflicts: int = 0
    removed: int = 0
    seconds: float = 0.0

    def as_dict(self) -> dict[str, object]:
        """Return the report as JSON knows it."""
        return asdict(self)


def scan(options: ScanOptions) -> ScanReport | None:
    """Scan folders of DICOM files into a catalogue.

    The same call works in one process, in local processes and on MPI ranks. Run again after a kill, it goes
    on where it was; run again after success, it reads only what has changed.

    Returns
    -------
    ScanReport or None
        None on an MPI rank that only works.

    Raises
    ------
    UsageError
        If a path does not exist, the folder of the catalogue holds something else, or an interrupted scan of
        other folders waits.
    ConflictError
        If another live run scans the same site.
    InterruptedRunError
        If the run was asked to stop; the same call goes on.
    """
    return run_job(
        lambda session: _manage(session, options),
        executor=options.executor,
        workers=options.workers,
        folder=lambda: _staging_folder(options),
        title=f"scan {options.site}",
    )


def _staging_folder(options: ScanOptions) -> Path:
    """Where runs of this scan find each other; makes the catalogue if it is new."""
    for path in options.paths:
        if not path.exists():
            raise UsageError(f"{path} does not exist")
    return open_or_create_store(options.catalog).root / "staging" / f"scan-{options.site}"


def _manage(session: Session, options: ScanOptions) -> ScanReport:
    """Do the steps of a scan; only the manager does."""
    started = time.monotonic()
    store = open_store(options.catalog)
    plan = _planned(session, options, store)
    report = ScanReport(plan.job, store.snapshot().number, files=plan.found, skipped=plan.unchanged)
    if plan.listing.rows or plan.removed:
        _read(session, options, store, plan)
        settlement = settle(session, plan, store.snapshot(), options.site)
        snapshot = commit(session, plan, store, options.site, settlement)
        report = ScanReport(plan.job, snapshot.number, **snapshot.counts)
    delta.project(store.snapshot())
    session.staging.clear()
    return replace(report, seconds=round(time.monotonic() - started, 3))


def _planned(session: Session, options: ScanOptions, store: Store) -> Plan:
    """Take up the plan of an interrupted run, or walk the folders and make one."""
    staging = session.staging
    plan = load_plan(staging)
    if plan and (committed(plan, store) or options.restart):
        staging.clear()
        plan = None
    if plan:
        if plan.roots != options.roots():
            raise UsageError(
                f"an interrupted scan of other folders of site {options.site} waits: finish it with the "
                "command that started it, or drop it with --restart"
            )
        return plan
    snapshot = store.snapshot()
    known = knows_site(snapshot, options.site, staging.scratch / "spill")
    stage = DiscoverStage(staging, with_times=known, catalog=os.fsencode(store.root))
    session.run(stage, first_tasks(options.roots()))
    found = stage.listing()
    job = new_job(options.site)
    if known:
        plan = plan_again(job, found, snapshot, options.site, options.roots(), staging.scratch)
        if plan.dropped and not plan.found and not options.accept_empty:
            raise CohortiumError(
                f"there is no file any more where the catalogue knows {plan.dropped} of site {options.site}; "
                "is the archive mounted? If they are gone for good, scan with --accept-empty"
            )
    else:
        plan = plan_first(job, found, options.roots())
    save_plan(plan, staging)
    return plan


def _read(session: Session, options: ScanOptions, store: Store, plan: Plan) -> None:
    """Read what the plan says and no run has read yet; every file must be accounted for."""
    staging = session.staging
    source = Source(store.key(), options.site, plan.job, options.keep_headers)
    stage = ReadStage(staging, plan.listing, source)
    tasks = remaining_tasks(plan.listing.rows, staging.finished(stage.name), session.suspects(stage))
    left = int(sum(task.size for task in tasks))
    session.run(stage, tasks, min_size=_SMALLEST_BATCH, max_size=_LARGEST_BATCH, known_total=left)
    ended = dict.fromkeys(("files", "instances", "failures", "not_dicom"), 0)
    for folder in staging.finished(stage.name).values():
        for name, count in read_shard(folder).counts.items():
            ended[name] += count
    if not plan.listing.rows == ended["files"] == ended["instances"] + ended["failures"] + ended["not_dicom"]:
        raise CohortiumError(
            f"the scan does not add up and was not committed: {plan.listing.rows} files to read, "
            f"{ended['files']} read, of them {ended['instances']} objects, {ended['failures']} failures and "
            f"{ended['not_dicom']} others; run it again with --restart"
        )
