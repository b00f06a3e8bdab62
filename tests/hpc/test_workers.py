"""Worker processes, watches and errors on their way from a worker to the manager."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from dataclasses import dataclass, replace

import pytest
from toy_job import CutsRanges, ToyStage, range_task, read_rows

from hpc import Session, lease, run_job, session
from hpc.bench import Briefing, Desk, portable
from hpc.errors import ConflictError, UsageError, WorkerLostError
from hpc.executors import watch
from hpc.executors.watch import ManagerWatch, Whereabouts, WorkerWatch
from hpc.isolate import work_apart
from hpc.staging import claim
from hpc.tasks import Outcome, Task


def test_an_error_travels_with_its_traceback():
    with pytest.raises(UsageError) as caught:
        Task("No name", 1, None)
    copy = pickle.loads(pickle.dumps(portable(caught.value)))
    assert isinstance(copy, UsageError)
    assert str(copy) == str(caught.value)
    assert "test_an_error_travels" in copy.__notes__[0]


def test_an_error_that_cannot_travel_is_told_in_words():
    class LocalError(Exception):
        pass

    class PickyError(Exception):
        def __init__(self, one, two):
            super().__init__(f"{one} {two}")

    for error in (LocalError("no module has it"), PickyError("two", "arguments")):
        copy = pickle.loads(pickle.dumps(portable(error)))
        assert type(copy) is RuntimeError
        assert str(error) in str(copy)


def test_a_briefing_is_told_once_to_each_worker_and_again_to_a_new_one():
    desk = Desk()
    first, second = (Briefing(CutsRanges(), None, limit_s) for limit_s in (1.0, 2.0))
    task = range_task(0, 1)
    told = [desk.message(worker, first, task)[0] for worker in (0, 1, 0)]
    assert [body is not None for body in told] == [True, True, False]
    desk.forget(0)
    assert desk.message(0, first, task)[0] is not None
    assert pickle.loads(desk.message(1, second, task)[0]).limit_s == 2.0


@pytest.mark.parametrize(
    ("harm", "failed"),
    [
        ("", {}),
        ("segv", {5: "killed by SIGSEGV"}),
        ("kill", {5: "killed by SIGKILL"}),
        ("hang", {5: "no result after 1 s"}),
    ],
)
def test_a_suspect_gets_its_rows_or_its_reason(tmp_path, harm, failed):
    with claim(tmp_path) as staging:
        stage = ToyStage(staging, harm={5: harm})
        outcome = work_apart(Briefing(stage, staging, 1.0), range_task(5, 6, isolated=True))
        assert read_rows(staging.finished("toy")) == ([5], failed)
        assert outcome.counts == ({"items": 1, "failures": 1} if failed else {"items": 1})


@dataclass(frozen=True)
class FlakyStage(ToyStage):
    """Is killed from outside once, then works."""

    def work(self, task, mark):
        first = self.staging.scratch / "killed"
        if not first.exists():
            first.touch()
            os.kill(os.getpid(), 9)
        return super().work(task, mark)


@dataclass(frozen=True)
class LateDeathStage(ToyStage):
    """Dies between its last act and its report."""

    def work(self, task, mark):
        super().work(task, mark)
        os._exit(5)


@dataclass(frozen=True)
class UnreadableStage(ToyStage):
    """Kills whoever reads its briefing."""

    def __setstate__(self, state):
        os._exit(7)


def test_one_kill_from_outside_accuses_nobody(tmp_path):
    with claim(tmp_path) as staging:
        work_apart(Briefing(FlakyStage(staging), staging, 60.0), range_task(5, 6, isolated=True))
        assert read_rows(staging.finished("toy")) == ([5], {})


def test_a_death_after_the_shard_leaves_one_row(tmp_path):
    with claim(tmp_path) as staging:
        work_apart(Briefing(LateDeathStage(staging), staging, 60.0), range_task(5, 6, isolated=True))
        assert read_rows(staging.finished("toy")) == ([5], {5: "ended with exit code 5"})


def test_a_worker_that_dies_after_its_shard_leaves_every_item_once(tmp_path):
    def main(job: Session):
        stage = DiesOnceStage(job.staging)
        report = job.run(stage, [range_task(0, 20)], max_size=10)
        return report.lost, read_rows(job.staging.finished("toy"))

    assert run_job(main, folder=lambda: tmp_path, title="toy", executor="processes", workers=1) == (
        1,
        (list(range(20)), {}),
    )


@dataclass(frozen=True)
class DiesOnceStage(ToyStage):
    """Dies between its first shard and the report of it."""

    def work(self, task, mark):
        outcome = super().work(task, mark)
        first = self.staging.scratch / "died"
        if not first.exists():
            first.touch()
            os._exit(5)
        return outcome


@pytest.mark.parametrize("isolated", [False, True])
def test_workers_that_cannot_start_end_the_run(tmp_path, isolated):
    def main(job: Session):
        job.run(UnreadableStage(job.staging), [range_task(0, 1, isolated=isolated)])

    executor = "serial" if isolated else "processes"
    with pytest.raises(WorkerLostError, match=r"start.*ended with exit code 7|ended with exit code 7.*start"):
        run_job(main, folder=lambda: tmp_path, title="toy", executor=executor, workers=1)


def test_a_run_that_is_taken_over_stops(tmp_path, monkeypatch):
    monkeypatch.setattr(session, "_CONFIRM_S", 0.0)

    def main(job: Session):
        number, path = lease.newest(tmp_path)
        path.rename(tmp_path / f"lease-{number + 1:06d}.json")
        job.run(ToyStage(job.staging), [range_task(0, 10)], max_size=1)

    with pytest.raises(ConflictError, match="taken this job over"):
        run_job(main, folder=lambda: tmp_path, title="toy", executor="serial")


def test_suspects_are_what_former_workers_were_at(tmp_path):
    from hpc.marks import Mark

    with claim(tmp_path) as former:
        for number, (task, position) in enumerate(
            [(range_task(0, 9), 4), (range_task(20, 30), 0), (range_task(4, 5, isolated=True), 0)]
        ):
            mark = Mark(former.marks / str(number))
            mark.begin("toy", task)
            mark.array[0] = position
        Mark(former.marks / "other").begin("another stage", range_task(50, 60))

    def main(job: Session):
        return job.suspects(ToyStage(job.staging))

    suspects = run_job(main, folder=lambda: tmp_path, title="toy", executor="serial")
    assert suspects == tuple(range_task(n, n + 1, isolated=True) for n in (4, 20))


# --- ranks that die unseen


@pytest.fixture
def dead() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(watch, "_LOOK_S", 0.01)
    monkeypatch.setattr(watch, "_TOUCH_S", 0.01)


class Alarm(threading.Event):
    text = ""

    def __call__(self, text: str) -> None:
        self.text = text
        self.set()


@pytest.mark.usefixtures("quick")
def test_the_manager_notices_a_dead_worker_of_its_host(tmp_path, dead):
    with claim(tmp_path) as staging:
        alarm = Alarm()
        looking = ManagerWatch(staging, alarm)
        looking.know(0, Whereabouts.here())
        assert not alarm.wait(0.1)
        looking.know(1, replace(Whereabouts.here(), pid=dead))
        assert alarm.wait(10)
        assert "rank 2 died" in alarm.text


@pytest.mark.usefixtures("quick")
def test_the_manager_notices_that_a_far_workers_mark_rests(tmp_path, monkeypatch):
    monkeypatch.setattr(watch, "_SILENCE_S", 0.5)
    with claim(tmp_path) as staging:
        alarm = Alarm()
        looking = ManagerWatch(staging, alarm)
        far = Whereabouts("elsewhere", 1)
        living = WorkerWatch(staging, 0, Whereabouts.here(), alarm)
        looking.know(0, far)
        assert not alarm.wait(1.0)
        looking.know(1, far)
        assert alarm.wait(10)
        assert "rank 2 died" in alarm.text
        living.look()
        looking.stop()


@pytest.mark.usefixtures("quick")
def test_a_worker_notices_a_dead_manager_near_or_far(tmp_path, dead, monkeypatch):
    with claim(tmp_path) as staging:
        for manager in (replace(Whereabouts.here(), pid=dead), Whereabouts("elsewhere", 1)):
            alarm = Alarm()
            looking = WorkerWatch(staging, 0, manager, alarm)
            looking.look()
            assert alarm.is_set() == (manager.pid == dead)
        monkeypatch.setattr(watch, "_SILENCE_S", -1.0)
        monkeypatch.setattr(looking, "_next", 0.0)
        looking.look()
        assert "rank 0 died" in alarm.text


def test_a_task_that_names_no_stage_is_a_bug_and_told():
    from hpc.bench import Bench

    with pytest.raises(RuntimeError, match="briefing"):
        Bench(None).work(Task("a", 1, None))
    assert Outcome({}).found == ()
