"""Texture matrices: every cell against counts made another way, and laws of their features."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from scipy import ndimage

from catalog.radiomics import Settings, compute_features
from catalog.radiomics.textures.families import OFFSETS_2D, OFFSETS_3D
from catalog.radiomics.textures.kernels import (
    count_neighbours,
    count_pairs,
    count_runs,
    find_zones,
    measure_distance,
)

TEXTURES = ("glcm", "glrlm", "glszm", "gldzm", "ngtdm", "ngldm")
ALL = ("2d_avg", "2d_s_mrg", "2_5d_d_mrg", "2_5d_v_mrg", "3d_avg", "3d_v_mrg")


@pytest.fixture(params=range(4))
def levels(request: pytest.FixtureRequest) -> np.ndarray:
    """A region with holes and parts that do not touch."""
    random = np.random.default_rng(request.param)
    inside = random.integers(0, 5, (5, 6, 7)) * (random.random((5, 6, 7)) < 0.8)
    return np.pad(inside, 1).astype(np.uint8 if request.param % 2 else np.uint16)


def _value(levels: np.ndarray, place: np.ndarray) -> int:
    return int(levels[tuple(place)])


def test_pairs_are_those_found_one_by_one(levels: np.ndarray) -> None:
    counts = count_pairs(levels, 4, OFFSETS_3D, 1)
    for k, offset in enumerate(OFFSETS_3D):
        expected = Counter(
            (_value(levels, at), _value(levels, at + offset))
            for at in np.argwhere(levels)
            if _value(levels, at + offset)
        )
        found = {(i, j): int(counts[k, i, j]) for i, j in np.argwhere(counts[k]) if i and j}
        assert found == expected


def test_runs_are_those_found_by_walking(levels: np.ndarray) -> None:
    counts = count_runs(levels, 4, OFFSETS_3D, max(levels.shape))
    for k, offset in enumerate(OFFSETS_3D):
        expected: Counter[tuple[int, int]] = Counter()
        for at in np.argwhere(levels):
            if _value(levels, at - offset) == _value(levels, at):
                continue  # not the first of its run
            length, place = 1, at + offset
            while _value(levels, place) == _value(levels, at):
                length, place = length + 1, place + offset
            expected[_value(levels, at), length] += 1
        found = {(i, j): int(counts[k, i, j]) for i, j in np.argwhere(counts[k]) if i and j}
        assert found == expected


@pytest.mark.parametrize("flat", [True, False])
def test_zones_and_distances_are_those_of_scipy(levels: np.ndarray, flat: bool) -> None:
    near = np.zeros((3, 3, 3), bool) if flat else np.ones((3, 3, 3), bool)
    near[1] = True
    taxi = np.zeros_like(levels, np.int64)
    for z in range(len(levels)) if flat else [slice(None)]:
        taxi[z] = ndimage.distance_transform_cdt(levels[z] > 0, metric="taxicab")
    distance = measure_distance(levels, flat=flat)
    np.testing.assert_array_equal(distance, taxi)
    expected: Counter[tuple[int, int, int]] = Counter()
    for level in range(1, 5):
        labels, n = ndimage.label(levels == level, near)
        for zone in range(1, n + 1):
            expected[level, int((labels == zone).sum()), int(taxi[labels == zone].min())] += 1
    level, size, least, _ = find_zones(levels, distance, OFFSETS_2D if flat else OFFSETS_3D)
    assert Counter(zip(level.tolist(), size.tolist(), least.tolist(), strict=True)) == expected


@pytest.mark.parametrize(
    ("reach", "alpha", "flat"), [(1, 0, False), (1, 1, False), (2, 0, False), (1, 0, True)]
)
def test_neighbours_are_those_looked_at_one_by_one(
    levels: np.ndarray, reach: int, alpha: int, flat: bool
) -> None:
    wide = np.pad(levels, reach - 1)
    alike, around, sums = count_neighbours(wide, 4, reach, alpha, flat=flat)
    expected = [np.zeros_like(alike) for _ in range(3)]
    deep = 0 if flat else reach
    for z, y, x in np.argwhere(wide):
        box = wide[z - deep : z + deep + 1, y - reach : y + reach + 1, x - reach : x + reach + 1]
        own, others = int(wide[z, y, x]), box[box > 0].astype(int)
        n = len(others) - 1
        expected[0][own, int((np.abs(others - own) <= alpha).sum())] += 1
        expected[1][own, n] += 1
        expected[2][own, n] += abs(own * n - (int(others.sum()) - own))
    for found, right in zip((alike, around, sums), expected, strict=True):
        np.testing.assert_array_equal(found, right)


@pytest.mark.parametrize("turn", [(1, 0, 2), (2, 1, 0), (1, 2, 0)])
def test_turning_a_region_changes_nothing_in_three_dimensions(
    levels: np.ndarray, turn: tuple[int, ...]
) -> None:
    settings = Settings(bin_width=1.0, families=TEXTURES, aggregations=("3d_avg", "3d_v_mrg"))
    image, mask = levels.astype(np.float32), levels > 0
    straight = compute_features(image, mask, settings, spacing_mm=(1.0, 1.0, 1.0))
    turned = compute_features(
        image.transpose(turn)[::-1], mask.transpose(turn)[::-1], settings, spacing_mm=(1.0, 1.0, 1.0)
    )
    assert turned == pytest.approx(straight, rel=1e-9)


def test_many_levels_and_one_voxel_end_in_values_or_reasons() -> None:
    settings = Settings(bin_width=1.0, families=TEXTURES, aggregations=ALL)
    image = np.arange(4 * 10 * 10, dtype=np.float32).reshape(4, 10, 10)
    many = compute_features(image, np.ones(image.shape, bool), settings, spacing_mm=(1.0, 1.0, 1.0))
    assert many["szm_z_perc_3d"] == 1.0  # every voxel is a zone of its own
    assert many["rlm_sre_3d_v_mrg"] == pytest.approx(1.0)
    alone, reasons = np.zeros(image.shape, bool), {}
    alone[2, 3, 4] = True
    one = compute_features(image, alone, settings, spacing_mm=(1.0, 1.0, 1.0), reasons=reasons)
    assert {name for name, value in one.items() if value is None} == set(reasons)
    assert one["cm_joint_max_3d_v_mrg"] is None
    assert one["rlm_r_perc_3d_v_mrg"] == pytest.approx(1.0)
