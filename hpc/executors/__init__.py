"""Ways to run tasks. All serve the same loop (:mod:`hpc.session`), and so give the same results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from hpc.bench import Briefing
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
    """What the manager needs of a way to run tasks; its row is in :func:`hpc.run.run_job`."""

    @property
    def name(self) -> str:
        """``serial``, ``processes`` or ``mpi``."""

    @property
    def workers(self) -> int:
        """How many workers there are, numbered from zero."""

    def send(self, worker: int, briefing: Briefing, task: Task) -> None:
        """Give a task to an idle worker."""

    def receive(self, timeout_s: float) -> Event | None:
        """Return what happened next, or None after about `timeout_s` seconds in which nothing did."""

    def close(self) -> None:
        """End the workers; none has a task."""

    def abort(self, error: BaseException) -> None:
        """End the workers at once, whatever they are at; under MPI this ends the whole run."""
