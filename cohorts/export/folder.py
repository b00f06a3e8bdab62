"""An export folder: written beside its place, made durable, then renamed into it.

A folder of the asked name is therefore always whole. Its ``manifest.json`` names the cohort's key and every
file with its digest, so that the same export asked for again is recognised and left as it is.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
import socket
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cohorts.export.formats import EXPORTERS, Exporter
from cohorts.sql import did_you_mean
from hpc.durable import fsync_folder, fsync_tree
from hpc.errors import CohortiumError, ConflictError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cohorts.cohort import RowSet

MANIFEST: Final = "manifest.json"
MANIFEST_FORMAT: Final = 1


class InconsistentExportError(CohortiumError, RuntimeError):
    """What was written does not agree with what was counted."""


@dataclass(frozen=True, slots=True)
class Export:
    """A finished export.

    Attributes
    ----------
    folder : Path
        Where it is.
    manifest : mapping
        What its ``manifest.json`` says.
    was_there : bool
        True where the same export was there already, and nothing was written.
    """

    folder: Path
    manifest: Mapping[str, Any] = field(repr=False)
    was_there: bool


def exporter(form: str) -> Exporter:
    """Return an export format by its name.

    Raises
    ------
    UsageError
        If there is no such format.
    """
    if form not in EXPORTERS:
        hint = did_you_mean(form, EXPORTERS)
        raise UsageError(f"there is no export format {form!r}{hint}; there are {', '.join(EXPORTERS)}")
    return EXPORTERS[form]


def export(rows: RowSet, to: str | os.PathLike[str], form: str) -> Export:
    """Write the rows of a cohort, with a data dictionary and a manifest, to a new folder.

    Parameters
    ----------
    rows : RowSet
        The cohort.
    to : path
        The folder; it must not exist, unless it holds this very export already.
    form : str
        One of :data:`EXPORTERS`.

    Raises
    ------
    UsageError
        If the format is not known, or something else is in the folder's place.
    ConflictError
        If another run put something there meanwhile.
    """
    chosen = exporter(form)
    target = Path(os.path.abspath(to))  # noqa: PTH100 - resolve() would leave a link that stands in the place
    if os.path.lexists(target):
        return _present(rows, target, form)
    target.parent.mkdir(parents=True, exist_ok=True)
    _clear_dead_drafts(target)
    draft = target.with_name(_draft_name(target, os.getpid()))
    draft.mkdir()
    try:
        manifest = _fill(rows, draft, chosen)
        fsync_tree(draft)
        _put_in_place(draft, target)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return Export(target, manifest, was_there=False)


def _fill(rows: RowSet, folder: Path, chosen: Exporter) -> dict[str, Any]:
    counts = dict(rows.counts)
    written = chosen.write(rows, folder)
    if written != counts[rows.level.view]:
        raise InconsistentExportError(
            f"{written} rows were written of {counts[rows.level.view]} counted; run `cohortium verify`"
        )
    _write_dictionary(rows, folder / "dictionary.csv")
    origin = rows.origin()
    if "definition" in origin:
        (folder / "definition.toml").write_text(origin["definition"], encoding="utf-8")
    manifest = {
        "format": MANIFEST_FORMAT,
        "key": rows.key,
        "name": rows.name,
        "level": rows.level.name,
        "as": chosen.name,
        "catalog": rows.catalog.catalog_id,
        "snapshot": rows.catalog.snapshot,
        "counts": counts,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": _versions(),
        **origin,
        "files": [_described(folder, path) for path in sorted(folder.iterdir())],
    }
    text = json.dumps(manifest, indent=1, ensure_ascii=False) + "\n"
    (folder / MANIFEST).write_text(text, encoding="utf-8")
    return manifest


def _present(rows: RowSet, target: Path, form: str) -> Export:
    """Return the export that is there if it is the one asked for; refuse anything else."""
    refusal = UsageError(
        f"{target} exists and does not hold this export (key {rows.short_key}, {form}); "
        "give a new folder, or remove this one"
    )
    try:
        manifest = json.loads((target / MANIFEST).read_bytes())
        same = manifest["format"] == MANIFEST_FORMAT and (manifest["key"], manifest["as"]) == (rows.key, form)
        whole = same and all(_described(target, target / f["path"]) == f for f in manifest["files"])
    except (OSError, ValueError, KeyError, TypeError):
        raise refusal from None
    if not whole:
        raise refusal
    return Export(target, manifest, was_there=True)


def _put_in_place(draft: Path, target: Path) -> None:
    try:
        draft.rename(target)
    except OSError as error:
        if os.path.lexists(target):
            raise ConflictError(f"another run made {target} meanwhile; nothing was written") from error
        raise
    fsync_folder(target.parent)


def _draft_name(target: Path, pid: int) -> str:
    return f".{target.name}.{socket.gethostname()}.{pid}.{uuid.uuid4().hex[:8]}.partial"


def _clear_dead_drafts(target: Path) -> None:
    """Remove what killed exports to the same place left on this host."""
    prefix = f".{target.name}.{socket.gethostname()}."
    for path in target.parent.glob("*.partial"):
        pid = path.name.removeprefix(prefix).split(".")[0]
        if path.name.startswith(prefix) and pid.isdigit() and not Path("/proc", pid).exists():
            shutil.rmtree(path, ignore_errors=True)


def _write_dictionary(rows: RowSet, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["column", "kind", "unit", "level", "tag", "text"])
        writer.writerows([c.name, c.kind, c.unit, c.level, c.tag, c.text] for c in rows.columns)


def _described(folder: Path, path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"path": str(path.relative_to(folder)), "size_bytes": path.stat().st_size, "sha256": digest}


def _versions() -> dict[str, str]:
    from importlib.metadata import version
    from platform import python_version

    packages = ("cohortium", "duckdb", "polars", "pyarrow")
    return {"python": python_version(), **{name: version(name) for name in packages}}
