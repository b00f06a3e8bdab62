"""Features of regions that are hardly any, of any kind of array, and the table that names them."""

from __future__ import annotations

import numpy as np
import pytest

import catalog
from catalog.masks.mask import Mask
from catalog.radiomics import FEATURES, EmptyRegionError, Settings, compute_features
from catalog.radiomics.features import AGGREGATION_CODES
from catalog.radiomics.settings import AGGREGATIONS, FAMILIES
from catalog.volumes.volume import Volume
from hpc.errors import UsageError

RNG = np.random.default_rng(3)
IMAGE = RNG.normal(0, 60, (12, 14, 16)).round().astype(np.float32)
ALL = Settings(aggregations=AGGREGATIONS, autocorrelation=True)


def _mask(*slices: slice | int) -> np.ndarray:
    mask = np.zeros(IMAGE.shape, bool)
    mask[slices] = True
    return mask


REGIONS = {
    "one voxel": _mask(5, 6, 7),
    "line": _mask(5, 6),
    "plane": _mask(5),
    "corner": _mask(slice(0, 2), slice(0, 2), slice(0, 2)),
    "everything": _mask(),
    "two parts": _mask(2, 3, 4) | _mask(slice(8, 11), slice(9, 12), slice(9, 12)),
}


def test_the_table_names_487_columns_of_174_features() -> None:
    assert len({feature.name for feature in FEATURES}) == len(FEATURES) == 487
    assert {feature.family for feature in FEATURES} == set(FAMILIES)
    assert {feature.aggregation for feature in FEATURES} - {""} == set(AGGREGATION_CODES)
    assert all(len(feature.code) == 4 and feature.text for feature in FEATURES)
    of_3d = [f for f in FEATURES if f.aggregation in {"", "3d", "3d_v_mrg"}]
    assert len(of_3d) == 174
    # the code of volume fractions, of intensity fractions: two columns each
    assert len({f.code for f in of_3d}) == 172


@pytest.mark.parametrize("name", REGIONS)
@pytest.mark.parametrize("flat", [False, True])
def test_any_region_gives_values_or_reasons(name: str, flat: bool) -> None:
    reasons: dict[str, str] = {}
    image = np.full_like(IMAGE, 40) if flat else IMAGE
    values = compute_features(image, REGIONS[name], ALL, reasons=reasons)
    assert list(values) == [feature.name for feature in FEATURES]
    assert {key for key, value in values.items() if value is None} == set(reasons)
    assert all(np.isfinite(value) for value in values.values() if value is not None)
    inside = image[REGIONS[name]].astype(float)
    assert values["stat_mean"] == pytest.approx(inside.mean())
    assert values["stat_max"] == inside.max()
    assert values["morph_vol_approx"] == inside.size


@pytest.mark.parametrize("kind", [np.int16, np.int32, np.float32, np.float64])
def test_any_kind_of_array_gives_the_same(kind) -> None:
    mask = REGIONS["two parts"]
    expected = compute_features(IMAGE, mask, ALL, spacing_mm=(2.0, 1.0, 1.0))
    assert (
        compute_features(IMAGE.astype(kind), mask.astype(np.uint8) * 7, ALL, spacing_mm=(2.0, 1.0, 1.0))
        == expected
    )
    volume, roi = Volume(IMAGE, (2.0, 1.0, 1.0)), Mask(mask, "roi", "nifti")
    assert compute_features(volume, roi, ALL) == expected
    turned = np.asfortranarray(IMAGE.astype(kind))
    assert compute_features(turned, np.asfortranarray(mask), ALL, spacing_mm=(2.0, 1.0, 1.0)) == expected
    with pytest.raises(UsageError):
        compute_features(volume, roi, ALL, spacing_mm=(2.0, 1.0, 1.0))


def test_values_do_not_depend_on_where_the_region_lies() -> None:
    small = compute_features(IMAGE, REGIONS["everything"], ALL)
    big = np.zeros((40, 50, 60), np.float32)
    big[10:22, 20:34, 30:46] = IMAGE
    mask = np.zeros(big.shape, bool)
    mask[10:22, 20:34, 30:46] = True
    moved = compute_features(big, mask, ALL)
    for name, value in small.items():
        if value is not None and not name.startswith("loc_"):  # spheres of the peaks reach out of the region
            assert moved[name] == pytest.approx(value, rel=1e-9), name


def test_what_is_not_a_number_is_told() -> None:
    image, reasons = IMAGE.copy(), {}
    image[5, 6, 7] = np.nan
    values = compute_features(image, REGIONS["plane"], ALL, reasons=reasons)
    assert values["stat_mean"] is values["cm_contrast_3d_avg"] is None
    assert "finite" in reasons["stat_mean"]
    assert values["morph_vol_approx"] == 14 * 16


def test_a_region_without_voxels() -> None:
    with pytest.raises(EmptyRegionError):
        compute_features(IMAGE, np.zeros(IMAGE.shape, bool))
    reasons: dict[str, str] = {}
    settings = Settings(resegment_range=(5000.0, None))
    values = compute_features(IMAGE, REGIONS["corner"], settings, reasons=reasons)
    assert values["morph_vol_approx"] == 8
    assert "re-segmentation" in reasons["stat_mean"]
    assert "re-segmentation" in reasons["szm_sze_3d"]
    lost = compute_features(IMAGE, REGIONS["one voxel"], Settings(spacing_mm=9.0), reasons=reasons)
    assert set(lost.values()) == {None}
    assert "interpolation" in reasons["morph_volume"]


@pytest.mark.parametrize(
    ("image", "spacing"),
    [
        (np.full((2, 2, 2), "a"), (1.0, 1.0, 1.0)),
        (np.ones((2, 2, 2), complex), (1.0, 1.0, 1.0)),
        (np.ones((2, 2, 2)), (0.0, 1.0, 1.0)),
        (np.ones((2, 2, 2)), (1.0, float("nan"), 1.0)),
        (np.ones((2, 2, 2)), (1.0, 1.0)),
    ],
)
def test_what_is_no_image_is_refused(image, spacing) -> None:
    with pytest.raises(UsageError):
        compute_features(image, np.ones((2, 2, 2), bool), spacing_mm=spacing)


def test_only_what_is_asked_for_is_given() -> None:
    settings = Settings(families=("statistics", "glszm"), aggregations=("2_5d_v_mrg",))
    values = compute_features(IMAGE, REGIONS["corner"], settings)
    assert {name.split("_")[0] for name in values} == {"stat", "szm"}
    assert all(name.endswith("_2_5d") for name in values if name.startswith("szm"))


def test_the_room_offers_them() -> None:
    assert catalog.compute_features is compute_features
    assert catalog.Settings is Settings
