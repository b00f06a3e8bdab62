"""Worker processes of our own: started afresh, spoken to through a socket, watched by its end.

A fresh interpreter instead of a fork (MPI, threads and open files do not survive one), and our own start
instead of :mod:`multiprocessing`'s, which runs the caller's main module again.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from hpc import launch, signals
from hpc.bench import Bench, portable

DONE, FAILED, READY = "done", "failed", "ready"


class Child:
    """A process that works tasks.

    Parameters
    ----------
    worker : int or None
        Its number as a worker, or None for one that works a single task apart.

    Attributes
    ----------
    connection : Connection
        Takes `hpc.bench.Message`, gives pairs of a kind and a value; ends when the process does.
    ready : bool
        True once the process has said that it could start and read its briefing.
    """

    def __init__(self, worker: int | None) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            arguments = [str(theirs.fileno()), str(os.getpid()), "" if worker is None else str(worker)]
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "hpc.child", *arguments],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=2,  # data goes to stdout, and only the manager writes data
                env=_environment(),
            )
        self.connection: Connection = Connection(ours.detach())
        self.ready = False

    def send(self, message: Any) -> None:
        """Send a message; that the process has died meanwhile is told by `receive`."""
        with contextlib.suppress(OSError):
            self.connection.send(message)

    def receive(self) -> tuple[str, Any] | None:
        """Wait for a message and return it, or None when the process has ended instead."""
        try:
            kind, value = self.connection.recv()
        except (EOFError, OSError):
            return None
        self.ready = True  # the first message is READY, or the error that prevented it
        return kind, value

    def ending(self) -> str:
        """Wait for the process's end and return the way of it, in words."""
        code = self._process.wait()
        self.connection.close()
        if code >= 0:
            return f"ended with exit code {code}"
        known = {each.value: each.name for each in signal.Signals}
        return f"killed by {known.get(-code, f'signal {-code}')}"

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()
        self.ending()

    def close(self, grace_s: float = 5.0) -> None:
        """Let the process end by itself once its task is done and told; kill it after `grace_s`."""
        self.connection.close()
        try:
            self._process.wait(grace_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def serve(connection: Connection, worker: int | None) -> None:
    """Work tasks until the manager hangs up."""
    bench = Bench(worker)
    while True:
        try:
            body, task = connection.recv()
        except (EOFError, OSError):
            return
        try:
            if body is not None:
                bench.read(body)
                connection.send((READY, None))
            reply: tuple[str, Any] = (DONE, bench.work(task))
        except Exception as error:  # noqa: BLE001 - whatever it is, the manager ends the run with it
            reply = (FAILED, portable(error))
        try:
            connection.send(reply)
        except OSError:
            return


def _environment() -> dict[str, str]:
    environment = launch.without_launcher(os.environ)
    environment["PYTHONPATH"] = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
    return environment


def _end_with_parent(parent: int) -> None:
    """Leave nobody at work when the run is killed, not even between two instructions."""
    signals.end_with_parent(wanted=True)
    if os.getppid() != parent:
        os._exit(1)


def _offer_for_memory() -> None:
    """Have the kernel take this process first when memory runs out (proc(5), oom_score_adj)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def main(descriptor: str, parent: str, worker: str) -> None:
    """Be a child; the arguments are what `Child` gives."""
    signals.ignore()
    os.set_inheritable(int(descriptor), False)  # noqa: FBT003 - it takes no keyword
    _end_with_parent(int(parent))
    if not worker:
        _offer_for_memory()
    serve(Connection(int(descriptor)), int(worker) if worker else None)


if __name__ == "__main__":
    main(*sys.argv[1:])
