"""The command `cohortium features` as users start it: executors agree, kills do no harm."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest
from scans import BIN, needs_mpi, patch_workers

from catalog.store import Store, open_store
from catalog.verify import verify

COMMAND = [sys.executable, "-m", "cohorts", "features", "--masks", "seg,rtstruct,whole", "--catalog"]
WAYS = [
    pytest.param(["--workers", "2"], 0, id="processes"),
    pytest.param([], 3, id="mpi3", marks=[needs_mpi, pytest.mark.mpi]),
]
TABLES = ("rois", "features", "failures")
# Few features are enough to see that the tables are the same, and leave time for many runs.
SETTINGS = 'families = ["morphology", "statistics", "histogram"]\nbin_width = 50.0\n'


def command(root: Path, options: list[str], ranks: int) -> list[str]:
    launcher = [str(BIN / "mpiexec"), "-n", str(ranks)] if ranks else []
    return [*launcher, *COMMAND, str(root), "--settings", str(root.parent / "settings.toml"), *options]


def run(root: Path, options: list[str], ranks: int = 0) -> tuple[int, dict[str, int]]:
    done = subprocess.run(
        command(root, options, ranks), capture_output=True, text=True, check=False, timeout=200
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 1, done.stderr
    return done.returncode, json.loads(lines[0])


def frame(store: Store, name: str) -> pl.DataFrame:
    files = store.snapshot().tables[name].files
    rows = pl.concat([pl.read_parquet(f) for f in files]) if files else pl.DataFrame()
    return rows.drop("job", strict=False).sort(pl.all()) if name == "failures" else rows.sort("roi_key")


def same_tables(one: Store, other: Store) -> None:
    for name in TABLES:
        assert frame(one, name).equals(frame(other, name)), name


def copy(scanned: Path, folder: Path) -> Path:
    (folder / "settings.toml").write_text(SETTINGS)
    return Path(shutil.copytree(scanned, folder / "catalogue"))


@pytest.fixture(scope="module")
def undisturbed(scanned: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """What a serial run that nobody disturbs makes of it; read only."""
    root = copy(scanned, tmp_path_factory.mktemp("undisturbed"))
    code, report = run(root, ["--executor", "serial"])
    assert code in {0, 3}
    assert report["features"] == report["rois"] > 0
    return open_store(root)


@pytest.mark.parametrize(("options", "ranks"), WAYS)
def test_every_executor_makes_the_same_tables(
    options: list[str], ranks: int, scanned: Path, undisturbed: Store, tmp_path: Path
) -> None:
    root = copy(scanned, tmp_path)
    _, report = run(root, options, ranks)
    wanted = {"job", "snapshot", "series", "rois", "features", "failures", "skipped", "seconds"}
    assert wanted <= set(report)
    expected = undisturbed.snapshot().counts
    assert {n: report[n] for n in expected} == expected
    same_tables(open_store(root), undisturbed)
    again = run(root, options, ranks)[1]
    assert (again["features"], again["snapshot"]) == (0, report["snapshot"])


@pytest.mark.kill
@pytest.mark.parametrize(("options", "ranks"), WAYS)
def test_a_run_that_is_killed_again_and_again_ends_as_if_undisturbed(
    options: list[str], ranks: int, scanned: Path, undisturbed: Store, tmp_path: Path
) -> None:
    root = copy(scanned, tmp_path)
    chance = random.Random(3)
    for _ in range(3):
        running = subprocess.Popen(
            command(root, options, ranks),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(chance.uniform(1.0, 4.0))
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        _end_family(running.pid)
    code, report = run(root, options, ranks)
    assert code in {0, 3}
    store = open_store(root)
    assert report["snapshot"] == undisturbed.snapshot().number
    same_tables(store, undisturbed)
    assert [c for c in verify(store) if c.problem] == []
    assert not list((root / "staging").rglob("*.parquet"))


def _end_family(session: int) -> None:
    """Kill what is left of a session that we started."""
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError):
            fields = status.read_text().rpartition(")")[2].split()
            if int(fields[3]) == session:
                os.kill(int(status.parent.name), signal.SIGKILL)


# Whoever measures the series dies of it.
POISON = """\
real = module.FeatureStage._volume
def _volume(self, item):
    if item.series_uid == os.environ["POISON"]:
        os.kill(os.getpid(), signal.SIGSEGV)
    return real(self, item)
module.FeatureStage._volume = _volume
"""


@pytest.mark.kill
@pytest.mark.parametrize(("options", "ranks"), WAYS)
def test_a_series_that_kills_its_worker_is_set_aside(
    options: list[str], ranks: int, scanned: Path, undisturbed: Store, tmp_path: Path
) -> None:
    root = copy(scanned, tmp_path)
    uid = frame(undisturbed, "rois").filter(pl.col("source") == "seg")["SeriesInstanceUID"][0]
    patch_workers(tmp_path, "catalog.features.compute", POISON)
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "POISON": uid}
    codes = []
    for _ in range(3):  # a lost rank ends a run of MPI; the next run knows which series it was at
        done = subprocess.run(
            command(root, options, ranks), env=environment, capture_output=True, check=False, timeout=200
        )
        codes.append(done.returncode)
        if codes[-1] == 3:
            break
    assert codes[-1] == 3, done.stderr
    store = open_store(root)
    killed = frame(store, "failures").filter(pl.col("error") == "WorkerKilledError")
    assert killed["message"].str.contains(uid, literal=True).to_list() == [True, True]  # seg and whole
    expected = frame(undisturbed, "rois").filter(pl.col("SeriesInstanceUID") != uid)
    assert frame(store, "rois").equals(expected)
    assert [c for c in verify(store) if c.problem] == []
