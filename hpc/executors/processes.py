"""Workers are processes of this machine, behind sockets; a dead one is replaced and its item suspected."""

from __future__ import annotations

from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Final

from hpc.bench import Desk, mark_path
from hpc.child import DONE, READY, Child
from hpc.errors import WorkerLostError
from hpc.executors import Done, Event, Failed, Lost
from hpc.marks import IDLE, read_position

if TYPE_CHECKING:
    from collections import deque

    from hpc.bench import Briefing
    from hpc.staging import Staging
    from hpc.tasks import Task

_FAILED_STARTS: Final = 5


class ProcessExecutor:
    """Starts a worker with its first task, and keeps it.

    Parameters
    ----------
    workers : int
        How many processes work; the manager sleeps beside them.
    """

    name = "processes"

    def __init__(self, workers: int) -> None:
        from collections import deque

        self.workers = workers
        self._desk = Desk()
        self._children: dict[int, Child] = {}
        self._events: deque[Event] = deque()
        self._staging: Staging | None = None
        self._failed_starts = 0

    def open(self, staging: Staging) -> None:
        """Note where the workers leave their marks."""
        self._staging = staging

    def send(self, worker: int, briefing: Briefing, task: Task) -> None:
        """Give a task to a worker, which is started if need be."""
        if worker not in self._children:
            self._desk.forget(worker)
            self._children[worker] = Child(worker)
        self._children[worker].send(self._desk.message(worker, briefing, task))

    def receive(self, timeout_s: float) -> Event | None:
        """Return what happened next; workers that died since are noticed here."""
        if not self._events:
            numbers = {child.connection: worker for worker, child in self._children.items()}
            for connection in wait(list(numbers), timeout_s):
                self._hear(numbers[connection])  # type: ignore[index]
        return self._events.popleft() if self._events else None

    def close(self, error: BaseException | None) -> None:
        """Hang up on all workers and wait for their end, or kill them."""
        for child in self._children.values():
            child.kill() if error else child.connection.close()
        for child in self._children.values():
            child.close()
        self._children.clear()

    def _hear(self, worker: int) -> None:
        message = self._children[worker].receive()
        if message is None:
            self._events.append(self._bury(worker))
        elif message[0] == DONE:
            self._failed_starts = 0
            self._events.append(Done(worker, message[1]))
        elif message[0] != READY:
            self._events.append(Failed(worker, message[1]))

    def _bury(self, worker: int) -> Lost:
        child = self._children.pop(worker)
        reason = child.ending()
        if child.ready and self._staging is not None:
            return Lost(worker, read_position(mark_path(self._staging, worker)), reason)
        self._failed_starts += 1
        if self._failed_starts >= _FAILED_STARTS:
            raise WorkerLostError(
                f"worker processes end before they can start ({reason}), {self._failed_starts} times in a "
                "row. Look at the messages above, memory limits and the system's log, then run again"
            )
        return Lost(worker, IDLE, reason)
