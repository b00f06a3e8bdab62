"""Texture matrices: every cell against counts made another way."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from scipy import ndimage

from catalog.radiomics.textures.cells import Cells, cells_of_sizes, joined, merged
from catalog.radiomics.textures.directed import (
    ACROSS,
    WITHIN,
    DensePairs,
    DenseRuns,
    Grid,
    LongRunError,
    SparsePairs,
    SparseRuns,
)
from catalog.radiomics.textures.families import _count_far, _count_near
from catalog.radiomics.textures.zones import BEFORE, find_zones, measure_distance

Table = Counter[tuple[int, int]]


def region(seed: int, shape: tuple[int, int, int] = (5, 6, 7), n_levels: int = 4) -> np.ndarray:
    """A region with holes and parts that do not touch, one slice of it empty."""
    random = np.random.default_rng(seed)
    inside = random.integers(1, n_levels + 1, shape) * (random.random(shape) < 0.7)
    inside[2] *= seed % 2
    return np.pad(inside, 1).astype(np.uint8)


@pytest.fixture(params=range(4))
def levels(request: pytest.FixtureRequest) -> np.ndarray:
    return region(request.param)


def tables_of(cells: Cells) -> list[Table]:
    """Matrices as {(level, size): count}."""
    found = []
    for first, last in zip(cells.starts[:-1], cells.starts[1:], strict=True):
        keys = zip(cells.row[first:last].tolist(), cells.column[first:last].tolist(), strict=True)
        table = Counter(dict(zip(keys, cells.counts[first:last].tolist(), strict=True)))
        assert len(table) == last - first
        assert list(table) == sorted(table, key=lambda key: key[::-1])
        found.append(table)
    return found


def pairs_of(levels: np.ndarray, offset: tuple[int, ...], z: int | None = None) -> Table:
    """Symmetric pairs, on and above the diagonal, voxel by voxel."""
    table: Table = Counter()
    for place in np.argwhere(levels):
        other = place + offset
        if z not in {None, place[0]} or (other < 0).any() or (other >= levels.shape).any():
            continue
        i, j = sorted((int(levels[tuple(place)]), int(levels[tuple(other)])))
        if i:
            table[i, j] += 2 if i == j else 1
    return table


def runs_of(levels: np.ndarray, offset: tuple[int, ...], z: int | None = None) -> Table:
    """Runs, walked from their first voxel to their last."""
    table: Table = Counter()
    for place in np.argwhere(levels):
        level = levels[tuple(place)]
        if z not in {None, place[0]} or levels[tuple(place - offset)] == level:
            continue
        length = 1
        while levels[tuple(place + np.multiply(length, offset))] == level:
            length += 1
        table[int(level), length] += 1
    return table


def total(tables: list[Table]) -> Table:
    return sum(tables, Counter())


@pytest.mark.parametrize("source", [DensePairs, lambda grid: SparsePairs(grid, 1), DenseRuns, SparseRuns])
def test_matrices_with_directions_are_those_found_voxel_by_voxel(levels: np.ndarray, source) -> None:
    source = source(Grid.of(levels, 4))
    expected = runs_of if isinstance(source, DenseRuns | SparseRuns) else pairs_of
    (slices,), (whole,) = list(source.within(by_slice=True)), list(source.within(by_slice=False))
    each = [[expected(levels, way, z) for way in WITHIN] for z in range(1, 6)]
    flat = [expected(levels, way) for way in WITHIN]
    deep = [expected(levels, way) for way in ACROSS]
    assert tables_of(slices.cells) == [table for group in each for table in group]
    assert tables_of(slices.over_directions().cells) == [total(group) for group in each]
    assert tables_of(whole.cells) == tables_of(slices.over_groups().cells) == flat
    assert tables_of(slices.over_groups(slices).cells) == [total([table, table]) for table in flat]
    assert tables_of(source.across().cells) == deep
    every = whole.beside(source.across())
    assert tables_of(every.cells) == flat + deep
    assert tables_of(every.over_directions().cells) == [total(flat + deep)]
    n = np.count_nonzero(levels)
    assert every.n_voxels.tolist() == [n] * 13
    assert every.over_directions().n_voxels.tolist() == [13 * n]
    assert slices.over_directions().n_voxels.tolist() == (4 * np.count_nonzero(levels, (1, 2))[1:-1]).tolist()


@pytest.mark.parametrize("distance", [2, 3, 9])
def test_pairs_at_a_distance(levels: np.ndarray, distance: int) -> None:
    source = SparsePairs(Grid.of(levels, 4), distance)
    (whole,) = source.within(by_slice=False)
    found = tables_of(whole.beside(source.across()).cells)
    assert found == [pairs_of(levels, tuple(distance * k for k in way)) for way in (*WITHIN, *ACROSS)]


def test_pairs_and_runs_of_many_levels() -> None:
    levels = region(1, n_levels=4).astype(np.uint16) * 9000
    for source, expected in (
        (SparsePairs(Grid.of(levels, 36000), 1), pairs_of),
        (SparseRuns(Grid.of(levels, 36000)), runs_of),
    ):
        (whole,) = source.within(by_slice=False)
        every = whole.beside(source.across())
        assert tables_of(every.cells) == [expected(levels, way) for way in (*WITHIN, *ACROSS)]
        assert tables_of(every.over_directions().cells) == [total(tables_of(every.cells))]


@pytest.mark.parametrize("length", [254, 255, 256, 600])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_runs_longer_than_a_byte_counts(length: int, axis: int) -> None:
    levels = np.zeros(np.add(np.eye(3, dtype=int)[axis] * (length - 1) + 1, 2), np.uint8)
    levels[1:-1, 1:-1, 1:-1] = 2
    grid = Grid.of(levels, 3)
    for source in (SparseRuns(grid), DenseRuns(grid)):
        if length >= 255 and isinstance(source, DenseRuns):
            with pytest.raises(LongRunError):
                [next(iter(source.within(by_slice=False))), source.across()]
            continue
        (whole,) = source.within(by_slice=False)
        merged_all = whole.beside(source.across()).over_directions()
        assert tables_of(merged_all.cells) == [Counter({(2, 1): 12 * length, (2, length): 1})]


def test_slices_are_counted_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    grid = Grid.of(region(1), 4)
    for source in (DensePairs(grid), DenseRuns(grid), SparsePairs(grid, 1)):
        (at_once,) = source.within(by_slice=True)
        with monkeypatch.context() as patch:
            patch.setattr("catalog.radiomics.textures.directed.CHUNK", 1)
            chunks = list(source.within(by_slice=True))
        assert len(chunks) == 3
        assert [t for chunk in chunks for t in tables_of(chunk.cells)] == tables_of(at_once.cells)
        assert tables_of(chunks[0].over_groups(*chunks[1:]).cells) == tables_of(at_once.over_groups().cells)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("flat", [True, False])
def test_zones_and_distances_are_those_of_scipy(levels: np.ndarray, flat: bool, kind) -> None:
    near = np.zeros((3, 3, 3), bool) if flat else np.ones((3, 3, 3), bool)
    near[1] = True
    taxi = np.zeros_like(levels, np.int64)
    for z in range(len(levels)) if flat else [slice(None)]:
        taxi[z] = ndimage.distance_transform_cdt(levels[z] > 0, metric="taxicab")
    grid = Grid.of(levels.astype(kind), 4 if kind == np.uint8 else 300)
    assert grid.levels.dtype == kind
    distance = measure_distance(grid.levels, grid.spans, flat=flat)
    np.testing.assert_array_equal(distance, taxi)
    expected: Counter[tuple[int, ...]] = Counter()
    for level in range(1, 5):
        labels, n = ndimage.label(levels == level, near)
        for zone in range(1, n + 1):
            own = labels == zone
            expected[level, int(own.sum()), int(taxi[own].min()), int(np.argwhere(own)[0, 0])] += 1
    zones = find_zones(grid.levels, grid.spans, grid.voxels, distance, flat=flat)
    assert Counter(zip(*(part.tolist() for part in zones), strict=True)) == expected
    assert (np.diff(zones.slice) >= 0).all() or not flat


@pytest.mark.parametrize("n_levels", [1, 2, 3])
@pytest.mark.parametrize("flat", [True, False])
def test_large_zones_that_meet_late(n_levels: int, flat: bool) -> None:
    """Few levels: zones wind through the region and their parts join again and again."""
    for seed in range(20):
        levels = region(2 * seed + 1, (6, 11, 13), n_levels)
        levels[levels == n_levels] *= np.uint8(seed % 3 > 0)
        near = np.zeros((3, 3, 3), bool) if flat else np.ones((3, 3, 3), bool)
        near[1] = True
        grid = Grid.of(levels, n_levels)
        zones = find_zones(grid.levels, grid.spans, grid.voxels, None, flat=flat)
        for level in range(1, n_levels + 1):
            labels, _ = ndimage.label(levels == level, near)
            assert sorted(zones.size[zones.level == level]) == sorted(np.bincount(labels.ravel())[1:])


def test_one_of_each_group_of_neighbours_is_looked_at() -> None:
    from catalog.radiomics.textures.zones import _first_of_groups

    table = _first_of_groups()
    random = np.random.default_rng(0)
    for case in [0, 1, 4096, 8191, *random.integers(0, 8192, 300).tolist()]:
        box = np.zeros((3, 3, 3), int)
        for bit, (z, y, x) in enumerate(BEFORE):
            box[1 + z, 1 + y, 1 + x] = case >> bit & 1
        labels, n = ndimage.label(box, np.ones((3, 3, 3)))
        firsts = [BEFORE[bit] for bit in table[case, 1 : table[case, 0] + 1]]
        assert sorted(labels[1 + z, 1 + y, 1 + x] for z, y, x in firsts) == list(range(1, n + 1))


@pytest.mark.parametrize(
    ("reach", "alpha", "flat"), [(1, 0, False), (1, 0.5, True), (1, 1, False), (2, 0, False), (3, 2, True)]
)
def test_neighbours_are_those_looked_at_one_by_one(
    levels: np.ndarray, reach: int, alpha: float, flat: bool
) -> None:
    grid, wide = Grid.of(levels, 4), np.pad(levels, reach - 1)
    deep = 0 if flat else reach
    counts = [_count_far] + ([_count_near] if reach == 1 and alpha < 1 else [])
    for count in counts:
        parts = list(count(grid, reach, alpha, flat=flat, by_slice=False))
        assert len(parts) == 1
        expected = [np.zeros(table.shape[1:], int) for table in parts[0]]
        for z, y, x in np.argwhere(wide):
            box = wide[z - deep : z + deep + 1, y - reach : y + reach + 1, x - reach : x + reach + 1]
            own, others = int(wide[z, y, x]), box[box > 0].astype(int)
            n = len(others) - 1
            expected[0][int((np.abs(others - own) <= alpha).sum()), own] += 1
            expected[1][n, own] += 1
            expected[2][n, own] += abs(own * n - (int(others.sum()) - own))
        for found, right in zip(parts[0], expected, strict=True):
            np.testing.assert_array_equal(found[0], right)


def test_neighbours_slice_by_slice(levels: np.ndarray) -> None:
    (near,) = _count_near(Grid.of(levels, 4), 1, 0, flat=True, by_slice=True)
    far = list(_count_far(Grid.of(levels, 4), 1, 0, flat=True, by_slice=True))[1:-1]
    for k, table in enumerate(near):
        filled = table[:, : far[0][k].shape[1]]
        np.testing.assert_array_equal(filled, np.concatenate([part[k] for part in far]))
        assert table[:, far[0][k].shape[1] :, 1:].sum() == 0


def test_cells_are_joined_and_merged() -> None:
    random = np.random.default_rng(5)
    tables = random.integers(0, 3, (6, 5 * 4))
    tables[3] = 0
    cells = cells_of_sizes(tables, 4)
    assert tables_of(joined(cells, cells)) == 2 * tables_of(cells)
    into = np.array([0, 1, 2, 2, 0, 1])
    summed = np.stack([tables[into == k].sum(axis=0) for k in range(3)])
    assert tables_of(merged(cells, into)) == tables_of(cells_of_sizes(summed, 4))
