"""Statistics, histogram, IVH, local peaks and autocorrelation: published values, SciPy, brute force."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from shapes import Stub, phantom_region, region_of

from catalog.radiomics.autocorrelation import autocorrelation_features, moran_geary
from catalog.radiomics.distribution import distribution_of
from catalog.radiomics.histogram import HISTOGRAM, histogram_features, level_counts
from catalog.radiomics.ivh import features_of, ivh_features
from catalog.radiomics.local import local_intensity_features, peaks_of
from catalog.radiomics.region import PEAK_RADIUS_MM
from catalog.radiomics.statistics import STATISTICS, statistics_features

# IBSI manual, digital phantom, three significant digits
STAT = {
    "mean": 2.15, "var": 3.05, "skew": 1.08, "kurt": -0.355, "median": 1, "min": 1, "p10": 1, "p90": 4,
    "max": 6, "iqr": 3, "range": 5, "mad": 1.55, "rmad": 1.11, "medad": 1.15, "cov": 0.812, "qcod": 0.6,
}  # fmt: skip
OTHER = {
    "stat_energy": 567, "stat_rms": 2.77, "ih_mode": 1, "ih_entropy": 1.27, "ih_uniformity": 0.512,
    "ih_max_grad": 8, "ih_max_grad_g": 3, "ih_min_grad": -50, "ih_min_grad_g": 1, "ivh_v10": 0.324,
    "ivh_v90": 0.0946, "ivh_i10": 5, "ivh_i90": 2, "ivh_diff_v10_v90": 0.23, "ivh_diff_i10_i90": 3,
    "loc_peak_loc": 2.6, "loc_peak_glob": 3.1,
}  # fmt: skip
PUBLISHED = {f"stat_{k}": v for k, v in STAT.items()} | {f"ih_{k}": v for k, v in STAT.items()} | OTHER
FAMILIES = (statistics_features, histogram_features, ivh_features, local_intensity_features)


def noise(seed, shape=(7, 8, 9), share=0.5, whole=True):
    rng = np.random.default_rng(seed)
    image = rng.normal(40, 30, shape).astype(np.float32)
    return (np.rint(image) if whole else image), rng.random(shape) < share


@pytest.fixture(scope="module")
def phantom():
    region = phantom_region()
    return {name: value for family in FAMILIES for name, value in family(region, Stub()).items()}


@pytest.mark.parametrize("name", PUBLISHED)
def test_digital_phantom(phantom, name):
    assert float(f"{phantom[name]:.3g}") == PUBLISHED[name]


def test_digital_phantom_autocorrelation():
    values = autocorrelation_features(phantom_region(), Stub())
    assert values["morph_moran_i"] == pytest.approx(0.0397, abs=3e-4)
    assert values["morph_geary_c"] == pytest.approx(0.974, abs=0.006)


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_statistics_equal_those_of_the_voxels(seed, whole):
    image, mask = noise(seed, whole=whole)
    found = {
        k.removeprefix("stat_"): v for k, v in statistics_features(region_of(image, mask), Stub()).items()
    }
    x = image[mask].astype(np.float64)
    p10, p25, p50, p75, p90 = np.percentile(x, [10, 25, 50, 75, 90])
    robust = x[(x >= p10) & (x <= p90)]
    expected = {
        "mean": x.mean(), "var": x.var(), "skew": stats.skew(x), "kurt": stats.kurtosis(x), "median": p50,
        "min": x.min(), "p10": p10, "p90": p90, "max": x.max(), "iqr": p75 - p25, "range": np.ptp(x),
        "mad": np.abs(x - x.mean()).mean(), "rmad": np.abs(robust - robust.mean()).mean(),
        "medad": np.abs(x - p50).mean(), "cov": x.std() / x.mean(), "qcod": (p75 - p25) / (p75 + p25),
        "energy": (x**2).sum(), "rms": np.sqrt((x**2).mean()),
    }  # fmt: skip
    assert found == pytest.approx(expected, rel=1e-9)
    assert set(found) == set(STATISTICS)


@pytest.mark.parametrize(
    "image", [np.arange(-40, 40.0), np.arange(80) * 1e7, np.arange(80) / 3, np.full(80, 5.0)]
)
def test_counts_equal_numpy(image):
    image = image.astype(np.float32).reshape(4, 4, 5)
    mask = np.random.default_rng(0).random(image.shape) < 0.7
    found = distribution_of(image, mask)
    values, counts = np.unique(image[mask], return_counts=True)
    assert np.array_equal(found.values, values)
    assert np.array_equal(found.counts, counts)
    assert np.array_equal(level_counts(np.array([1, 1, 3, 0], np.uint16), 4), [2, 0, 1, 0])


def test_a_flat_region_has_no_skewness():
    reasons = {}
    values = statistics_features(region_of(np.full((2, 2, 2), 7), np.ones((2, 2, 2))), Stub(), reasons)
    assert (
        {name for name, value in values.items() if value is None}
        == set(reasons)
        == {"stat_skew", "stat_kurt"}
    )
    assert (values["stat_var"], values["stat_rmad"], values["stat_mean"]) == (0, 0, 7)


@pytest.mark.parametrize(
    ("image", "message"), [(np.nan, "intensities are not finite"), (1.0, "the region is empty")]
)
def test_no_voxels_or_none_that_are_numbers(image, message):
    mask = np.full((2, 2, 2), np.isnan(image))
    region = region_of(np.full((2, 2, 2), image), mask)
    for family in (statistics_features, ivh_features, local_intensity_features):
        reasons = {}
        values = family(region, Stub(), reasons)
        assert set(values.values()) == {None}
        assert reasons == dict.fromkeys(values, message)


def test_a_mean_of_zero_has_no_variation_coefficient():
    reasons = {}
    values = statistics_features(region_of([[[-1.0, 1.0]]], [[[1, 1]]]), Stub(), reasons)
    assert values["stat_cov"] is None
    assert values["stat_qcod"] is None
    assert set(reasons) == {"stat_cov", "stat_qcod", "stat_rmad"}  # the percentiles lie between the two


def test_the_mode_is_the_one_nearest_to_the_mean():
    levels = np.array([1, 1, 5, 5, 9, 9, 9, 9, 9, 5, 5, 5, 9])  # 5 five times, 9 six times
    region = region_of(levels[None, None], np.ones((1, 1, 13)))
    assert histogram_features(region, Stub())["ih_mode"] == 9
    region = region_of([[[1, 1, 4, 4, 6, 6]]], np.ones((1, 1, 6)))
    assert histogram_features(region, Stub())["ih_mode"] == 4


def test_one_grey_level_has_no_gradient():
    reasons = {}
    values = histogram_features(region_of(np.ones((2, 2, 2)), np.ones((2, 2, 2))), Stub(), reasons)
    assert set(values) == set(HISTOGRAM)
    assert values["ih_entropy"] == 0
    assert values["ih_uniformity"] == 1
    assert {name for name in values if values[name] is None} == set(reasons)
    assert "ih_max_grad" in reasons


def brute_ivh(x, levels):
    volume = np.array([(x >= level).mean() for level in levels])
    share = (levels - levels[0]) / (levels[-1] - levels[0])
    i10, i90 = (levels[volume <= part][0] for part in (0.1, 0.9))
    v10, v90 = (volume[share >= part - 1e-12].max() for part in (0.1, 0.9))
    area = np.trapezoid(volume, share)
    return dict(zip(("v10", "v90", "i10", "i90", "diff_v10_v90", "diff_i10_i90", "auc"),
                    (v10, v90, i10, i90, v10 - v90, i10 - i90, area), strict=True))  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("limits", [None, (-200.0, 300.0), (-200.0, None)])
def test_ivh_of_whole_numbers_and_of_bins(seed, limits):
    image, mask = noise(seed)
    x = image[mask].astype(np.float64)
    low = -200.0 if limits else x.min()
    high = limits[1] if limits and limits[1] else x.max()
    found = ivh_features(region_of(image, mask), Stub(resegment_range=limits))
    assert found == pytest.approx({f"ivh_{k}": v for k, v in brute_ivh(x, np.arange(low, high + 1)).items()})
    bins = np.floor((x - low) / 2.5)
    bins = np.minimum(bins, np.ceil((high - low) / 2.5) - 1)
    centres = low + 2.5 * (np.arange(np.ceil((high - low) / 2.5)) + 0.5)
    found = ivh_features(region_of(image, mask), Stub(resegment_range=limits, ivh_bin_width=2.5))
    assert found == pytest.approx(
        {f"ivh_{k}": v for k, v in brute_ivh(low + 2.5 * (bins + 0.5), centres).items()}
    )


def test_ivh_by_number_of_bins():
    image, mask = noise(3, whole=False)
    x = image[mask].astype(np.float64)
    bins = np.minimum(np.floor(1000 * (x - x.min()) / np.ptp(x)) + 1, 1000)
    found = ivh_features(region_of(image, mask), Stub(ivh_bin_number=1000))
    assert found == pytest.approx({f"ivh_{k}": v for k, v in brute_ivh(bins, np.arange(1, 1001)).items()})


def test_ivh_needs_whole_numbers_or_bins():
    image, mask = noise(3, whole=False)
    reasons = {}
    assert set(features_of(distribution_of(image, mask), reasons=reasons).values()) == {None}
    assert "bin width" in reasons["ivh_v10"]


def test_ivh_of_one_intensity():
    reasons = {}
    values = ivh_features(region_of(np.full((1, 2, 2), 3), np.ones((1, 2, 2))), Stub(), reasons)
    assert values["ivh_auc"] == 0
    assert values["ivh_v10"] is None
    assert set(reasons) == {"ivh_v10", "ivh_v90", "ivh_diff_v10_v90"}


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (3.0, 0.9, 0.8), (20.0, 20.0, 20.0)])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("gaps", [False, True])
def test_peaks_equal_brute_force(seed, spacing, gaps):
    rng = np.random.default_rng(seed)
    image = rng.normal(0, 10, (22, 24, 40)).astype(np.float32)
    image[5:15, 4:9, 8:30] += 60
    mask = np.zeros(image.shape, bool)
    mask[4:20, 6:20, 6:36] = rng.random((16, 14, 30)) < 0.05
    if gaps:
        image[rng.random(image.shape) < 0.02] = np.nan
    centres = np.argwhere(np.ones(image.shape, bool)) * spacing
    flat, means, heights = image.reshape(-1), [], []
    for index in np.flatnonzero(mask & np.isfinite(image)):
        near = ((centres - centres[index]) ** 2).sum(1) <= PEAK_RADIUS_MM**2
        means.append(np.nanmean(flat[near], dtype=np.float64))
        heights.append(flat[index])
    local = max(mean for mean, height in zip(means, heights, strict=True) if height == max(heights))
    assert peaks_of(image, mask, spacing) == pytest.approx((local, max(means)), rel=1e-6)


@pytest.mark.parametrize("shape", [(6, 7, 8), (1, 1, 9), (1, 12, 9), (30, 31, 37), (3, 200, 5)])
def test_transforms_equal_all_pairs(shape):
    image, mask = noise(5, shape, 0.3 if shape[0] == 30 else 0.8)
    image[..., shape[2] // 2 :] += 60
    spacing = (2.5, 0.7, 0.8)
    direct = moran_geary(image, mask, spacing, direct=True)
    assert moran_geary(image, mask, spacing, direct=False) == pytest.approx(direct, rel=1e-9)


def test_single_precision_equals_all_pairs(monkeypatch):
    monkeypatch.setattr("catalog.radiomics.autocorrelation._DOUBLE_LIMIT", 0)
    monkeypatch.setattr("catalog.radiomics.autocorrelation._CHUNK", 1 << 12)
    image, mask = noise(6, (20, 21, 23))
    image[..., 12:] += 60
    direct = moran_geary(image, mask, (1.0, 0.7, 0.7), direct=True)
    assert moran_geary(image, mask, (1.0, 0.7, 0.7), direct=False) == pytest.approx(direct, rel=1e-5)


@pytest.mark.parametrize(
    ("region", "settings", "message"),
    [
        (([[[1.0]]], [[[1]]]), Stub(), "the region has a single voxel"),
        (([[[1.0]]], [[[0]]]), Stub(), "the region is empty"),
        (([[[2.0, 2.0]]], [[[1, 1]]]), Stub(), "all voxels have the same intensity"),
        (([[[2.0, np.nan]]], [[[1, 1]]]), Stub(), "intensities are not finite"),
        (([[[2.0, 3.0]]], [[[1, 1]]]), Stub(autocorrelation=False), "switched off in the settings"),
        (
            ([[[2.0, 3.0]]], [[[1, 1]]]),
            Stub(autocorrelation="auto", autocorrelation_limit=1),
            "the region has more voxels than the settings' autocorrelation_limit",
        ),
    ],
)
def test_no_autocorrelation_says_why(region, settings, message):
    reasons = {}
    values = autocorrelation_features(region_of(*region), settings, reasons)
    assert values == {"morph_moran_i": None, "morph_geary_c": None}
    assert reasons == dict.fromkeys(values, message)


def test_two_voxels():
    """One pair: both deviate by the same, each to its side."""
    values = autocorrelation_features(region_of([[[2.0, 4.0]]], [[[1, 1]]]), Stub())
    assert values["morph_moran_i"] == pytest.approx(-1)
    assert values["morph_geary_c"] == pytest.approx(1)
