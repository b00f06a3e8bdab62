"""The walk: which files there are."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from catalog.scan.listing import Found, Listing, count_rows, size_and_time, write_listing
from catalog.scan.stages import WholeTasks, own_shards
from hpc.tasks import Outcome, Task

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from hpc.marks import Mark
    from hpc.staging import Staging

# A task walks on until it has seen this many entries, then gives the rest of its folders to others; the
# first tasks are small so that everybody has work soon.
_FIRST_BUDGET: Final = 500
_LARGEST_BUDGET: Final = 65_536
_PARTS: Final = 16
_FOUND_FILE: Final = "found.arrow"


@dataclass(frozen=True, slots=True)
class DiscoverStage(WholeTasks):
    """Walks folders; each task writes one list of what it found.

    Links are listed and never followed, so that a walk ends, stays below its roots and sees a file once.

    Attributes
    ----------
    staging : Staging
        Where the lists go.
    with_times : bool
        Ask for size and time of each file, to compare with a former scan.
    catalog : bytes
        The catalogue's own folder, which is passed over.
    """

    staging: Staging
    with_times: bool
    catalog: bytes
    name: str = "discover"
    unit: str = "folders"

    def work(self, task: Task, mark: Mark) -> Outcome:
        """Walk the task's folders up to its budget."""
        folders, budget = task.payload
        waiting = list(reversed(folders))
        counts = {"files": 0, "folders": 0}
        with self.staging.shard(self.name, task.name) as shard:
            write_listing(shard / _FOUND_FILE, _walk(waiting, budget, self, counts))
        return Outcome(counts, _shared_out(waiting, min(budget * 4, _LARGEST_BUDGET)))

    def size_and_time(self, path: bytes) -> tuple[int | None, int | None]:
        """Return size and time of a file, where they are asked for."""
        return size_and_time(path) if self.with_times else (None, None)

    def listing(self) -> Listing:
        """Return what this run's walk has found."""
        files = [path / _FOUND_FILE for _, path in sorted(own_shards(self.staging, self.name).items())]
        return Listing(tuple((f, rows) for f in files if (rows := count_rows(f))))


def first_tasks(roots: Sequence[bytes]) -> list[Task]:
    """Return the tasks that a walk starts with."""
    return [_folder_task((root,), _FIRST_BUDGET) for root in roots]


def _shared_out(waiting: Sequence[bytes], budget: int) -> tuple[Task, ...]:
    """Cut the folders that are left into tasks for anybody."""
    step = -(-len(waiting) // _PARTS) or 1
    parts = (tuple(reversed(waiting[i : i + step])) for i in range(0, len(waiting), step))
    return tuple(_folder_task(part, budget) for part in parts)


def _folder_task(folders: tuple[bytes, ...], budget: int) -> Task:
    """Return the task of walking folders, named by the first: a walk meets it once."""
    name = hashlib.blake2b(folders[0], digest_size=12).hexdigest()
    return Task(name, float(len(folders)), (folders, budget))


def _walk(
    waiting: list[bytes], budget: int, stage: DiscoverStage, counts: dict[str, int]
) -> Iterator[pa.RecordBatch]:
    """Walk depth first until the budget is spent; what is left stays in `waiting`."""
    while waiting and counts["files"] + counts["folders"] < budget:
        found = Found()
        below = _list(waiting.pop(), found, stage)
        waiting.extend(reversed(below))
        counts["folders"] += 1
        counts["files"] += len(found.path)
        if found.path:
            yield found.batch()


def _list(folder: bytes, found: Found, stage: DiscoverStage) -> list[bytes]:
    """List one folder by name; return the folders below it."""
    below: list[bytes] = []
    try:
        with os.scandir(folder) as entries:
            for entry in sorted(entries, key=attrgetter("name")):
                if entry.is_dir(follow_symlinks=False):
                    if entry.path != stage.catalog:
                        below.append(entry.path)
                elif entry.is_file(follow_symlinks=False):
                    found.add(entry.path, "file", *stage.size_and_time(entry.path))
                else:
                    found.add(entry.path, "link" if entry.is_symlink() else "special")
    except NotADirectoryError:  # a root may be a file
        found.add(folder, "file", *stage.size_and_time(folder))
    except OSError as error:
        found.add(folder, "unreadable", error=type(error).__name__)
    return below
