"""Files that survive a power cut, and files that only one of many can create."""

from __future__ import annotations

import os
import uuid
from pathlib import Path


def write_bytes(path: Path, data: bytes) -> None:
    """Replace or create a file so that after any crash it holds the old bytes or the new ones, whole."""
    draft = _write_draft(path, data)
    draft.replace(path)
    fsync_folder(path.parent)


def create_exclusive(path: Path, data: bytes) -> bool:
    """Create a file with its bytes, durably, unless it exists; among many callers one gets True.

    It is made by link(2), which is atomic on network file systems too and shows no half-written file. Where
    the server's answer was lost, the second name of the draft tells that the link was made (open(2), O_EXCL).
    """
    draft = _write_draft(path, data)
    try:
        os.link(draft, path)
    except FileExistsError:
        if draft.stat().st_nlink != 2:
            return False
    finally:
        draft.unlink()
    fsync_folder(path.parent)
    return True


def fsync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    _fsync(folder, os.O_RDONLY | os.O_DIRECTORY)


def fsync_tree(folder: Path) -> None:
    """Make every file under a folder durable, then every folder, the deepest first."""
    for place, _, names in os.walk(folder, topdown=False):
        for name in names:
            _fsync(Path(place, name), os.O_RDONLY)
        fsync_folder(Path(place))


def _write_draft(path: Path, data: bytes) -> Path:
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}")
    with draft.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return draft


def _fsync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
