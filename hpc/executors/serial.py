"""All work in this process, one task after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpc.bench import Bench
from hpc.executors import Done, Event

if TYPE_CHECKING:
    from hpc.bench import Briefing
    from hpc.staging import Staging
    from hpc.tasks import Task


class SerialExecutor:
    """The one worker is the manager itself; only suspects are worked in a process apart."""

    name = "serial"
    workers = 1

    def __init__(self) -> None:
        self._bench = Bench(0)
        self._briefing: Briefing | None = None
        self._task: Task | None = None

    def open(self, staging: Staging) -> None:
        """Do nothing: the briefing says where the folder is."""

    def send(self, worker: int, briefing: Briefing, task: Task) -> None:
        """Keep the task for `receive`."""
        if briefing is not self._briefing:
            self._briefing = briefing
            self._bench.take(briefing)
        self._task = task

    def receive(self, timeout_s: float) -> Event | None:
        """Work the task."""
        if self._task is None:
            return None
        task, self._task = self._task, None
        return Done(0, self._bench.work(task))

    def close(self, error: BaseException | None) -> None:
        """Do nothing: there is nobody to end."""
