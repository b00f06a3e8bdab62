"""Starts the toy job by every executor, as a user would."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from toy_runs import MPIEXEC, TOY, Run, kill


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
                kill(pid)
        run.process.communicate()
