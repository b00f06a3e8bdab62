"""Shape: published values, bodies whose measures are known, laws, and regions that are hardly any."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist
from scipy.spatial.transform import Rotation
from shapes import Stub, phantom_region, region_of

from catalog.radiomics.hull import greatest_distance, hull_of, smallest_box, smallest_ellipsoid
from catalog.radiomics.mesh import _triangles, mesh_of
from catalog.radiomics.morphology import MORPHOLOGY, ellipsoid_area, morphology_features, shape_of

# IBSI manual, digital phantom: value, tolerance
PUBLISHED = {
    "volume": (556, 4), "vol_approx": (592, 4), "area_mesh": (388, 3), "av": (0.698, 0.004),
    "comp_1": (0.0411, 3e-4), "comp_2": (0.599, 0.004), "sph_dispr": (1.19, 0.01),
    "sphericity": (0.843, 0.005),
    "asphericity": (0.186, 0.001), "com": (0.672, 0.004), "diam": (13.1, 0.1), "pca_maj_axis": (11.4, 0.1),
    "pca_min_axis": (9.31, 0.06), "pca_least_axis": (8.54, 0.05), "pca_elongation": (0.816, 0.005),
    "pca_flatness": (0.749, 0.005), "vol_dens_aabb": (0.869, 0.005), "area_dens_aabb": (0.866, 0.005),
    "vol_dens_aee": (1.17, 0.01), "area_dens_aee": (1.36, 0.01), "vol_dens_conv_hull": (0.961, 0.006),
    "area_dens_conv_hull": (1.03, 0.01), "integ_int": (1200, 10),
}  # fmt: skip


def features(*args, **kwargs):
    return morphology_features(region_of(*args, **kwargs), Stub())


def ball(radius, spacing=(1.0, 1.0, 1.0)):
    axes = [np.arange(-int(radius / s) - 2, int(radius / s) + 3) * s for s in spacing]
    return sum(np.square(a) for a in np.meshgrid(*axes, indexing="ij")) <= radius**2


@pytest.mark.parametrize("name", PUBLISHED)
def test_digital_phantom(name):
    value, tolerance = PUBLISHED[name]
    found = morphology_features(phantom_region(), Stub())[f"morph_{name}"]
    assert abs(float(f"{found:.3g}") - value) <= tolerance + 1e-9


def test_every_feature_has_a_value_or_a_reason():
    reasons = {}
    values = morphology_features(phantom_region(), Stub(), reasons)
    assert set(values) == set(MORPHOLOGY)
    assert len(MORPHOLOGY) == 27  # 23 with consensus values, 4 without
    assert not reasons


@pytest.mark.parametrize("seed", range(6))
def test_every_mesh_is_closed_so_its_place_does_not_matter(seed):
    mask = (np.random.default_rng(seed).random((5, 6, 7)) < 0.15 * (seed + 1)).astype(np.uint8)
    spacing = (2.0, 0.7, 1.1)
    here = mesh_of(np.pad(mask, 1), spacing)
    there = mesh_of(np.pad(mask, ((40, 1), (7, 2), (13, 5))), spacing)
    assert there == pytest.approx(here, rel=1e-9)
    # of fillings with equal areas, which are each other's mirror images, one is taken
    turned = mesh_of(np.pad(np.ascontiguousarray(mask[::-1].transpose(2, 0, 1)), 1), (1.1, 2.0, 0.7))
    assert turned == pytest.approx(here, rel=2e-2)


def test_the_boundaries_of_neighbouring_cubes_meet():
    """Every edge of a triangle is met once, the other way round: in its cube, or in the next by its face."""
    case, triangles = _triangles()
    edges: dict[tuple, int] = {}
    for corners in triangles[case == 0b00010110]:
        for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            key, back = (tuple(a), tuple(b)), (tuple(b), tuple(a))
            if back in edges:
                del edges[back]
            else:
                edges[key] = 1
    for a, b in edges:
        assert any(p == q and p in (0, 1) for p, q in zip(a, b, strict=True))


def test_a_single_voxel_is_an_octahedron():
    values = features([[[5]]], [[[1]]], (1.0, 2.0, 3.0))
    assert values["morph_volume"] == pytest.approx(1.0)  # a sixth of 1 x 2 x 3
    area = 8 * np.linalg.norm(np.cross([-0.5, 1, 0], [-0.5, 0, 1.5])) / 2
    assert values["morph_area_mesh"] == pytest.approx(area)
    assert values["morph_diam"] == pytest.approx(3.0)
    assert values["morph_integ_int"] == pytest.approx(5.0)
    assert values["morph_vol_dens_conv_hull"] == pytest.approx(1.0)


def test_a_box_loses_its_bevelled_edges():
    nz, ny, nx = 6, 8, 11
    mesh = mesh_of(np.pad(np.ones((nz, ny, nx), np.uint8), 1), (1.0, 1.0, 1.0))
    edges = 4 * (nz + ny + nx - 3)
    # a prism with legs of half a voxel along each edge; what a corner keeps is known from the single voxel
    single = 1 / 6 / 8
    volume = (
        (nz - 1) * (ny - 1) * (nx - 1)
        + sum((a - 1) * (b - 1) for a, b in ((nz, ny), (ny, nx), (nz, nx)))
        + edges / 8
        + 8 * single
    )
    assert mesh.volume_mm3 == pytest.approx(volume)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (2.0, 0.7, 0.7)])
def test_a_ball_is_nearly_a_sphere(spacing):
    values = features(np.ones(ball(20, spacing).shape), ball(20, spacing), spacing)
    assert values["morph_volume"] == pytest.approx(4 / 3 * np.pi * 20**3, rel=0.03)
    assert values["morph_pca_elongation"] == pytest.approx(1, abs=0.01)
    assert values["morph_pca_maj_axis"] == pytest.approx(4 * 20 / 5**0.5, rel=0.02)  # variance r²/5
    assert values["morph_com"] == pytest.approx(0, abs=1e-9)
    assert values["morph_vol_dens_mvee"] == pytest.approx(1, abs=0.09)
    assert 0.85 < values["morph_sphericity"] < 1


@pytest.mark.parametrize("seed", range(5))
def test_hull_diameter_and_moments_equal_those_of_all_points(seed):
    rng = np.random.default_rng(seed)
    mask = rng.random((6, 7, 9)) < 0.3
    spacing = (1.5, 0.8, 1.2)
    padded = np.pad(mask, 1).astype(np.uint8)
    shape = shape_of(padded, spacing)
    voxels = np.argwhere(padded) * spacing
    assert shape.covariance_mm2 == pytest.approx(np.cov(voxels.T))
    assert shape.centre_mm == pytest.approx(voxels.mean(0))
    halves = [sign * np.eye(3)[axis] / 2 * spacing[axis] for axis in range(3) for sign in (1, -1)]
    points = np.concatenate([voxels + half for half in halves])
    oracle = ConvexHull(points)
    hull = hull_of(padded, shape.ends, spacing)
    assert (hull.volume_mm3, hull.area_mm2) == pytest.approx((oracle.volume, oracle.area))
    assert greatest_distance(hull.vertices_mm) == pytest.approx(pdist(points).max())


@pytest.mark.parametrize("seed", range(5))
def test_a_turned_box_is_found_again(seed):
    rng = np.random.default_rng(seed)
    corners = np.array(np.meshgrid([0, 3], [0, 5], [0, 11])).reshape(3, -1).T.astype(float)
    turned = Rotation.random(rng=rng).apply(corners) + 7
    assert smallest_box(turned, np.linalg.svd(turned - turned.mean(0))[2]) == pytest.approx(
        [3, 5, 11], rel=0.01
    )


@pytest.mark.parametrize("seed", range(5))
def test_the_ellipsoid_around_an_ellipsoid_is_itself(seed):
    rng = np.random.default_rng(seed)
    sphere = rng.normal(size=(4000, 3))
    points = sphere / np.linalg.norm(sphere, axis=1)[:, None] * [2, 5, 9]
    turned = Rotation.random(rng=rng).apply(points) + 100
    assert smallest_ellipsoid(turned) == pytest.approx([2, 5, 9], rel=0.01)


def test_the_ellipsoid_around_a_box_touches_its_corners():
    corners = np.array(np.meshgrid([0, 2], [0, 4], [0, 8])).reshape(3, -1).T.astype(float)
    assert smallest_ellipsoid(corners) == pytest.approx(np.array([1, 2, 4]) * 3**0.5, rel=1e-4)


def test_the_area_of_a_sphere():
    assert ellipsoid_area(np.array([3.0, 3.0, 3.0])) == pytest.approx(36 * np.pi)


@pytest.mark.parametrize(
    ("size", "null"),
    [
        ((1, 1, 1), {"pca_elongation", "pca_flatness", "vol_dens_aee", "area_dens_aee"}),
        ((1, 1, 6), {"vol_dens_aee", "area_dens_aee"}),
        ((1, 4, 6), {"vol_dens_aee"}),
        ((3, 4, 6), set()),
    ],
)
def test_flat_regions_have_values_or_reasons(size, null):
    reasons = {}
    values = morphology_features(region_of(np.ones(size), np.ones(size)), Stub(), reasons)
    assert {name for name, value in values.items() if value is None} == {f"morph_{name}" for name in null}
    assert set(reasons) == {f"morph_{name}" for name in null}
    assert all(np.isfinite(value) for value in values.values() if value is not None)


def test_a_line_has_no_width():
    values = features(np.ones((1, 1, 6)), np.ones((1, 1, 6)))
    assert values["morph_pca_maj_axis"] == pytest.approx(4 * np.sqrt(np.var(np.arange(6), ddof=1)))
    assert values["morph_pca_min_axis"] == values["morph_pca_elongation"] == 0


def test_two_parts_are_one_region():
    mask = np.zeros((5, 5, 20), bool)
    mask[1:4, 1:4, 1:4] = mask[1:4, 1:4, 15:18] = True
    one = features(np.ones((3, 3, 3)), np.ones((3, 3, 3)))
    both = features(np.ones(mask.shape), mask)
    assert both["morph_volume"] == pytest.approx(2 * one["morph_volume"])
    assert both["morph_area_mesh"] == pytest.approx(2 * one["morph_area_mesh"])


def test_the_centre_of_mass_shifts_towards_the_bright_end():
    values = features([[[0, 0, 0, 4]]], [[[1, 1, 1, 1]]], (1.0, 1.0, 2.0))
    assert values["morph_com"] == pytest.approx(3.0)


def test_intensities_come_from_the_intensity_mask():
    image = np.array([[[np.nan, 2.0, 4.0]]])
    values = features(image, np.ones((1, 1, 3)), intensity=[[[0, 1, 1]]])
    assert values["morph_integ_int"] == pytest.approx(3 * values["morph_volume"])


def test_intensities_that_are_none_leave_the_shape():
    reasons = {}
    values = morphology_features(region_of([[[np.nan, 2.0]]], [[[1, 1]]]), Stub(), reasons)
    assert values["morph_com"] is values["morph_integ_int"] is None
    assert values["morph_volume"] > 0
    assert reasons["morph_com"] == "intensities are not finite"


def test_an_empty_region():
    reasons = {}
    values = morphology_features(region_of(np.ones((2, 2, 2)), np.zeros((2, 2, 2))), Stub(), reasons)
    assert set(values.values()) == {None}
    assert set(reasons) == set(MORPHOLOGY)


@pytest.mark.parametrize(("case", "volume", "area", "share"), [
    ("breast1", 124.091304832, 172.887079476, 1e-9),
    ("brain1", 16149.4954427, 6433.7343171, 2e-3),  # its table joins some voxels that touch by an edge
])  # fmt: skip
def test_mesh_equals_the_published_baseline(shared_data, case, volume, area, share):
    sitk = pytest.importorskip("SimpleITK")
    image = sitk.ReadImage(str(shared_data / "pyradiomics_cases" / f"{case}_label.nrrd"))
    padded = np.pad(sitk.GetArrayFromImage(image) == 1, 1).astype(np.uint8)
    assert mesh_of(padded, image.GetSpacing()[::-1]) == pytest.approx((area, volume), rel=share)
