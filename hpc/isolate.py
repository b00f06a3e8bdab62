"""A suspect's second chance: its task is worked in a process apart, and set aside if that one dies too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hpc.child import FAILED, Child
from hpc.errors import WorkerLostError

if TYPE_CHECKING:
    from hpc.bench import Briefing
    from hpc.tasks import Outcome, Task

_STARTS: Final = 3
_START_S: Final = 120.0
_BY_ANYONE: Final = "killed by SIGKILL"


def work_apart(briefing: Briefing, task: Task) -> Outcome:
    """Work an isolated task in a child process; if it kills that one, set it aside and say so.

    SIGKILL comes from outside: from the kernel short of memory, or from somebody who ends the whole run and
    reaches the child first. So that death counts only when it comes twice.
    """
    result = _try(briefing, task)
    if result == _BY_ANYONE:
        result = _try(briefing, task)
    return briefing.stage.set_aside(task, result) if isinstance(result, str) else result


def _try(briefing: Briefing, task: Task) -> Outcome | str:
    """Return the outcome, or how the process ended without one."""
    child = _start(briefing, task)
    try:
        if not child.connection.poll(briefing.limit_s):
            answer, ending = None, f"no result after {briefing.limit_s:.0f} s"
        else:
            answer = child.receive()
            ending = child.ending() if answer is None else ""
    finally:
        child.kill()
    if answer is None:
        # it may have died between its last act and its report
        briefing.staging.discard(briefing.stage.name, task.name)
        return ending
    kind, value = answer
    if kind == FAILED:
        raise value
    outcome: Outcome = value
    return outcome


def _start(briefing: Briefing, task: Task) -> Child:
    """Return a child that has read its briefing and is at the task."""
    import pickle

    for _ in range(_STARTS):
        child = Child(None)
        child.send((pickle.dumps(briefing), task))
        if not child.connection.poll(_START_S):
            child.kill()
            ending = f"gave no sign for {_START_S:.0f} s"
            continue
        message = child.receive()
        if message is None:
            ending = child.ending()
        elif message[0] == FAILED:
            child.kill()
            raise message[1]
        else:
            return child
    raise WorkerLostError(
        f"a process for {task.name} of stage {briefing.stage.name} {ending}, before it could start, "
        f"{_STARTS} times. Look at the messages above, memory limits and the system's log, then run again"
    )
