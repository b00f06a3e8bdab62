"""Measuring one series: its volume, its masks, the features of each, as staged rows."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from traceback import extract_tb
from typing import TYPE_CHECKING, Any, Final

from catalog.engine import connect, view
from catalog.features.failures import NOBODY, STAGE, failure_message
from catalog.scan.shard import Shard, write_description
from catalog.scan.stages import WholeTasks
from catalog.tables import tables, write_rows
from hpc.errors import CohortiumError
from hpc.memory import return_freed_memory
from hpc.tasks import Outcome, Task

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pyarrow as pa

    from catalog.features.plan import Item, Unit
    from catalog.masks.mask import Mask
    from catalog.radiomics.settings import Settings
    from catalog.volumes.volume import Volume
    from hpc.marks import Mark
    from hpc.staging import Staging

Row = dict[str, Any]
EVERY: Final = "*"  # stands for every feature where `reasons` tells why they are null


class TooLargeError(CohortiumError, MemoryError):
    """A series would need more memory than a worker may use."""


class AmbiguousSeriesError(CohortiumError, ValueError):
    """Objects of a series have several contents under one SOPInstanceUID; none is the right one."""


class NoRegionError(CohortiumError, ValueError):
    """A source of masks gives no region of a series."""


class UnlinkedError(CohortiumError, ValueError):
    """The series that an object was drawn on cannot be told."""


@dataclass(frozen=True, slots=True)
class FeatureStage(WholeTasks):
    """Measures series; each task one.

    Attributes
    ----------
    staging : Staging
        Where the rows go.
    settings : Settings
        How features are computed.
    memory_bytes : int
        What a series may be predicted to need.
    job : str
        The run.
    name : str
        Name of the stage.
    unit : str
        What it counts.
    """

    staging: Staging
    settings: Settings
    memory_bytes: int
    job: str
    name: str = "measure"
    unit: str = "series"

    def work(self, task: Task, mark: Mark) -> Outcome:
        """Measure one series."""
        item: Item = task.payload
        return_freed_memory()
        rows = _Rows(item, self.settings, self.job)
        if item.series_uid == NOBODY:
            for unit in item.units:
                rows.fail(unit, UnlinkedError(unit.problem))
        else:
            self._measure(item, rows)
        return self._write(task, rows)

    def narrow(self, task: Task, position: int) -> Sequence[Task]:
        """Suspect the series: its next try is in a process of its own."""
        return (replace(task, isolated=True),)

    def set_aside(self, task: Task, reason: str) -> Outcome:
        """Write a failure for each request about a series that kills its worker."""
        rows = _Rows(task.payload, self.settings, self.job)
        for unit in task.payload.units:
            rows.fail(unit, "WorkerKilledError", f"measuring it was {reason}, twice")
        return self._write(task, rows)

    def _measure(self, item: Item, rows: _Rows) -> None:
        try:
            volume = self._volume(item)
        except ImportError:  # nothing would work: this is no fault of the series
            raise
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a series, the others go on
            for unit in item.units:
                rows.fail(unit, error)
            return
        for unit in item.units:
            try:
                rows.add(unit, volume, _masks(unit, volume))
            except ImportError:
                raise
            except Exception as error:  # noqa: BLE001 - as above
                rows.fail(unit, error)

    def _volume(self, item: Item) -> Volume:
        from catalog.volumes import volume_from_rows

        if item.size_bytes > self.memory_bytes:
            raise TooLargeError(
                f"it would need about {item.size_bytes / 2**30:.1f} GiB, and a worker may use "
                f"{self.memory_bytes / 2**30:.1f} GiB; --memory allows more"
            )
        if item.conflicts:
            raise AmbiguousSeriesError(
                f"{item.conflicts} of its objects have several contents under one SOPInstanceUID"
            )
        found = _instances(item, self.staging.scratch / f"spill-{item.key}")
        paths = found.column("file_path").to_pylist()
        return volume_from_rows(found.drop_columns("file_path"), paths)

    def _write(self, task: Task, rows: _Rows) -> Outcome:
        counts = rows.counts | {"series": int(task.payload.series_uid != NOBODY)}
        with self.staging.shard(self.name, task.name) as folder:
            write_description(folder, Shard(counts, rows.write(folder)))
        return Outcome(counts)


def _instances(item: Item, folder: Path) -> pa.Table:
    """Rows of a series, and ``file_path``: where each object is."""
    known = tables()
    with connect(folder) as engine:
        view(engine, "instances", known["instances"], item.instances)
        view(engine, "files", known["files"], item.files)
        return engine.sql(
            """SELECT i.*, coalesce(f.path_bytes, encode(f.path)) AS file_path
            FROM instances i JOIN (FROM files WHERE is_primary) f USING (site, file_id)
            WHERE i.site = ? AND i.SeriesInstanceUID = ? ORDER BY i.SOPInstanceUID""",
            params=[item.site, item.series_uid],
        ).to_arrow_table()


def _masks(unit: Unit, volume: Volume) -> Iterable[Mask]:
    """Give the regions of a request one by one: a mask is as large as the volume."""
    from catalog.masks import iter_masks

    paths = (unit.drawn.path,) if unit.drawn else ()
    yield from iter_masks(paths, volume, source=unit.source)


def roi_key(site: str, series_uid: str, source: str, object_uid: str, number: int) -> str:
    """Return what stands for a region: the same for the same region, whoever measures it and when."""
    text = "\n".join((site, series_uid, source, object_uid, str(number)))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(slots=True)
class _Rows:
    """Collects the rows of a series."""

    item: Item
    settings: Settings
    job: str
    rois: list[Row] = field(default_factory=list)
    features: list[Row] = field(default_factory=list)
    failures: list[Row] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        """How many rows there are; each request has ended in features or a failure."""
        return {
            "rois": len(self.rois),
            "features": len(self.features),
            "failures": len(self.failures),
            "requests": len(self.item.units),
        }

    def add(self, unit: Unit, volume: Volume, masks: Iterable[Mask]) -> None:
        """Measure the regions of a request: all of them, or the request fails."""
        made = [self._region(unit, volume, mask) for mask in masks]
        if not made:
            raise NoRegionError("it gives no region of this series")
        self.features += [features for _, features in made]
        if not unit.in_rois:
            self.rois += [roi for roi, _ in made]

    def fail(self, unit: Unit, error: Exception | str, message: str = "") -> None:
        """Note a request that could not be answered."""
        drawn = unit.drawn
        self.failures.append(
            {
                "site": self.item.site,
                "stage": STAGE,
                "error": error if isinstance(error, str) else type(error).__name__,
                "message": failure_message(
                    self.item.series_uid,
                    unit.source,
                    drawn.sop_uid if drawn else "",
                    drawn.series_uid if drawn else "",
                    self.settings.hash,
                    message or _in_words(error),
                ),
                "job": self.job,
            }
        )

    def write(self, folder: Path) -> dict[str, Any]:
        """Write the rows, a file for each table that has some."""
        import pyarrow as pa

        data = {}
        for name in ("rois", "features", "failures"):
            if rows := getattr(self, name):
                table, schema = tables()[name], tables()[name].schema()
                columns = {c: pa.array([r.get(c) for r in rows], schema.field(c).type) for c in schema.names}
                data[name] = write_rows(table, folder / f"{name}.parquet", [pa.table(columns, schema=schema)])
        return data

    def _region(self, unit: Unit, volume: Volume, mask: Mask) -> tuple[Row, Row]:
        """Rows of one region in ``rois`` and ``features``."""
        import numpy as np

        n_voxels = int(np.count_nonzero(mask.array))
        values, reasons = self._values(volume, mask) if n_voxels else ({}, {EVERY: "the region is empty"})
        keys = self._keys(unit, mask)
        roi = keys | {
            "source": unit.source,
            "number": mask.number,
            "code_value": mask.code_value or None,
            "code_scheme": mask.code_scheme or None,
            "code_meaning": mask.code_meaning or None,
            "SOPInstanceUID": unit.drawn.sop_uid if unit.drawn else None,
            "linked_by": unit.linked_by,
            "n_voxels": n_voxels,
            "volume_mm3": n_voxels * float(np.prod(volume.spacing_mm)),
            "notes": list(mask.notes),
        }
        features = keys | {
            "settings_hash": self.settings.hash,
            "settings": self.settings.text,
            "value_unit": volume.unit or None,
            **values,
            "reasons": json.dumps(reasons, sort_keys=True) if reasons else None,
            "notes": list(volume.notes),
        }
        return roi, features

    def _values(self, volume: Volume, mask: Mask) -> tuple[dict[str, float | None], dict[str, str]]:
        """Features of a region, and why some are null; why all are where nothing can be computed."""
        from catalog.radiomics import compute_features

        reasons: dict[str, str] = {}
        try:
            return compute_features(volume, mask, self.settings, reasons=reasons), reasons
        except CohortiumError as error:
            return {}, {EVERY: str(error)}

    def _keys(self, unit: Unit, mask: Mask) -> Row:
        item, drawn = self.item, unit.drawn
        object_uid = drawn.sop_uid if drawn else ""
        return {
            "site": item.site,
            "PatientKey": item.patient_key,
            "StudyInstanceUID": item.study_uid,
            "SeriesInstanceUID": item.series_uid,
            "roi_key": roi_key(item.site, item.series_uid, unit.source, object_uid, mask.number),
            "mask_series": drawn.series_uid if drawn else None,
            "label": mask.label,
        }


def _in_words(error: Exception | str) -> str:
    """Return what went wrong, without values of a patient that a library may quote."""
    if isinstance(error, CohortiumError):
        return str(error)
    if isinstance(error, OSError):
        return error.strerror or "the system gives no reason"
    if isinstance(error, MemoryError):
        return "there was not enough memory"
    places = extract_tb(error.__traceback__) if isinstance(error, Exception) else ()
    where = f", in {places[-1].name} ({Path(places[-1].filename).name}:{places[-1].lineno})" if places else ""
    return f"an error that was not foreseen{where}; please report it"
