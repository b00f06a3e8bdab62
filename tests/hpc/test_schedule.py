"""Laws of the scheduler: whatever happens in whatever order, every item is worked exactly once."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_job import CutsRanges, TreeStage, range_task

from hpc.errors import UsageError, WorkerLostError
from hpc.schedule import Scheduler
from hpc.tasks import Outcome, Task

NOTHING = Outcome({})


class Ranges(CutsRanges):
    name = "ranges"
    unit = "items"


def items_of(task: Task) -> range:
    return range(*task.payload)


def work_off(scheduler: Scheduler, workers: int, worked: Counter[int]) -> None:
    """Finish a scheduler's work with workers that take turns and do not die."""
    while not scheduler.finished:
        busy = [(w, t) for w in range(workers) if (t := scheduler.next(w)) is not None]
        assert busy
        for worker, task in busy:
            worked.update(items_of(task))
            scheduler.done(worker, NOTHING)


@given(
    sizes=st.lists(st.integers(1, 60), max_size=8),
    workers=st.integers(1, 5),
    min_size=st.integers(1, 5),
    extra=st.integers(0, 40),
    events=st.lists(st.tuples(st.sampled_from(["next", "done", "lost"]), st.integers(0, 999)), max_size=200),
)
@settings(max_examples=300, deadline=None)
def test_every_item_is_worked_exactly_once_whatever_happens(sizes, workers, min_size, extra, events):
    scheduler = Scheduler(Ranges(), workers, min_size, min_size + extra)
    total = sum(sizes)
    ends = [sum(sizes[: i + 1]) for i in range(len(sizes))]
    scheduler.add(range_task(end - size, end) for size, end in zip(sizes, ends, strict=True))
    running: dict[int, Task] = {}
    worked: Counter[int] = Counter()
    losses = 0
    for kind, pick in events:
        worker = pick % workers
        if kind == "next" and worker not in running:
            task = scheduler.next(worker)
            if task is not None:
                running[worker] = task
        elif kind == "done" and worker in running:
            worked.update(items_of(running.pop(worker)))
            scheduler.done(worker, NOTHING)
            losses = 0
        elif kind == "lost" and worker in running and losses < 15:
            task = running.pop(worker)
            assert scheduler.lost(worker, pick % len(items_of(task)) if pick % 7 else -1) is task
            losses += 1
    for worker, task in running.items():
        worked.update(items_of(task))
        scheduler.done(worker, NOTHING)
    work_off(scheduler, workers, worked)
    assert worked == Counter(range(total))
    assert scheduler.waiting == scheduler.running == 0


@given(total=st.integers(1, 500), workers=st.integers(1, 6), stop_after=st.integers(0, 30))
def test_a_drain_finishes_what_runs_and_hands_out_nothing_more(total, workers, stop_after):
    scheduler = Scheduler(Ranges(), workers, 1, 10)
    scheduler.add([range_task(0, total)])
    worked: Counter[int] = Counter()
    running: dict[int, Task] = {}
    for step in range(stop_after):
        worker = step % workers
        if worker in running:
            worked.update(items_of(running.pop(worker)))
            scheduler.done(worker, NOTHING)
        if (task := scheduler.next(worker)) is not None:
            running[worker] = task
    scheduler.drain()
    assert scheduler.next(workers) is None
    assert scheduler.finished == (not running)
    for worker, task in running.items():
        worked.update(items_of(task))
        scheduler.done(worker, NOTHING)
    assert scheduler.finished
    assert max(worked.values(), default=1) == 1
    assert (scheduler.waiting > 0) == (sum(worked.values()) < total)


@given(nodes=st.integers(1, 400), workers=st.integers(1, 5), data=st.data())
def test_tasks_found_on_the_way_are_worked_too(nodes, workers, data):
    stage = TreeStage(None, nodes)
    scheduler = Scheduler(stage, workers, 1, 16)
    scheduler.add([stage.task([0])])
    running: dict[int, Task] = {}
    seen: Counter[int] = Counter()
    while not scheduler.finished:
        for worker in set(range(workers)) - set(running):
            if (task := scheduler.next(worker)) is not None:
                running[worker] = task
        worker = data.draw(st.sampled_from(sorted(running)))
        task = running.pop(worker)
        seen.update(task.payload)
        children = [c for n in task.payload for c in (2 * n + 1, 2 * n + 2) if c < nodes]
        scheduler.done(worker, Outcome({}, (stage.task(children),) if children else ()))
    assert seen == Counter(range(nodes))


def test_batches_shrink_towards_the_end_and_stay_within_their_bounds():
    scheduler = Scheduler(Ranges(), 4, 5, 60)
    scheduler.add([range_task(0, 2000)])
    sizes = []
    while (task := scheduler.next(0)) is not None:
        sizes.append(task.size)
        scheduler.done(0, NOTHING)
    assert sizes[:10] == [60] * 10
    assert sizes == sorted(sizes, reverse=True)
    assert max(sizes) <= 60
    assert min(sizes[:-1]) == 5
    assert sum(sizes) == 2000


def test_guided_self_scheduling_hands_out_a_third_of_each_workers_share():
    # the rule of the module: remaining / (3 * workers), rounded down by the stage
    scheduler = Scheduler(Ranges(), 2)
    scheduler.add([range_task(0, 600)])
    sizes = []
    for _ in range(4):
        sizes.append(scheduler.next(0).size)
        scheduler.done(0, NOTHING)
    assert sizes == [100, 83, 69, 58]


def test_the_largest_goes_first_and_equals_in_the_order_given():
    scheduler = Scheduler(Ranges(), 1, 100, 100)
    given_ends = [(0, 3), (3, 10), (10, 17), (17, 18)]
    scheduler.add(range_task(*ends) for ends in given_ends)
    order = []
    while (task := scheduler.next(0)) is not None:
        order.append(task.payload)
        scheduler.done(0, NOTHING)
    assert order == [(3, 10), (10, 17), (0, 3), (17, 18)]


def test_what_was_found_last_goes_first_among_equals():
    scheduler = Scheduler(Ranges(), 1, 100, 100)
    scheduler.add([range_task(0, 1), range_task(1, 2)])
    scheduler.next(0)
    scheduler.done(0, Outcome({}, (range_task(2, 3), range_task(3, 4))))
    assert [scheduler.next(worker).payload for worker in range(3)] == [(3, 4), (2, 3), (1, 2)]


def test_a_death_leaves_its_item_alone_and_the_rest_in_smaller_batches():
    scheduler = Scheduler(Ranges(), 1, 1, 40)
    scheduler.add([range_task(0, 400)])
    task = scheduler.next(0)
    assert task.payload == (0, 40)
    scheduler.lost(0, 17)
    suspect = scheduler.next(0)
    assert suspect.isolated
    assert suspect.payload == (17, 18)
    scheduler.done(0, NOTHING)
    worked: Counter[int] = Counter([17])
    while (task := scheduler.next(0)) is not None:
        assert not task.isolated
        if task.payload[0] < 40:
            assert task.size <= 10
        worked.update(items_of(task))
        scheduler.done(0, NOTHING)
    assert worked == Counter(range(400))


def test_a_death_before_the_first_item_accuses_nobody():
    scheduler = Scheduler(Ranges(), 1, 1, 40)
    scheduler.add([range_task(0, 40)])
    scheduler.next(0)
    scheduler.lost(0, -1)
    work = []
    while (task := scheduler.next(0)) is not None:
        work.append(task)
        scheduler.done(0, NOTHING)
    assert not any(task.isolated for task in work)
    assert sum(task.size for task in work) == 40


def test_an_isolated_task_whose_worker_dies_stays_isolated():
    scheduler = Scheduler(Ranges(), 1)
    scheduler.add([range_task(5, 6, isolated=True)])
    task = scheduler.next(0)
    scheduler.lost(0, 0)
    assert scheduler.next(0) is task


def test_a_worker_without_a_task_may_die():
    scheduler = Scheduler(Ranges(), 2)
    scheduler.add([range_task(0, 1)])
    assert scheduler.lost(1, 0) is None
    assert scheduler.waiting == 1


def test_deaths_without_end_end_the_run():
    scheduler = Scheduler(Ranges(), 1)
    scheduler.add([range_task(0, 10_000)])
    for _ in range(19):
        scheduler.next(0)
        scheduler.lost(0, -1)
    scheduler.next(0)
    with pytest.raises(WorkerLostError, match="20 workers died in a row"):
        scheduler.lost(0, -1)


def test_two_tasks_of_one_name_are_refused():
    scheduler = Scheduler(Ranges(), 2)
    scheduler.add([range_task(0, 1), range_task(0, 1)])
    scheduler.next(0)
    with pytest.raises(UsageError, match="000000-000001"):
        scheduler.next(1)


@pytest.mark.parametrize(("workers", "smallest", "largest"), [(0, 1, 2), (1, 0, 2), (1, 3, 2)])
def test_impossible_bounds_are_refused(workers, smallest, largest):
    with pytest.raises(UsageError, match="ranges"):
        Scheduler(Ranges(), workers, smallest, largest)


@pytest.mark.parametrize("name", ["", "A", "-a", "a/b", "..", "a" * 201])
def test_task_names_that_could_not_be_shards_are_refused(name):
    with pytest.raises(UsageError, match="task name"):
        Task(name, 1, None)


@pytest.mark.parametrize("size", [-1, float("nan"), float("inf")])
def test_task_sizes_are_finite_and_not_negative(size):
    with pytest.raises(UsageError, match="size"):
        Task("a", size, None)
