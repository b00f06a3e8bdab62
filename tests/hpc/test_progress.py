"""What people and programs read while a job runs."""

from __future__ import annotations

import io
import json
import sys

import pytest

from hpc import progress
from hpc.progress import Lines, Progress, View, duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.4, "59 s"), (60, "1 min 00 s"), (3599, "59 min 59 s"), (7500, "2 h 05 min")],
)
def test_durations_read_well(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("view", "text"),
    [
        (View("scan", "read", "files", 0, None, 0.0, None, 0), "scan, read: 0 files, 0/s"),
        (
            View("scan", "read", "files", 2500, 10_000, 812.4, 9.2, 3),
            "scan, read: 2,500 of 10,000 files (25%), 812/s, 9 s left, 3 failures",
        ),
        (View("scan", "read", "files", 5, 5, 2.5, 0.0, 0), "scan, read: 5 of 5 files (100%), 2.5/s"),
        (View("scan", "read", "files", 0, 0, 0.0, None, 0), "scan, read: 0 of 0 files, 0/s"),
    ],
)
def test_a_line_says_how_much_how_fast_how_long_and_what_failed(view, text):
    assert view.text() == text


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def test_a_log_gets_a_line_every_half_minute_and_the_status_file_is_fresh(tmp_path, monkeypatch, clock):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    counts = {"files": 0, "failures": 0}
    follower = Progress("scan", tmp_path, "serial", 1)
    follower.begin("read", "files", 1000, counts)
    for _ in range(61):
        clock.now += 1
        counts["files"] += 10
        follower.tick()
        status = json.loads((tmp_path / "status.json").read_text())
        assert counts["files"] - status["done"] < 60
    follower.end()
    follower.close("done")
    lines = stream.getvalue().splitlines()
    assert lines == [
        "scan, read: 300 of 1,000 files (30%), 10/s, 1 min 10 s left",
        "scan, read: 600 of 1,000 files (60%), 10/s, 40 s left",
        "scan, read: 610 of 1,000 files (61%), 10/s, 39 s left done",
    ]
    status = json.loads((tmp_path / "status.json").read_text())
    assert (status["state"], status["done"], status["total"], status["rate"]) == ("done", 610, 1000, 10.0)
    assert [path.name for path in tmp_path.iterdir()] == ["status.json"]


def test_a_terminal_gets_a_bar_on_stderr(tmp_path, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    follower = Progress("scan", tmp_path, "serial", 1)
    for stage in ("discover", "read"):
        follower.begin(stage, "files", 3, {"files": 3})
        follower.tick()
        follower.end()
    follower.close("done")
    assert "scan, discover: 3 of 3 files (100%)" in stream.getvalue()
    assert "scan, read: 3 of 3 files (100%)" in stream.getvalue()


def test_lines_go_to_stderr_only(capsys):
    Lines().show(View("scan", "read", "files", 1, None, 1.0, None, 0), last=True)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "scan, read: 1 files, 1/s done\n"
