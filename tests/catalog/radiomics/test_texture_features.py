"""Texture features: the manual's formulas written out, laws, and regions that are hardly any."""

from __future__ import annotations

import math

import numpy as np
import pytest

from catalog.radiomics import FEATURES, Settings, compute_features
from catalog.radiomics.features import is_asked_for
from catalog.radiomics.settings import AGGREGATIONS
from catalog.radiomics.textures import names, texture_features
from catalog.radiomics.textures.cells import cells_of_pairs, cells_of_sizes
from catalog.radiomics.textures.formulas import difference_features, mean_of, pair_features, size_features

TEXTURES = ("glcm", "glrlm", "glszm", "gldzm", "ngtdm", "ngldm")
ALL = Settings(bin_width=1.0, families=TEXTURES, aggregations=AGGREGATIONS)
BOTH_3D = ("3d_avg", "3d_v_mrg")


def bits(p: np.ndarray) -> float:
    p = p[p > 0]
    return float(-(p * np.log2(p)).sum())


def pairs_by_the_manual(counts: np.ndarray) -> dict[str, float]:
    """IBSI-1, 3.6, double sums over a dense symmetric matrix."""
    n = len(counts)
    p = (counts + counts.T) / (2 * counts.sum())
    i, j = np.meshgrid(np.arange(1, n + 1), np.arange(1, n + 1), indexing="ij")
    apart, sums, one = np.abs(i - j), i + j, p.sum(axis=1)
    difference = np.array([p[apart == k].sum() for k in range(n)])
    total = np.array([p[sums == k].sum() for k in range(2 * n + 1)])
    mean, k, s = (i * p).sum(), np.arange(n), np.arange(2 * n + 1)
    variance = ((i - mean) ** 2 * p).sum()
    both, single, product = bits(p), bits(one), np.outer(one, one)
    mixed = -(p[p > 0] * np.log2(product[p > 0])).sum()
    values = {
        "joint_max": p.max(),
        "joint_avg": mean,
        "joint_var": variance,
        "joint_entr": both,
        "diff_avg": (k * difference).sum(),
        "diff_var": ((k - (k * difference).sum()) ** 2 * difference).sum(),
        "diff_entr": bits(difference),
        "sum_avg": (s * total).sum(),
        "sum_var": ((s - (s * total).sum()) ** 2 * total).sum(),
        "sum_entr": bits(total),
        "energy": (p**2).sum(),
        "contrast": (apart**2 * p).sum(),
        "dissimilarity": (apart * p).sum(),
        "inv_diff": (p / (1 + apart)).sum(),
        "inv_diff_norm": (p / (1 + apart / n)).sum(),
        "inv_diff_mom": (p / (1 + apart**2)).sum(),
        "inv_diff_mom_norm": (p / (1 + apart**2 / n**2)).sum(),
        "inv_var": (p[apart > 0] / apart[apart > 0] ** 2).sum(),
        "corr": ((i - mean) * (j - mean) * p).sum() / variance,
        "auto_corr": (i * j * p).sum(),
        "clust_tend": ((sums - 2 * mean) ** 2 * p).sum(),
        "clust_shade": ((sums - 2 * mean) ** 3 * p).sum(),
        "clust_prom": ((sums - 2 * mean) ** 4 * p).sum(),
        "info_corr1": (both - mixed) / single,
        "info_corr2": math.sqrt(max(0, 1 - math.exp(-2 * (bits(product) - both)))),
    }
    assert tuple(values) == names.PAIRS
    return values


def sizes_by_the_manual(counts: np.ndarray, n_voxels: int) -> dict[str, float]:
    """IBSI-1, 3.11, sums over a dense matrix (level, size)."""
    i, j = np.meshgrid(np.arange(1, counts.shape[0] + 1), np.arange(1, counts.shape[1] + 1), indexing="ij")
    n, p = counts.sum(), counts / counts.sum()
    by_level, by_size = counts.sum(axis=1), counts.sum(axis=0)
    values = {
        "lde": (p / j**2.0).sum(),
        "hde": (p * j**2).sum(),
        "lgce": (p / i**2.0).sum(),
        "hgce": (p * i**2).sum(),
        "ldlge": (p / i**2.0 / j**2).sum(),
        "ldhge": (p * i**2 / j**2).sum(),
        "hdlge": (p * j**2 / i**2).sum(),
        "hdhge": (p * i**2 * j**2).sum(),
        "glnu": (by_level**2).sum() / n,
        "glnu_norm": (by_level**2).sum() / n**2,
        "dcnu": (by_size**2).sum() / n,
        "dcnu_norm": (by_size**2).sum() / n**2,
        "dc_perc": n / n_voxels,
        "gl_var": (p * (i - (p * i).sum()) ** 2).sum(),
        "dc_var": (p * (j - (p * j).sum()) ** 2).sum(),
        "dc_entr": bits(p),
        "dc_energy": (p**2).sum(),
    }
    assert tuple(values) == names.DEPENDENCES
    return values


def differences_by_the_manual(around: np.ndarray, sums: np.ndarray) -> dict[str, float]:
    """IBSI-1, 3.10, double sums over levels."""
    n = around[1:].sum(axis=0)
    s = (sums[1:] / np.arange(1, len(sums))[:, None]).sum(axis=0)
    p = n / n.sum()
    own = [k for k in range(len(p)) if p[k] > 0]
    double = [(a, b) for a in own for b in own]
    values = {
        "coarseness": min(1e6, 1 / (p * s).sum()),
        "contrast": sum(p[a] * p[b] * (a - b) ** 2 for a, b in double)
        / (len(own) * (len(own) - 1))
        * s.sum()
        / n.sum(),
        "busyness": (p * s).sum() / sum(abs(a * p[a] - b * p[b]) for a, b in double),
        "complexity": sum(abs(a - b) * (p[a] * s[a] + p[b] * s[b]) / (p[a] + p[b]) for a, b in double)
        / n.sum(),
        "strength": sum((p[a] + p[b]) * (a - b) ** 2 for a, b in double) / s.sum(),
    }
    assert tuple(values) == names.DIFFERENCES
    return values


def rows_by_name(features: tuple[str, ...], rows: np.ndarray) -> list[dict[str, float]]:
    return [dict(zip(features, row.tolist(), strict=True)) for row in rows]


def test_features_of_pairs_are_the_manuals() -> None:
    counts = np.random.default_rng(1).poisson(0.7, (9, 6, 6))
    tables = np.zeros((9, 7, 7), np.int64)
    tables[:, 1:, 1:] = counts
    tables[:, 0] = tables[:, :, 0] = 99  # outside the region
    found = pair_features(cells_of_pairs(tables.reshape(9, 49), 7), 6)
    for row, matrix in zip(rows_by_name(names.PAIRS, found), counts, strict=True):
        assert row == pytest.approx(pairs_by_the_manual(matrix), rel=1e-10, abs=1e-12)


def test_features_of_sizes_are_the_manuals() -> None:
    counts = np.random.default_rng(2).poisson(0.7, (9, 5, 8))
    tables = np.full((9, 9, 6), 99)
    tables[:, 1:, 1:] = counts.transpose(0, 2, 1)
    n_voxels = np.arange(40, 49)
    found = size_features(cells_of_sizes(tables.reshape(9, 54), 6), n_voxels)
    for row, matrix, n in zip(rows_by_name(names.DEPENDENCES, found), counts, n_voxels, strict=True):
        assert row == pytest.approx(sizes_by_the_manual(matrix, n), rel=1e-10)


def test_features_of_differences_are_the_manuals() -> None:
    random = np.random.default_rng(3)
    around = random.poisson(0.5, (9, 8, 6))
    sums = around * random.integers(0, 9, around.shape)
    around[:, :, 3] = sums[:, :, 3] = 0  # a level that no voxel has
    around[:, :, 0] = 99  # outside the region
    found = difference_features(around, sums)
    around[:, :, 0] = sums[:, :, 0] = 0
    for row, n, s in zip(rows_by_name(names.DIFFERENCES, found), around, sums, strict=True):
        assert row == pytest.approx(differences_by_the_manual(n, s), rel=1e-10)


def test_averages_leave_out_what_is_not_defined() -> None:
    rows = [np.array([[1.0, math.nan, math.nan]]), np.array([[3.0, 5.0, math.nan], [math.nan] * 3])]
    assert mean_of(rows) == [2.0, 5.0, None]
    assert mean_of(rows[:1]) == [1.0, None, None]


def region(seed: int, n_levels: int = 5, shape: tuple[int, int, int] = (5, 6, 7)) -> np.ndarray:
    random = np.random.default_rng(seed)
    return np.pad(random.integers(1, n_levels + 1, shape) * (random.random(shape) < 0.8), 1).astype(np.uint16)


def test_averaged_matrices_are_those_of_the_slices() -> None:
    """Features of 2D are means over slices that hold voxels, each a region of its own."""
    levels = region(3)
    levels[2] = 0
    found = texture_features(levels, 5, AGGREGATIONS, ALL)
    alone = [
        texture_features(np.pad(s[None], ((1, 1), (0, 0), (0, 0))), 5, AGGREGATIONS, ALL) for s in levels
    ]
    alone = [values for values in alone if values]
    assert len(alone) == 4
    for name, value in found.items():
        if name.endswith("_2d") or "_2d_" in name:
            assert value == pytest.approx(np.mean([values[name] for values in alone])), name
    for values in alone:  # a slice by itself: merging over slices changes nothing
        for name in [name for name in values if "_2d" in name]:
            same = name.replace("_2d_avg", "_2_5d_d_mrg").replace("_2d_s_mrg", "_2_5d_v_mrg")
            assert values[name.replace("_2d", "_2_5d") if same == name else same] == pytest.approx(
                values[name]
            )


@pytest.mark.parametrize("n_levels", [5, 300])
@pytest.mark.parametrize("turn", [(1, 0, 2), (2, 1, 0), (1, 2, 0)])
def test_turning_a_region_changes_nothing_in_three_dimensions(turn: tuple[int, ...], n_levels: int) -> None:
    levels = region(4, n_levels)
    straight = texture_features(levels, n_levels, BOTH_3D, ALL)
    turned = texture_features(levels.transpose(turn)[::-1], n_levels, BOTH_3D, ALL)
    assert len(straight) == 2 * (25 + 16) + 16 + 16 + 5 + 17
    assert turned == pytest.approx(straight, rel=1e-9)


def test_turning_a_slice_changes_nothing_in_two() -> None:
    levels, flat = region(5), AGGREGATIONS[:4]
    straight = texture_features(levels, 5, flat, ALL)
    turned = texture_features(np.rot90(levels, axes=(1, 2))[::-1], 5, flat, ALL)
    assert turned == pytest.approx(straight, rel=1e-9)


def test_each_aggregation_alone_gives_what_all_give() -> None:
    levels = region(6)
    every = texture_features(levels, 5, AGGREGATIONS, ALL)
    assert set(every) == {f.name for f in FEATURES if is_asked_for(f, ALL)}
    assert all(value is not None for value in every.values())
    for aggregation in AGGREGATIONS:
        for family in TEXTURES:
            settings = Settings(families=(family,), aggregations=(aggregation,))
            found = texture_features(levels, 5, (aggregation,), settings)
            assert set(found) == {f.name for f in FEATURES if is_asked_for(f, settings)}
            assert found == {name: every[name] for name in found}


def test_many_levels_give_what_few_give() -> None:
    """Loops for many levels and for few agree where levels are few but the number of bins is not."""
    levels = region(7)
    few, many = (texture_features(levels, n, AGGREGATIONS, ALL) for n in (255, 256))
    of_bins = ("inv_diff_norm", "inv_diff_mom_norm")
    for name, value in few.items():
        if not any(part in name for part in of_bins):
            assert many[name] == pytest.approx(value, rel=1e-12), name


def test_long_runs_are_counted_by_the_slower_loop() -> None:
    levels = np.zeros((4, 5, 402), np.uint8)
    levels[1:-1, 1:-1, 1:-1] = np.random.default_rng(8).integers(1, 3, (2, 3, 400))
    levels[1, 1, 1:-1] = 1
    settings = Settings(families=("glrlm",), aggregations=AGGREGATIONS)
    found = texture_features(levels, 2, AGGREGATIONS, settings)
    other = texture_features(levels.astype(np.uint16), 256, AGGREGATIONS, settings)
    assert found == pytest.approx(other, rel=1e-12)


def test_distances_count_in_the_morphological_mask() -> None:
    """A hole that re-segmentation left is no border (IBSI-1, 3.9)."""
    levels = np.pad(np.ones((5, 5, 5), np.uint8), 1)
    roi = levels.copy()
    levels[3, 3, 3] = 0
    settings = Settings(families=("gldzm",))
    assert texture_features(levels, 1, BOTH_3D, settings, roi=roi)["dzm_lde_3d"] == 1
    levels[2:5, 2:5, 2:5] = 2
    levels[3, 3, 3] = 0
    assert texture_features(levels, 2, BOTH_3D, settings, roi=roi)["dzm_lde_3d"] == pytest.approx((1 + 4) / 2)
    assert texture_features(levels, 2, BOTH_3D, settings)["dzm_lde_3d"] == pytest.approx(
        (1 + 1) / 2 + 1.5 * 0
    )


def test_a_region_of_one_level() -> None:
    """No differences: what the manual sets to a value has it, what is 0 / 0 is null."""
    found = texture_features(np.pad(np.full((3, 3, 3), 2, np.uint8), 1), 2, BOTH_3D, ALL)
    assert {name for name, value in found.items() if value is None} == {f"cm_info_corr1_{a}" for a in BOTH_3D}
    assert found["ngt_coarseness_3d"] == 1e6
    assert found["ngt_contrast_3d"] == found["ngt_busyness_3d"] == found["ngt_strength_3d"] == 0
    assert found["cm_joint_max_3d_v_mrg"] == 1
    assert found["cm_info_corr2_3d_v_mrg"] == found["cm_inv_var_3d_v_mrg"] == 0
    assert found["szm_lze_3d"] == 27**2


def test_a_single_voxel_has_no_pairs() -> None:
    image, mask = np.zeros((4, 5, 6), np.float32), np.zeros((4, 5, 6), bool)
    mask[2, 3, 4] = True
    reasons: dict[str, str] = {}
    found = compute_features(image, mask, ALL, reasons=reasons)
    undefined = {name for name, value in found.items() if value is None}
    assert undefined == set(reasons)
    assert {name.split("_")[0] for name in undefined} == {"cm", "ngt"}
    assert found["rlm_r_perc_3d_v_mrg"] == found["szm_sze_2d"] == found["ngl_lde_2_5d"] == 1


def test_no_voxel_gives_nothing() -> None:
    assert texture_features(np.zeros((4, 4, 4), np.uint8), 3, AGGREGATIONS, ALL) == {}
