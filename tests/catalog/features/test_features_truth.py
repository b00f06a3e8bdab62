"""The job from end to end on real series: regions and their statistics are those of the published masks."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from catalog.features import FeatureOptions, features
from catalog.radiomics import Settings, compute_features
from catalog.scan import ScanOptions, scan
from catalog.store import open_store
from catalog.synthetic import Network
from catalog.verify import verify


def rows(root: Path, name: str) -> pl.DataFrame:
    return pl.concat([pl.read_parquet(f) for f in open_store(root).snapshot().tables[name].files])


@pytest.fixture(scope="module")
def sarcoma(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sarcoma") / "catalogue"
    scan(ScanOptions((shared_data / "ibsi_sts" / "dicom",), root, "sts", executor="serial"))
    report = features(FeatureOptions(root, Settings(families=("statistics",)), executor="serial"))
    assert report is not None
    assert (report.series, report.features, report.failures) == (15, 15, 0)
    return root


def _truth(shared_data: Path) -> Iterator[dict[str, str]]:
    with (shared_data / "truth_roi.csv").open(encoding="utf-8", newline="") as file:
        yield from (row for row in csv.DictReader(file) if row["set"] == "ibsi_sts")


def test_regions_of_the_sarcoma_patients_are_those_of_five_teams(sarcoma: Path, shared_data: Path) -> None:
    identity = rows(sarcoma, "identity").select("PatientKey", "PatientID").unique()
    keys = ["site", "PatientKey", "SeriesInstanceUID", "roi_key"]
    found = rows(sarcoma, "rois").join(rows(sarcoma, "features"), on=keys).join(identity, on="PatientKey")
    by_name = {(r["PatientID"], r["label"]): r for r in found.iter_rows(named=True)}
    truth = list(_truth(shared_data))
    assert len(truth) == 15
    for row in truth:
        patient = next(p for p, label in by_name if row["patient"] in p and label == row["roi"])
        mine = by_name[patient, row["roi"]]
        assert mine["linked_by"] == "series"
        assert mine["n_voxels"] == int(row["voxels"]), row
        values = [mine[f"stat_{n}"] for n in ("mean", "min", "max")]
        expected = [float(row[n]) for n in ("mean", "min", "max")]
        np.testing.assert_allclose(values, expected, rtol=2e-6, err_msg=str(row))
        assert mine["volume_mm3"] == pytest.approx(1000 * float(row["volume_ml"]), rel=1e-3)


def test_what_the_catalogue_holds_is_sound(sarcoma: Path) -> None:
    assert [c for c in verify(open_store(sarcoma)) if c.problem] == []


def test_rows_equal_what_a_notebook_computes(network: Network, tmp_path: Path) -> None:
    """The same series, masks and settings without a catalogue."""
    from catalog.masks import iter_masks
    from catalog.volumes import load_volume

    root = tmp_path / "catalogue"
    for site, folder in network.sites.items():
        scan(ScanOptions((folder,), root, site, executor="serial"))
    settings = Settings(families=("morphology", "statistics", "histogram"), bin_width=50.0)
    features(FeatureOptions(root, settings, executor="serial"))
    files, rois, measured = rows(root, "files"), rows(root, "rois"), rows(root, "features")
    assert set(rois["source"]) == {"seg", "rtstruct"}
    for roi in rois.iter_rows(named=True):
        of_series = (pl.col("SeriesInstanceUID") == roi["SeriesInstanceUID"]) & pl.col("is_primary")
        volume = load_volume(files.filter(of_series)["path"].to_list())
        drawn = files.filter((pl.col("SOPInstanceUID") == roi["SOPInstanceUID"]) & pl.col("is_primary"))[
            "path"
        ]
        masks = {m.number: m for m in iter_masks(drawn.to_list(), volume, source=roi["source"])}
        mask = masks[roi["number"]]
        assert (mask.label, int(mask.array.sum())) == (roi["label"], roi["n_voxels"])
        values = compute_features(volume, mask, settings)
        row = measured.filter(pl.col("roi_key") == roi["roi_key"]).row(0, named=True)
        assert values
        assert {n: row[n] for n in values} == values
