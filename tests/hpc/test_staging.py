"""Shards are whole or absent, runs exclude one another, and each finished shard counts once."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import threading
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from hpc import durable, lease
from hpc.errors import ConflictError
from hpc.marks import IDLE, Mark, read_position
from hpc.staging import Staging, claim
from hpc.tasks import Task


def write_shard(staging: Staging, name: str, text: str = "rows") -> None:
    with staging.shard("read", name) as folder:
        (folder / "rows.txt").write_text(text)


def names(staging: Staging) -> list[str]:
    return sorted(path.name for path in staging.finished("read").values())


def test_a_shard_appears_whole(tmp_path):
    with claim(tmp_path) as staging:
        with staging.shard("read", "a") as folder:
            (folder / "rows.txt").write_text("rows")
            assert staging.finished("read") == {}
        (path,) = staging.finished("read").values()
        assert (path / "rows.txt").read_text() == "rows"
        assert list((staging.home / "drafts").iterdir()) == []


def test_an_exception_leaves_no_shard(tmp_path):
    with claim(tmp_path) as staging:
        with pytest.raises(ZeroDivisionError), staging.shard("read", "a") as folder:
            (folder / "rows.txt").write_text(str(1 / 0))
        assert staging.finished("read") == {}
        assert list((staging.home / "drafts").iterdir()) == []


def test_the_second_try_of_a_task_replaces_the_first(tmp_path):
    with claim(tmp_path) as staging:
        write_shard(staging, "a", "first")
        write_shard(staging, "a", "second")
        (path,) = staging.finished("read").values()
        assert (path / "rows.txt").read_text() == "second"


def test_discarding_removes_one_shard_or_none(tmp_path):
    with claim(tmp_path) as staging:
        write_shard(staging, "a")
        write_shard(staging, "b")
        staging.discard("read", "a")
        staging.discard("read", "a")
        assert names(staging) == ["b"]


def test_every_file_and_folder_is_synced_before_the_shard_has_its_name(tmp_path, monkeypatch):
    synced = []
    real = os.fsync
    monkeypatch.setattr(
        os, "fsync", lambda fd: (synced.append(str(Path(f"/proc/self/fd/{fd}").readlink())), real(fd))
    )
    with claim(tmp_path) as staging:
        synced.clear()
        with staging.shard("read", "a") as folder:
            (folder / "part").mkdir()
            (folder / "part" / "rows").write_text("rows")
    draft = str(folder)
    final_parent = str(staging.home / "shards" / "read")
    order = [p.removeprefix(draft) for p in synced if p.startswith(draft)]
    assert order == ["/part/rows", "/part", ""]
    assert synced.index(final_parent) > synced.index(draft)


def test_former_runs_shards_are_found_beside_those_of_this_one_even_if_named_alike(tmp_path):
    with claim(tmp_path) as first:
        write_shard(first, "a", "first")
    with claim(tmp_path) as second:
        write_shard(second, "a", "second")
        found = second.finished("read")
        assert sorted((path / "rows.txt").read_text() for path in found.values()) == ["first", "second"]
        assert sorted(found) == [f"{first.run}/a", f"{second.run}/a"]
    assert second.finished("other") == {}


def test_a_shard_that_comes_late_is_never_adopted(tmp_path):
    with claim(tmp_path) as first:
        write_shard(first, "a")
        with first.shard("read", "late") as late_folder, claim_after(tmp_path, first) as second:
            assert not late_folder.exists()
            late_folder.mkdir(parents=True)
    assert [path.name for path in (first.home / "shards" / "read").iterdir()] != ["a"]
    assert names(second) == ["a"]
    with claim(tmp_path) as third:
        assert names(third) == ["a"]


def claim_after(folder, staging):
    """Claim a folder as if its live holder, this process, had gone."""
    number, path = lease.newest(folder)
    assert number == int(staging.run.partition("-")[0])
    path.write_text(json.dumps(asdict(lease.Owner.here(released=True))))
    return claim(folder)


def test_clear_forgets_all_runs_and_the_run_goes_on(tmp_path):
    with claim(tmp_path) as first:
        write_shard(first, "a")
    with claim(tmp_path) as second:
        write_shard(second, "b")
        second.clear()
        assert names(second) == []
        write_shard(second, "c")
        assert names(second) == ["c"]
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [second.run]
    assert not list(tmp_path.glob("cleared-*"))


def test_a_worker_of_a_cleared_run_cannot_bring_it_back(tmp_path):
    with claim(tmp_path) as first:
        pass
    with claim(tmp_path) as second:
        second.clear()
    with pytest.raises(FileNotFoundError):
        write_shard(first, "zombie")
    with claim(tmp_path) as third:
        assert names(third) == []


def test_a_claim_cut_short_is_mended(tmp_path):
    with claim(tmp_path) as first:
        write_shard(first, "a")
    half = tmp_path / "runs" / "000002-aaaaaaaa"
    half.mkdir()
    (tmp_path / "lease-000001.json").rename(tmp_path / "lease-000002.json")
    with claim(tmp_path) as third:
        assert names(third) == ["a"]


def test_staging_travels_to_workers(tmp_path):
    with claim(tmp_path) as staging:
        write_shard(pickle.loads(pickle.dumps(staging)), "a")
        assert names(staging) == ["a"]


def test_what_workers_were_at_is_kept_for_every_later_run(tmp_path):
    task = Task("a-b", 3.0, ("x", "y", "z"))
    with claim(tmp_path) as first:
        mark = Mark(first.marks / "000000")
        mark.begin("read", task)
        mark.array[0] = 2
        done = Mark(first.marks / "000001")
        done.begin("read", task)
        done.end()
        assert read_position(first.marks / "000000") == 2
        assert read_position(first.marks / "000001") == read_position(first.marks / "none") == IDLE
        assert first.evidence() == []
    for _ in range(2):
        with claim(tmp_path) as later:
            (evidence,) = later.evidence()
            assert (evidence.stage, evidence.task, evidence.position) == ("read", task, 2)
    with claim(tmp_path) as last:
        last.clear()
        assert last.evidence() == []


@pytest.mark.parametrize("damage", [b"", b"\0" * 8, b"\0" * 32, b"\0" * 16 + b"\5" + b"\0" * 15 + b"hello"])
def test_damaged_marks_are_no_evidence(tmp_path, damage):
    with claim(tmp_path) as first:
        (first.marks / "000000").write_bytes(damage)
    with claim(tmp_path) as second:
        assert second.evidence() == []


def test_evidence_of_a_class_that_is_gone_is_left_out(tmp_path):
    with claim(tmp_path) as first:
        Mark(first.marks / "000000").begin("read", Task("a", 1, Vanishing()))
    with claim(tmp_path) as second:
        original = globals().pop("Vanishing")
        try:
            assert second.evidence() == []
        finally:
            globals()["Vanishing"] = original


class Vanishing:
    pass


def test_another_users_evidence_is_not_unpickled(tmp_path):
    if os.geteuid():
        pytest.skip("only root can give files away")
    with claim(tmp_path) as first:
        Mark(first.marks / "000000").begin("read", Task("a", 1, None))
        os.chown(first.marks / "000000", 65534, 65534)
        Mark(first.marks / "000001").begin("read", Task("b", 1, None))
    with claim(tmp_path) as second:
        assert [each.task.name for each in second.evidence()] == ["b"]


# --- leases


def test_a_live_run_refuses_another_and_says_which(tmp_path):
    code = (
        "import sys, pathlib, hpc.staging as s\n"
        "with s.claim(pathlib.Path(sys.argv[1])): print('mine', flush=True); input()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        other.stdout.readline()
        with pytest.raises(ConflictError, match=f"process {other.pid} on"), claim(tmp_path):
            pass
        other.kill()
        other.wait()
    with claim(tmp_path) as staging:
        assert staging.run.startswith("000002-")


def test_a_dead_process_that_nobody_has_waited_for_is_dead(tmp_path):
    code = "import sys, os, pathlib, hpc.staging as s\nwith s.claim(pathlib.Path(sys.argv[1])): os._exit(0)\n"
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)]) as other:
        os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
        with claim(tmp_path) as staging:
            assert staging.run.startswith("000002-")


def test_the_same_process_is_told_where_its_staging_is(tmp_path):
    with claim(tmp_path), pytest.raises(ConflictError, match=r"session\.staging"), claim(tmp_path):
        pass


def foreign(**changes):
    return replace(lease.Owner.here(), host="elsewhere", place="elsewhere", pid=1, **changes)


@pytest.mark.parametrize(
    ("owner", "age_s", "alive"),
    [
        (foreign(), 10, True),
        (foreign(), 59, True),
        (foreign(), 61, False),
        (foreign(released=True), 0, False),
        (foreign(slurm_job="7", slurm_restart="0"), 0, False),
        (foreign(slurm_job="7", slurm_restart="1"), 0, True),
        (foreign(slurm_job="8", slurm_restart="0"), 0, True),
        (lease.Owner.here(), 1e9, True),
        (replace(lease.Owner.here(), started=1), 0, False),
        (replace(lease.Owner.here(), pid=2**22 + 1), 0, False),
    ],
)
def test_who_counts_as_alive(monkeypatch, owner, age_s, alive):
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    assert owner.alive(age_s) is alive


def test_another_hosts_lease_is_taken_over_when_it_is_silent(tmp_path):
    with claim(tmp_path):
        pass
    path = tmp_path / "lease-000001.json"
    path.write_text(json.dumps(asdict(foreign())))
    with pytest.raises(ConflictError, match="elsewhere"), claim(tmp_path):
        pass
    os.utime(path, (path.stat().st_atime, path.stat().st_mtime - 61))
    with claim(tmp_path) as staging:
        staging.confirm()


def test_a_run_that_was_taken_over_learns_it_before_it_commits(tmp_path):
    with claim(tmp_path) as first:
        first.confirm()
        with claim_after(tmp_path, first) as second:
            second.confirm()
            with pytest.raises(ConflictError, match="taken this job over"):
                first.confirm()
        with pytest.raises(ConflictError, match="taken this job over"):
            first.confirm()


def test_a_lease_is_touched_as_long_as_it_is_held(tmp_path, monkeypatch):
    monkeypatch.setattr(lease, "BEAT_S", 0.01)
    with claim(tmp_path):
        path = tmp_path / "lease-000001.json"
        os.utime(path, (0, 0))
        for _ in range(500):
            if path.stat().st_mtime > 0:
                break
            threading.Event().wait(0.01)
        assert path.stat().st_mtime > 0
    assert json.loads(path.read_text())["released"] is True


def test_one_of_many_claimants_wins(tmp_path):
    code = (
        "import sys, pathlib, hpc.staging as s, hpc.errors as e\n"
        "print('ready', flush=True); input()\n"
        "try:\n"
        "  with s.claim(pathlib.Path(sys.argv[1])) as staging: print('won', flush=True); input()\n"
        "except e.ConflictError: print('lost', flush=True); input()\n"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    many = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], **pipes) for _ in range(6)]
    for each in many:
        each.stdout.readline()
    for each in many:
        each.stdin.write("\n")
        each.stdin.flush()
    said = [each.stdout.readline().strip() for each in many]
    for each in many:
        each.communicate("\n")
    assert sorted(said) == ["lost"] * 5 + ["won"]


# --- durable files


def test_write_bytes_replaces_and_leaves_no_draft(tmp_path):
    durable.write_bytes(tmp_path / "a", b"one")
    durable.write_bytes(tmp_path / "a", b"two")
    assert (tmp_path / "a").read_bytes() == b"two"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_create_exclusive_creates_once(tmp_path):
    assert durable.create_exclusive(tmp_path / "a", b"one") is True
    assert durable.create_exclusive(tmp_path / "a", b"two") is False
    assert (tmp_path / "a").read_bytes() == b"one"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_create_exclusive_knows_its_own_link_when_the_answer_was_lost(tmp_path, monkeypatch):
    real = os.link

    def link_and_lose_the_answer(source, target):
        real(source, target)
        raise FileExistsError

    monkeypatch.setattr(os, "link", link_and_lose_the_answer)
    assert durable.create_exclusive(tmp_path / "a", b"one") is True
    assert (tmp_path / "a").read_bytes() == b"one"


def test_create_exclusive_among_many_threads(tmp_path):
    results = []
    barrier = threading.Barrier(8)

    def attempt(number: int) -> None:
        barrier.wait()
        results.append((durable.create_exclusive(tmp_path / "a", b"%d" % number), number))

    threads = [threading.Thread(target=attempt, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = [number for won, number in results if won]
    assert (tmp_path / "a").read_bytes() == b"%d" % winner
