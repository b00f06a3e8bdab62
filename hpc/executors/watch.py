"""Ranks that die unseen: some launchers (srun without --kill-on-bad-exit) leave the others waiting for ever.

On one host the process table tells who lives. Between hosts each side touches a file from a thread, the
worker its mark and the manager its lease, and a file untouched for long tells of a death.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hpc.bench import mark_path
from hpc.lease import newest, place, process_alive

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hpc.staging import Staging

_LOOK_S: Final = 2.0
_TOUCH_S: Final = 15.0
_SILENCE_S: Final = 180.0


class Silence:
    """Tells when a file has not been touched for long, by this host's clock alone."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = 0
        self._since = time.monotonic()

    def too_long(self) -> bool:
        """Look at the file; return whether it has stayed the same for `_SILENCE_S` seconds."""
        stamp = 0
        with contextlib.suppress(OSError):
            stamp = self._path.stat().st_mtime_ns
        if stamp != self._stamp:
            self._stamp, self._since = stamp, time.monotonic()
        return time.monotonic() - self._since > _SILENCE_S


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where a rank runs; two with the same place see each other's process numbers."""

    place: str
    pid: int

    @classmethod
    def here(cls) -> Whereabouts:
        """Return where this process runs."""
        return cls(place(), os.getpid())


class ManagerWatch:
    """Looks after the workers from a thread of rank 0.

    Parameters
    ----------
    staging : Staging
        Where the workers' marks are.
    alarm : callable
        Called once with what was found; it ends the run.
    """

    def __init__(self, staging: Staging, alarm: Callable[[str], None]) -> None:
        self._staging = staging
        self._alarm = alarm
        self._place = place()
        self._near: dict[int, int] = {}
        self._far: dict[int, Silence] = {}
        self._ended = threading.Event()
        threading.Thread(target=self._run, name="watch", daemon=True).start()

    def know(self, worker: int, whereabouts: Whereabouts) -> None:
        """Note where a worker runs."""
        if whereabouts.place == self._place:
            self._near[worker] = whereabouts.pid
        else:
            self._far[worker] = Silence(mark_path(self._staging, worker))

    def stop(self) -> None:
        """Look no more: from now on ranks may end."""
        self._ended.set()

    def _run(self) -> None:
        while not self._ended.wait(_LOOK_S):
            dead = [worker for worker, pid in list(self._near.items()) if not process_alive(pid)]
            dead += [worker for worker, silence in list(self._far.items()) if silence.too_long()]
            if dead and not self._ended.is_set():
                self._alarm(_message(", ".join(str(worker + 1) for worker in dead[:10])))
                return


class WorkerWatch:
    """Looks after the manager while a worker waits, and shows from a thread that the worker lives.

    Parameters
    ----------
    staging : Staging
        Where the manager's lease and the worker's mark are.
    worker : int
        Number of the worker.
    manager : Whereabouts
        Where rank 0 runs.
    alarm : callable
        Called once with what was found; it ends the run.
    """

    def __init__(
        self, staging: Staging, worker: int, manager: Whereabouts, alarm: Callable[[str], None]
    ) -> None:
        self._alarm = alarm
        self._manager = manager
        self._near = manager.place == place()
        self._lease = Silence(newest(staging.folder)[1] or staging.folder)
        self._mark = mark_path(staging, worker)
        self._next = 0.0
        threading.Thread(target=self._run, name="watch", daemon=True).start()

    def look(self) -> None:
        """Look after the manager, every few seconds."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _LOOK_S
        if not process_alive(self._manager.pid) if self._near else self._lease.too_long():
            self._alarm(_message("0"))

    def _run(self) -> None:
        while True:
            with contextlib.suppress(OSError):
                self._mark.touch()
            time.sleep(_TOUCH_S)


def _message(ranks: str) -> str:
    return (
        f"cohortium: rank {ranks} died, and the launcher did not end the run. Run the same command again to "
        "go on from what is finished; with srun, add --kill-on-bad-exit=1"
    )
