"""What the stages of a scan have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpc.errors import CohortiumError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hpc.staging import Staging
    from hpc.tasks import Outcome, Task


class WholeTasks:
    """Base of a stage whose tasks are neither cut nor suspected: a lost one is begun again."""

    __slots__ = ()

    def cut(self, task: Task, size: float) -> tuple[Task, Task] | None:
        """Return nothing: a task is done whole."""
        return None

    def narrow(self, task: Task, position: int) -> Sequence[Task]:
        """Return the task itself, to be begun again."""
        return (task,)

    def set_aside(self, task: Task, reason: str) -> Outcome:
        """Refuse: there is no file to blame."""
        raise CohortiumError(f"task {task.name} was {reason} again and again; see the log of the run")


def own_shards(staging: Staging, stage: str) -> dict[str, Path]:
    """Return the shards of a stage that this run has made, by name; a former run's may be stale."""
    finished = staging.finished(stage).items()
    return {path.name: path for key, path in finished if key.startswith(f"{staging.run}/")}
