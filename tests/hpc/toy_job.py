"""A job for the engine's tests: items are numbers, each shard lists its own; some items do harm.

Also a command: ``python toy_job.py FOLDER --items 100 --executor processes ...`` prints one line of JSON.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hpc import Mark, Outcome, Session, StageReport, Staging, Task, run_job, signals
from hpc.errors import CohortiumError, InterruptedRunError, UsageError


def range_task(start: int, stop: int, *, isolated: bool = False) -> Task:
    return Task(f"{start:06d}-{stop:06d}", float(stop - start), (start, stop), isolated)


class CutsRanges:
    """Cutting and narrowing of tasks that are ranges of numbers."""

    def cut(self, task: Task, size: float) -> tuple[Task, Task] | None:
        start, stop = task.payload
        middle = start + max(1, int(size))
        return None if middle >= stop else (range_task(start, middle), range_task(middle, stop))

    def narrow(self, task: Task, position: int) -> Sequence[Task]:
        start, stop = task.payload
        item = start + position
        before = [range_task(start, item)] if item > start else []
        after = [range_task(item + 1, stop)] if item + 1 < stop else []
        return [*before, range_task(item, item + 1, isolated=True), *after]


@dataclass(frozen=True)
class ToyStage(CutsRanges):
    """Writes one shard per task."""

    staging: Staging
    delay_s: float = 0.0
    harm: Mapping[int, str] = field(default_factory=dict)
    name: str = "toy"
    unit: str = "items"

    def work(self, task: Task, mark: Mark) -> Outcome:
        start, stop = task.payload
        for position, item in enumerate(range(start, stop)):
            mark.array[0] = position
            time.sleep(self.delay_s)
            do_harm(self.harm.get(item, ""))
        self._write(task, {"items": list(range(start, stop))})
        return Outcome({"items": stop - start})

    def set_aside(self, task: Task, reason: str) -> Outcome:
        self._write(task, {"failed": list(range(*task.payload)), "reason": reason})
        return Outcome({"items": 1, "failures": 1})

    def _write(self, task: Task, rows: Mapping[str, object]) -> None:
        with self.staging.shard(self.name, task.name) as folder:
            (folder / "rows.json").write_text(json.dumps(rows))


@dataclass(frozen=True)
class TreeStage:
    """Finds the nodes of a binary tree, whose root is 0 and where n has the children 2n + 1 and 2n + 2."""

    staging: Staging
    nodes: int
    name: str = "tree"
    unit: str = "nodes"

    def work(self, task: Task, mark: Mark) -> Outcome:
        children = [c for n in task.payload for c in (2 * n + 1, 2 * n + 2) if c < self.nodes]
        with self.staging.shard(self.name, task.name) as folder:
            (folder / "rows.json").write_text(json.dumps({"items": task.payload}))
        return Outcome({"nodes": len(task.payload)}, (self.task(children),) if children else ())

    def cut(self, task: Task, size: float) -> tuple[Task, Task] | None:
        at = max(1, int(size))
        nodes = task.payload
        return None if at >= len(nodes) else (self.task(nodes[:at]), self.task(nodes[at:]))

    def narrow(self, task: Task, position: int) -> Sequence[Task]:
        return [task]

    def set_aside(self, task: Task, reason: str) -> Outcome:
        raise AssertionError(reason)

    @staticmethod
    def task(nodes: Sequence[int]) -> Task:
        return Task(f"{nodes[0]}-{len(nodes)}", len(nodes), list(nodes))


def do_harm(kind: str) -> None:
    if kind == "segv":
        ctypes.string_at(0)
    elif kind == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif kind == "exit":
        os._exit(3)
    elif kind == "hang":
        time.sleep(3600)
    elif kind == "raise":
        raise ZeroDivisionError("item of the toy job")


def read_rows(shards: Mapping[str, Path]) -> tuple[list[int], dict[int, str]]:
    """Return all items of some shards, repeated as often as they come, and reasons of those set aside."""
    items: list[int] = []
    failed: dict[int, str] = {}
    for folder in shards.values():
        rows = json.loads((folder / "rows.json").read_text())
        items += rows.get("items", []) + rows.get("failed", [])
        failed |= dict.fromkeys(rows.get("failed", []), rows.get("reason", ""))
    return sorted(items), failed


def remaining(total: int, done: Sequence[int], suspects: Sequence[Task]) -> list[Task]:
    """Return suspects that are still to do, and the rest in ranges."""
    left = set(range(total)) - set(done)
    apart = [task for task in suspects if task.payload[0] in left]
    left -= {task.payload[0] for task in apart}
    starts = sorted(n for n in left if n - 1 not in left)
    stops = sorted(n + 1 for n in left if n + 1 not in left)
    return [*apart, *(range_task(*ends) for ends in zip(starts, stops, strict=True))]


def toy_main(session: Session, total: int, delay_s: float, harm: Mapping[int, str], **options: float) -> dict:
    """Do the job: what is left of the items, then say what all shards hold."""
    stage = ToyStage(session.staging, delay_s, harm)
    done, _ = read_rows(session.staging.finished(stage.name))
    tasks = remaining(total, done, session.suspects(stage))
    report: StageReport = session.run(stage, tasks, known_total=total - len(done), **options)
    items, failed = read_rows(session.staging.finished(stage.name))
    return {
        "items": items,
        "failed": failed,
        "counts": report.counts,
        "tasks": report.tasks,
        "lost": report.lost,
        "before": len(done),
        "workers": session.workers,
        "executor": session.executor,
    }


def command(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--items", type=int, default=100)
    parser.add_argument("--executor", default="auto")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--max-size", type=float, default=10.0)
    parser.add_argument("--limit", type=float, default=60.0)
    parser.add_argument("--harm", action="append", default=[], metavar="ITEM:KIND")
    parser.add_argument("--pids", action="store_true", help="tell the manager's process on stderr")
    given = parser.parse_args(arguments)
    harm = {int(item): kind for item, _, kind in (each.partition(":") for each in given.harm)}
    signals.install()
    try:
        result = run_job(
            lambda session: toy_main(
                session, given.items, given.delay, harm, max_size=given.max_size, limit_s=given.limit
            ),
            folder=lambda: given.folder,
            title="toy",
            executor=given.executor,
            workers=given.workers,
        )
    except InterruptedRunError as error:
        sys.stderr.write(f"{error}\n")
        return 75
    except UsageError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except CohortiumError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if result is not None:
        sys.stdout.write(json.dumps(result) + "\n")
    return 0


if __name__ == "__main__":
    # under its own name, as workers import it
    from toy_job import command as named_command

    sys.exit(named_command(sys.argv[1:]))
