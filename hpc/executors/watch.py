"""Ranks that die unseen: some launchers (srun without --kill-on-bad-exit) leave the others waiting for ever.

On one host the process table tells who lives. Between hosts each side touches a file from a thread, the
worker its mark and the manager its lease, and a file untouched for long tells of a death.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hpc.bench import mark_path
from hpc.lease import newest, process_alive

if TYPE_CHECKING:
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


class ManagerWatch:
    """Looks after the workers from a thread of rank 0.

    Parameters
    ----------
    alarm : callable
        Called once with what was found; it ends the run.
    """

    def __init__(self, alarm: Callable[[str], None]) -> None:
        self._alarm = alarm
        self._near: dict[int, int] = {}
        self._far: dict[int, Silence] = {}
        self._staging: Staging | None = None
        self._ended = threading.Event()

    def know(self, worker: int, host: str, pid: int) -> None:
        """Note where a worker runs."""
        if host == socket.gethostname():
            self._near[worker] = pid
        elif self._staging is not None:
            self._far[worker] = Silence(mark_path(self._staging, worker))

    def start(self, staging: Staging) -> None:
        """Begin to look, at the first call."""
        if self._staging is None:
            self._staging = staging
            threading.Thread(target=self._run, name="watch", daemon=True).start()

    def stop(self) -> None:
        """Look no more: from now on ranks may end."""
        self._ended.set()

    def _run(self) -> None:
        while not self._ended.wait(_LOOK_S):
            dead = [worker for worker, pid in list(self._near.items()) if not process_alive(pid)]
            dead += [worker for worker, silence in list(self._far.items()) if silence.too_long()]
            if dead and not self._ended.is_set():
                ranks = ", ".join(str(worker + 1) for worker in dead[:10])
                self._alarm(
                    f"Error: rank {ranks} died, and the launcher did not end the run. Run the same command "
                    "again to go on from what is finished; with srun, add --kill-on-bad-exit=1"
                )
                return


class WorkerWatch:
    """Looks after the manager while a worker waits, and shows that the worker lives.

    Parameters
    ----------
    alarm : callable
        Called once with what was found; it ends the run.
    """

    def __init__(self, alarm: Callable[[str], None]) -> None:
        self._alarm = alarm
        self._lease: Silence | None = None
        self._mark: Path | None = None
        self._next = 0.0

    def start(self, staging: Staging, worker: int) -> None:
        """Begin to show life, at the first call."""
        started, self._mark = self._mark is not None, mark_path(staging, worker)
        if not started:
            _, path = newest(staging.folder)
            self._lease = Silence(path) if path is not None else None
            threading.Thread(target=self._run, name="watch", daemon=True).start()

    def look(self) -> None:
        """Look after the manager, every few seconds."""
        if self._lease is None or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _LOOK_S
        if self._lease.too_long():
            self._lease = None
            self._alarm(
                "Error: rank 0 died, and the launcher did not end the run. Run the same command again to go on "
                "from what is finished; with srun, add --kill-on-bad-exit=1"
            )

    def _run(self) -> None:
        while True:
            time.sleep(_TOUCH_S)
            if self._mark is not None:
                with contextlib.suppress(OSError):
                    os.utime(self._mark)
