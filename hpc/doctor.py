"""What a machine offers to a job: Python, packages, MPI, launcher, cores, memory and file system."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from hpc import durable, launch

if TYPE_CHECKING:
    from collections.abc import Iterator

Verdict = Literal["ok", "missing", "problem"]
_MPI_TIMEOUT_S: Final = 60
_ASK_MPI: Final = """
import mpi4py, os
from mpi4py import MPI
print(MPI.Get_library_version().split("\\n")[0].strip("\\0"), "| mpi4py", mpi4py.__version__, flush=True)
os._exit(0)
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    subject : str
        What.
    verdict : {"ok", "missing", "problem"}
        ``missing`` is something a job can do without.
    detail : str
        What was found, or what to do.
    """

    subject: str
    verdict: Verdict
    detail: str


def examine(folder: Path) -> Iterator[Finding]:
    """Look at everything; `folder` is where a catalogue is or will be, and gets a few files for a moment."""
    yield Finding("python", "ok", f"{platform.python_version()} ({sys.executable})")
    yield from _packages()
    yield _mpi()
    launched = launch.detect()
    tasks = launched.tasks or "several"
    seen = f"task {launched.rank} of {tasks}, started by {launched.launcher}" if launched.launcher else "none"
    yield Finding("launcher", "ok", seen)
    yield Finding("cores", "ok", f"{launch.available_cores()} for this process, {os.cpu_count()} in all")
    yield Finding("memory", "ok", _memory())
    yield from _file_system(folder)


def _packages() -> Iterator[Finding]:
    """Look for what the distribution says it needs, extras as well."""
    try:
        needs = metadata.requires("cohortium") or []
    except metadata.PackageNotFoundError:
        yield Finding("cohortium", "problem", "not installed: pip install cohortium")
        return
    yield Finding("cohortium", "ok", metadata.version("cohortium"))
    for need in needs:
        requirement, _, marker = need.partition(";")
        name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
        if "extra" in marker:
            continue
        try:
            yield Finding(name, "ok", metadata.version(name))
        except metadata.PackageNotFoundError:
            yield Finding(name, "problem", f"not installed: pip install '{requirement.strip()}'")


def _mpi() -> Finding:
    """Load MPI in a process of its own: some libraries end the process when they cannot start."""
    environment = launch.without_launcher(os.environ)
    try:
        done = subprocess.run(
            [sys.executable, "-c", _ASK_MPI],
            capture_output=True,
            check=False,
            env=environment,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=_MPI_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        return Finding("MPI", "problem", f"its start does not end within {_MPI_TIMEOUT_S} s")
    if done.returncode == 0:
        return Finding("MPI", "ok", " ".join(done.stdout.split()))
    reason = (done.stderr.strip() or "no message").rpartition("\n")[2]
    remedy = (
        "laptops: pip install 'cohortium[mpi-local]'; clusters: load the site's MPI, then pip install mpi4py"
    )
    return Finding("MPI", "missing", f"{reason} ({remedy})")


def _memory() -> str:
    page, pages = os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_PHYS_PAGES")
    text = f"{page * pages / 2**30:.1f} GiB"
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        limit = Path(path).read_text().strip() if Path(path).exists() else "max"
        if limit.isdigit() and int(limit) < page * pages:
            return f"{text}, limited to {int(limit) / 2**30:.1f} GiB"
    return text


def _file_system(folder: Path) -> Iterator[Finding]:
    """Try what staging and commits stand on: rename, link(2) that refuses, fsync of files and folders."""
    folder = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.is_dir())
    try:
        with tempfile.TemporaryDirectory(prefix=".doctor-", dir=folder) as made:
            place = Path(made)
            yield Finding(str(folder), "ok", f"file system {_type_of(folder.resolve())}")
            began = time.perf_counter()
            durable.write_bytes(place / "file", b"durable")
            yield Finding("fsync", "ok", f"{1e3 * (time.perf_counter() - began):.1f} ms for a small file")
            (place / "draft").mkdir()
            (place / "draft").rename(place / "final")
            yield Finding("rename", "ok", "of a folder")
            first = durable.create_exclusive(place / "one", b"first")
            second = durable.create_exclusive(place / "one", b"second")
            if (first, second) == (True, False):
                yield Finding("link", "ok", "refuses a name that exists")
            else:
                yield Finding("link", "problem", "a name was given twice: do not keep a catalogue here")
    except OSError as error:
        name = os.strerror(error.errno) if error.errno else str(error)
        yield Finding(
            str(folder),
            "problem",
            f"{name}: choose a folder where files can be made, linked, renamed",
        )


def _type_of(folder: Path) -> str:
    """Return the type of the file system, from the longest mount point above the folder (proc(5))."""
    try:
        lines = Path("/proc/self/mounts").read_text().splitlines()
    except OSError:
        return "unknown"
    mounts = [(fields[1].replace("\\040", " "), fields[2]) for fields in map(str.split, lines)]
    above = [(len(point), kind) for point, kind in mounts if folder.is_relative_to(point)]
    return max(above)[1] if above else "unknown"
