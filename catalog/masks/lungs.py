"""Both lungs of a chest CT by threshold and connected components, without airways; or why there are none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from catalog.volumes.volume import Volume

    Flags = npt.NDArray[np.bool_]

AIR_HU: Final = -400.0
COARSE_MM: Final = 2.5  # voxels that components are sought on
LEAST_ML: Final = 300.0  # of both lungs
MOST_ML: Final = 12_000.0
SECOND_SHARE: Final = 0.15  # of the larger lung that a second part must have
GAS_HU: Final = -970.0  # a part with a lower median is gas: bowel, stomach, foam of a table
DENSE_HU: Final = -500.0  # a part with a higher median is no lung
LUMEN_HU: Final = (-900.0, -925.0, -950.0, -975.0)  # of the airways; the first that does not leak
AIRWAYS_ML: Final = 120.0  # more is a leak into the lung
TRACHEA_MM2: Final = (40.0, 900.0)  # cross-section that the search starts from

VERDICTS: Final[dict[str, str]] = {
    "not_ct": "the volume is no CT in Hounsfield units",
    "too_small": "the volume has too few voxels or too little extent",
    "no_air_inside": "no large part inside the body looks like lung",
    "too_little": "less than 300 ml look like lung",
    "too_much": "more than 12 litres look like lung",
}


def lungs_mask(volume: Volume) -> tuple[Flags, str]:
    """Find both lungs.

    Parameters
    ----------
    volume : Volume
        CT, HU, any orientation, the body upright along one axis of the grid.

    Returns
    -------
    tuple
        The mask, bool (z, y, x), and a verdict: empty for whole lungs; ``lungs_cut`` where they reach the
        first or last plane; a key of :data:`VERDICTS`, with an empty mask, where this is no chest.

    Notes
    -----
    Air below -400 HU inside the body on a grid of about 2.5 mm; the trachea is sought from the head's end and
    followed while it does not leak; up to two parts stay; vessels up to about 5 mm inside are closed. The
    border comes from the threshold on the full grid. A dense consolidation is not lung here.
    """
    empty = np.zeros(volume.array.shape, np.bool_)
    if volume.modality not in {"CT", ""} or volume.unit not in {"HU", ""}:
        return empty, "not_ct"
    steps = [max(1, int(COARSE_MM / s)) for s in volume.spacing_mm]
    spacing = np.array(volume.spacing_mm) * steps
    coarse = volume.array[tuple(slice(None, None, s) for s in steps)]
    if min(coarse.shape) < 8:
        return empty, "too_small"
    # axis 0 of the turned grid runs from the head to the feet
    direction = np.asarray(volume.direction)
    axis = int(np.abs(direction[2]).argmax())
    turned = np.moveaxis(coarse, axis, 0)
    spacing = np.moveaxis(spacing[None], 0, 0)[0][[axis, *(a for a in range(3) if a != axis)]]
    head_first = direction[2, axis] < 0
    turned = turned if head_first else turned[::-1]
    lungs, airways, verdict = _find(np.ascontiguousarray(turned), spacing)
    if verdict in VERDICTS:
        return empty, verdict
    lungs, airways = (np.moveaxis(a if head_first else a[::-1], 0, axis) for a in (lungs, airways))
    return _refine(volume.array, lungs, airways, steps), verdict


def _find(hu: Any, spacing: Any) -> tuple[Flags, Flags, str]:
    """Find lungs and airways on the coarse grid, planes from head to feet; and the verdict."""
    from scipy import ndimage

    none = np.zeros(hu.shape, np.bool_)
    voxel_ml = float(np.prod(spacing)) / 1000
    air = _inside_body(hu < AIR_HU)
    airways = _airways(hu, air, spacing, voxel_ml)
    grown = ndimage.binary_dilation(airways, iterations=1) if airways.any() else airways
    labels, n = ndimage.label(air & ~grown)
    if not n:
        return none, none, "no_air_inside"
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    kept: list[int] = []
    for part in np.argsort(sizes)[::-1][:6].tolist():
        if sizes[part] * voxel_ml < LEAST_ML / 10 or (kept and sizes[part] < SECOND_SHARE * sizes[kept[0]]):
            break
        if GAS_HU < float(np.median(hu[labels == part])) < DENSE_HU:
            kept.append(part)
    lungs = np.isin(labels, kept[:2]) if kept else none
    ml = float(np.count_nonzero(lungs)) * voxel_ml
    if not kept or ml < LEAST_ML or ml > MOST_ML:
        return none, none, "no_air_inside" if not kept else "too_little" if ml < LEAST_ML else "too_much"
    return lungs, grown, "lungs_cut" if lungs[0].any() or lungs[-1].any() else ""


def _inside_body(air: Flags) -> Flags:
    """Return air that the largest part of tissue surrounds in its plane."""
    from scipy import ndimage

    tissue, n = ndimage.label(ndimage.binary_erosion(~air, iterations=1))
    if not n:
        return np.zeros_like(air)
    sizes = np.bincount(tissue.ravel())
    sizes[0] = 0
    body = ndimage.binary_dilation(tissue == sizes.argmax(), iterations=2) & ~air
    in_plane = np.zeros((3, 3, 3), np.bool_)
    in_plane[1] = ndimage.generate_binary_structure(2, 1)
    free, n = ndimage.label(~body, in_plane)
    open_to_rim = np.zeros(n + 1, np.bool_)
    for rim in (free[:, 0], free[:, -1], free[:, :, 0], free[:, :, -1]):
        open_to_rim[rim] = True
    open_to_rim[0] = True
    inside: Flags = air & ~open_to_rim[free]
    return inside


def _airways(hu: Any, air: Flags, spacing: Any, voxel_ml: float) -> Flags:
    """Follow the trachea down from the head's end as far as it does not leak into the lungs."""
    from scipy import ndimage

    seed = _trachea(hu, air, spacing)
    if seed is None:
        return np.zeros_like(air)
    for threshold in LUMEN_HU:
        labels, _ = ndimage.label(air & (hu < threshold))
        if not labels[seed]:
            break
        part: Flags = labels == labels[seed]
        if np.count_nonzero(part) * voxel_ml < AIRWAYS_ML:
            return part
    return np.zeros_like(air)


def _trachea(hu: Any, air: Flags, spacing: Any) -> tuple[int, int, int] | None:
    """Return a voxel of the trachea: near the middle of the air below it, tube-like over 20 mm; or None."""
    from scipy import ndimage

    if not air.any():
        return None
    middle = float(np.median(np.nonzero(air.any(axis=(0, 1)))[0]))
    area = float(spacing[1] * spacing[2])
    n_planes = max(2, int(np.ceil(20 / spacing[0])))
    lumen = air & (hu < LUMEN_HU[0])
    for z in range(air.shape[0] - n_planes):
        if not lumen[z].any():
            continue
        labels, n = ndimage.label(lumen[z])
        sizes = np.bincount(labels.ravel())
        for part in range(1, n + 1):
            y, x = np.nonzero(labels == part)
            if not TRACHEA_MM2[0] <= sizes[part] * area <= TRACHEA_MM2[1]:
                continue
            cy, cx = int(np.median(y)), int(np.median(x))
            if abs(cx - middle) * spacing[2] < 50 and lumen[z : z + n_planes, cy, cx].mean() > 0.7:
                return z, cy, cx
    return None


def _refine(hu: Any, lungs: Flags, airways: Flags, steps: list[int]) -> Flags:
    """Return the mask on the full grid: the threshold at the border, vessels closed inside."""
    from scipy import ndimage

    mask = np.zeros(hu.shape, np.bool_)
    ball = ndimage.generate_binary_structure(3, 1)
    where = ndimage.find_objects(lungs.astype(np.uint8))[0]
    box = tuple(slice(max(s.start - 3, 0), s.stop + 3) for s in where)
    part, tubes = lungs[box], airways[box]
    padded = np.pad(part, 2)  # closing must not eat the rim
    closed = ndimage.binary_erosion(ndimage.binary_dilation(padded, ball, 2), ball, 2)
    core = ndimage.binary_erosion(closed, ball, 1)[2:-2, 2:-2, 2:-2] & ~tubes
    reach = ndimage.binary_dilation(part, ball, 1) & ~tubes
    starts = [s.start * k for s, k in zip(box, steps, strict=True)]
    stops = [min(s.stop * k, n) for s, k, n in zip(box, steps, hu.shape, strict=True)]
    full = tuple(slice(a, b) for a, b in zip(starts, stops, strict=True))
    y, x = (np.arange(b - a) // k for a, b, k in zip(starts[1:], stops[1:], steps[1:], strict=True))
    for z in range(starts[0], stops[0]):
        k = (z - starts[0]) // steps[0]
        if k < len(core) and reach[k].any():
            near, sure = reach[k][y][:, x], core[k][y][:, x]
            mask[z, full[1], full[2]] = (near & (hu[z, full[1], full[2]] < AIR_HU)) | sure
    return mask
