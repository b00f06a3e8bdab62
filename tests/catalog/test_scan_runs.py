"""The command `cohortium scan` as users start it: executors agree, kills do no harm."""

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
from scans import BIN, frame, images, needs_mpi, patch_workers, same_tables, twin

from catalog.store import Store, open_or_create_store, open_store
from catalog.synthetic import Network
from catalog.verify import verify

COMMAND = [sys.executable, "-m", "cohorts"]
WAYS = [
    pytest.param(["--executor", "serial"], 0, id="serial"),
    pytest.param(["--workers", "2"], 0, id="processes"),
    *(pytest.param([], n, id=f"mpi{n}", marks=[needs_mpi, pytest.mark.mpi]) for n in (1, 2, 4)),
]


def command(tree: Path, root: Path, options: list[str], ranks: int) -> list[str]:
    launcher = [str(BIN / "mpiexec"), "-n", str(ranks)] if ranks else []
    return [*launcher, *COMMAND, "scan", str(tree), "--catalog", str(root), "--site", "a", *options]


def run(tree: Path, root: Path, options: list[str], ranks: int = 0) -> tuple[int, dict[str, int]]:
    done = subprocess.run(
        command(tree, root, options, ranks), capture_output=True, text=True, check=False, timeout=200
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 1, done.stderr
    return done.returncode, json.loads(lines[0])


@pytest.fixture(scope="module")
def tree(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One site with everything that can happen to files, several times over; read only."""
    folder = tmp_path_factory.mktemp("tree")
    for i in range(3):
        for site, source in network.sites.items():
            shutil.copytree(source, folder / f"{site}-{i}")
    return folder


@pytest.fixture(scope="module")
def undisturbed(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """What a serial scan that nobody disturbs makes of it; read only."""
    root = tmp_path_factory.mktemp("undisturbed") / "catalogue"
    code, report = run(tree, root, ["--executor", "serial"])
    assert (code, report["snapshot"]) == (3, 1)  # some inputs are broken on purpose
    return open_store(root)


@pytest.mark.parametrize(("options", "ranks"), WAYS)
def test_every_executor_makes_the_same_tables(
    options: list[str], ranks: int, tree: Path, undisturbed: Store, tmp_path: Path
) -> None:
    store = twin(undisturbed, tmp_path / "catalogue")
    code, report = run(tree, store.root, options, ranks)
    assert code == 3
    expected = undisturbed.snapshot().counts
    assert {n: report[n] for n in expected} == expected
    same_tables(store, undisturbed)
    assert run(tree, store.root, options, ranks)[1]["skipped"] == report["files"]


@pytest.mark.kill
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(("options", "ranks"), WAYS[1:2] + WAYS[3:4])
def test_a_scan_that_is_killed_again_and_again_ends_as_if_undisturbed(
    options: list[str], ranks: int, seed: int, tree: Path, undisturbed: Store, tmp_path: Path
) -> None:
    """`kill -9` of everything or of one process, at moments that nobody chose."""
    store = twin(undisturbed, tmp_path / "catalogue")
    chance = random.Random(seed)
    for _ in range(5):
        running = subprocess.Popen(
            command(tree, store.root, options, ranks),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(chance.uniform(0.3, 3.0))
        victims = _family(running.pid)
        if victims and chance.random() < 0.5:
            victims = [chance.choice(victims)]
        for pid in victims:
            _kill(pid)
        if len(victims) == 1:
            time.sleep(0.3)
        for pid in _family(running.pid):
            _kill(pid)
        running.wait()
    code, report = run(tree, store.root, options, ranks)
    assert code in {0, 3}
    assert report["snapshot"] == 1
    same_tables(store, undisturbed)
    assert [c for c in verify(store) if c.problem] == []
    assert not list((store.root / "staging").rglob("*.parquet"))


@pytest.mark.kill
def test_a_scan_that_is_asked_to_stop_can_be_resumed(tree: Path, undisturbed: Store, tmp_path: Path) -> None:
    store = twin(undisturbed, tmp_path / "catalogue")
    codes = []
    for delay in (0.5, 0.8, 1.1, 1.4):
        running = subprocess.Popen(
            command(tree, store.root, ["--workers", "2"], 0),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        time.sleep(delay)
        running.send_signal(signal.SIGTERM)
        _, said = running.communicate(timeout=60)
        codes.append(running.returncode)
        # it had ended, it stopped, or Python had not come so far as to hear the signal
        assert codes[-1] in {0, 3, 75, -signal.SIGTERM}, said
    assert 75 in codes or 3 in codes
    run(tree, store.root, [])
    same_tables(store, undisturbed)


@needs_mpi
@pytest.mark.mpi
def test_ranks_that_do_not_see_each_other_are_refused_at_once(tree: Path, tmp_path: Path) -> None:
    """What a wrong `srun --mpi=` does: N processes, each of which believes to be alone."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PMI")}
    environment |= {
        "SLURM_NTASKS": "4",
        "SLURM_STEP_NUM_TASKS": "4",
        "SLURM_PROCID": "0",
        "SLURM_STEP_ID": "0",
    }
    environment |= {"SLURM_JOB_ID": "1", "SLURM_STEPID": "0"}
    done = subprocess.run(
        command(tree, tmp_path / "catalogue", [], 0),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 2
    assert "--mpi" in done.stderr
    assert "Traceback" not in done.stderr
    assert frame(open_or_create_store(tmp_path / "catalogue"), "files").is_empty()


# Whoever reads the file dies of it.
POISON = """\
real = module.write_shard
def write_shard(folder, entries, source, progress):
    for i, path in enumerate(entries.column("path").to_pylist()):
        if path.endswith(b"poison.dcm"):
            progress[0] = i
            os.kill(os.getpid(), signal.SIGSEGV)
    return real(folder, entries, source, progress)
module.write_shard = write_shard
"""


@pytest.mark.kill
@pytest.mark.parametrize(("options", "ranks"), WAYS[1:2] + WAYS[4:5])
def test_a_file_that_kills_its_reader_is_set_aside(
    options: list[str], ranks: int, network: Network, tmp_path: Path
) -> None:
    tree = Path(shutil.copytree(network.sites["lyon"], tmp_path / "tree"))
    poison = images(tree)[5]
    poison = poison.rename(poison.with_name("poison.dcm"))
    patch_workers(tmp_path, "catalog.scan.read", POISON)
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    root = tmp_path / "catalogue"
    codes = []
    for _ in range(3):  # a lost rank ends a run of MPI; the next run knows which file it was at
        done = subprocess.run(
            command(tree, root, options, ranks),
            env=environment,
            capture_output=True,
            check=False,
            timeout=100,
        )
        codes.append(done.returncode)
        if codes[-1] == 3:
            break
    assert codes[-1] == 3
    assert len(codes) == (2 if ranks else 1)
    store = open_store(root)
    failures = frame(store, "failures").filter(pl.col("error") == "ReaderKilledError")
    assert failures["path"].to_list() == [str(poison)]
    assert frame(store, "instances").height == network.truth["lyon"].instances - 1
    again = subprocess.run(
        command(tree, root, options, ranks), env=environment, capture_output=True, check=True, timeout=100
    )
    assert json.loads(again.stdout)["skipped"] == network.truth["lyon"].files
    assert [c for c in verify(store) if c.problem] == []


def _family(pid: int) -> list[int]:
    """A process and all its descendants."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    family = [pid] if pid in parents else []
    for member in family:
        family += [child for child, parent in parents.items() if parent == member]
    return family


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
