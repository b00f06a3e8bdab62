"""Workers are MPI ranks: rank 0 manages, the others work (MPI 4.1, point-to-point communication only).

Waiting is polling with growing pauses, on both sides: a blocking receive would burn a core and keep Python's
signal handlers from running. No collective call is made once work has begun. A rank that is lost ends the
run: most launchers see to that, and :mod:`hpc.executors.watch` does where they do not.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from hpc import signals
from hpc.bench import Bench, Desk, portable
from hpc.errors import CohortiumError, InterruptedRunError, in_words
from hpc.executors import Done, Event, Failed
from hpc.executors.watch import ManagerWatch, Whereabouts, WorkerWatch

if TYPE_CHECKING:
    from collections.abc import Callable

    from hpc.bench import Briefing
    from hpc.staging import Staging
    from hpc.tasks import Task

_ORDER, _REPLY = 1, 2
_HELLO, _DONE, _FAILED, _STOP, _BYE = range(5)
_SPIN_S: Final = 100e-6
_FIRST_PAUSE_S: Final = 50e-6
_LAST_PAUSE_S: Final = 2e-3
_FAREWELL_S: Final = 10.0
_START_S: Final = 300  # a rank that ended before it began keeps the others waiting


def world() -> Any:
    """Return the communicator of all ranks; the first call starts MPI.

    Raises
    ------
    ImportError, RuntimeError
        If mpi4py or the MPI library is missing.
    """
    if _is_wheel():
        # over UCX this build exchanges garbage between nodes under srun, and fails or hangs
        os.environ.setdefault("MPIR_CVAR_CH4_NETMOD", "ofi")
    # MPICH waits for its launcher in C, for ever and at full speed where that was killed meanwhile; other
    # launchers may start ranks from a thread, whose end would count as theirs
    with_launcher = _parent().startswith("hydra")
    signals.end_with_parent(wanted=with_launcher)
    signal.alarm(_START_S)  # ends the process, since nobody handles it
    try:
        from mpi4py import MPI
    finally:
        signal.alarm(0)
        signals.end_with_parent(wanted=False)
    return MPI.COMM_WORLD


def _parent() -> str:
    """Name of the process that started this one, or nothing."""
    try:
        return Path(f"/proc/{os.getppid()}/comm").read_text()
    except OSError:
        return ""


def _is_wheel() -> bool:
    """Whether MPI is the package ``mpich``, which comes before a site's library."""
    try:
        metadata.version("mpich")
    except metadata.PackageNotFoundError:
        return False
    return True


class MpiExecutor:
    """The manager's side, on rank 0.

    Parameters
    ----------
    communicator : mpi4py.MPI.Comm
        All ranks, two at least; worker ``n`` is rank ``n + 1``.
    """

    name = "mpi"

    def __init__(self, communicator: Any) -> None:
        self.workers: int = communicator.size - 1
        self._communicator = communicator
        self._desk = Desk()
        self._watch: ManagerWatch | None = None

    def open(self, staging: Staging) -> None:
        """Tell all ranks where the folder is, and begin to look after them."""
        self._watch = ManagerWatch(staging, lambda text: end_all(self._communicator, 1, text))
        self._tell_all((staging, Whereabouts.here()))

    def send(self, worker: int, briefing: Briefing, task: Task) -> None:
        """Give a task to a worker."""
        self._communicator.send(self._desk.message(worker, briefing, task), worker + 1, _ORDER)

    def receive(self, timeout_s: float) -> Event | None:
        """Return what happened next."""
        ends = time.monotonic() + timeout_s
        message = _receive(self._communicator, _REPLY, lambda: time.monotonic() > ends)
        if message is None:
            return None
        worker, kind, value = message
        if kind == _DONE:
            return Done(worker, value)
        if kind == _FAILED:
            return Failed(worker, value)
        if kind == _STOP:
            signals.request_stop()
        elif self._watch is not None:
            self._watch.know(worker, value)
        return None

    def close(self, error: BaseException | None) -> None:
        """Send all ranks home, or end them at once and this one with them."""
        if error is not None:
            stopped = isinstance(error, KeyboardInterrupt | InterruptedRunError)
            end_all(self._communicator, 75 if stopped else 1, told(error))
        if self._watch is not None:
            self._watch.stop()
        self._tell_all(None)
        self._see_off()

    def _see_off(self) -> None:
        """Receive every worker's last message: one still on its way would keep its rank from ending MPI."""
        ends = time.monotonic() + _FAREWELL_S
        here = self.workers
        while here:
            message = _receive(self._communicator, _REPLY, lambda: time.monotonic() > ends)
            if message is None:
                return
            here -= message[1] == _BYE

    def _tell_all(self, message: Any) -> None:
        for rank in range(1, self.workers + 1):
            self._communicator.send(message, rank, _ORDER)


def serve(communicator: Any) -> None:
    """Work as a rank other than 0 until the manager sends everybody home."""
    try:
        _serve(communicator, communicator.rank - 1)
    except BaseException as error:  # noqa: BLE001 - a rank that just left would hang the others
        end_all(communicator, 1, told(error))


def end_all(communicator: Any, code: int, text: str) -> NoReturn:
    """Say why, and end all ranks at once."""
    sys.stderr.write(f"{text.rstrip()}\n")
    sys.stderr.flush()
    sys.stdout.flush()
    communicator.Abort(code)
    os._exit(code)  # where the launcher ends the ranks, MPI_Abort may return before it has


def told(error: BaseException) -> str:
    """Return what to tell of an error: its message if it was raised for people, else all there is."""
    if isinstance(error, CohortiumError):
        return f"cohortium: {error}"
    if isinstance(error, OSError):
        return f"cohortium: {in_words(error)}"
    if isinstance(error, KeyboardInterrupt):
        return "Stopped at once. Run the same command again to go on from what is finished"
    return "".join(traceback.format_exception(error))


def _serve(communicator: Any, worker: int) -> None:
    welcome = _receive(communicator, _ORDER, lambda: False)
    if welcome is None:
        communicator.send((worker, _BYE, None), 0, _REPLY)
        return
    staging, manager = welcome
    watch = WorkerWatch(staging, worker, manager, lambda text: end_all(communicator, 1, text))
    communicator.send((worker, _HELLO, Whereabouts.here()), 0, _REPLY)
    bench = Bench(worker)
    asked = False

    def idle() -> bool:
        nonlocal asked
        if signals.stop_requested() and not asked:
            asked = True
            communicator.send((worker, _STOP, None), 0, _REPLY)
        watch.look()
        return False

    while True:
        order = _receive(communicator, _ORDER, idle)
        if order is None:
            communicator.send((worker, _BYE, None), 0, _REPLY)
            return
        body, task = order
        try:
            if body is not None:
                bench.read(body)
            reply: tuple[int, int, Any] = (worker, _DONE, bench.work(task))
        except Exception as error:  # noqa: BLE001 - whatever it is, the manager ends the run with it
            reply = (worker, _FAILED, portable(error))
        communicator.send(reply, 0, _REPLY)


def _receive(communicator: Any, tag: int, give_up: Callable[[], bool]) -> Any:
    """Return the next message, or None once `give_up`, which is asked before each pause, says so.

    Pauses are a small part of the time waited so far: were they longer, manager and worker would each wait
    for the other's pauses, and lengthen their own by that.
    """
    from mpi4py import MPI

    began = time.monotonic()
    while not communicator.Iprobe(MPI.ANY_SOURCE, tag):
        waited = time.monotonic() - began
        if waited < _SPIN_S:
            os.sched_yield()
        elif give_up():
            return None
        else:
            time.sleep(min(max(waited / 20, _FIRST_PAUSE_S), _LAST_PAUSE_S))
    return communicator.recv(source=MPI.ANY_SOURCE, tag=tag)
