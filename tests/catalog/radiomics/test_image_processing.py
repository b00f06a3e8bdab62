"""Crop, interpolation, re-segmentation and discretisation against SciPy and the manual's rules."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

from catalog.radiomics.discretise import Bins, bins_of, discretise
from catalog.radiomics.interpolate import Axis, interpolate
from catalog.radiomics.prepare import EmptyRegionError, box_of, prepare
from catalog.radiomics.resegment import resegment
from catalog.radiomics.settings import Settings
from hpc.errors import UsageError

RNG = np.random.default_rng(7)
IMAGE = RNG.normal(0, 100, (21, 34, 27)).astype(np.float32)
SPACING = (3.0, 0.9, 1.1)


def _whole(new_mm, order):
    """The same by SciPy on the whole image: grids aligned by their centres."""
    size = [int(np.ceil(n * s / t)) for n, s, t in zip(IMAGE.shape, SPACING, new_mm, strict=True)]
    grid = [
        (n - 1) / 2 + (np.arange(m) - (m - 1) / 2) * t / s
        for n, m, s, t in zip(IMAGE.shape, size, SPACING, new_mm, strict=True)
    ]
    mode = {0: "nearest", 1: "nearest", 3: "mirror"}[order]
    return map_coordinates(IMAGE.astype(float), np.meshgrid(*grid, indexing="ij"), order=order, mode=mode)


@pytest.mark.parametrize(("method", "order"), [("nearest", 0), ("linear", 1), ("cubic", 3)])
@pytest.mark.parametrize("new_mm", [(2.0, 2.0, 2.0), (3.0, 0.7, 2.5), (1.0, 1.0, 1.0)])
def test_interpolation_equals_scipy(method, order, new_mm) -> None:
    axes = tuple(Axis.of(n, s, t) for n, s, t in zip(IMAGE.shape, SPACING, new_mm, strict=True))
    box = tuple(slice(0, axis.n_new) for axis in axes)
    ours = interpolate(IMAGE, (0, 0, 0), axes, box, method)
    expected = _whole(new_mm, order)
    assert ours.shape == expected.shape
    same = np.isclose(ours, expected, atol=1e-3)
    if method == "nearest":  # halfway between two voxels either is nearest
        assert same.mean() > 0.9
    else:
        assert same.all()


@pytest.mark.parametrize("method", ["linear", "cubic"])
def test_a_crop_is_interpolated_as_the_whole(method) -> None:
    image = RNG.normal(0, 300, (60, 70, 80)).astype(np.float32)
    mask = np.zeros(image.shape, bool)
    mask[28:34, 30:41, 37:44] = True
    settings = Settings(spacing_mm=1.3, image_interpolation=method)
    spacing = (2.0, 0.8, 0.8)
    region = prepare(image, mask, settings, spacing).region
    axes = tuple(Axis.of(n, s, 1.3) for n, s in zip(image.shape, spacing, strict=True))
    whole = tuple(slice(0, a.n_new) for a in axes)
    inside = interpolate(mask, (0, 0, 0), axes, whole, "linear") >= 0.5
    everything = interpolate(image, (0, 0, 0), axes, whole, method)
    assert region.morphological_mask.sum() == inside.sum() > 0
    np.testing.assert_allclose(region.voxels, everything[inside], atol=2e-3)
    assert region.image.size < everything.size
    assert region.image.flags.c_contiguous
    assert region.levels.flags.c_contiguous


def test_voxels_that_fall_on_voxels_keep_their_values() -> None:
    axes = (Axis.of(9, 1.0, 1.0), Axis.of(9, 1.0, 2.0), Axis.of(9, 1.0, 4.0))
    image = RNG.normal(size=(9, 9, 9)).astype(np.float32)
    box = tuple(slice(0, a.n_new) for a in axes)
    ours = interpolate(image, (0, 0, 0), axes, box, "cubic")
    assert ours.shape == (9, 5, 3)
    np.testing.assert_allclose(ours, image[:, ::2, ::4], atol=1e-5)


@given(st.lists(st.tuples(*[st.integers(0, 8)] * 3), max_size=6), st.sampled_from([8, 9, 16]))
def test_the_box_of_a_mask(points, width) -> None:
    mask = np.zeros((9, 9, width), bool)
    for point in points:
        mask[point[0], point[1], min(point[2], width - 1)] = True
    box = box_of(mask)
    if not points:
        assert box is None
        return
    where = np.argwhere(mask)
    assert box == tuple(slice(a, b + 1) for a, b in zip(where.min(0), where.max(0), strict=True))
    for other in (mask.astype(np.uint8) * 200, mask.astype(np.int16) * -3, np.asfortranarray(mask)):
        assert box_of(other) == box


def test_resegmentation_is_of_the_intensity_mask_alone() -> None:
    image = np.arange(1000, dtype=np.float32).reshape(10, 10, 10)
    mask = np.ones(image.shape, bool)
    settings = Settings(resegment_range=(100.0, 899.0))
    region = prepare(image, mask, settings, (1.0, 1.0, 1.0)).region
    assert (region.voxels.min(), region.voxels.max(), region.voxels.size) == (100, 899, 800)
    assert region.morphological_mask.sum() == region.roi.sum() == 1000
    assert np.count_nonzero(region.levels) == 800


def test_outliers_are_counted_from_what_the_range_leaves() -> None:
    image = RNG.normal(0, 1, (12, 12, 12)).astype(np.float32)
    image[0, 0, :4] = 1e6
    kept = resegment(
        image, np.ones(image.shape, bool), Settings(resegment_range=(None, 100.0), resegment_sigma=2.0)
    )
    inside = image[image <= 100].astype(float)
    expected = (image <= 100) & (np.abs(image - inside.mean()) <= 2 * inside.std())
    assert np.array_equal(kept, expected)


def test_bins_of_fixed_number_by_the_manual() -> None:
    """IBSI manual: ceil-free rule, N_g * (X - min) / (max - min) rounded down, plus 1, the maximum in N_g."""
    values = np.linspace(-3, 7, 101, dtype=np.float32).reshape(1, 1, -1)
    bins = bins_of(-3.0, 7.0, Settings(bin_number=8))
    levels = discretise(values, np.ones(values.shape, bool), (slice(0, 1), slice(0, 1), slice(0, 101)), bins)
    expected = np.minimum(np.floor(8 * (values.astype(float) + 3) / 10) + 1, 8)
    assert np.array_equal(levels[1, 1, 1:-1], expected[0, 0])
    assert levels.sum() == expected.sum()


@pytest.mark.parametrize(("n", "kind"), [(255, np.uint8), (256, np.uint16)])
def test_levels_take_the_smallest_type(n, kind) -> None:
    values = np.arange(n, dtype=np.float32).reshape(1, 1, -1)
    box = tuple(slice(0, k) for k in values.shape)
    bins = bins_of(0.0, n - 1.0, Settings(bin_width=1.0))
    levels = discretise(values, np.ones(values.shape, bool), box, bins)
    assert bins.n_levels == n
    assert levels.dtype == kind
    assert np.array_equal(levels[1, 1, 1:-1], np.arange(1, n + 1))


def test_where_bins_of_fixed_size_begin() -> None:
    assert bins_of(12.0, 90.0, Settings()) == Bins(12.0, 25.0, 4)
    assert bins_of(12.0, 90.0, Settings(resegment_range=(-500.0, 400.0))) == Bins(-500.0, 25.0, 24)
    assert bins_of(12.0, 90.0, Settings(resegment_range=(None, 400.0))) == Bins(12.0, 25.0, 4)
    assert bins_of(12.0, 90.0, Settings(bin_origin=0.0, bin_width=10.0)) == Bins(0.0, 10.0, 10)
    assert bins_of(0.0, 1e9, Settings(bin_width=0.1)) is None


def test_wrong_masks_are_refused() -> None:
    with pytest.raises(EmptyRegionError):
        prepare(IMAGE, np.zeros(IMAGE.shape, bool), Settings(), SPACING)
    with pytest.raises(UsageError):
        prepare(IMAGE, np.ones((3, 3, 3), bool), Settings(), SPACING)
