"""Size and shape of a region (IBSI family HCUG), without the autocorrelation of its intensities."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from catalog.kernel import kernel
from catalog.radiomics.hull import Hull, greatest_distance, hull_of, smallest_box, smallest_ellipsoid
from catalog.radiomics.mesh import Mesh, mesh_of
from catalog.radiomics.statistics import EMPTY, NOT_FINITE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from catalog.radiomics.region import Region
    from catalog.radiomics.settings import Settings

    Values = dict[str, float | None]

_SIZE = (
    "volume", "vol_approx", "area_mesh", "av", "comp_1", "comp_2", "sph_dispr", "sphericity", "asphericity",
    "com", "diam",
)  # fmt: skip
_AXES = ("pca_maj_axis", "pca_min_axis", "pca_least_axis", "pca_elongation", "pca_flatness")
_DENSITIES = tuple(
    f"{what}_dens_{body}" for body in ("aabb", "ombb", "aee", "mvee", "conv_hull") for what in ("vol", "area")
)
MORPHOLOGY = tuple(f"morph_{name}" for name in (*_SIZE, *_AXES, *_DENSITIES, "integ_int"))

ONE_VOXEL = "the region has a single voxel"
FLAT_BODY = "all voxels lie in one plane: the ellipsoid has no volume"
LINE = "all voxels lie on one line: the ellipsoid has no area"
NO_WEIGHT = "the intensities add up to zero"
NO_INTENSITIES = "re-segmentation left no voxel"


class Shape(NamedTuple):
    """What the voxels of a mask say of its place."""

    n_voxels: int
    centre_mm: NDArray[np.float64]
    covariance_mm2: NDArray[np.float64]
    ends: NDArray[np.int64]


def morphology_features(
    region: Region,
    settings: Settings,  # noqa: ARG001 - every family is called alike
    reasons: dict[str, str] | None = None,
) -> Values:
    """Compute the morphological features, all but Moran's I and Geary's C.

    Parameters
    ----------
    region : Region
    settings : Settings
        Nothing of it matters here.
    reasons : dict, optional
        Filled with the reason of every feature that is None.

    Returns
    -------
    dict of str to float or None
        `morph_volume` (mm³) to `morph_integ_int`. The densities by the oriented box and by the smallest
        enclosing ellipsoid have no consensus values.

    Notes
    -----
    IBSI reference manual, section "Morphological features". Shape is that of the morphological mask; the
    shift of the centre of mass and the integrated intensity take intensities from the intensity mask.
    """
    why: dict[str, str] = {}
    values: Values = dict.fromkeys(MORPHOLOGY)
    if region.roi.any():
        values |= {f"morph_{name}": value for name, value in _shape(region, why).items()}
    else:
        why = {name.removeprefix("morph_"): EMPTY for name in MORPHOLOGY}
    if reasons is not None:
        reasons.update({f"morph_{name}": reason for name, reason in why.items()})
    return values


def _shape(region: Region, why: dict[str, str]) -> Values:
    """Features of a region with at least one voxel."""
    spacing = region.spacing_mm
    shape = shape_of(region.roi, spacing)
    mesh = mesh_of(region.roi, spacing)
    hull = hull_of(region.roi, shape.ends, spacing)
    variances, axes = np.linalg.eigh(shape.covariance_mm2)
    variances = np.where(variances > 1e-12 * variances[-1], variances, 0.0)
    return {
        **_size(mesh, shape.n_voxels * float(np.prod(spacing))),
        "diam": greatest_distance(hull.vertices_mm),
        **_axes(variances, why),
        **_boxes(mesh, hull, axes.T),
        **_ellipsoids(mesh, hull, 2 * np.sqrt(variances), why),
        "vol_dens_conv_hull": mesh.volume_mm3 / hull.volume_mm3,
        "area_dens_conv_hull": mesh.area_mm2 / hull.area_mm2,
        **_weight(region, mesh, shape, why),
    }


def shape_of(padded: NDArray[np.uint8], spacing_mm: tuple[float, float, float]) -> Shape:
    """Count, centre, covariance (divided by n - 1) and row ends of the voxels of a mask that is not empty."""
    nz, ny, _ = padded.shape
    moments = np.zeros(10, np.int64)
    ends = np.empty((2 * nz * ny, 3), np.int64)
    found = _moments(padded, moments, ends)
    n = int(moments[0])
    scale = np.asarray(spacing_mm)
    sums = [int(m) for m in moments]  # exact, however large
    pairs = [[4, 7, 8], [7, 5, 9], [8, 9, 6]]
    products = [[n * sums[pairs[i][k]] - sums[1 + i] * sums[1 + k] for k in range(3)] for i in range(3)]
    covariance = np.array(products, np.float64) / n / max(n - 1, 1)
    return Shape(n, np.array(sums[1:4]) / n * scale, covariance * np.outer(scale, scale), ends[:found])


def _size(mesh: Mesh, approximate_mm3: float) -> Values:
    """Volume, area, and what compares them with a sphere."""
    area, volume = mesh
    sphere = (36 * np.pi * volume**2) ** (1 / 3)  # area of the sphere of this volume
    return {
        "volume": volume,
        "vol_approx": approximate_mm3,
        "area_mesh": area,
        "av": area / volume,
        "comp_1": float(volume / (np.sqrt(np.pi) * area**1.5)),
        "comp_2": float((sphere / area) ** 3),
        "sph_dispr": float(area / sphere),
        "sphericity": float(sphere / area),
        "asphericity": float(area / sphere - 1),
    }


def _axes(variances: NDArray[np.float64], why: dict[str, str]) -> Values:
    """Lengths of the principal axes; variances ascend."""
    least, minor, major = (float(v) for v in variances)
    if major == 0:
        why |= dict.fromkeys(("pca_elongation", "pca_flatness"), ONE_VOXEL)
    return {
        "pca_maj_axis": 4 * major**0.5,
        "pca_min_axis": 4 * minor**0.5,
        "pca_least_axis": 4 * least**0.5,
        "pca_elongation": (minor / major) ** 0.5 if major else None,
        "pca_flatness": (least / major) ** 0.5 if major else None,
    }


def _boxes(mesh: Mesh, hull: Hull, axes: NDArray[np.float64]) -> Values:
    """Densities by the axis-aligned and the oriented box."""
    aligned = hull.vertices_mm.max(0) - hull.vertices_mm.min(0)
    values: Values = {}
    for name, (a, b, c) in (("aabb", aligned), ("ombb", smallest_box(hull.vertices_mm, axes))):
        values[f"vol_dens_{name}"] = float(mesh.volume_mm3 / (a * b * c))
        values[f"area_dens_{name}"] = float(mesh.area_mm2 / (2 * (a * b + b * c + a * c)))
    return values


def _ellipsoids(mesh: Mesh, hull: Hull, semi_axes: NDArray[np.float64], why: dict[str, str]) -> Values:
    """Densities by the ellipsoid of the principal axes and by the smallest one around the hull."""
    values: Values = {}
    for name, axes in (("aee", semi_axes), ("mvee", smallest_ellipsoid(hull.vertices_mm))):
        volume, area = 4 / 3 * np.pi * float(np.prod(axes)), ellipsoid_area(axes)
        values[f"vol_dens_{name}"] = mesh.volume_mm3 / volume if volume else None
        values[f"area_dens_{name}"] = mesh.area_mm2 / area if area else None
    single = not semi_axes.any()
    if values["vol_dens_aee"] is None:
        why["vol_dens_aee"] = ONE_VOXEL if single else FLAT_BODY
    if values["area_dens_aee"] is None:
        why["area_dens_aee"] = ONE_VOXEL if single else LINE
    return values


def ellipsoid_area(semi_axes: NDArray[np.float64]) -> float:
    """Surface of an ellipsoid by the manual's series, to the degree 20; semi-axes ascend.

    The consensus values follow this series, though the exact surface is some percent larger.
    """
    c, b, a = (float(axis) for axis in semi_axes)
    if b == 0:
        return 0.0
    alpha, beta = 1 - (b / a) ** 2, 1 - (c / a) ** 2  # squares of the eccentricities
    # (alpha beta)^n P_n((alpha^2 + beta^2) / (2 alpha beta)) by Legendre's recurrence, without the division
    before, now, total = 0.0, 1.0, 0.0
    for n in range(21):
        total += now / (1 - 4 * n * n)
        before, now = now, ((2 * n + 1) * (alpha + beta) / 2 * now - n * alpha * beta * before) / (n + 1)
    return 4 * np.pi * a * b * total


def _weight(region: Region, mesh: Mesh, shape: Shape, why: dict[str, str]) -> Values:
    """Shift of the centre of mass and integrated intensity."""
    sums = np.zeros(5)
    _weighted(region.image, region.intensity_mask.view(np.uint8), sums)
    n, total = sums[0], sums[1]
    if not n or not np.isfinite(total):
        why |= dict.fromkeys(("com", "integ_int"), NOT_FINITE if n else NO_INTENSITIES)
        return {"com": None, "integ_int": None}
    shift = None
    if total:
        # the image and the padded mask start at different voxels
        corner = _first(region.morphological_mask) - 1
        centre = (sums[2:] / total - corner) * region.spacing_mm
        shift = float(np.linalg.norm(centre - shape.centre_mm))
    else:
        why["com"] = NO_WEIGHT
    return {"com": shift, "integ_int": float(mesh.volume_mm3 * total / n)}


def _first(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """First index of the box of a mask, along each axis."""
    planes, columns = np.logical_or.reduce(mask, axis=2), np.logical_or.reduce(mask, axis=0)
    return np.array([np.argmax(planes.any(1)), np.argmax(columns.any(1)), np.argmax(columns.any(0))])


@kernel
def _moments(padded: NDArray[np.uint8], moments: NDArray[np.int64], ends: NDArray[np.int64]) -> int:
    """Sums of coordinates and of their products; first and last voxel of every row. Returns how many ends."""
    nz, ny, nx = padded.shape
    found = 0
    for z in range(nz):
        for y in range(ny):
            row = padded[z, y]
            n, sx, sxx = np.int64(0), np.int64(0), np.int64(0)
            for x in range(nx):
                v = np.int64(row[x])
                n += v
                sx += v * x
                sxx += v * x * x
            if n == 0:
                continue
            moments[0] += n
            moments[1] += n * z
            moments[2] += n * y
            moments[3] += sx
            moments[4] += n * z * z
            moments[5] += n * y * y
            moments[6] += sxx
            moments[7] += n * z * y
            moments[8] += z * sx
            moments[9] += y * sx
            first, last = 0, nx - 1
            while row[first] == 0:
                first += 1
            while row[last] == 0:
                last -= 1
            ends[found, 0], ends[found, 1], ends[found, 2] = z, y, first
            ends[found + 1, 0], ends[found + 1, 1], ends[found + 1, 2] = z, y, last
            found += 2
    return found


@kernel
def _weighted(image: NDArray[np.float32], mask: NDArray[np.uint8], sums: NDArray[np.float64]) -> None:
    """Count, sum of intensities, and their sums times each coordinate."""
    nz, ny, nx = image.shape
    for z in range(nz):
        for y in range(ny):
            inside, row = mask[z, y], image[z, y]
            n = np.int64(0)
            for x in range(nx):
                n += np.int64(inside[x])
            if n == 0:
                continue
            total, along = 0.0, 0.0
            for x in range(nx):
                v = np.float64(row[x]) if inside[x] != 0 else 0.0
                total += v
                along += v * x
            sums[0] += n
            sums[1] += total
            sums[2] += total * z
            sums[3] += total * y
            sums[4] += along
