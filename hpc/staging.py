"""Staging: the folder where a job's runs leave their shards until the commit; they are the checkpoint.

::

    FOLDER/
      lease-000002.json           who is at work (hpc.lease)
      status.json                 how far (hpc.progress)
      runs/000001-5f0c9a2e/       one folder per run
        shards/STAGE/NAME/        finished: whole and durable
        drafts/                   being written
        scratch/                  the run's own files, such as its plan
        marks/                    what each worker is at (hpc.marks)
        seal.json, evidence.json  what a later run found here when it claimed the folder

A claim seals the runs before it: what they have finished by then counts, once and for all. A shard that a
dying worker of theirs renames later is in no seal, and its items, which the new run does again, do not
come twice.
"""

from __future__ import annotations

import base64
import json
import shutil
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hpc import durable, lease
from hpc.marks import Evidence, load_evidence, read_body

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Staging:
    """A run's view of a job's staging folder; picklable, so that stages carry it to the workers.

    Attributes
    ----------
    folder : Path
        The job's folder.
    run : str
        Identifies the run: its lease's number and a random part.
    """

    folder: Path
    run: str

    @property
    def home(self) -> Path:
        """Folder of this run."""
        return self.folder / "runs" / self.run

    @property
    def scratch(self) -> Path:
        """Folder for the run's own files; it stays, also for later runs, until `clear`."""
        return self.home / "scratch"

    @property
    def marks(self) -> Path:
        """Folder of this run's marks."""
        return self.home / "marks"

    @contextmanager
    def shard(self, stage: str, name: str) -> Iterator[Path]:
        """Give an empty folder to write to; on success it becomes the shard `name`, whole and durable.

        A shard of that name from an earlier try in this run is replaced. After an exception there is none.
        """
        draft = self.home / "drafts" / f"{stage}.{name}.{uuid.uuid4().hex[:12]}"
        draft.mkdir()
        try:
            yield draft
            durable.fsync_tree(draft)
            self.discard(stage, name)
            final = self._shard(stage, name)
            if not final.parent.is_dir():
                final.parent.mkdir(exist_ok=True)
                durable.fsync_folder(final.parent.parent)
            draft.rename(final)
            durable.fsync_folder(final.parent)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise

    def discard(self, stage: str, name: str) -> None:
        """Remove this run's shard `name`, if it is there: its task will be done again."""
        trash = self.home / "drafts" / f"discarded.{uuid.uuid4().hex[:12]}"
        try:
            self._shard(stage, name).rename(trash)
        except FileNotFoundError:
            return
        shutil.rmtree(trash, ignore_errors=True)

    def finished(self, stage: str) -> Mapping[str, Path]:
        """Return the stage's shards, of former runs as sealed and of this one as they are now.

        The key is ``RUN/NAME``: runs cut the work differently, and the same name may mean other items. The
        path's last part is the name.
        """
        found: dict[str, Path] = {}
        for home in sorted(self.home.parent.iterdir()):
            if home.name == self.run:
                names = _listed(home).get(stage, [])
            elif _number(home) < _number(self.home):
                names = json.loads((home / "seal.json").read_bytes()).get(stage, [])
            else:
                continue
            found.update((f"{home.name}/{name}", home / "shards" / stage / name) for name in names)
        return found

    def evidence(self) -> list[Evidence]:
        """Return what workers of former runs were at when they died, the earliest run first."""
        found = []
        for home in sorted(self.home.parent.iterdir()):
            if not _trusted(home / "evidence.json", self.home):
                continue
            for position, body in json.loads((home / "evidence.json").read_bytes()):
                found.append(load_evidence(position, base64.b64decode(body)))
        return [each for each in found if each is not None]

    def confirm(self) -> None:
        """Raise `hpc.errors.ConflictError` if another run has taken the job over; ask before a commit."""
        lease.confirm(self.folder, _number(self.home))

    def clear(self) -> None:
        """Forget all runs' shards, after the commit that made them rows; this run may go on."""
        trash = self.folder / f"cleared-{uuid.uuid4().hex[:12]}"
        # one rename: a kill in between leaves all shards or none, never some
        self.home.parent.rename(trash)
        durable.fsync_folder(self.folder)
        _lay_out(self.home)
        shutil.rmtree(trash, ignore_errors=True)

    def _shard(self, stage: str, name: str) -> Path:
        return self.home / "shards" / stage / name


@contextmanager
def claim(folder: Path) -> Iterator[Staging]:
    """Take a job's folder for a run, made if missing, and give it up at the end.

    Raises
    ------
    hpc.errors.ConflictError
        If another live run of the job holds it.
    """
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    held = lease.Lease.claim(folder)
    try:
        staging = Staging(folder, f"{held.number:06d}-{uuid.uuid4().hex[:8]}")
        _lay_out(staging.home)
        for home in sorted(staging.home.parent.iterdir()):
            if _number(home) < held.number:
                _seal(home, staging.home)
        for trash in folder.glob("cleared-*"):
            shutil.rmtree(trash, ignore_errors=True)
        yield staging
    finally:
        held.release()


def _lay_out(home: Path) -> None:
    """Make a run's folders; only here, so that a worker of a cleared run cannot bring its run back."""
    for name in ("shards", "drafts", "scratch", "marks"):
        (home / name).mkdir(parents=True, exist_ok=True, mode=0o700)
    durable.fsync_folder(home.parent)
    durable.fsync_folder(home)


def _seal(home: Path, mine: Path) -> None:
    """Fix for good what a former run has finished, and keep what its workers were at."""
    if not (home / "seal.json").exists():
        durable.write_bytes(home / "evidence.json", json.dumps(_gathered(home, mine)).encode())
        durable.write_bytes(home / "seal.json", json.dumps(_listed(home)).encode())
    for name in ("drafts", "marks"):
        shutil.rmtree(home / name, ignore_errors=True)


def _listed(home: Path) -> dict[str, list[str]]:
    shards = home / "shards"
    stages = sorted(shards.iterdir()) if shards.is_dir() else []
    return {stage.name: sorted(path.name for path in stage.iterdir()) for stage in stages}


def _gathered(home: Path, mine: Path) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    for path in sorted((home / "marks").glob("*")):
        body: Any = read_body(path) if _trusted(path, mine) else None
        if body is not None:
            found.append((body[0], base64.b64encode(body[1]).decode()))
    return found


def _trusted(path: Path, mine: Path) -> bool:
    """Whether this user wrote the file: evidence is unpickled, and another's could run their code."""
    return path.is_file() and path.stat().st_uid == mine.stat().st_uid


def _number(home: Path) -> int:
    return int(home.name.partition("-")[0])
