"""One suite for every executor: the same work, the same results, the same ends."""

from __future__ import annotations

import json
import math
import os
import signal
import time

import pytest
from toy_job import ToyStage, TreeStage, range_task, read_rows, toy_main
from toy_runs import EXECUTORS, MANY, shards, wait_for

from hpc import Session, run_job, signals
from hpc.errors import InterruptedRunError

pytestmark = pytest.mark.mpi


@pytest.mark.parametrize("executor", EXECUTORS)
def test_every_item_once(start, executor):
    result = start(executor, "--items", "500").end().result
    assert result["items"] == list(range(500))
    assert result["counts"] == {"items": 500}
    assert result["failed"] == {}
    assert result["workers"] == EXECUTORS[executor]
    assert result["executor"] == {"mpi-1": "serial"}.get(executor, executor.partition("-")[0])


@pytest.mark.parametrize("executor", EXECUTORS)
def test_no_work_is_no_trouble(start, executor):
    assert start(executor, "--items", "0").end().result["tasks"] == 0


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_second_run_finds_all_done(start, executor):
    start(executor).end()
    result = start(executor).end().result
    assert result["items"] == list(range(100))
    assert (result["before"], result["tasks"]) == (100, 0)


@pytest.mark.parametrize("executor", EXECUTORS)
def test_an_exception_in_work_ends_the_run_with_its_traceback(start, executor):
    run = start(executor, "--harm", "17:raise", "--harm", "99:hang").end()
    assert run.code == 1
    assert "ZeroDivisionError: item of the toy job" in run.err
    assert "do_harm" in run.err
    assert run.out == ""
    assert run.status["state"] == "failed"
    assert run.status["error"] == "ZeroDivisionError"


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_request_to_stop_finishes_what_runs_and_the_next_run_goes_on(start, executor):
    run = start(executor, "--delay", "0.05", "--items", "200")
    wait_for(run, lambda: shards(run))
    run.process.send_signal(signal.SIGTERM)
    run.end()
    assert run.code == 75
    assert "Run the same command again" in run.err
    assert run.status["state"] == "stopped"
    assert not list(run.folder.glob("runs/*/drafts/*"))
    marked = [
        int.from_bytes(p.read_bytes()[:8], "little", signed=True) for p in run.folder.glob("runs/*/marks/*")
    ]
    assert set(marked) <= {-1}
    result = start(executor, "--items", "200").end().result
    assert 0 < result["before"] < 200
    assert result["items"] == list(range(200))
    assert result["failed"] == {}


def test_a_signal_to_one_rank_stops_all(start):
    run = start("mpi-4", "--delay", "0.05", "--items", "300")
    wait_for(run, lambda: len(shards(run)) > 2 and len(run.managers()) == 4)
    # the last rank works; it tells rank 0
    os.kill(run.managers()[-1], signal.SIGUSR1)
    assert run.end().code == 75


@pytest.mark.parametrize("executor", ["serial", *MANY])
def test_a_second_interrupt_stops_at_once(start, executor):
    run = start(executor, "--items", "2", "--harm", "0:hang", "--harm", "1:hang")
    wait_for(run, lambda: list(run.folder.glob("runs/*/marks/*")))
    time.sleep(0.3)
    managers = run.managers()
    for _ in range(2):
        os.kill(managers[0], signal.SIGINT)
        time.sleep(0.3)
    run.end()
    assert run.code == 75
    assert "at once" in run.err


@pytest.mark.parametrize(
    "environment",
    [
        {"PMI_RANK": "0", "PMI_SIZE": "4"},
        {"SLURM_PROCID": "0", "SLURM_NTASKS": "4"},
        {"SLURM_PROCID": "0", "SLURM_NTASKS": "4", "SLURM_STEP_NUM_TASKS": "4", "SLURM_JOB_ID": "1"},
        {"OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "2"},
    ],
)
def test_copies_that_believe_to_be_alone_are_wrong_use(start, environment):
    run = start("auto", environment=environment).end()
    assert run.code == 2
    assert "believes to be alone" in run.err
    assert not run.folder.exists()


def test_without_an_mpi_library_local_processes_do_the_work(start):
    environment = {"MPI4PY_LIBMPI": "/nowhere/libmpi.so"}
    run = start("mpi", "--workers", "2", environment=environment).end()
    assert run.result["items"] == list(range(100))
    assert run.result["executor"] == "processes"
    first, *rest = run.err.splitlines()
    assert first.startswith("MPI cannot be loaded (")
    assert first.endswith("using 2 local processes instead")
    assert len(rest) == 1


def test_without_an_mpi_library_several_tasks_are_wrong_use(start):
    run = start("mpi-2", environment={"MPI4PY_LIBMPI": "/nowhere/libmpi.so"}).end()
    assert run.code == 2
    assert "MPI cannot be loaded" in run.err
    assert not run.folder.exists()


@pytest.mark.parametrize("executor", ["processes", "mpi-2"])
def test_two_runs_of_one_job_refuse_each_other(start, executor):
    first = start(executor, "--delay", "0.05", "--items", "60")
    wait_for(first, lambda: shards(first))
    second = start(executor).end()
    assert second.code == 1
    assert "another run of this job is at work" in second.err
    assert first.end().result["items"] == list(range(60))


def test_the_status_file_tells_how_far_a_run_is(start):
    run = start("processes", "--items", "40", "--delay", "0.01").end()
    status = run.status
    assert status["state"] == "done"
    assert status["counts"] == {"items": 40}
    assert (status["job"], status["stage"], status["unit"]) == ("toy", "toy", "items")
    assert (status["done"], status["total"], status["eta_s"]) == (40, 40, 0.0)
    assert (status["workers"], status["executor"], status["pid"]) == (2, "processes", run.process.pid)
    assert status["rate"] > 0
    assert {"updated", "host", "failures"} <= set(status)


@pytest.mark.parametrize("executor", ["serial", "processes"])
class TestInThisProcess:
    """What a job's main function sees."""

    def test_found_tasks_are_worked(self, tmp_path, executor):
        def main(session: Session) -> list[int]:
            stage = TreeStage(session.staging, 300)
            report = session.run(stage, [stage.task([0])], max_size=20)
            assert report.counts == {"nodes": 300}
            return read_rows(session.staging.finished("tree"))[0]

        found = run_job(main, folder=lambda: tmp_path, title="tree", executor=executor, workers=2)
        assert found == list(range(300))

    def test_stages_follow_one_another_also_after_a_clear(self, tmp_path, executor):
        def main(session: Session) -> list[list[int]]:
            results = []
            for name in ("one", "two"):
                stage = ToyStage(session.staging, name=name)
                report = session.run(stage, [range_task(0, 20)], max_size=3)
                assert (report.counts, report.lost, report.stopped) == ({"items": 20}, 0, False)
                results.append(read_rows(session.staging.finished(name))[0])
                session.staging.clear()
            return results

        results = run_job(main, folder=lambda: tmp_path, title="two", executor=executor, workers=2)
        assert results == [list(range(20))] * 2

    def test_an_error_of_the_job_itself_comes_through(self, tmp_path, executor):
        def main(session: Session) -> None:
            raise KeyError(session.workers)

        with pytest.raises(KeyError, match=str(EXECUTORS[executor])):
            run_job(main, folder=lambda: tmp_path, title="bad", executor=executor, workers=2)
        status = json.loads((tmp_path / "status.json").read_text())
        assert (status["state"], status["error"]) == ("failed", "KeyError")
        assert (
            run_job(lambda session: session.executor, folder=lambda: tmp_path, title="x", executor=executor)
            == executor
        )

    def test_a_stop_before_the_work_leaves_it(self, tmp_path, executor, monkeypatch):
        monkeypatch.setattr(signals, "stop_requested", lambda: True)
        with pytest.raises(InterruptedRunError, match="with work left"):
            run_job(
                lambda session: toy_main(session, 10, 0.0, {}, max_size=math.inf),
                folder=lambda: tmp_path,
                title="toy",
                executor=executor,
            )
