"""Who works what next: the state machine of every executor, without input, output or clock.

Work is handed out in guided batches, largest first: the largest waiting task is taken, and what exceeds
``remaining / (3 * workers)`` is cut off and waits on. Large batches keep the manager idle while there is
much to do; small ones at the end let all workers finish together (guided self-scheduling, Polychronopoulos
and Kuck, IEEE Transactions on Computers C-36, 1987).
"""

from __future__ import annotations

import heapq
import math
from typing import TYPE_CHECKING

from hpc.errors import UsageError, WorkerLostError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hpc.tasks import Outcome, Stage, Task

_ROUNDS = 3
_LOSSES_IN_A_ROW = 20

_Entry = tuple[float, int, float, "Task"]


class Scheduler:
    """Hands out the tasks of one stage.

    Parameters
    ----------
    stage : Stage
        Cuts tasks, and narrows those whose worker died.
    workers : int
        How many workers there are.
    min_size, max_size : float
        Tasks are not cut below `min_size`, and are cut down to `max_size`.
    """

    def __init__(self, stage: Stage, workers: int, min_size: float = 1.0, max_size: float = math.inf) -> None:
        if workers < 1 or not 0 < min_size <= max_size:
            raise UsageError(
                f"stage {stage.name}: {workers} workers, sizes from {min_size} to {max_size}; "
                "expected at least one worker and 0 < min_size <= max_size"
            )
        self._stage = stage
        self._workers = workers
        self._min_size = min_size
        self._max_size = max_size
        self._waiting: list[_Entry] = []
        self._running: dict[int, tuple[Task, float]] = {}
        self._given: set[str] = set()
        self._remaining = 0.0
        self._count = 0
        self._losses = 0
        self._draining = False

    @property
    def waiting(self) -> int:
        """Number of tasks that nobody has been given."""
        return len(self._waiting)

    @property
    def running(self) -> int:
        """Number of tasks that workers are at."""
        return len(self._running)

    @property
    def finished(self) -> bool:
        """True when nothing runs and nothing more will be handed out."""
        return not self._running and (self._draining or not self._waiting)

    def add(self, tasks: Iterable[Task]) -> None:
        """Put tasks in the queue; those of equal size are handed out in the order given."""
        for task in tasks:
            self._count += 1
            self._push(task, self._count, math.inf)

    def next(self, worker: int) -> Task | None:
        """Return the next task for an idle worker, or None where nothing waits for now."""
        if self._draining or not self._waiting:
            return None
        _, order, cap, task = heapq.heappop(self._waiting)
        self._remaining -= task.size
        task = self._cut(task, order, cap)
        if task.name in self._given:
            raise UsageError(
                f"stage {self._stage.name}: two tasks are named {task.name!r}, and the shard of one would "
                "replace the other's; the stage must name each part of a task anew"
            )
        self._given.add(task.name)
        self._running[worker] = (task, cap)
        return task

    def done(self, worker: int, outcome: Outcome) -> Task:
        """Note that a worker finished its task, queue what it found, and return the task."""
        task, _ = self._running.pop(worker)
        self._losses = 0
        for found in outcome.found:
            self._count += 1
            # the latest first: depth before breadth keeps the queue of a tree short
            self._push(found, -self._count, math.inf)
        return task

    def lost(self, worker: int, position: int) -> Task | None:
        """Note that a worker died at an item, queue its task in parts, and return the task, if it had one.

        The suspect is queued alone, to be worked in isolation. The other parts are handed out in smaller
        batches than before, in case the death came from their number and not from an item.
        """
        task, cap = self._running.pop(worker, (None, math.inf))
        if task is None:
            return None
        self._losses += 1
        if self._losses >= _LOSSES_IN_A_ROW:
            raise WorkerLostError(
                f"stage {self._stage.name}: {self._losses} workers died in a row and no task was finished in "
                "between. Something kills them from outside: look at memory limits and the system's log, "
                "then run the same command again; what is finished is kept"
            )
        self._given.discard(task.name)
        parts = [task] if task.isolated or position < 0 else self._stage.narrow(task, position)
        for part in parts:
            self._count += 1
            self._push(part, self._count, max(self._min_size, min(cap, task.size) / 4))
        return task

    def drain(self) -> None:
        """Hand out nothing more; what runs may finish."""
        self._draining = True

    def _push(self, task: Task, order: int, cap: float) -> None:
        # a suspect goes first: it is slow, and the end of a stage is no time for it
        rank = -math.inf if task.isolated else -task.size
        heapq.heappush(self._waiting, (rank, order, cap, task))
        self._remaining += task.size

    def _cut(self, task: Task, order: int, cap: float) -> Task:
        share = (self._remaining + task.size) / (_ROUNDS * self._workers)
        size = min(max(self._min_size, min(self._max_size, share)), cap)
        parts = None if task.isolated or task.size <= size else self._stage.cut(task, size)
        if parts is None:
            return task
        front, rest = parts
        self._push(rest, order, cap)
        return front
