"""What a job is made of: tasks, what comes of them, and the stage that knows how to work them."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from hpc.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hpc.marks import Mark

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,199}")


@dataclass(frozen=True, slots=True)
class Task:
    """A piece of work that one worker does without asking anybody.

    Attributes
    ----------
    name : str
        Lower-case letters, digits, dots and hyphens; names the staged shard, so no two tasks that are worked
        in one stage of a run may share it.
    size : float
        Estimated cost, in a unit of the stage's choice (files, bytes, seconds); orders and cuts the work.
    payload : Any
        What the stage needs to do the work: small and picklable.
    isolated : bool
        True for a single item under suspicion of having killed a worker: it is worked in a process apart.
    """

    name: str
    size: float
    payload: Any
    isolated: bool = False

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise UsageError(
                f"task name {self.name!r}: expected 1 to 200 of a-z, 0-9, '.', '-', the first no sign"
            )
        if not (self.size >= 0 and math.isfinite(self.size)):
            raise UsageError(f"task {self.name}: size is {self.size}, expected a finite number from zero")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a finished task reports; its rows are in its shards.

    Attributes
    ----------
    counts : Mapping of str to int
        Summed over all tasks into the stage's report; ``failures`` and the stage's unit feed the progress.
    found : tuple of Task
        Tasks that this one discovered, such as sub-directories.
    """

    counts: Mapping[str, int]
    found: tuple[Task, ...] = ()


class Stage(Protocol):
    """How one kind of task is worked: a frozen, picklable object, equal on every rank.

    A stage must be importable by name on the workers (not defined in ``__main__``). `work` writes shards with
    :meth:`hpc.staging.Staging.shard` and is pure otherwise: after a kill the same task may be worked again.
    """

    @property
    def name(self) -> str:
        """Name of the stage, made as task names are; names the folder of its shards."""

    @property
    def unit(self) -> str:
        """What is counted, in the plural (``files``); the key of `Outcome.counts` that progress shows."""

    def work(self, task: Task, mark: Mark) -> Outcome:
        """Do the task on a worker, setting ``mark.array[0]`` to each item's position before touching it."""

    def cut(self, task: Task, size: float) -> tuple[Task, Task] | None:
        """Return the front of about `size` and the rest, or None where the task is indivisible."""

    def narrow(self, task: Task, position: int) -> Sequence[Task]:
        """Split a task whose worker died at `position`: the parts before, the item alone, the parts after.

        Together the parts hold every item of the task once. The item alone has ``isolated=True``, and its
        name and payload say which item it is without the help of the run's plan: a later run asks too.
        """

    def set_aside(self, task: Task, reason: str) -> Outcome:
        """Write a failure row for each item of an isolated task that has killed its process again."""
