"""Which series a SEG or RTSTRUCT was drawn on: what the objects reference, and where that is.

The workers read what each object references; the manager finds it among the rows of the snapshot, and
:func:`catalog.masks.link` decides. An object that was measured before keeps its link.
"""

from __future__ import annotations

import hashlib
import warnings
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from catalog.engine import literal
from catalog.scan.stages import WholeTasks
from hpc.tasks import Outcome, Task

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import duckdb

    from hpc.marks import Mark
    from hpc.staging import Staging

DRAWN: Final = {"seg": "SEG", "rtstruct": "RTSTRUCT"}
# Modalities of objects with pixel data that are no images to be measured.
NO_IMAGES: Final = ("SEG", "RTDOSE", "RTSTRUCT", "RTPLAN", "SR", "PR", "KO", "REG", "DOC")
_BATCH: Final = 64
_FIELDS: Final = ("site", "object_uid", "mask_series", "kind", "uid")
_REFERENCES_FILE: Final = "references.parquet"


@dataclass(frozen=True, slots=True)
class MaskObject:
    """A SEG or RTSTRUCT.

    Attributes
    ----------
    source : str
        ``seg`` or ``rtstruct``.
    site, sop_uid, series_uid : str
        The object, and the series it lies in.
    path : bytes
        Its file.
    content : str
        Stands for the file's content: size and time.
    """

    source: str
    site: str
    sop_uid: str
    series_uid: str
    path: bytes
    content: str


@dataclass(frozen=True, slots=True)
class LinkedObject:
    """An object that draws regions, and where it belongs.

    Attributes
    ----------
    drawn : MaskObject
        The object.
    series_uid : str
        The series it was drawn on, or empty.
    how : str
        ``instances``, ``series``, ``frame_of_reference``, or empty.
    problem : str
        Why no series can be told, or empty.
    """

    drawn: MaskObject
    series_uid: str
    how: str
    problem: str


@dataclass(frozen=True, slots=True)
class LinkStage(WholeTasks):
    """Reads what objects reference; each task some files."""

    staging: Staging
    name: str = "link"
    unit: str = "objects"

    def work(self, task: Task, mark: Mark) -> Outcome:
        """Read the references of some objects."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        rows = [row for drawn in task.payload for row in _references(drawn)]
        columns = zip(*rows, strict=True) if rows else [()] * len(_FIELDS)
        data = {n: pa.array(list(c), pa.string()) for n, c in zip(_FIELDS, columns, strict=True)}
        with self.staging.shard(self.name, task.name) as folder:
            pq.write_table(pa.table(data), folder / _REFERENCES_FILE)
        return Outcome({"objects": len(task.payload)})


def _references(drawn: MaskObject) -> Iterator[tuple[str, str, str, str, str]]:
    from pydicom import dcmread

    from catalog.masks import read_references

    key = (drawn.site, drawn.sop_uid, drawn.series_uid)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd objects are read as they are
            dataset = dcmread(
                drawn.path.decode("utf-8", "surrogateescape"), stop_before_pixels=True, force=True
            )
            found = read_references(dataset)
    except Exception:  # noqa: BLE001 - pydicom raises anything on a broken file; the object is reported
        yield (*key, "unreadable", "")
        return
    for kind in ("instances", "series", "frames_of_reference"):
        for uid in sorted(getattr(found, kind)):
            yield (*key, kind, uid)


def link_tasks(objects: Sequence[MaskObject]) -> list[Task]:
    """Return the tasks that read what objects reference; equal objects give equal names."""
    tasks = []
    for i in range(0, len(objects), _BATCH):
        part = tuple(objects[i : i + _BATCH])
        text = "\n".join(f"{o.site} {o.sop_uid} {o.series_uid} {o.path!r} {o.content}" for o in part)
        name = hashlib.sha256(text.encode()).hexdigest()[:32]
        tasks.append(Task(name, float(len(part)), part))
    return tasks


def mask_objects(engine: duckdb.DuckDBPyConnection, sources: Sequence[str]) -> list[MaskObject]:
    """Return every SEG and RTSTRUCT of a snapshot.

    Parameters
    ----------
    engine : duckdb.DuckDBPyConnection
        Has the views ``instances`` and ``files``.
    sources : sequence of str
        Keys of :data:`DRAWN`.
    """
    names = {modality: source for source, modality in DRAWN.items()}
    rows = engine.execute(_OBJECTS, [[DRAWN[s] for s in sources]]).fetchall()
    return [MaskObject(names[modality], *rest) for modality, *rest in rows]


def link_objects(
    engine: duckdb.DuckDBPyConnection, objects: Sequence[MaskObject], references: Sequence[Path]
) -> Iterator[LinkedObject]:
    """Join objects to their series, of the same site.

    Parameters
    ----------
    engine : duckdb.DuckDBPyConnection
        Has the views ``instances``, ``series`` and ``rois``.
    references : sequence of Path
        Shards of :class:`LinkStage`.
    """
    from catalog.masks import Candidate, References, link

    known = {
        (site, uid, mask): (series, how)
        for site, uid, mask, series, how in engine.execute(_LINKED).fetchall()
    }
    found = _found(engine, references)
    for drawn in objects:
        key = (drawn.site, drawn.sop_uid, drawn.series_uid)
        if key in known:
            yield LinkedObject(drawn, *known[key], "")
            continue
        rows = found.get(key, ())
        if any(row["kind"] == "unreadable" for row in rows):
            yield LinkedObject(drawn, "", "", "its file cannot be read")
            continue
        named = {kind: frozenset(r["uid"] for r in rows if r["kind"] == kind) for kind in _KINDS}
        candidates = [
            Candidate(
                r["series_uid"],
                r["uid"] if r["kind"] == "frames_of_reference" else "",
                r["modality"] or "",
                frozenset({r["uid"]}) if r["kind"] == "instances" else frozenset(),
            )
            for r in rows
            if r["series_uid"]
        ]
        answer = link(References(**named), candidates)
        yield LinkedObject(drawn, answer.series_uid or "", answer.how, _problem(answer.problem))


def objects_to_read(engine: duckdb.DuckDBPyConnection, objects: Sequence[MaskObject]) -> list[MaskObject]:
    """Return the objects whose series is not known from a former run."""
    known = {row[:3] for row in engine.execute(_LINKED).fetchall()}
    return [o for o in objects if (o.site, o.sop_uid, o.series_uid) not in known]


def _problem(key: str) -> str:
    from catalog.masks.linking import LINK_PROBLEMS

    return LINK_PROBLEMS[key] if key else ""


def _found(
    engine: duckdb.DuckDBPyConnection, references: Sequence[Path]
) -> dict[tuple[str, str, str], list[dict[str, Any]]]:
    """What each object references, each with a series where that is."""
    found: dict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
    if not references:
        return found
    files = ", ".join(literal(str(folder / _REFERENCES_FILE)) for folder in references)
    result = engine.execute(_FOUND.format(files=files))
    names = [d[0] for d in result.description or ()]
    for cells in result.fetchall():
        row = dict(zip(names, cells, strict=True))
        found[row["site"], row["object_uid"], row["mask_series"]].append(row)
    return found


_KINDS: Final = ("instances", "series", "frames_of_reference")
_OBJECTS: Final = """
SELECT i.Modality, i.site, i.SOPInstanceUID, i.SeriesInstanceUID, coalesce(f.path_bytes, encode(f.path)),
  concat_ws(' ', f.size, f.mtime_ns)
FROM instances i JOIN (FROM files WHERE is_primary) f USING (site, file_id)
WHERE list_contains($1, i.Modality) AND i.uid_version = 0 AND i.SeriesInstanceUID IS NOT NULL
ORDER BY i.site, i.SOPInstanceUID
"""
_LINKED: Final = """
SELECT DISTINCT site, SOPInstanceUID, mask_series, SeriesInstanceUID, linked_by FROM rois
WHERE SOPInstanceUID IS NOT NULL
"""
# Frames of reference count within the patient; what an object names itself counts wherever it is.
_FOUND: Final = """
WITH named AS (SELECT DISTINCT * FROM read_parquet([{files}])),
by_instance AS (
  SELECT n.*, i.SeriesInstanceUID AS series_uid, i.Modality AS modality
  FROM (FROM named WHERE kind = 'instances') n
  JOIN instances i ON i.site = n.site AND i.SOPInstanceUID = n.uid),
by_series AS (
  SELECT n.*, s.SeriesInstanceUID AS series_uid, s.Modality AS modality
  FROM (FROM named WHERE kind = 'series') n
  JOIN series s ON s.site = n.site AND s.SeriesInstanceUID = n.uid),
by_frame AS (
  SELECT n.*, s.SeriesInstanceUID AS series_uid, s.Modality AS modality
  FROM (FROM named WHERE kind = 'frames_of_reference') n
  JOIN series o ON o.site = n.site AND o.SeriesInstanceUID = n.mask_series
  JOIN series s ON s.site = n.site AND s.FrameOfReferenceUID = n.uid AND s.n_frames > 0
    AND s.PatientKey IS NOT DISTINCT FROM o.PatientKey)
SELECT *, NULL AS series_uid, NULL AS modality FROM named
UNION ALL FROM by_instance UNION ALL FROM by_series UNION ALL FROM by_frame
"""
