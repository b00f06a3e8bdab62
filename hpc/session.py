"""A run as the job's main function sees it, and the loop that serves every executor."""

from __future__ import annotations

import math
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hpc import signals
from hpc.bench import Briefing
from hpc.errors import InterruptedRunError
from hpc.executors import Done, Event, Failed, Lost
from hpc.schedule import Scheduler

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hpc.executors import Executor
    from hpc.progress import Progress
    from hpc.staging import Staging
    from hpc.tasks import Stage, Task

_WAIT_S: Final = 0.2
_CONFIRM_S: Final = 15.0


@dataclass(frozen=True, slots=True)
class StageReport:
    """What a stage did.

    Attributes
    ----------
    counts : Mapping of str to int
        Sums of all outcomes' counts.
    tasks : int
        How many tasks were worked.
    lost : int
        How many workers died meanwhile.
    seconds : float
        Wall time.
    stopped : bool
        True where a stop was asked for by the end, although all the work was done.
    """

    counts: Mapping[str, int]
    tasks: int
    lost: int
    seconds: float
    stopped: bool


class Session:
    """Runs stages, one after the other; made by :func:`hpc.run.run_job`.

    Attributes
    ----------
    staging : Staging
        The job's folder, claimed by this run.
    """

    def __init__(self, title: str, executor: Executor, staging: Staging, progress: Progress) -> None:
        self.staging = staging
        self._title = title
        self._executor = executor
        self._progress = progress
        self._scheduler: Scheduler | None = None

    @property
    def executor(self) -> str:
        """Name of the executor."""
        return self._executor.name

    @property
    def workers(self) -> int:
        """How many tasks are worked at a time."""
        return self._executor.workers

    @property
    def stopping(self) -> bool:
        """Whether the run was asked to stop."""
        return signals.stop_requested()

    @property
    def busy(self) -> bool:
        """Whether workers are at tasks."""
        return self._scheduler is not None and self._scheduler.running > 0

    def suspects(self, stage: Stage) -> tuple[Task, ...]:
        """Return an isolated task for each item that a former run's worker was at when it died.

        Give `run` those whose item is still to do, and leave the item out of the other tasks. Most are
        innocent, since all workers of a killed run leave one: worked apart, they give their rows as ever, and
        one that kills its process again is set aside.
        """
        found: dict[str, Task] = {}
        for each in self.staging.evidence():
            if each.stage == stage.name:
                parts = [each.task] if each.task.isolated else stage.narrow(each.task, each.position)
                found.update((task.name, task) for task in parts if task.isolated)
        return tuple(found.values())

    def run(
        self,
        stage: Stage,
        tasks: Iterable[Task],
        *,
        min_size: float = 1.0,
        max_size: float = math.inf,
        known_total: int | None = None,
        limit_s: float = 300.0,
    ) -> StageReport:
        """Work the tasks, and those they find, to the last.

        Parameters
        ----------
        stage : Stage
            Works them.
        tasks : iterable of Task
            What is to be done.
        min_size, max_size : float
            Bounds between which tasks are cut into batches, in units of `Task.size`.
        known_total : int or None
            How many of the stage's unit the tasks hold, for the progress.
        limit_s : float
            Seconds after which an isolated task is given up and set aside.

        Raises
        ------
        hpc.errors.InterruptedRunError
            If a stop was asked for and work is left; what is finished stays in the staging folder.
        hpc.errors.ConflictError
            If another run has taken the job over.
        """
        began = time.monotonic()
        scheduler = self._scheduler = Scheduler(stage, self.workers, min_size, max_size)
        scheduler.add(tasks)
        shift = _Shift(self._executor, scheduler, Briefing(stage, self.staging, limit_s))
        self._progress.begin(stage.name, stage.unit, known_total, shift.counts)
        next_confirm = began + _CONFIRM_S
        while not scheduler.finished:
            if self.stopping:
                scheduler.drain()
            shift.hand_out()
            shift.note(self._executor.receive(_WAIT_S))
            self._progress.tick()
            if time.monotonic() > next_confirm:
                next_confirm = time.monotonic() + _CONFIRM_S
                self.staging.confirm()
        self._progress.end()
        if scheduler.waiting:
            raise InterruptedRunError(
                f"{self._title} stopped early as asked, in stage {stage.name}, with work left. "
                "Run the same command again to go on"
            )
        seconds = time.monotonic() - began
        return StageReport(dict(shift.counts), shift.tasks, shift.lost, seconds, self.stopping)


class _Shift:
    """Stands between scheduler and executor for one stage: idle workers, and what came of the tasks."""

    def __init__(self, executor: Executor, scheduler: Scheduler, briefing: Briefing) -> None:
        self.counts: Counter[str] = Counter()
        self.tasks = 0
        self.lost = 0
        self._executor = executor
        self._scheduler = scheduler
        self._briefing = briefing
        self._idle = list(reversed(range(executor.workers)))

    def hand_out(self) -> None:
        """Give tasks to idle workers as long as there are both."""
        while self._idle:
            task = self._scheduler.next(self._idle[-1])
            if task is None:
                return
            self._executor.send(self._idle.pop(), self._briefing, task)

    def note(self, event: Event | None) -> None:
        """Take in what happened."""
        if isinstance(event, Done):
            self._scheduler.done(event.worker, event.outcome)
            self.counts.update(event.outcome.counts)
            self.tasks += 1
            self._idle.append(event.worker)
        elif isinstance(event, Lost):
            task = self._scheduler.lost(event.worker, event.position)
            self.lost += 1
            if task is not None:
                # it may have died between its last act and its report
                self._briefing.staging.discard(self._briefing.stage.name, task.name)
                self._idle.append(event.worker)
        elif isinstance(event, Failed):
            raise event.error
