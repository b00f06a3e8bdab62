"""What the features job has to do: which regions of which series a snapshot has no features of."""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from catalog.engine import connect, view
from catalog.features.failures import NOBODY, STAGE, requests
from catalog.features.linking import DRAWN, NO_IMAGES, link_objects, mask_objects, objects_to_read

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import duckdb
    import pyarrow as pa

    from catalog.features.linking import MaskObject
    from catalog.store import Snapshot

COMPUTED: Final = ("lungs", "whole")
# Bytes that a voxel needs at the worst moment: of the series, and of the interpolated image.
VOXEL_BYTES: Final = 10
GRID_BYTES: Final = 24

Key = tuple[str, str]  # site, SeriesInstanceUID
# site, SeriesInstanceUID or NOBODY, source, then SOPInstanceUID and SeriesInstanceUID of what draws, or empty
Request = tuple[str, str, str, str, str]


@dataclass(frozen=True, slots=True)
class Unit:
    """What is done or fails as one: the regions of one source of masks on one series.

    Attributes
    ----------
    source : str
        Row of :data:`catalog.masks.MASK_SOURCES`.
    drawn : MaskObject or None
        The object that draws them; None where they are computed.
    linked_by : str
        How the object was joined to the series.
    in_rois : bool
        True where the snapshot holds the regions, with features of other settings.
    problem : str
        Why it cannot be done, where that is known beforehand.
    """

    source: str
    drawn: MaskObject | None = None
    linked_by: str = "computed"
    in_rois: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """One series and what is to be measured of it.

    Attributes
    ----------
    site, series_uid : str
        The series; its UID is :data:`catalog.features.failures.NOBODY` for objects that belong to none.
    patient_key, study_uid : str or None
        Whose it is.
    units : tuple of Unit
        What is to be done.
    instances, files : tuple of str
        Parquet files with its rows of ``instances`` and of ``files``.
    size_bytes : float
        Memory that it is predicted to need.
    key : str
        Stands for all that the result depends on.
    conflicts : int
        Objects of it under whose SOPInstanceUID there are several contents.
    """

    site: str
    series_uid: str
    patient_key: str | None
    study_uid: str | None
    units: tuple[Unit, ...]
    instances: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    size_bytes: float = 0.0
    key: str = ""
    conflicts: int = 0

    @property
    def place(self) -> tuple[str, str]:
        """Where its rows stand in the order of all."""
        return self.site, self.series_uid


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for.

    Attributes
    ----------
    sources : tuple of str
        Rows of :data:`catalog.masks.MASK_SOURCES`.
    settings_hash : str
        The settings.
    chosen : pyarrow.Table or None
        Keys of the series to measure (site, SeriesInstanceUID); all of them where it is None.
    retry : bool
        Try again what has failed before.
    spacing_mm : tuple of three floats or None
        Voxel size (z, y, x) at which features are computed; None keeps what the series has.
    salt : str
        What else the result depends on.
    """

    sources: tuple[str, ...]
    settings_hash: str
    chosen: pa.Table | None = None
    retry: bool = False
    spacing_mm: tuple[float | None, ...] = (None, None, None)
    salt: str = ""

    @property
    def drawn(self) -> tuple[str, ...]:
        """The sources whose regions are drawn in objects."""
        return tuple(s for s in self.sources if s in DRAWN)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done.

    Attributes
    ----------
    items : tuple of Item
        The work, sorted by site and series.
    skipped : int
        Units that the snapshot holds already.
    again : frozenset of Request
        Requests whose failures are no longer true, or are tried again.
    """

    items: tuple[Item, ...]
    skipped: int
    again: frozenset[Request]


def unread_objects(snapshot: Snapshot, wish: Wish, folder: Path) -> list[MaskObject]:
    """Return the SEG and RTSTRUCT objects whose references have to be read before :func:`make_plan`."""
    if not wish.drawn:
        return []
    with _engine(snapshot, folder) as engine:
        return objects_to_read(engine, mask_objects(engine, wish.drawn))


def make_plan(snapshot: Snapshot, wish: Wish, references: Sequence[Path], folder: Path) -> Plan:
    """Find what a snapshot lacks.

    Parameters
    ----------
    references : sequence of Path
        Shards of :class:`catalog.features.linking.LinkStage`.
    folder : Path
        Folder for what does not fit in memory.
    """
    with _engine(snapshot, folder) as engine:
        series = _series(engine, wish)
        units, homeless = _units(engine, wish, series, references)
        known = _known(engine, wish.settings_hash)
        left: dict[Key, list[Unit]] = defaultdict(list)
        skipped, again = 0, set[Request]()
        for key, unit in units:
            request = _request(key, unit)
            if request in known.measured or (request in known.failed and not wish.retry):
                skipped += 1
                continue
            left[key].append(replace(unit, in_rois=request in known.regions))
            if request in known.failed:
                again.add(request)
        # an object whose series has come since belongs to nobody no more
        linked = {(key[0], NOBODY, *_request(key, unit)[2:]) for key, unit in units if key not in homeless}
        places = _places(engine, left)
    items = [_item(k, tuple(found), series.get(k), places.get(k), wish) for k, found in left.items()]
    return Plan(
        tuple(sorted(items, key=lambda i: i.place)), skipped, frozenset(again | known.failed & linked)
    )


@contextmanager
def _engine(snapshot: Snapshot, folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open an engine over the tables that the job reads."""
    with connect(folder) as engine:
        for name in ("instances", "files", "series", "rois", "features", "failures"):
            files = snapshot.tables[name]
            view(engine, name, files.table, files.files, filename=name in {"instances", "files"})
        yield engine


def _series(engine: duckdb.DuckDBPyConnection, wish: Wish) -> dict[Key, dict[str, Any]]:
    """Series with images that were chosen, by key."""
    where = "WHERE n_frames > 0 AND coalesce(Modality, '') NOT IN (SELECT unnest(?))"
    if wish.chosen is not None:
        engine.register("chosen", wish.chosen)
        where = f"SEMI JOIN chosen USING (site, SeriesInstanceUID) {where}"
    return _by_key(
        engine.execute(
            f"""SELECT site, SeriesInstanceUID, PatientKey, StudyInstanceUID, Modality, n_frames,
              "Rows", "Columns", PixelSpacing, slice_spacing_mm, n_uid_conflicts
            FROM series {where} ORDER BY site, SeriesInstanceUID""",
            [list(NO_IMAGES)],
        )
    )


def _by_key(result: duckdb.DuckDBPyConnection) -> dict[Key, dict[str, Any]]:
    names = [d[0] for d in result.description or ()]
    rows = (dict(zip(names, row, strict=True)) for row in result.fetchall())
    return {(row["site"], row["SeriesInstanceUID"]): row for row in rows}


def _units(
    engine: duckdb.DuckDBPyConnection,
    wish: Wish,
    series: Mapping[Key, Mapping[str, Any]],
    references: Sequence[Path],
) -> tuple[list[tuple[Key, Unit]], set[Key]]:
    """Everything that was asked for, and the keys that stand for no series."""
    units: list[tuple[Key, Unit]] = []
    homeless = set()
    objects = mask_objects(engine, wish.drawn) if wish.drawn else []
    for link in link_objects(engine, objects, references):
        key = (link.drawn.site, link.series_uid or NOBODY)
        if link.problem and wish.chosen is None:
            homeless.add(key)
        elif key not in series:
            continue
        units.append((key, Unit(link.drawn.source, link.drawn, link.how, problem=link.problem)))
    for source in wish.sources:
        if source in COMPUTED:
            fits = {key for key, row in series.items() if source == "whole" or row["Modality"] == "CT"}
            units += [(key, Unit(source)) for key in series if key in fits]
    return units, homeless


def _request(key: Key, unit: Unit) -> Request:
    drawn = unit.drawn
    return (*key, unit.source, drawn.sop_uid if drawn else "", drawn.series_uid if drawn else "")


@dataclass(frozen=True, slots=True)
class _Known:
    """Requests that a snapshot answers: with features, with a failure, with regions of other settings."""

    measured: frozenset[Request]
    failed: frozenset[Request]
    regions: frozenset[Request]


def _known(engine: duckdb.DuckDBPyConnection, settings_hash: str) -> _Known:
    of_rois = (
        "r.site, r.SeriesInstanceUID, r.source, coalesce(r.SOPInstanceUID, ''), coalesce(r.mask_series, '')"
    )
    queries = (
        f"""SELECT DISTINCT {of_rois} FROM rois r JOIN features f USING (site, roi_key)
        WHERE f.settings_hash = ?""",
        f"""SELECT site, q.series_uid, q.source, q.object_uid, q.mask_series
        FROM (SELECT site, {requests()} AS q FROM failures WHERE stage = '{STAGE}')
        WHERE q.settings_hash = ?""",
        f"SELECT DISTINCT {of_rois} FROM rois r WHERE ? <> ''",
    )
    return _Known(*(frozenset(engine.execute(q, [settings_hash]).fetchall()) for q in queries))


def _places(engine: duckdb.DuckDBPyConnection, keys: Iterable[Key]) -> dict[Key, dict[str, Any]]:
    """Parquet files that hold the rows of series, and what stands for their content."""
    engine.execute("CREATE TABLE wanted (site VARCHAR, SeriesInstanceUID VARCHAR)")
    if rows := list(keys):
        engine.executemany("INSERT INTO wanted VALUES (?, ?)", rows)
    found = _by_key(
        engine.execute(
            """SELECT site, SeriesInstanceUID, list(DISTINCT i.filename ORDER BY i.filename) AS instances,
              list(DISTINCT f.filename ORDER BY f.filename) AS files,
              md5(string_agg(concat_ws(' ', f.file_id, f.size, f.mtime_ns), ' ' ORDER BY f.file_id))
                AS content
            FROM instances i SEMI JOIN wanted USING (site, SeriesInstanceUID)
            JOIN (FROM files WHERE is_primary) f USING (site, file_id, SeriesInstanceUID)
            GROUP BY ALL"""
        )
    )
    shared: dict[str, str] = {}  # a million series lie in few files
    for row in found.values():
        for name in ("instances", "files"):
            row[name] = tuple(shared.setdefault(path, path) for path in row[name])
    return found


def _item(
    key: Key,
    units: tuple[Unit, ...],
    row: Mapping[str, Any] | None,
    place: Mapping[str, Any] | None,
    wish: Wish,
) -> Item:
    drawn = sorted(f"{u.source} {u.drawn} {u.linked_by} {u.in_rois} {u.problem}" for u in units)
    content = place["content"] if place else ""
    text = "\n".join((*key, content, wish.settings_hash, wish.salt, *drawn))
    digest = hashlib.sha256(text.encode()).hexdigest()[:32]
    if row is None or place is None:
        return Item(*key, None, None, units, key=digest)
    return Item(
        *key,
        row["PatientKey"],
        row["StudyInstanceUID"],
        units,
        place["instances"],
        place["files"],
        predicted_bytes(row, wish.spacing_mm),
        digest,
        row["n_uid_conflicts"] or 0,
    )


def predicted_bytes(row: Mapping[str, Any], spacing_mm: Sequence[float | None]) -> float:
    """Return how much memory a series is predicted to need.

    Parameters
    ----------
    row : Mapping
        Its row of ``series``: matrix, frames and spacing.
    spacing_mm : sequence of three floats or None
        Voxel size (z, y, x) after interpolation.
    """
    voxels = float((row["Rows"] or 0) * (row["Columns"] or 0) * (row["n_frames"] or 0))
    own = (row["slice_spacing_mm"], *(row["PixelSpacing"] or (None, None)))
    finer: float = math.prod(old / new for old, new in zip(own, spacing_mm, strict=False) if old and new)
    return voxels * (VOXEL_BYTES + GRID_BYTES * finer)
