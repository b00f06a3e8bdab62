"""The lease on a job's folder: at most one live run, and a dead one never in the way.

Leases are numbered files, and the highest number owns the folder. A new owner creates the next number with
link(2): of several claimants one succeeds, and the others see its lease. The owner touches its file every
few seconds; on the owner's host the process table is asked instead, so that after a crash the same command
goes on at once.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from hpc import durable
from hpc.errors import ConflictError

BEAT_S: Final = 10.0
STALE_S: Final = 60.0
_NAME = re.compile(r"lease-(\d{6,})\.json")


@dataclass(frozen=True, slots=True)
class Owner:
    """Who holds a lease; empty text and zero where the system does not tell.

    Attributes
    ----------
    host : str
        Name of the host, for people.
    place : str
        See :func:`place`.
    pid, started : int
        The process, and its start in clock ticks after boot: process numbers are used again.
    slurm_job, slurm_restart : str
        The Slurm job, and how often it was requeued.
    released : bool
        True once the owner has ended in order.
    """

    host: str
    place: str
    pid: int
    started: int
    slurm_job: str = ""
    slurm_restart: str = ""
    released: bool = False

    @classmethod
    def here(cls, *, released: bool = False) -> Owner:
        """Return this process as an owner."""
        environment = os.environ
        return cls(
            host=socket.gethostname(),
            place=place(),
            pid=os.getpid(),
            started=_start_of(os.getpid()),
            slurm_job=environment.get("SLURM_JOB_ID", ""),
            slurm_restart=environment.get("SLURM_RESTART_COUNT", "0"),
            released=released,
        )

    def alive(self, age_s: float) -> bool:
        """Return whether the owner may still be at work, `age_s` seconds after its last sign of life."""
        here = Owner.here()
        if self.released:
            return False
        if self.place == here.place:
            return process_alive(self.pid) and _start_of(self.pid) == self.started
        if self.slurm_job and self.slurm_job == here.slurm_job and self.slurm_restart != here.slurm_restart:
            return False  # Slurm ends a job everywhere before it starts it again
        return age_s <= STALE_S


class Lease:
    """A lease that this process holds and keeps fresh, from a thread, until `release`."""

    def __init__(self, folder: Path, number: int) -> None:
        self.number = number
        self._path = folder / _name(number)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="lease", daemon=True)
        self._thread.start()

    @classmethod
    def claim(cls, folder: Path) -> Lease:
        """Take the folder, or raise `hpc.errors.ConflictError` where another live run holds it."""
        while True:
            number, path = newest(folder)
            if path is not None:
                _refuse_live(folder, path)
            body = json.dumps(asdict(Owner.here())).encode()
            if durable.create_exclusive(folder / _name(number + 1), body):
                break
        for old in folder.glob("lease-*.json"):
            if _number(old) <= number:
                old.unlink(missing_ok=True)
        return cls(folder, number + 1)

    def release(self) -> None:
        """Give the folder up; the next run takes it at once."""
        self._ended.set()
        self._thread.join()
        if self._path.exists():
            durable.write_bytes(self._path, json.dumps(asdict(Owner.here(released=True))).encode())

    def _beat(self) -> None:
        while not self._ended.wait(BEAT_S):
            try:
                os.utime(self._path)
            except OSError:
                continue  # a file system away for a moment; whoever takes over is seen by `confirm`


def newest(folder: Path) -> tuple[int, Path | None]:
    """Return number and path of the lease in force, or 0 and None."""
    found = [(_number(path), path) for path in folder.glob("lease-*.json")]
    return max(found, default=(0, None))


def confirm(folder: Path, number: int) -> None:
    """Raise `hpc.errors.ConflictError` unless lease `number` is still in force."""
    current, _ = newest(folder)
    if current != number:
        raise ConflictError(
            f"{folder}: another run has taken this job over, because this one gave no sign of life for "
            f"{STALE_S:.0f} s. Nothing of this run was committed; the other run goes on with what is finished"
        )


def place() -> str:
    """Return what processes share that see each other by number: host, its boot, and PID namespace."""
    parts = [socket.gethostname()]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return " ".join(parts)


def process_alive(pid: int) -> bool:
    """Return whether a process of this host exists and is more than an entry waiting for its parent."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return _stat(pid)[:1] not in (["Z"], ["X"])


def _refuse_live(folder: Path, path: Path) -> None:
    try:
        owner = Owner(**json.loads(path.read_bytes()))
        age_s = _now(folder) - path.stat().st_mtime
    except FileNotFoundError:
        return  # its owner was just replaced; the claim of the next number decides
    if owner.alive(age_s) and (owner.place, owner.pid) == (place(), os.getpid()):
        raise ConflictError(f"{folder}: this process holds it already; a job finds it as session.staging")
    if owner.alive(age_s):
        raise ConflictError(
            f"{folder}: another run of this job is at work (process {owner.pid} on {owner.host}, last sign "
            f"of life {max(age_s, 0):.0f} s ago). Wait for its end or stop it, then run the command again"
        )


def _now(folder: Path) -> float:
    """Time by the clock that stamps the folder's files, which may be a server's."""
    probe = folder / f".clock-{os.getpid()}-{threading.get_ident()}"
    probe.touch()
    try:
        return probe.stat().st_mtime
    finally:
        probe.unlink(missing_ok=True)


def _name(number: int) -> str:
    return f"lease-{number:06d}.json"


def _number(path: Path) -> int:
    match = _NAME.fullmatch(path.name)
    return int(match[1]) if match else 0


def _start_of(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[19]) if len(fields) > 19 else 0


def _stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat from the state on (proc(5)); empty where there are none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return []
    return text.rpartition(")")[2].split()
