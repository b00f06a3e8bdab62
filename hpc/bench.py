"""What passes between manager and workers, and what a worker does with it; the same for every executor."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hpc.marks import Mark

if TYPE_CHECKING:
    from pathlib import Path

    from hpc.staging import Staging
    from hpc.tasks import Outcome, Stage, Task

Message = tuple["bytes | None", "Task"]


@dataclass(frozen=True, slots=True)
class Briefing:
    """What a worker needs to know once per stage.

    Attributes
    ----------
    stage : Stage
        Works the tasks.
    staging : Staging
        Where shards and marks go.
    limit_s : float
        Seconds after which an isolated task is given up.
    """

    stage: Stage
    staging: Staging
    limit_s: float


class Desk:
    """The manager's side: tells each worker its briefing once, before the first task."""

    def __init__(self) -> None:
        self._briefing: Briefing | None = None
        self._body = b""
        self._told: set[int] = set()

    def message(self, worker: int, briefing: Briefing, task: Task) -> Message:
        """Return what to send to a worker."""
        if briefing is not self._briefing:
            self._briefing, self._body, self._told = briefing, pickle.dumps(briefing), set()
        body = None if worker in self._told else self._body
        self._told.add(worker)
        return body, task

    def forget(self, worker: int) -> None:
        """Note that a new process has taken the place of a dead one."""
        self._told.discard(worker)


class Bench:
    """The worker's side: works tasks as its last briefing says.

    Parameters
    ----------
    worker : int or None
        The worker's number, which names its mark; None for a process apart, whose parent keeps the mark.
    """

    def __init__(self, worker: int | None) -> None:
        self._worker = worker
        self._briefing: Briefing | None = None
        self._mark = Mark()

    def read(self, body: bytes) -> None:
        """Take a briefing in as the manager pickled it."""
        self.take(pickle.loads(body))  # noqa: S301 - from our own manager

    def take(self, briefing: Briefing) -> None:
        """Take a briefing in."""
        self._mark.close()
        self._briefing = briefing
        self._mark = Mark(None if self._worker is None else mark_path(briefing.staging, self._worker))

    def work(self, task: Task) -> Outcome:
        """Work a task and return its outcome; a suspect's in a process apart."""
        briefing = self._briefing
        if briefing is None:
            raise RuntimeError("a task came before its stage's briefing")
        self._mark.begin(briefing.stage.name, task)
        if not task.isolated:
            outcome = briefing.stage.work(task, self._mark)
        elif self._worker is None:
            outcome = briefing.stage.work(replace(task, isolated=False), self._mark)
        else:
            from hpc.isolate import work_apart

            outcome = work_apart(briefing, task)
        self._mark.end()
        return outcome


def mark_path(staging: Staging, worker: int) -> Path:
    """Return the file of a worker's mark."""
    return staging.marks / f"{worker:06d}"


def portable(error: Exception) -> Exception:
    """Return an error that can be sent to another process, with this process's traceback as a note."""
    import traceback

    text = "".join(traceback.format_exception(error)).rstrip()
    try:
        copy: Exception = pickle.loads(pickle.dumps(error))  # noqa: S301 - made here
    except Exception:  # noqa: BLE001 - an error whose class cannot be pickled must still be told
        copy = RuntimeError(f"{type(error).__name__}: {error}")
    copy.add_note(f"In a worker:\n{text}")
    return copy
