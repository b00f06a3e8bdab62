"""All work in this process, one task after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpc.bench import Bench
from hpc.executors import Done, Event

if TYPE_CHECKING:
    from hpc.bench import Briefing
    from hpc.tasks import Task


class SerialExecutor:
    """The one worker is the manager itself; only suspects are worked in a process apart."""

    name = "serial"
    workers = 1

    def __init__(self) -> None:
        self._bench = Bench(0)
        self._briefing: Briefing | None = None
        self._task: Task | None = None

    def send(self, worker: int, briefing: Briefing, task: Task) -> None:  # noqa: ARG002 - there is one
        """Keep the task for `receive`."""
        if briefing is not self._briefing:
            self._briefing = briefing
            self._bench.take(briefing)
        self._task = task

    def receive(self, timeout_s: float) -> Event | None:  # noqa: ARG002 - there is no waiting
        """Work the task."""
        if self._task is None:
            return None
        task, self._task = self._task, None
        return Done(0, self._bench.work(task))

    def close(self) -> None:
        """Do nothing: there is nobody to end."""

    def abort(self, error: BaseException) -> None:
        """Do nothing: there is nobody to end."""
