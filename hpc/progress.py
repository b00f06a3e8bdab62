"""How far a run is: a bar on a terminal, a line now and then in a log, and ``status.json`` for programs."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_LINE_S: Final = 30.0
_BAR_S: Final = 0.2
_STATUS_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class View:
    """A moment of a stage.

    Attributes
    ----------
    job, stage, unit : str
        What runs, and what is counted.
    done : int
        How many of the unit are done in this run.
    total : int or None
        How many there are, where that is known.
    rate : float
        Units per second since the stage began.
    eta_s : float or None
        Seconds left at that rate, where the total is known.
    failures : int
        How many of them are failures.
    """

    job: str
    stage: str
    unit: str
    done: int
    total: int | None
    rate: float
    eta_s: float | None
    failures: int

    def text(self) -> str:
        """Return the line for people."""
        parts = [f"{self.done:,}" if self.total is None else f"{self.done:,} of {self.total:,}"]
        parts[0] += f" {self.unit}" + (f" ({self.done / self.total:.0%})" if self.total else "")
        parts.append(f"{self.rate:,.0f}/s" if self.rate >= 10 else f"{self.rate:.2g}/s")
        if self.eta_s is not None and self.done != self.total:
            parts.append(f"{duration(self.eta_s)} left")
        if self.failures:
            parts.append(f"{self.failures:,} failures")
        return f"{self.job}, {self.stage}: {', '.join(parts)}"


class Display(Protocol):
    """Shows views to people."""

    def show(self, view: View, *, last: bool) -> None:
        """Show a view, the stage's last or one on the way."""

    def close(self) -> None:
        """Leave the terminal as it was found."""


class Lines:
    """A plain line every half a minute and at the end of each stage, on stderr."""

    every_s = _LINE_S

    def show(self, view: View, *, last: bool) -> None:
        """Write the line."""
        notice(view.text() + (" done" if last else ""))

    def close(self) -> None:
        """Do nothing."""


class Bar:
    """A bar on a terminal, on stderr."""

    every_s = _BAR_S

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

        columns = (SpinnerColumn(), BarColumn(bar_width=24), TextColumn("{task.description}", markup=False))
        self._bars = Progress(*columns, console=Console(stderr=True))
        self._bars.start()
        self._row: Any = None

    def show(self, view: View, *, last: bool) -> None:
        """Redraw the stage's bar."""
        if self._row is None:
            self._row = self._bars.add_task("")
        total = view.done if last else view.total
        self._bars.update(self._row, description=view.text(), completed=view.done, total=total)
        if last:
            self._bars.stop_task(self._row)
            self._row = None

    def close(self) -> None:
        """Stop redrawing."""
        self._bars.stop()


class Progress:
    """Follows a run, stage by stage.

    Parameters
    ----------
    job : str
        Title of the run.
    folder : Path
        Where ``status.json`` is kept.
    executor, workers
        What the run uses.
    """

    def __init__(self, job: str, folder: Path, executor: str, workers: int) -> None:
        self._path = folder / "status.json"
        self._job = job
        self._fixed = {"workers": workers, "executor": executor, "pid": os.getpid()}
        self._fixed["host"] = socket.gethostname()
        self._display: Lines | Bar = Bar() if sys.stderr.isatty() else Lines()
        self._stage, self._unit = "", ""
        self._total: int | None = None
        self._began = time.monotonic()
        self._counts: Mapping[str, int] = {}
        self._next_show = self._next_status = 0.0
        self._write("running")

    def begin(self, stage: str, unit: str, total: int | None, counts: Mapping[str, int]) -> None:
        """Begin a stage; `counts` is read as it grows."""
        self._stage, self._unit, self._total, self._counts = stage, unit, total, counts
        self._began = time.monotonic()
        self._next_show = self._began + self._display.every_s
        self._write("running")

    def tick(self) -> None:
        """Show and write how far the stage is, if it is time to."""
        now = time.monotonic()
        if now >= self._next_show:
            self._next_show = now + self._display.every_s
            self._display.show(self._view(), last=False)
        if now >= self._next_status:
            self._write("running")

    def end(self) -> None:
        """Show the stage's last view."""
        self._display.show(self._view(), last=True)

    def close(self, state: str, error: str = "") -> None:
        """Write the run's last state: ``done``, ``stopped`` or ``failed``, with the error's class."""
        self._display.close()
        self._write(state, error)

    def _view(self) -> View:
        done = self._counts.get(self._unit, 0)
        rate = done / max(time.monotonic() - self._began, 1e-9)
        left = None if self._total is None or not rate else max(self._total - done, 0) / rate
        failures = self._counts.get("failures", 0)
        return View(self._job, self._stage, self._unit, done, self._total, rate, left, failures)

    def _write(self, state: str, error: str = "") -> None:
        self._next_status = time.monotonic() + _STATUS_S
        view = asdict(self._view()) | {"counts": dict(self._counts), "state": state} | self._fixed
        view["updated"] = datetime.now(UTC).isoformat(timespec="seconds")
        if error:
            view["error"] = error
        draft = self._path.with_name(f".status.{os.getpid()}")
        draft.write_text(json.dumps(view) + "\n")
        draft.replace(self._path)


def duration(seconds: float) -> str:
    """Return a length of time for people: ``2 h 05 min``, ``3 min 20 s`` or ``8 s``."""
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 60} min {whole % 60:02d} s" if whole >= 60 else f"{whole} s"


def notice(text: str) -> None:
    """Write a line for people to stderr."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
