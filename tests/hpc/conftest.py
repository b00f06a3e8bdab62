"""Starts the toy job by every executor, as a user would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
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


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Run]]:
    """Return a function that starts the toy job: ``start("mpi-4", "--items", "9", ...)``."""
    started: list[Run] = []

    def begin(executor: str, *arguments: str, environment: dict[str, str] | None = None) -> Run:
        name, _, ranks = executor.partition("-")
        command = [sys.executable, str(TOY), str(tmp_path / "job"), *arguments]
        if ranks:
            if not MPIEXEC.exists():
                pytest.skip("mpiexec is not beside this Python")
            command = [str(MPIEXEC), "-n", ranks, *command]
        else:
            command += ["--executor", name] if name != "auto" else []
            command += ["--workers", "2"] if name == "processes" else []
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
        started.append(Run(tmp_path / "job", process))
        return started[-1]

    yield begin
    for run in started:
        if run.process.poll() is None:
            for pid in run.everybody():
                _kill(pid)
        run.process.communicate()


def _kill(pid: int) -> None:
    try:
        os.kill(pid, 9)
    except ProcessLookupError:
        return
