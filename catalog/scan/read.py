"""Reading files: from a slice of a list to staged rows of every table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from catalog.scan.shard import Source, write_shard, write_unread
from hpc.tasks import Outcome, Task

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from catalog.scan.listing import Listing
    from hpc.marks import Mark
    from hpc.staging import Staging


@dataclass(frozen=True, slots=True)
class ReadStage:
    """Reads headers; each task writes one shard with rows of every table.

    Attributes
    ----------
    staging : Staging
        Where the shards go.
    listing : Listing
        The files to read.
    source : Source
        Whose files they are.
    """

    staging: Staging
    listing: Listing
    source: Source
    name: str = "read"
    unit: str = "files"

    def work(self, task: Task, mark: Mark) -> Outcome:
        """Read one slice of the list."""
        start, stop = task.payload
        entries = self.listing.slice(start, stop)
        with self.staging.shard(self.name, task.name) as folder:
            counts = write_shard(folder, entries, self.source, mark.array)
        return Outcome(counts)

    def cut(self, task: Task, size: float) -> tuple[Task, Task] | None:
        """Cut a slice in two."""
        start, stop = task.payload
        middle = start + max(1, int(size))
        return None if middle >= stop else (slice_task(start, middle), slice_task(middle, stop))

    def narrow(self, task: Task, position: int) -> Sequence[Task]:
        """Set the file apart that was being read when the worker died."""
        start, stop = task.payload
        kinds = self.listing.slice(start, stop).column("kind").to_pylist()
        files = [start + i for i, kind in enumerate(kinds) if kind == "file"]
        suspect = files[min(position, len(files) - 1)]
        parts = ((start, suspect, False), (suspect, suspect + 1, True), (suspect + 1, stop, False))
        return [slice_task(a, b, isolated=alone) for a, b, alone in parts if b > a]

    def set_aside(self, task: Task, reason: str) -> Outcome:
        """Write a failure for a file that kills its reader."""
        start, stop = task.payload
        entries = self.listing.slice(start, stop)
        with self.staging.shard(self.name, task.name) as folder:
            counts = write_unread(folder, entries, self.source, reason)
        return Outcome(counts)


def slice_task(start: int, stop: int, *, isolated: bool = False) -> Task:
    """Return the task of a slice; its name tells the slice, so a finished shard tells what is done."""
    return Task(f"{start:012d}-{stop:012d}", float(stop - start), (start, stop), isolated)


def remaining_tasks(rows: int, finished: Mapping[str, Path], suspects: Sequence[Task] = ()) -> list[Task]:
    """Return the slices of a list of so many rows that no finished shard covers.

    Parameters
    ----------
    rows : int
        Length of the list.
    finished : Mapping
        Finished shards.
    suspects : sequence of Task
        Files at which a worker of a former run died; those that are still to do are read apart.
    """
    done = sorted(_slice(folder.name) for folder in finished.values())
    apart = [t for t in suspects if not any(a <= t.payload[0] < b for a, b in done)]
    tasks, at = list(apart), 0
    for start, stop in [*sorted([*done, *(t.payload for t in apart)]), (rows, rows)]:
        if start > at:
            tasks.append(slice_task(at, start))
        at = stop
    return tasks


def _slice(name: str) -> tuple[int, int]:
    start, stop = name.split("-")
    return int(start), int(stop)
