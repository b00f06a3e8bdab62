"""The texture families: which matrices they merge or average, and the names of their features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from catalog.radiomics.textures.formulas import difference_features, pair_features, size_features
from catalog.radiomics.textures.kernels import (
    count_neighbours,
    count_pairs,
    count_runs,
    find_zones,
    measure_distance,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    import numpy.typing as npt

    from catalog.radiomics.settings import Settings

    Ints = npt.NDArray[np.int64]
    Levels = npt.NDArray[Any]
    Values = dict[str, float | None]
    Cells = tuple[Ints, Ints, Ints, int]  # levels, sizes, counts, voxels

# A direction and its opposite count as one: these come before a voxel.
OFFSETS_3D: Final = np.array(
    [(z, y, x) for z in (-1, 0) for y in (-1, 0, 1) for x in (-1, 0, 1) if (z, y, x) < (0, 0, 0)], np.int64
)
OFFSETS_2D: Final = OFFSETS_3D[OFFSETS_3D[:, 0] == 0]
RUNS: Final = (
    *("sre", "lre", "lgre", "hgre", "srlge", "srhge", "lrlge", "lrhge", "glnu", "glnu_norm"),
    *("rlnu", "rlnu_norm", "r_perc", "gl_var", "rl_var", "rl_entr"),
)
ZONES: Final = (
    *("sze", "lze", "lgze", "hgze", "szlge", "szhge", "lzlge", "lzhge", "glnu", "glnu_norm"),
    *("zsnu", "zsnu_norm", "z_perc", "gl_var", "zs_var", "zs_entr"),
)
DISTANCES: Final = (
    *("sde", "lde", "lgze", "hgze", "sdlge", "sdhge", "ldlge", "ldhge", "glnu", "glnu_norm"),
    *("zdnu", "zdnu_norm", "z_perc", "gl_var", "zd_var", "zd_entr"),
)
DEPENDENCES: Final = (
    *("lde", "hde", "lgce", "hgce", "ldlge", "ldhge", "hdlge", "hdhge", "glnu", "glnu_norm"),
    *("dcnu", "dcnu_norm", "dc_perc", "gl_var", "dc_var", "dc_entr", "dc_energy"),
)


def texture_features(
    levels: Levels,
    n_levels: int,
    aggregations: Collection[str],
    settings: Settings,
    *,
    roi: Levels | None = None,
) -> Values:
    """Compute the features of all texture matrices that the settings ask for.

    Parameters
    ----------
    levels : numpy.ndarray
        uint8 or uint16, shape (z, y, x), padded by one voxel; grey levels from 1, 0 outside.
    n_levels : int
        Number of grey levels.
    aggregations : collection of str
        Of :data:`catalog.radiomics.settings.AGGREGATIONS`.
    settings : Settings
        Families, distances, alpha.
    roi : numpy.ndarray, optional
        The morphological mask on the grid of `levels`; distances of zones count in it.

    Returns
    -------
    dict
        Values by the names of :data:`catalog.radiomics.FEATURES`; None where a matrix is empty.
    """
    if not levels.any():
        return {}
    values: Values = {}
    inside = levels if roi is None else roi
    dimensions = {a[: a.index("d") + 1] for a in aggregations}
    families = set(settings.families)
    if "glcm" in families:
        values |= _pairs(levels, n_levels, set(aggregations), settings.glcm_distance)
    if "glrlm" in families:
        values |= _runs(levels, n_levels, set(aggregations))
    if families & {"glszm", "gldzm"}:
        values |= _zones(levels, inside, dimensions, families)
    if families & {"ngtdm", "ngldm"}:
        values |= _neighbourhoods(levels, n_levels, dimensions, settings)
    return values


def _slices(levels: Levels, pad: int = 1) -> Iterable[Levels]:
    """Give each slice that holds voxels as a padded volume of its own."""
    for z in range(pad, levels.shape[0] - pad):
        if levels[z].any():
            alone = np.zeros((2 * pad + 1, *levels.shape[1:]), levels.dtype)
            alone[pad] = levels[z]
            yield alone


def _widened(levels: Levels, pad: int) -> Levels:
    return levels if pad <= 1 else np.pad(levels, pad - 1)


def _mean_by(count: Callable[[Ints], Any], groups: Iterable[Ints]) -> dict[str, float] | None:
    """Average the features of matrices (m, i, j); those that are empty do not count."""
    total: dict[str, float] = {}
    n = 0
    for group in groups:
        filled = group[group.sum(axis=(1, 2)) > 0]
        if not len(filled):
            continue
        for name, each in count(filled).items():
            total[name] = total.get(name, 0.0) + float(np.sum(each))
        n += len(filled)
    return {name: value / n for name, value in total.items()} if n else None


def _pairs(levels: Levels, n_levels: int, aggregations: set[str], distance: int) -> Values:
    """Grey level co-occurrence (IBSI-1, 3.6)."""
    wide = _widened(levels, distance)

    def counted(part: Levels, offsets: Ints) -> Ints:
        return count_pairs(part, n_levels, offsets * distance, distance)[:, 1:, 1:]

    found: dict[str, dict[str, float] | None] = {}
    if aggregations & {"3d_avg", "3d_v_mrg"}:
        whole = counted(wide, OFFSETS_3D)
        found["3d_avg"] = _mean_by(pair_features, [whole])
        found["3d_v_mrg"] = _mean_by(pair_features, [whole.sum(axis=0, keepdims=True)])
    if any(a.startswith("2") for a in aggregations):
        by_slice = [counted(part, OFFSETS_2D) for part in _slices(wide, distance)]
        merged = np.sum(by_slice, axis=0)
        found["2d_avg"] = _mean_by(pair_features, by_slice)
        found["2d_s_mrg"] = _mean_by(pair_features, [m.sum(axis=0, keepdims=True) for m in by_slice])
        found["2_5d_d_mrg"] = _mean_by(pair_features, [merged])
        found["2_5d_v_mrg"] = _mean_by(pair_features, [merged.sum(axis=0, keepdims=True)])
    return {f"cm_{name}_{a}": value for a in aggregations for name, value in (found.get(a) or {}).items()}


def _cells(matrix: Ints, n_voxels: int) -> Cells:
    level, size = np.nonzero(matrix)
    return level, size, matrix[level, size], n_voxels


def _mean_of(names: Sequence[str], matrices: Iterable[Cells]) -> dict[str, float]:
    """Average the features of matrices of levels and sizes; those that are empty do not count."""
    rows = [size_features(*cells) for cells in matrices if len(cells[0])]
    if not rows:
        return {}
    return dict(zip(names, np.mean(rows, axis=0).tolist(), strict=False))


def _runs(levels: Levels, n_levels: int, aggregations: set[str]) -> Values:
    """Grey level run lengths (IBSI-1, 3.7)."""
    longest = max(levels.shape)
    found: dict[str, dict[str, float]] = {}
    n = int(np.count_nonzero(levels))
    if aggregations & {"3d_avg", "3d_v_mrg"}:
        whole = _inside(count_runs(levels, n_levels, OFFSETS_3D, longest))
        found["3d_avg"] = _mean_of(RUNS, [_cells(m, n) for m in whole])
        found["3d_v_mrg"] = _mean_of(RUNS, [_cells(whole.sum(axis=0), n * len(whole))])
    if any(a.startswith("2") for a in aggregations):
        parts = [
            (_inside(count_runs(p, n_levels, OFFSETS_2D, longest)), int(np.count_nonzero(p)))
            for p in _slices(levels)
        ]
        merged = np.sum([m for m, _ in parts], axis=0)
        found["2d_avg"] = _mean_of(RUNS, [_cells(m, k) for part, k in parts for m in part])
        found["2d_s_mrg"] = _mean_of(RUNS, [_cells(part.sum(axis=0), 4 * k) for part, k in parts])
        found["2_5d_d_mrg"] = _mean_of(RUNS, [_cells(m, n) for m in merged])
        found["2_5d_v_mrg"] = _mean_of(RUNS, [_cells(merged.sum(axis=0), 4 * n)])
    return {f"rlm_{name}_{a}": value for a in aggregations for name, value in found.get(a, {}).items()}


def _inside(counts: Ints) -> Ints:
    """Leave out runs outside of the region."""
    counts[:, 0], counts[:, :, 0] = 0, 0
    return counts


def _zones(levels: Levels, roi: Levels, dimensions: set[str], families: set[str]) -> Values:
    """Grey level size zones and distance zones (IBSI-1, 3.8 and 3.9)."""
    values: Values = {}
    n = int(np.count_nonzero(levels))
    per_slice = np.count_nonzero(levels, axis=(1, 2))
    for flat, wanted in ((False, dimensions & {"3d"}), (True, dimensions & {"2d", "2_5d"})):
        if not wanted:
            continue
        level, size, distance, at = find_zones(
            levels, measure_distance(roi, flat=flat), OFFSETS_2D if flat else OFFSETS_3D
        )
        for family, names, measure in (("szm", ZONES, size), ("dzm", DISTANCES, distance)):
            if f"gl{family}" not in families:
                continue
            for dimension in wanted:
                groups = [(at == z, int(per_slice[z])) for z in np.unique(at)]
                chosen = groups if dimension == "2d" else [(np.ones(len(at), np.bool_), n)]
                rows = [_tally(level[these], measure[these], k) for these, k in chosen]
                mean = _mean_of(names, rows)
                values |= {f"{family}_{name}_{dimension}": value for name, value in mean.items()}
    return values


def _tally(level: Ints, size: Ints, n_voxels: int) -> Cells:
    """Count zones of the same level and size."""
    width = int(size.max()) + 1
    code, counts = np.unique(level * width + size, return_counts=True)
    return code // width, code % width, counts, n_voxels


def _neighbourhoods(levels: Levels, n_levels: int, dimensions: set[str], settings: Settings) -> Values:
    """Neighbourhood grey tone differences and grey level dependences (IBSI-1, 3.10 and 3.11)."""
    values: Values = {}
    wanted = {"ngtdm": settings.ngtdm_distance, "ngldm": settings.ngldm_distance}
    wanted = {family: reach for family, reach in wanted.items() if family in settings.families}
    for reach in sorted(set(wanted.values())):  # one pass for both where they look equally far
        families = [family for family, own in wanted.items() if own == reach]
        wide = _widened(levels, reach)
        parts: dict[str, list[tuple[Ints, ...]]] = {}
        if "3d" in dimensions:
            parts["3d"] = [count_neighbours(wide, n_levels, reach, settings.ngldm_alpha, flat=False)]
        if dimensions & {"2d", "2_5d"}:
            parts["2d"] = [
                count_neighbours(p, n_levels, reach, settings.ngldm_alpha, flat=True)
                for p in _slices(wide, reach)
            ]
            parts["2_5d"] = [tuple(np.sum(t, axis=0) for t in zip(*parts["2d"], strict=True))]
        for dimension in dimensions & set(parts):
            for family in families:
                summary = _differences if family == "ngtdm" else _dependences
                values |= summary(parts[dimension], dimension)
    return values


def _differences(parts: Sequence[tuple[Ints, ...]], dimension: str) -> Values:
    rows = [row for row in (difference_features(around, sums) for _, around, sums in parts) if row]
    names = rows[0] if rows else ()
    return {f"ngt_{name}_{dimension}": float(np.mean([row[name] for row in rows])) for name in names}


def _dependences(parts: Sequence[tuple[Ints, ...]], dimension: str) -> Values:
    mean = _mean_of(DEPENDENCES, [_cells(alike, int(alike.sum())) for alike, _, _ in parts])
    return {f"ngl_{name}_{dimension}": value for name, value in mean.items()}
