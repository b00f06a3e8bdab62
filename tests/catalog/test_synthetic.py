"""The synthetic network, read back by pydicom, is what it says it is."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import numpy as np
import pydicom
import pytest
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MediaStorageDirectoryStorage,
    RLELossless,
)

from catalog.synthetic import Network, make_network
from catalog.synthetic.anatomy import Chest, Grid
from catalog.synthetic.derived import ellipse
from hpc.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


NO_OBJECTS = {"README.txt", "LISEZMOI.TXT", "notes.dcm", "EMPTY.dcm", "cut_header.dcm", "DICOMDIR"}


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Network:
    return make_network(tmp_path_factory.mktemp("network"))


def files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file())


def readable(folder: Path) -> dict[Path, pydicom.Dataset]:
    """Every file that has an identity, read by pydicom whatever its framing."""
    found = {}
    for path in files(folder):
        if path.name not in NO_OBJECTS:
            found[path] = pydicom.dcmread(path, force=True)
    return found


def volume(datasets: list[pydicom.Dataset]) -> tuple[np.ndarray, list[pydicom.Dataset]]:
    ordered = sorted(datasets, key=lambda ds: float(ds.ImagePositionPatient[2]))
    return np.stack([ds.pixel_array * ds.RescaleSlope + ds.RescaleIntercept for ds in ordered]), ordered


def of_series(network: Network, modality: str) -> list[list[pydicom.Dataset]]:
    chosen = []
    for site, truth in network.truth.items():
        by_uid = defaultdict(list)
        for ds in readable(network.sites[site]).values():
            by_uid[ds.SeriesInstanceUID].append(ds)
        chosen += [by_uid[s.series_uid] for s in truth.series if s.modality == modality]
    return chosen


def test_the_same_seed_gives_the_same_bytes(network: Network, tmp_path: Path) -> None:
    def digest(folder: Path) -> dict[str, str]:
        return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files(folder)}

    again = make_network(tmp_path / "again")
    other = make_network(tmp_path / "other", rows=32, slices=12, seed=21)
    assert digest(again.folder) == digest(network.folder)
    assert again.truth == network.truth
    uids = [{s.series_uid for t in n.truth.values() for s in t.series} for n in (network, other)]
    assert not uids[0] & uids[1]


def test_counts_are_those_of_the_files(network: Network) -> None:
    for site, truth in network.truth.items():
        found = readable(network.sites[site])
        contents = defaultdict(set)
        for path, ds in found.items():
            contents[ds.SOPInstanceUID].add(path.read_bytes())
        assert len(files(network.sites[site])) == truth.files
        assert truth.files == truth.instances + truth.duplicates + truth.failures + truth.not_dicom
        assert sum(len(c) for c in contents.values()) == truth.instances
        assert sum(len(c) > 1 for c in contents.values()) == truth.conflicts
        assert len(found) == truth.instances + truth.duplicates
        assert len({ds.StudyInstanceUID for ds in found.values()}) == truth.studies
        assert len({ds.PatientID for ds in found.values()}) == truth.patients
        counted = defaultdict(set)
        for ds in found.values():
            counted[ds.SeriesInstanceUID].add(ds.SOPInstanceUID)
        assert {uid: len(sops) for uid, sops in counted.items()} == {
            s.series_uid: s.instances for s in truth.series
        }


def test_every_habit_and_accident_occurs(network: Network) -> None:
    totals = Counter[str]()
    for truth in network.truth.values():
        totals += Counter(
            {n: getattr(truth, n) for n in ("duplicates", "conflicts", "failures", "not_dicom")}
        )
        totals["missing"] += sum(s.missing_slices for s in truth.series)
        totals.update(s.modality for s in truth.series)
    assert all(totals[n] for n in ("duplicates", "conflicts", "failures", "not_dicom", "missing"))
    assert {"CT", "MR", "PT", "SEG", "RTSTRUCT"} <= totals.keys()
    every = [ds for folder in network.sites.values() for ds in readable(folder).values()]
    syntaxes = {ds.file_meta.get("TransferSyntaxUID") for ds in every}
    assert {RLELossless, DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian, None} <= syntaxes
    plain = [
        ds for ds in every if ds.Modality == "CT" and ds.file_meta.get("TransferSyntaxUID") != RLELossless
    ]
    cut = [ds for ds in plain if len(ds.PixelData) < ds.Rows * ds.Columns * 2]
    assert len(cut) == 1


def test_names_read_as_they_were_given(network: Network) -> None:
    for site, truth in network.truth.items():
        names = {s.study_uid: s.patient_name for s in truth.series}
        for ds in readable(network.sites[site]).values():
            if ds.get("SpecificCharacterSet"):
                assert str(ds.PatientName) == names[ds.StudyInstanceUID]
            else:
                raw = ds.PatientName.original_string
                assert raw.decode("gbk").rstrip() == names[ds.StudyInstanceUID]
                assert not raw.isascii()


def test_slices_lie_where_the_truth_says(network: Network) -> None:
    for site, truth in network.truth.items():
        heights = defaultdict(set)
        for ds in readable(network.sites[site]).values():
            if ds.Modality in ("CT", "MR", "PT"):
                heights[ds.SeriesInstanceUID].add(float(ds.ImagePositionPatient[2]))
        for series in truth.series:
            steps = np.diff(sorted(heights[series.series_uid]))
            if series.spacing_mm is None:
                assert not steps.size
            else:
                missing = np.rint(steps / series.spacing_mm) - 1
                assert steps == pytest.approx((missing + 1) * series.spacing_mm, rel=1e-3)
                assert missing.sum() == series.missing_slices


def test_tissues_have_their_hounsfield_units(network: Network) -> None:
    truth = {s.series_uid: s for t in network.truth.values() for s in t.series}
    checked = 0
    for group in of_series(network, "CT"):
        if len(group) < 12:
            continue
        hu, ordered = volume(group)
        series, first = truth[ordered[0].SeriesInstanceUID], ordered[0]
        step = float(first.PixelSpacing[0])
        x = float(first.ImagePositionPatient[0]) + step * np.arange(first.Columns)
        y = float(first.ImagePositionPatient[1]) + step * np.arange(first.Rows)
        z = np.array([float(ds.ImagePositionPatient[2]) for ds in ordered])
        cx, cy, cz = series.nodule_mm
        distance = np.sqrt(
            (z[:, None, None] - cz) ** 2 + (y[None, :, None] - cy) ** 2 + (x[None, None, :] - cx) ** 2
        )
        r = series.nodule_radius_mm
        assert np.median(hu[distance < r]) == pytest.approx(40, abs=25)
        assert np.percentile(hu[(distance > r) & (distance < r + 8)], 50) < -600
        assert hu[:, 0, 0].mean() == pytest.approx(-1000, abs=30)
        lungs = (hu < -600) & ((x[None, None, :] / 160) ** 2 + (y[None, :, None] / 105) ** 2 < 1)
        assert 0.08 < lungs.mean() < 0.3
        checked += 1
    assert checked == 6


def test_pet_gives_the_standardised_uptake_of_the_nodule(network: Network) -> None:
    (group,) = of_series(network, "PT")
    bq, ordered = volume(group)
    ds = ordered[0]
    tracer = ds.RadiopharmaceuticalInformationSequence[0]
    clock = [
        int(t[:2]) * 3600 + int(t[2:4]) * 60 + int(t[4:6])
        for t in (str(ds.SeriesTime), str(tracer.RadiopharmaceuticalStartTime))
    ]
    dose = tracer.RadionuclideTotalDose * 2 ** (-(clock[0] - clock[1]) / tracer.RadionuclideHalfLife)
    suv = bq / dose * ds.PatientWeight * 1000
    assert suv.max() == pytest.approx(8.0, abs=0.2)
    assert np.median(suv[suv > 0.7]) == pytest.approx(1.0, abs=0.1)


def test_segments_are_the_tissue_they_name(network: Network) -> None:
    ((seg,),) = of_series(network, "SEG")
    images = {ds.SOPInstanceUID: ds for group in of_series(network, "CT") for ds in group}
    values = defaultdict(list)
    for frame, group in zip(seg.pixel_array, seg.PerFrameFunctionalGroupsSequence, strict=True):
        source = images[group.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID]
        assert [float(v) for v in group.PlanePositionSequence[0].ImagePositionPatient] == [
            float(v) for v in source.ImagePositionPatient
        ]
        number = group.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        label = seg.SegmentSequence[number - 1].SegmentLabel
        values[label].append((source.pixel_array - 1024.0)[frame == 1])
    medians = {label: np.median(np.concatenate(v)) for label, v in values.items()}
    assert medians == {
        "Right lung": pytest.approx(-850, abs=15),
        "Left lung": pytest.approx(-850, abs=15),
        "Nodule": pytest.approx(40, abs=25),
    }


def test_contours_lie_on_the_nodule(network: Network) -> None:
    ((rt,),) = of_series(network, "RTSTRUCT")
    truth = next(s for t in network.truth.values() for s in t.series if s.series_uid == rt.SeriesInstanceUID)
    names = {r.ROINumber: r.ROIName for r in rt.StructureSetROISequence}
    contour = next(c for c in rt.ROIContourSequence if names[c.ReferencedROINumber] == "GTV-1")
    points = np.array([c.ContourData for c in contour.ContourSequence], dtype=float).reshape(-1, 3)
    assert np.linalg.norm(points - truth.nodule_mm, axis=1) == pytest.approx(truth.nodule_radius_mm, abs=0.01)
    assert names == {1: "GTV-1", 2: "Lung_R"}


def test_polygon_of_a_sphere_has_the_area_of_its_section() -> None:
    polygon = np.array(ellipse((3.0, -2.0, 10.0), (5.0, 5.0, 5.0), 13.0, points=360))
    x, y = polygon[:, 0], polygon[:, 1]
    area = 0.5 * abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))
    assert area == pytest.approx(np.pi * (25 - 9), rel=1e-3)
    assert ellipse((0.0, 0.0, 0.0), (5.0, 5.0, 5.0), 5.0) == []


def test_lungs_have_the_volume_of_their_ellipsoids() -> None:
    chest = Chest.random(np.random.default_rng(1), 120.0)
    grid = Grid.centred((60, 128, 128), (2.0, 2.8125, 2.8125))
    a, b, c = chest.lung_half_axes_mm
    for side in (-1, 1):
        volume_mm3 = chest.lung(grid, side).sum() * 2.0 * 2.8125**2
        assert volume_mm3 == pytest.approx(4 / 3 * np.pi * a * b * c, rel=0.01)


def test_the_media_directory_is_one(network: Network) -> None:
    ds = pydicom.dcmread(network.sites["lyon"] / "DICOMDIR")
    assert ds.file_meta.MediaStorageSOPClassUID == MediaStorageDirectoryStorage
    assert "SOPInstanceUID" not in ds


def test_a_third_study_is_the_first_patients_second(tmp_path: Path) -> None:
    truth = make_network(tmp_path, rows=32, slices=12, studies_per_site=3).truth["lyon"]
    assert (truth.studies, truth.patients) == (3, 2)


def test_too_few_slices_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="slices is 3; give at least 12"):
        make_network(tmp_path, slices=3)
    assert not list(tmp_path.iterdir())
