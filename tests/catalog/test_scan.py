"""The scan on the synthetic network: every file accounted for, whoever does the work."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pydicom import dcmread
from scans import frame, images, same_tables, scan_serially, twin

import catalog.scan.read
from catalog.engine import query
from catalog.scan import ScanOptions, ScanReport
from catalog.store import Store, open_store
from catalog.synthetic import Network
from catalog.verify import verify
from hpc.errors import CohortiumError, UsageError


@pytest.fixture(scope="module")
def scanned(
    network: Network, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Store, dict[str, ScanReport]]:
    """A catalogue of the whole network; read only."""
    root = tmp_path_factory.mktemp("scanned") / "catalogue"
    reports = {site: scan_serially(folder, root, site) for site, folder in network.sites.items()}
    return open_store(root), reports


def test_every_file_is_accounted_for(network: Network, scanned: tuple[Store, dict[str, ScanReport]]) -> None:
    names = ("files", "instances", "duplicates", "conflicts", "failures", "not_dicom")
    for site, report in scanned[1].items():
        assert {n: getattr(report, n) for n in names} == {n: getattr(network.truth[site], n) for n in names}
        assert report.files == sum(1 for p in network.sites[site].rglob("*") if p.is_file())


def test_series_studies_and_patients_are_those_of_the_network(
    network: Network, scanned: tuple[Store, dict[str, ScanReport]]
) -> None:
    store, _ = scanned
    series = frame(store, "series")
    for site, truth in network.truth.items():
        rows = series.filter(pl.col("site") == site)
        assert rows["StudyInstanceUID"].n_unique() == truth.studies
        assert rows["PatientKey"].n_unique() == truth.patients
        found = {r["SeriesInstanceUID"]: r for r in rows.to_dicts()}
        assert set(found) == {s.series_uid for s in truth.series}
        for known in truth.series:
            row = found[known.series_uid]
            assert (row["Modality"], row["n_instances"]) == (known.modality, known.instances)
            if known.spacing_mm is not None:
                assert row["slice_spacing_mm"] == pytest.approx(known.spacing_mm, rel=0.01)
                assert row["n_missing_slices"] == known.missing_slices


def test_the_catalogue_verifies(scanned: tuple[Store, dict[str, ScanReport]]) -> None:
    checks = list(verify(scanned[0]))
    assert [c for c in checks if c.problem] == []
    assert len(checks) > 20


def test_names_are_read_in_their_script_and_kept_out_of_the_research_zone(
    network: Network, scanned: tuple[Store, dict[str, ScanReport]]
) -> None:
    store, _ = scanned
    identity = frame(store, "identity")
    names = {s.patient_name for t in network.truth.values() for s in t.series}
    ids = {s.patient_id for t in network.truth.values() for s in t.series}
    assert names <= set(identity["PatientName"])
    assert ids <= set(identity["PatientID"])
    secrets = {part for name in names for part in name.replace("=", "^").split("^") if len(part) > 1} | ids
    secrets |= set(identity["AccessionNumber"].drop_nulls())
    for table in ("instances", "series"):
        for column in frame(store, table).select(pl.col(pl.String)).iter_columns():
            for value in column.drop_nulls().unique():
                assert not any(secret in value for secret in secrets), (table, column.name)


def test_the_pixel_data_lie_where_the_catalogue_says(
    network: Network, scanned: tuple[Store, dict[str, ScanReport]]
) -> None:
    store, _ = scanned
    table = store.snapshot().tables
    rows = query(
        """SELECT path, pixel_offset, pixel_length FROM instances JOIN files USING (site, file_id)
        WHERE pixel_length IS NOT NULL AND NOT pixel_truncated AND TransferSyntaxUID LIKE '1.2.840.10008.1.2%'
          AND TransferSyntaxUID NOT LIKE '%.99' ORDER BY hash(path) LIMIT 40""",
        table["instances"],
        table["files"],
    )
    assert len(rows) == 40
    for path, offset, length in rows:
        assert Path(path).read_bytes()[offset : offset + length] == dcmread(path, force=True).PixelData


def test_a_header_comes_back_whole(network: Network, scanned: tuple[Store, dict[str, ScanReport]]) -> None:
    from catalog.archive import find_headers

    store, _ = scanned
    for path in images(network.sites["st-mary"])[:5]:
        given = dcmread(path, stop_before_pixels=True)
        (found,) = find_headers(store.snapshot(), given.SOPInstanceUID)
        assert found.dataset == given


def test_a_second_scan_reads_nothing_and_makes_no_snapshot(
    network: Network,
    scanned: tuple[Store, dict[str, ScanReport]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root = tmp_path / "catalogue"
    first = scan_serially(network.sites["lyon"], root)
    monkeypatch.setattr(catalog.scan.read, "write_shard", None)  # whoever reads now, fails
    again = scan_serially(network.sites["lyon"], root)
    assert (again.snapshot, again.skipped, again.files) == (first.snapshot, first.files, first.files)
    assert (again.instances, again.failures, again.not_dicom, again.removed) == (0, 0, 0, 0)
    assert open_store(root).numbers() == [1]


def test_the_tables_follow_a_tree_that_changes(network: Network, tmp_path: Path) -> None:
    """Scanned again and again, the catalogue equals one that is made afresh at the end."""
    tree = Path(shutil.copytree(network.sites["lyon"], tmp_path / "tree"))
    root = tmp_path / "catalogue"
    files = sorted(p for p in tree.rglob("*") if p.is_file())
    held_back = [p.rename(tmp_path / f"held{i}") for i, p in enumerate(files[::7])]
    scan_serially(tree, root)
    for kept, original in zip(held_back, files[::7], strict=True):
        kept.rename(original)
    more = scan_serially(tree, root)
    assert (more.skipped, more.removed) == (len(files) - len(held_back), 0)
    for victim in files[1::9]:
        victim.unlink()
    gone = scan_serially(tree, root)
    assert gone.removed >= len(files[1::9])
    changed = [p for p in files[2::11] if p.exists()]
    for path in changed:
        path.write_bytes(b"no longer DICOM, and longer than a preamble" * 10)
    last = scan_serially(tree, root)
    assert last.not_dicom + last.failures >= len(changed)
    store = open_store(root)
    fresh = twin(store, tmp_path / "fresh")
    scan_serially(tree, fresh.root)
    same_tables(store, fresh)
    assert [c for c in verify(store) if c.problem] == []
    assert store.numbers() == [1, 2, 3, 4]
    assert (
        frame(store, "files", 1).height
        == len(files) - len(held_back) - frame(store, "others", 1).height - frame(store, "failures", 1).height
    )


def test_a_copy_and_a_conflict_are_told_apart(network: Network, tmp_path: Path) -> None:
    source = images(network.sites["st-mary"])[0]
    tree = tmp_path / "tree"
    tree.mkdir()
    whole = source.read_bytes()
    (tree / "a").write_bytes(whole)
    (tree / "b copy").write_bytes(b"x" * 128 + whole[128:])  # another preamble is another wrapping
    other_pixels = bytearray(whole)
    other_pixels[-10] ^= 0xFF
    (tree / "c").write_bytes(other_pixels)
    (tree / "d copy of c").write_bytes(other_pixels)
    root = tmp_path / "catalogue"
    report = scan_serially(tree, root)
    assert (report.instances, report.duplicates, report.conflicts) == (2, 2, 1)
    store = open_store(root)
    rows = frame(store, "files").sort("path").select("uid_version", "is_primary").rows()
    assert rows == [(0, True), (0, False), (1, True), (1, False)]
    series = frame(store, "series").row(0, named=True)
    assert (series["n_instances"], series["n_uid_conflicts"]) == (1, 1)

    (tree / "a").unlink()  # the copy stands for the object now
    again = scan_serially(tree, root)
    assert (again.instances, again.duplicates, again.conflicts) == (2, 1, 1)
    fresh = twin(store, tmp_path / "fresh")
    scan_serially(tree, fresh.root)
    same_tables(store, fresh)

    (tree / "late copy of c").write_bytes(other_pixels)  # found by a later scan
    late = scan_serially(tree, root)
    assert (late.instances, late.duplicates, late.skipped) == (0, 1, 3)
    assert [c for c in verify(store) if c.problem] == []


def test_two_sites_with_the_same_patient_are_two_patients(network: Network, tmp_path: Path) -> None:
    root = tmp_path / "catalogue"
    for site in ("north", "south"):
        scan_serially(network.sites["lyon"], root, site)
    series = frame(open_store(root), "series")
    keys = [set(series.filter(pl.col("site") == s)["PatientKey"]) for s in ("north", "south")]
    assert len(keys[0]) == len(keys[1]) == network.truth["lyon"].patients
    assert not keys[0] & keys[1]


def test_a_hostile_tree_is_walked_without_harm(network: Network, tmp_path: Path) -> None:
    good = images(network.sites["st-mary"])[0].read_bytes()
    tree = tmp_path / "tree"
    deep = tree / "a\nfolder with a newline"
    deep.mkdir(parents=True)
    (deep / "image\n1.dcm").write_bytes(good)
    os.makedirs(os.fsencode(tree) + b"/not \xff\xfe utf-8")
    Path(os.fsdecode(os.fsencode(tree) + b"/not \xff\xfe utf-8/\xe9.dcm")).write_bytes(good)
    (tree / "loop").symlink_to(tree, target_is_directory=True)
    (tree / "out").symlink_to(network.folder, target_is_directory=True)
    (tree / "dangling").symlink_to("nothing")
    os.mkfifo(tree / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tree / "s"))
        (tree / "empty.dcm").touch()
        (tree / "notes.txt").write_text("not an image")
        root = tree / "catalogue"  # within what is scanned
        report = scan_serially(tree, root)
        assert (report.files, report.instances, report.duplicates, report.failures) == (9, 1, 1, 1)
        assert scan_serially(tree, root).skipped == 9
    store = open_store(root)
    kinds = frame(store, "others")["kind"].sort().to_list()
    assert kinds == ["link", "link", "link", "not_dicom", "special", "special"]
    raw = frame(store, "files")["path_bytes"].drop_nulls().to_list()
    assert raw == [os.fsencode(tree) + b"/not \xff\xfe utf-8/\xe9.dcm"]
    assert [c for c in verify(store) if c.problem] == []


def test_a_file_that_vanishes_after_the_walk_is_a_failure(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = Path(shutil.copytree(network.sites["lyon"], tmp_path / "tree"))
    victim = images(tree)[3]
    real = catalog.scan.read.write_shard

    def remove_then_read(*arguments: Any) -> dict[str, int]:
        victim.unlink(missing_ok=True)
        return real(*arguments)

    monkeypatch.setattr(catalog.scan.read, "write_shard", remove_then_read)
    report = scan_serially(tree, tmp_path / "catalogue")
    assert report.failures == network.truth["lyon"].failures + 1
    failures = frame(open_store(tmp_path / "catalogue"), "failures")
    assert failures.filter(pl.col("path") == str(victim))["error"].to_list() == ["FileVanishedError"]


@pytest.mark.skipif(
    os.geteuid() == 0 and shutil.which("setpriv") is None,
    reason="root can only give up its rights by setpriv",
)
def test_what_may_not_be_read_is_told_once_and_read_when_it_may(network: Network, tmp_path: Path) -> None:
    """As root nothing is forbidden, so the scan runs in a process that has given that up."""
    tree, root = Path(shutil.copytree(network.sites["lyon"], tmp_path / "tree")), tmp_path / "catalogue"
    paths = images(tree)
    folder, file = paths[-1].parent, paths[0]
    hidden = len(list(folder.iterdir()))

    def scan_without_privileges() -> dict[str, int]:
        drop = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
        command = [*drop, sys.executable, "-m", "cohorts", "scan", tree, "--catalog", root, "--site", "a"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)
        return json.loads(done.stdout)

    file.chmod(0)
    folder.chmod(0)
    try:
        first, again = scan_without_privileges(), scan_without_privileges()
        assert (first["snapshot"], again["snapshot"]) == (1, 1)
        assert first["failures"] == network.truth["lyon"].failures + 2
        assert again["skipped"] == first["files"] == network.truth["lyon"].files - hidden + 1
    finally:
        folder.chmod(0o700)
        file.chmod(0o600)
    last = scan_without_privileges()
    assert (last["instances"], last["removed"], last["failures"]) == (hidden + 1, 2, 0)
    store = open_store(root)
    fresh = twin(store, tmp_path / "fresh")
    scan_serially(tree, fresh.root)
    same_tables(store, fresh)


def test_an_empty_tree_makes_no_snapshot(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    report = scan_serially(tmp_path / "tree", tmp_path / "catalogue")
    assert (report.snapshot, report.files) == (0, 0)


def test_an_archive_that_is_not_mounted_drops_nothing(network: Network, tmp_path: Path) -> None:
    tree, root = Path(shutil.copytree(network.sites["lyon"], tmp_path / "tree")), tmp_path / "catalogue"
    scan_serially(tree, root)
    away = tree.rename(tmp_path / "away")
    tree.mkdir()
    with pytest.raises(CohortiumError, match="is the archive mounted"):
        scan_serially(tree, root)
    assert open_store(root).numbers() == [1]
    gone = scan_serially(tree, root, accept_empty=True)
    assert (gone.snapshot, gone.removed) == (2, network.truth["lyon"].files)
    store = open_store(root)
    assert {store.snapshot().tables[n].rows for n in store.snapshot().tables} == {0}
    tree.rmdir()
    away.rename(tree)
    assert scan_serially(tree, root).instances == network.truth["lyon"].instances


def test_one_file_can_be_scanned(network: Network, tmp_path: Path) -> None:
    path = images(network.sites["lyon"])[0]
    assert scan_serially(path, tmp_path / "catalogue").instances == 1
    assert scan_serially(path, tmp_path / "catalogue").skipped == 1


def test_scanning_one_folder_leaves_the_others_of_the_site_alone(network: Network, tmp_path: Path) -> None:
    root = tmp_path / "catalogue"
    folders = sorted({p.parent for p in images(network.sites["lyon"])})
    first = scan_serially(folders[0], root)
    second = scan_serially(folders[1], root)
    assert (second.removed, second.skipped) == (0, 0)
    assert frame(open_store(root), "files").height == sum(r.instances + r.duplicates for r in (first, second))


@pytest.mark.parametrize("site", ["", "a b", "../x", "é", "x" * 65, "-a", "a\n"])
def test_wrong_names_of_sites_are_refused(site: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--site"):
        ScanOptions((tmp_path,), tmp_path / "catalogue", site)


def test_a_path_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        scan_serially(tmp_path / "nowhere", tmp_path / "catalogue")
    assert not (tmp_path / "catalogue").exists()


def test_the_report_is_json(network: Network, tmp_path: Path) -> None:
    report = scan_serially(network.sites["lyon"], tmp_path / "catalogue", keep_headers=False).as_dict()
    wanted = {"job", "snapshot", "files", "instances", "failures", "not_dicom", "skipped", "seconds"}
    assert wanted <= set(json.loads(json.dumps(report)))
    assert frame(open_store(tmp_path / "catalogue"), "headers").is_empty()
