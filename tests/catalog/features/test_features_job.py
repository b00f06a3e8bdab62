"""The features job around the measuring: what is done, done again, skipped, refused and replaced.

Volumes, masks and features are stand-ins here, with results that can be told by hand.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import catalog.masks
import catalog.radiomics
import catalog.volumes
from catalog.features import FeatureOptions, FeatureReport, features, job, plan
from catalog.masks.mask import Mask
from catalog.radiomics.settings import Settings
from catalog.scan import ScanOptions, scan
from catalog.store import Store, open_or_create_store, open_store
from catalog.synthetic import Network
from catalog.verify import verify
from catalog.volumes.volume import Volume
from cohorts.features import choose_series
from hpc.errors import CohortiumError, ConflictError, MissingError, UsageError

SITE = "beijing-3"
KEYS = ["site", "SeriesInstanceUID", "roi_key"]


@pytest.fixture(autouse=True)
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Stand-ins; returns the series that were opened."""
    opened: list[str] = []

    def volume_from_rows(rows: Any, paths: list[bytes]) -> Volume:
        assert all(Path(p.decode()).is_file() for p in paths)
        assert len(paths) == rows.num_rows
        opened.append(rows.column("SeriesInstanceUID")[0].as_py())
        array = np.zeros((rows.num_rows, 2, 3), np.float32)
        return Volume(array, (1.0, 2.0, 2.0), unit="HU", notes=("stacked",))

    def iter_masks(paths: tuple[bytes, ...], volume: Volume, *, source: str) -> Iterator[Mask]:
        assert len(paths) == (source in {"seg", "rtstruct"})
        for number in range(2 if paths else 1):
            array = np.zeros(volume.array.shape, bool)
            array[0, number] = True
            yield Mask(array, f"{source} {number}", source, number + 1, notes=("drawn",))

    def compute_features(volume: Volume, mask: Mask, settings: Settings, reasons: dict[str, str]) -> Any:
        reasons["stat_skew"] = "all intensities are equal"
        return {"stat_mean": float(mask.array.sum()) * (settings.bin_width or 0), "stat_skew": None}

    monkeypatch.setitem(vars(catalog.volumes), "volume_from_rows", volume_from_rows)
    monkeypatch.setitem(vars(catalog.masks), "iter_masks", iter_masks)
    monkeypatch.setitem(vars(catalog.radiomics), "compute_features", compute_features)
    return opened


@pytest.fixture
def root(scanned: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(scanned, tmp_path / "catalogue"))


def run(root: Path, *sources: str, **options: Any) -> FeatureReport:
    settings = options.pop("settings", Settings())
    report = features(
        FeatureOptions(root, settings, sources or ("seg", "rtstruct"), executor="serial", **options)
    )
    assert report is not None
    return report


def rows(root: Path, name: str, number: int | None = None) -> pl.DataFrame:
    files = open_store(root).snapshot(number).tables[name].files
    return pl.concat([pl.read_parquet(f) for f in files]) if files else pl.DataFrame()


def problems(root: Path) -> list[Any]:
    return [c for c in verify(open_store(root)) if c.problem]


def failed(root: Path) -> pl.DataFrame:
    return rows(root, "failures").filter(pl.col("stage") == "features")


def test_rows_say_what_was_measured_of_which_region(root: Path) -> None:
    report = run(root)
    assert (report.rois, report.features, report.failures) == (4, 4, 0)
    rois, measured = rows(root, "rois"), rows(root, "features")
    assert rois["n_voxels"].to_list() == [3] * 4
    assert rois["volume_mm3"].to_list() == [12.0] * 4
    assert set(rois["source"]) == {"seg", "rtstruct"}
    assert rois.sort(KEYS).select(KEYS).equals(measured.sort(KEYS).select(KEYS))
    series = rows(root, "series")
    assert rois.join(
        series, on=["site", "PatientKey", "StudyInstanceUID", "SeriesInstanceUID"], how="anti"
    ).is_empty()
    drawn = series.filter(pl.col("Modality").is_in(["SEG", "RTSTRUCT"]))
    assert set(rois["mask_series"]) == set(drawn["SeriesInstanceUID"])
    assert set(measured["settings"]) == {Settings().text}
    assert set(measured["settings_hash"]) == {Settings().hash}
    assert set(measured["value_unit"]) == {"HU"}
    assert json.loads(measured["reasons"][0]) == {"stat_skew": "all intensities are equal"}
    assert problems(root) == []


def test_nothing_new_makes_no_snapshot(root: Path, calls: list[str]) -> None:
    first = run(root, "whole", "seg", "rtstruct")
    calls.clear()
    again = run(root, "whole", "seg", "rtstruct")
    assert again.snapshot == first.snapshot
    assert (again.series, again.rois, again.features, again.failures, calls) == (0, 0, 0, 0, [])
    assert again.skipped == first.skipped + again.skipped > 0


def test_other_settings_add_features_and_no_regions(root: Path) -> None:
    run(root)
    other = Settings(bin_width=10.0)
    report = run(root, settings=other)
    assert (report.rois, report.features) == (0, 4)
    assert rows(root, "rois").height == 4
    by_hash = rows(root, "features").group_by("settings_hash").len()
    assert dict(by_hash.iter_rows()) == {Settings().hash: 4, other.hash: 4}
    assert problems(root) == []


def test_series_are_chosen_by_a_condition(root: Path) -> None:
    uid = rows(root, "series").filter(pl.col("Modality") == "CT")["SeriesInstanceUID"][0]
    where = f"Modality = 'CT' AND SeriesInstanceUID = '{uid}'"
    report = run(root, "whole", choose=lambda number: choose_series(root, where, number))
    assert (report.series, report.rois) == (1, 1)
    assert rows(root, "rois")["SeriesInstanceUID"].to_list() == [uid]


@pytest.mark.parametrize(
    "where",
    [
        "1=1; SELECT 1",
        "Modality = (SELECT 'CT')",
        "no_such_column = 1",
        "read_text('/etc/passwd') = ''",
        "",
        ") OR (1=1",
    ],
)
def test_a_condition_is_confined(where: str, root: Path) -> None:
    with pytest.raises(UsageError, match="--where"):
        run(root, "whole", choose=lambda number: choose_series(root, where, number))


def test_a_series_too_large_for_its_worker_is_a_failure(
    root: Path, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = rows(root, "series").select(pl.col("Rows") * pl.col("Columns") * pl.col("n_frames")).to_series()
    middle = int(sizes.drop_nulls().median())  # type: ignore[arg-type]
    monkeypatch.setattr(plan, "VOXEL_BYTES", 2**26 / middle - plan.GRID_BYTES)
    report = run(root, "whole", memory_bytes=2**26)
    large = failed(root).filter(pl.col("error") == "TooLargeError")
    assert 0 < large.height < report.series
    assert large["message"].str.contains("--memory allows more").all()
    assert large["path"].null_count() == large.height
    assert report.features == len(calls) == report.series - report.failures


def test_failures_are_kept_until_they_are_tried_again(
    root: Path, monkeypatch: pytest.MonkeyPatch, calls: list[str]
) -> None:
    whole = vars(catalog.volumes)["volume_from_rows"]
    monkeypatch.setitem(vars(catalog.volumes), "volume_from_rows", _refuse)
    first = run(root)
    assert (first.features, first.failures) == (0, 2)
    texts = failed(root)["message"].to_list()
    assert all(t.endswith(": no decoder") for t in texts)
    assert run(root).snapshot == first.snapshot
    monkeypatch.setitem(vars(catalog.volumes), "volume_from_rows", whole)
    assert run(root).skipped == 2
    last = run(root, retry=True)
    assert (last.features, last.failures) == (4, 0)
    assert failed(root).is_empty()
    others = rows(root, "failures").height
    assert others == rows(root, "failures", first.snapshot).height - 2
    assert problems(root) == []


def _refuse(rows: Any, paths: Any) -> Volume:
    raise CohortiumError("no decoder")


def test_what_nobody_foresaw_is_told_without_values(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Volume:
        raise RuntimeError("Doe^Jane")

    monkeypatch.setitem(vars(catalog.volumes), "volume_from_rows", fail)
    run(root)
    assert failed(root)["error"].to_list() == ["RuntimeError"] * 2
    assert not failed(root)["message"].str.contains("Doe").any()
    assert failed(root)["message"].str.contains(r"in fail \(test_features_job.py:\d+\)").all()


def test_a_broken_installation_ends_the_run(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Volume:
        raise ModuleNotFoundError("no such module")

    monkeypatch.setitem(vars(catalog.volumes), "volume_from_rows", fail)
    with pytest.raises(ModuleNotFoundError):
        run(root)
    assert failed(root).is_empty()


@pytest.mark.parametrize("empty", [True, False])
def test_a_region_without_features_is_a_row_with_its_reason(
    empty: bool, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One region of an object that comes to nothing does not take the others with it."""
    measure, draw = vars(catalog.radiomics)["compute_features"], vars(catalog.masks)["iter_masks"]

    def masks(*given: Any, source: str) -> Iterator[Mask]:
        for mask in draw(*given, source=source):
            yield replace(mask, array=mask.array & (not empty or mask.number != 2))

    def compute(volume: Volume, mask: Mask, settings: Settings, reasons: dict[str, str]) -> Any:
        if mask.number == 2:
            raise CohortiumError("nothing is left in the range")
        return measure(volume, mask, settings, reasons)

    monkeypatch.setitem(vars(catalog.masks), "iter_masks", masks)
    monkeypatch.setitem(vars(catalog.radiomics), "compute_features", compute)
    assert (run(root).features, failed(root).height) == (4, 0)
    joined = rows(root, "features").join(rows(root, "rois"), on="roi_key")
    reasons = joined.filter(pl.col("number") == 2)["reasons"].unique().to_list()
    expected = "the region is empty" if empty else "nothing is left in the range"
    assert [json.loads(r) for r in reasons] == [{"*": expected}]
    assert problems(root) == []


def test_a_source_without_a_region_is_a_failure(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(vars(catalog.masks), "iter_masks", lambda *_, **__: iter(()))
    assert run(root).failures == 2
    assert set(failed(root)["error"]) == {"NoRegionError"}


def test_an_object_without_its_series_is_reported_and_joined_when_that_comes(
    network: Network, scanned: Path, tmp_path: Path
) -> None:
    """The images of the series arrive after what was drawn on them."""
    folder = Path(shutil.copytree(network.sites[SITE], tmp_path / "tree"))
    uid = _drawn_on(scanned)
    held = [p for p in folder.rglob("*") if p.is_file() and uid in _series_of(p)]
    away = tmp_path / "away"
    away.mkdir()
    moved = {p: p.rename(away / f"{i}") for i, p in enumerate(held)}
    root = tmp_path / "catalogue"
    scan(ScanOptions((folder,), root, SITE, executor="serial"))
    first = run(root, "rtstruct")
    assert (first.features, first.failures) == (0, 1)
    assert failed(root)["error"].to_list() == ["UnlinkedError"]
    assert run(root, "rtstruct").snapshot == first.snapshot
    for path, place in moved.items():
        place.rename(path)
    scan(ScanOptions((folder,), root, SITE, executor="serial"))
    last = run(root, "rtstruct")
    assert (last.features, last.failures) == (2, 0)
    assert failed(root).is_empty()
    assert problems(root) == []


def test_a_series_that_changes_is_measured_again(network: Network, scanned: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(network.sites[SITE], tmp_path / "tree"))
    root = tmp_path / "catalogue"
    scan(ScanOptions((folder,), root, SITE, executor="serial"))
    before = run(root, "rtstruct", "whole")
    uid = _drawn_on(scanned)
    victim = next(p for p in sorted(folder.rglob("*")) if p.is_file() and uid in _series_of(p))
    victim.unlink()
    scan(ScanOptions((folder,), root, SITE, executor="serial"))
    assert uid not in set(rows(root, "features")["SeriesInstanceUID"])
    assert problems(root) == []
    after = run(root, "rtstruct", "whole")
    assert (after.series, after.features) == (1, 3)
    assert rows(root, "features").height == before.features
    assert problems(root) == []


def test_regions_go_with_the_object_that_drew_them(network: Network, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(network.sites[SITE], tmp_path / "tree"))
    root = tmp_path / "catalogue"
    scan(ScanOptions((folder,), root, SITE, executor="serial"))
    run(root, "rtstruct", "whole")
    drawn = rows(root, "rois").filter(pl.col("source") == "rtstruct")["mask_series"][0]
    next(p for p in sorted(folder.rglob("*")) if p.is_file() and drawn in _series_of(p)).unlink()
    scan(ScanOptions((folder,), root, SITE, executor="serial"))
    assert set(rows(root, "rois")["source"]) == {"whole"}
    assert problems(root) == []


def _drawn_on(scanned: Path) -> str:
    """The series of the site on which regions are drawn."""
    instances = rows(scanned, "instances").filter(
        (pl.col("site") == SITE) & (pl.col("Modality") == "RTSTRUCT")
    )
    uid: str = instances["referenced_series"][0][0]
    return uid


def _series_of(path: Path) -> str:
    from pydicom import dcmread
    from pydicom.errors import InvalidDicomError

    try:
        return str(dcmread(path, stop_before_pixels=True).get("SeriesInstanceUID", ""))
    except (InvalidDicomError, EOFError, OSError, ValueError, KeyError, AttributeError):
        return ""


def test_what_is_measured_is_kept_when_the_run_dies_before_its_commit(
    root: Path, monkeypatch: pytest.MonkeyPatch, calls: list[str]
) -> None:
    real = job.commit

    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(job, "commit", die)
    with pytest.raises(CohortiumError):
        run(root, "whole")
    assert calls
    done = len(calls)
    monkeypatch.setattr(job, "commit", real)
    report = run(root, "whole")
    assert len(calls) == done
    assert report.features > 0
    assert not list((root / "staging").rglob("*.parquet"))
    assert problems(root) == []


def test_a_scan_in_between_begins_the_commit_anew(
    root: Path, network: Network, monkeypatch: pytest.MonkeyPatch, calls: list[str], tmp_path: Path
) -> None:
    """What was measured of the series that did not change is used."""
    extra = Path(shutil.copytree(network.sites[SITE], tmp_path / "tree"))
    real, scanned = job._measure, []

    def measure(*given: Any) -> None:
        real(*given)
        if not scanned:
            scanned.append(scan(ScanOptions((extra,), root, "new-site", executor="serial")))

    monkeypatch.setattr(job, "_measure", measure)
    report = run(root, "rtstruct")
    assert report.snapshot == scanned[0].snapshot + 1
    assert sorted(set(rows(root, "rois")["site"])) == ["beijing-3", "new-site"]
    assert len(calls) == 2
    assert problems(root) == []


def test_a_commit_on_tables_that_changed_is_refused(root: Path) -> None:
    store = open_store(root)
    base = store.snapshot()
    run(root)
    with pytest.raises(ConflictError, match="table rois changed"):
        store.commit({}, base=base, job="x", counts={}, unchanged=("rois",))


def test_snapshots_from_before_these_tables_open(root: Path) -> None:
    store = open_store(root)
    path = store.snapshot_path(store.snapshot().number)
    content = json.loads(path.read_bytes())
    for name in ("rois", "features"):
        del content["tables"][name]
    path.write_text(json.dumps(content))
    assert store.snapshot().tables["features"].rows == 0
    assert problems(root) == []
    assert run(root).features == 4


def test_wrong_use_is_told(root: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected some of seg, rtstruct, lungs, whole"):
        run(root, "liver")
    with pytest.raises(UsageError, match="64 MB"):
        run(root, memory_bytes=1)
    with pytest.raises(MissingError):
        run(tmp_path / "nothing")


def test_an_empty_catalogue_has_nothing_to_measure(tmp_path: Path) -> None:
    store: Store = open_or_create_store(tmp_path / "catalogue")
    report = run(store.root, "whole", "seg")
    assert (report.snapshot, report.series) == (0, 0)


def test_every_feature_is_a_column_with_its_code(root: Path) -> None:
    """In the table, in the Parquet files and in the Delta log."""
    import pyarrow.parquet as pq
    from deltalake import DeltaTable

    from catalog.radiomics.features import FEATURES
    from catalog.tables import tables

    columns = {c.name: c for c in tables()["features"].columns}
    assert all(columns[f.name].code.split()[0] == f.code for f in FEATURES)
    assert columns["morph_volume"].code == "RNU0"
    assert columns["cm_joint_max_3d_v_mrg"].code == "GYBY IAZD"
    assert columns["szm_sze_2d"].code == "5QRC 8QNN"
    run(root)
    written = pq.read_schema(open_store(root).snapshot().tables["features"].files[0])
    assert written.field("morph_volume").metadata == {b"ibsi_code": b"RNU0"}
    logged = {f.name: f for f in DeltaTable(str(root / "research" / "features")).schema().fields}
    assert logged["morph_volume"].metadata == {"ibsi_code": "RNU0"}
