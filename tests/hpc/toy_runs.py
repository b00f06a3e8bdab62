"""Running toy jobs: what they say, who belongs to them, waiting until they are somewhere."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

TOY = Path(__file__).with_name("toy_job.py")
MPIEXEC = Path(sys.executable).with_name("mpiexec")
TIMEOUT_S = 60
# how many processes work, by the way they are started
EXECUTORS = {"serial": 1, "processes": 2, "mpi-1": 1, "mpi-2": 1, "mpi-4": 3}
MANY = ["processes", "mpi-2", "mpi-4"]


@dataclass
class Run:
    """A started toy job."""

    folder: Path
    process: subprocess.Popen[str]

    def end(self) -> Run:
        """Wait for the end and keep what was said."""
        self.out, self.err = self.process.communicate(timeout=TIMEOUT_S)
        self.code = self.process.returncode
        return self

    @property
    def result(self) -> dict:
        assert self.code == 0, self.err
        return json.loads(self.out)

    @property
    def status(self) -> dict:
        return json.loads((self.folder / "status.json").read_text())

    def managers(self) -> list[int]:
        """Return processes that run the toy job itself, rank 0 or the only one first."""
        return [pid for pid, line in self._processes() if str(TOY) in line and "mpiexec" not in line]

    def workers(self) -> list[int]:
        """Return worker processes, or all ranks but the first."""
        children = [pid for pid, line in self._processes() if "hpc.child" in line]
        return children or self.managers()[1:]

    def everybody(self) -> list[int]:
        return [pid for pid, _ in self._processes()]

    def _processes(self) -> list[tuple[int, str]]:
        table = _process_table()
        found = {self.process.pid: table.get(self.process.pid, (0, ""))[1]}
        for _ in range(6):
            found |= {pid: line for pid, (parent, line) in table.items() if parent in found}
        return sorted(found.items())


def _process_table() -> dict[int, tuple[int, str]]:
    table = {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((place / "stat").read_text().rpartition(")")[2].split()[1])
            line = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (OSError, IndexError):
            continue
        table[int(place.name)] = (parent, line)
    return table


def kill(pid: int) -> None:
    """Kill a process that may have gone already."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def wait_for(run: Run, condition: Callable[[], object]) -> None:
    """Wait until a condition holds of a running job."""
    for _ in range(3000):
        try:
            if condition():
                return
        except OSError:
            pass
        assert run.process.poll() is None, run.end().err
        time.sleep(0.01)
    pytest.fail("the run did not get there")


def shards(run: Run) -> list[Path]:
    """Return the finished shards of all runs."""
    return list(run.folder.glob("runs/*/shards/toy/*"))
