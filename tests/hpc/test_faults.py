"""Kills at any moment: the same command again gives all items once, and only the guilty are set aside."""

from __future__ import annotations

import random
import time

import pytest
from toy_runs import EXECUTORS, MANY, kill, shards, wait_for

pytestmark = [pytest.mark.mpi, pytest.mark.kill]


def test_a_killed_worker_process_is_replaced_within_the_run(start):
    run = start("processes", "--items", "120", "--delay", "0.01")
    wait_for(run, lambda: shards(run))
    kill(run.workers()[0])
    result = run.end().result
    assert result["items"] == list(range(120))
    assert result["failed"] == {}
    assert result["lost"] == 1


@pytest.mark.parametrize("executor", EXECUTORS)
def test_after_everybody_was_killed_the_next_run_completes(start, executor):
    run = start(executor, "--items", "120", "--delay", "0.02")
    wait_for(run, lambda: len(shards(run)) > 1)
    for pid in run.everybody():
        kill(pid)
    assert run.end().code != 0
    result = start(executor, "--items", "120").end().result
    assert result["before"] > 0
    assert result["items"] == list(range(120))
    assert result["failed"] == {}


@pytest.mark.parametrize("executor", ["mpi-2", "mpi-4"])
@pytest.mark.parametrize("victim", [0, -1])
def test_a_killed_rank_ends_the_run_and_the_next_one_completes(start, executor, victim):
    run = start(executor, "--items", "120", "--delay", "0.02")
    wait_for(run, lambda: shards(run))
    kill(run.managers()[victim])
    assert run.end().code not in (0, 75)
    result = start(executor, "--items", "120").end().result
    assert result["items"] == list(range(120))
    assert result["failed"] == {}


def test_workers_do_not_outlive_a_killed_manager(start):
    run = start("processes", "--harm", "0:hang", "--harm", "50:hang")
    wait_for(run, lambda: len(list(run.folder.glob("runs/*/marks/*"))) == 2)
    workers = run.workers()
    kill(run.process.pid)
    run.end()
    for _ in range(500):
        if not any(alive(pid) for pid in workers):
            break
        time.sleep(0.01)
    assert not any(alive(pid) for pid in workers)


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.mark.parametrize(
    ("harm", "reason"),
    [("segv", "killed by SIGSEGV"), ("kill", "killed by SIGKILL"), ("exit", "ended with exit code 3")],
)
def test_an_item_that_kills_twice_is_set_aside_within_the_run(start, harm, reason):
    result = start("processes", "--harm", f"17:{harm}", "--harm", f"99:{harm}").end().result
    assert result["items"] == list(range(100))
    assert result["failed"] == {"17": reason, "99": reason}
    assert result["counts"] == {"items": 100, "failures": 2}
    assert result["lost"] == 2


@pytest.mark.parametrize("executor", ["serial", "mpi-1", "mpi-2", "mpi-4"])
def test_an_item_that_kills_its_run_is_set_aside_by_the_next(start, executor):
    assert start(executor, "--harm", "17:segv").end().code != 0
    result = start(executor, "--harm", "17:segv").end().result
    assert result["items"] == list(range(100))
    assert result["failed"] == {"17": "killed by SIGSEGV"}
    again = start(executor, "--harm", "17:segv").end().result
    assert again["tasks"] == 0
    assert again["failed"] == {"17": "killed by SIGSEGV"}


def test_a_suspect_that_takes_for_ever_is_set_aside(start):
    # killed once by us while it hangs, it is suspected; apart, it hangs again
    run = start("processes", "--items", "20", "--harm", "0:hang", "--limit", "0.5")
    wait_for(run, lambda: len(run.workers()) == 2 and len(shards(run)) > 2)
    time.sleep(0.3)
    kill(run.workers()[0])
    result = run.end().result
    assert result["items"] == list(range(20))
    assert result["failed"] == {"0": "no result after 0 s"}


@pytest.mark.parametrize("executor", MANY)
def test_chaos(start, executor):
    """Kill somebody or everybody at random moments until a run gets through."""
    chance = random.Random(executor)
    for _ in range(6):
        run = start(executor, "--items", "100", "--delay", "0.004", "--max-size", "5")
        time.sleep(chance.uniform(0.05, 0.9))
        victims = run.everybody() if chance.random() < 0.3 else chance.choices(run.everybody(), k=1)
        for pid in victims:
            kill(pid)
        if run.end().code == 0:
            break
        for pid in run.everybody():
            kill(pid)
    result = start(executor, "--items", "100").end().result
    assert result["items"] == list(range(100))
    assert result["failed"] == {}
