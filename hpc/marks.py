"""Marks: where each worker is, kept on disk so that a worker's death tells what it was doing.

A mark is a small file per worker. Its first 32 bytes are mapped into memory and hold four little-endian
int64: position, heartbeat, and length and checksum of the pickled task behind them. Writing a position is a
store to memory, cheap enough for each item and possible inside a compiled kernel without the interpreter;
the kernel's page cache keeps it when the process is killed.
"""

from __future__ import annotations

import mmap
import os
import pickle
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from hpc.tasks import Task

IDLE: Final = -1
_HEAD_BYTES: Final = 32
_POSITION, _HEARTBEAT, _LENGTH, _CHECKSUM = range(4)


@dataclass(frozen=True, slots=True)
class Evidence:
    """A task that a worker had begun and not ended, and the item it was at."""

    stage: str
    task: Task
    position: int


class Mark:
    """One worker's mark.

    Attributes
    ----------
    array : ndarray of int64, shape (2,)
        Position within the task of the item being worked, and a counter that work may raise as a heartbeat.
    path : Path or None
        The file behind it; None for a mark that nobody will read.
    """

    __slots__ = ("_descriptor", "_head", "array", "path")

    def __init__(self, path: Path | None = None) -> None:
        import numpy as np

        self.path = path
        self._descriptor = -1
        if path is None:
            self._head: NDArray[np.int64] = np.zeros(4, np.int64)
        else:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            os.ftruncate(self._descriptor, _HEAD_BYTES)
            self._head = np.frombuffer(mmap.mmap(self._descriptor, _HEAD_BYTES), "<i8")
        self._head[_POSITION] = IDLE
        self.array: NDArray[np.int64] = self._head[:2]

    def begin(self, stage: str, task: Task) -> None:
        """Note that `task` of `stage` is being worked, from its first item."""
        if self._descriptor >= 0:
            body = pickle.dumps((stage, task))
            # idle while the body changes: nobody may read the old task with the new position
            self._head[_POSITION] = IDLE
            os.pwrite(self._descriptor, body, _HEAD_BYTES)
            self._head[_LENGTH] = len(body)
            self._head[_CHECKSUM] = zlib.crc32(body)
        self._head[_HEARTBEAT] = 0
        self._head[_POSITION] = 0

    def end(self) -> None:
        """Note that the task is done."""
        self._head[_POSITION] = IDLE

    def close(self) -> None:
        """Close the file; the mapping goes when the array does."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def read_position(path: Path) -> int:
    """Return the position in a worker's mark file, or `IDLE` where there is none."""
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except FileNotFoundError:
        return IDLE
    return int.from_bytes(head, "little", signed=True) if len(head) == 8 else IDLE


def read_body(path: Path) -> tuple[int, bytes] | None:
    """Return position and pickled task of a mark whose worker had not finished, else None."""
    data = path.read_bytes()
    head = [int.from_bytes(data[at : at + 8], "little", signed=True) for at in range(0, _HEAD_BYTES, 8)]
    body = data[_HEAD_BYTES : _HEAD_BYTES + max(head[_LENGTH], 0)]
    if head[_POSITION] < 0 or not body or zlib.crc32(body) != head[_CHECKSUM]:
        return None
    return head[_POSITION], body


def load_evidence(position: int, body: bytes) -> Evidence | None:
    """Return the evidence in a mark's body, or None where this version cannot read it any more."""
    try:
        stage, task = _unpickle(body)
    except (pickle.UnpicklingError, AttributeError, ImportError, EOFError, IndexError, TypeError, ValueError):
        return None
    return Evidence(stage, task, position)


def _unpickle(body: bytes) -> Any:
    return pickle.loads(body)  # noqa: S301 - staging reads only files that this user wrote
