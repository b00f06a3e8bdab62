"""Write a site's files and keep count of what is written."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from catalog.synthetic.anatomy import Chest, Grid, Labels
from catalog.synthetic.encode import encode, undeclare
from catalog.synthetic.images import CT_IMAGE
from catalog.synthetic.study import Series, Study

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    import numpy as np
    from pydicom.dataset import Dataset

    from catalog.synthetic.sites import Site

FIELD_OF_VIEW_MM: Final = 360.0
THIN, THICK = 2, 3  # SeriesNumber of the two reconstructions


@dataclass(frozen=True, slots=True)
class SeriesTruth:
    """What a series holds.

    Attributes
    ----------
    instances : int
        Distinct SOPInstanceUIDs.
    spacing_mm : float or None
        Distance between slices; None where there is one slice or no image.
    missing_slices : int
        Slices that are missing between the first and the last.
    nodule_mm, nodule_radius_mm
        The patient's nodule, LPS.
    """

    site: str
    study_uid: str
    series_uid: str
    patient_id: str
    patient_name: str
    modality: str
    description: str
    instances: int
    spacing_mm: float | None
    missing_slices: int
    nodule_mm: tuple[float, float, float]
    nodule_radius_mm: float


@dataclass(frozen=True, slots=True)
class SiteTruth:
    """What a scan of a site must find; ``files = instances + duplicates + failures + not_dicom``.

    Attributes
    ----------
    instances : int
        Objects, where another content under the same UID counts as another object.
    duplicates : int
        Files that repeat an object's content.
    conflicts : int
        SOPInstanceUIDs with two contents.
    failures : int
        Broken files.
    not_dicom : int
        Files that hold no DICOM object: text, and a DICOMDIR.
    """

    files: int
    instances: int
    duplicates: int
    conflicts: int
    failures: int
    not_dicom: int
    studies: int
    patients: int
    series: tuple[SeriesTruth, ...]


@dataclass(frozen=True, slots=True)
class Scan:
    """A study with its patient's chest in the grid of the thin series."""

    study: Study
    chest: Chest
    grid: Grid
    labels: Labels
    rng: np.random.Generator

    def series(self, number: int, modality: str, description: str, sop_class: str, model: str = "") -> Series:
        """Series of the study, of another machine than its scanner where ``model`` is given."""
        return Series(self.study, number, modality, description, sop_class, model)

    def thin(self) -> Series:
        """Sharp reconstruction, in the grid of the scan."""
        return self._ct(THIN, self.study.scanner.thin_mm)

    def thick(self) -> Series:
        """Smooth reconstruction of fewer slices."""
        return self._ct(THICK, self.study.scanner.thick_mm)

    def coarse(self, factor: int, slices: int) -> Grid:
        """Grid of fewer rows, columns and slices over the same chest."""
        depth, rows, _ = self.grid.shape
        size = max(16, rows // factor)
        step = FIELD_OF_VIEW_MM / size
        thickness = round(depth * self.grid.spacing_mm[0] / slices, 2)
        return Grid.centred((slices, size, size), (thickness, step, step))

    def _ct(self, number: int, spacing_mm: float) -> Series:
        words = f"{self.study.scanner.words[number - THIN]} {spacing_mm:g}mm"
        return self.series(number, "CT", words, CT_IMAGE)


class SiteWriter:
    """Writes the files of a site and counts them."""

    def __init__(self, site: Site, folder: Path) -> None:
        self.site, self.folder = site, folder
        self.counts = dict.fromkeys(
            ("files", "instances", "duplicates", "conflicts", "failures", "not_dicom"), 0
        )
        self.series: list[SeriesTruth] = []

    def put(self, path: str, content: bytes, kind: str) -> None:
        """Write a file that counts as ``kind``."""
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        self.counts["files"] += 1
        self.counts[kind] += 1

    def put_series(
        self,
        scan: Scan,
        series: Series,
        objects: Iterable[Dataset],
        *,
        syntax: str = "explicit",
        spacing_mm: float | None = None,
        skip: frozenset[int] = frozenset(),
        damage: Mapping[int, Callable[[bytes], bytes]] = MappingProxyType({}),
    ) -> None:
        """Write the objects of a series, without those to skip, and note what it holds."""
        written = 0
        for index, ds in enumerate(objects):
            if index not in skip:
                content = damage.get(index, bytes)(encoded(ds, series.study, syntax))
                path = self.site.path(series, int(ds.InstanceNumber), str(ds.SOPInstanceUID))
                self.put(path, content, "instances")
                written += 1
        study, chest = series.study, scan.chest
        self.series.append(
            SeriesTruth(
                study.site,
                study.uid(),
                series.uid,
                study.person.patient_id,
                study.person.name,
                series.modality,
                series.description,
                written,
                spacing_mm,
                len(skip),
                chest.nodule_mm,
                chest.nodule_radius_mm,
            )
        )

    def truth(self) -> SiteTruth:
        """What was written."""
        return SiteTruth(
            **self.counts,
            studies=len({s.study_uid for s in self.series}),
            patients=len({s.patient_id for s in self.series}),
            series=tuple(self.series),
        )


def encoded(ds: Dataset, study: Study, syntax: str) -> bytes:
    """Bytes of a file as the study's scanner writes text."""
    if study.scanner.undeclared:
        undeclare(ds, study.scanner.undeclared)
    return encode(ds, syntax)
