"""Run a job: claim its folder, open an executor, let the manager work through the stages."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from hpc import launch
from hpc.errors import InterruptedRunError
from hpc.executors import EXECUTORS
from hpc.launch import ExecutorName
from hpc.progress import Progress, notice
from hpc.session import Session
from hpc.staging import claim

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

    from hpc.executors import Executor

__all__ = ["ExecutorName", "Session", "run_job"]

T = TypeVar("T")


def run_job(
    main: Callable[[Session], T],
    *,
    folder: Callable[[], Path],
    title: str,
    executor: ExecutorName = "auto",
    workers: int | None = None,
) -> T | None:
    """Run a job and return what `main` returns, or None on ranks that only worked for it.

    Parameters
    ----------
    main : callable
        The job: calls `hpc.session.Session.run` for each stage, then commits. It runs on the manager only.
    folder : callable
        Returns the job's staging folder, the same for each run of the job. Two live runs refuse each other; a
        new run finds what the former ones finished. It is called on the manager only, and what can go wrong
        before the work should go wrong there: a rank that ends before MPI has started hangs the others.
    title : str
        The job's name, for people.
    executor : {"auto", "serial", "processes", "mpi"}
        What works the tasks. ``auto``: MPI if a launcher started this process as one of several, else
        local processes, else, on one core, this process.
    workers : int, optional
        How many processes work; by default one per core. Under MPI the number of ranks says it.

    Raises
    ------
    hpc.errors.UsageError
        If several tasks were started and each would do the whole job.
    hpc.errors.ConflictError
        If another run of the job is at work.
    hpc.errors.InterruptedRunError
        If the run was asked to stop and left work.
    """
    launched = launch.detect()
    choice = launch.choose(executor, workers, launched)
    communicator = None
    if choice.executor == "mpi":
        choice, communicator = _connect(choice, launched)
    if communicator is not None and communicator.rank:
        from hpc.executors import mpi

        mpi.serve(communicator)
        return None
    return _manage(main, folder, title, EXECUTORS[choice.executor](choice.workers))


def _manage(main: Callable[[Session], T], folder: Callable[[], Path], title: str, executor: Executor) -> T:
    """Be the manager: run `main` between claiming the folder and ending the workers."""
    session = None
    try:
        with claim(folder()) as staging:
            executor.open(staging)
            progress = Progress(title, staging.folder, executor.name, executor.workers)
            session = Session(title, executor, staging, progress)
            result = _follow(main, session, progress)
    except BaseException as error:
        executor.close(error if session is not None and session.busy else None)
        if isinstance(error, KeyboardInterrupt):
            raise InterruptedRunError(
                f"{title} was stopped at once. Run the same command again to go on from what is finished"
            ) from error
        raise
    executor.close(None)
    return result


def _follow(main: Callable[[Session], T], session: Session, progress: Progress) -> T:
    """Run `main`, and leave its end in the status file."""
    try:
        result = main(session)
    except BaseException as error:
        stopped = isinstance(error, InterruptedRunError | KeyboardInterrupt)
        progress.close("stopped" if stopped else "failed", type(error).__name__)
        raise
    progress.close("done")
    return result


def _connect(choice: launch.Choice, launched: launch.Launch) -> tuple[launch.Choice, Any]:
    """Start MPI; return what to run on after all, and the communicator, or None where this is alone."""
    from hpc.executors import mpi

    try:
        communicator = mpi.world()
    except (ImportError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        launch.require_company(launched, f"MPI cannot be loaded: {reason}")
        notice(f"MPI cannot be loaded ({reason}); using {choice.workers} local processes instead")
        return launch.Choice("processes", choice.workers), None
    if communicator.size > 1:
        return choice, communicator
    launch.require_company(launched, "the MPI library sees one rank")
    return launch.Choice("serial", 1), None
