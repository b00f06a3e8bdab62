"""Ways to run tasks. All serve the same loop (:mod:`hpc.session`), and so give the same results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hpc.bench import Briefing
    from hpc.staging import Staging
    from hpc.tasks import Outcome, Task


@dataclass(frozen=True, slots=True)
class Done:
    """A worker finished its task."""

    worker: int
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Failed:
    """A worker's task raised: an error in the program, which ends the run."""

    worker: int
    error: Exception


@dataclass(frozen=True, slots=True)
class Lost:
    """A worker died at an item of its task; a new one stands in its place."""

    worker: int
    position: int
    reason: str


Event = Done | Failed | Lost


class Executor(Protocol):
    """What the manager needs of a way to run tasks."""

    @property
    def name(self) -> str:
        """The key in `EXECUTORS`."""

    @property
    def workers(self) -> int:
        """How many workers there are, numbered from zero."""

    def open(self, staging: Staging) -> None:
        """Get ready, now that the run has its folder."""

    def send(self, worker: int, briefing: Briefing, task: Task) -> None:
        """Give a task to an idle worker."""

    def receive(self, timeout_s: float) -> Event | None:
        """Return what happened next, or None after about `timeout_s` seconds in which nothing did."""

    def close(self, error: BaseException | None) -> None:
        """End the workers: idle ones in order, after an `error` all of them at once.

        Ranks of MPI can only end at once together with the manager, so that the error is told here.
        """


def _serial(_workers: int) -> Executor:
    from hpc.executors.serial import SerialExecutor

    return SerialExecutor()


def _processes(workers: int) -> Executor:
    from hpc.executors.processes import ProcessExecutor

    return ProcessExecutor(workers)


def _mpi(_workers: int) -> Executor:
    from hpc.executors.mpi import MpiExecutor, world

    return MpiExecutor(world())


EXECUTORS: Final[Mapping[str, Callable[[int], Executor]]] = {
    "serial": _serial,
    "processes": _processes,
    "mpi": _mpi,
}
