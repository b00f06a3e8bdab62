"""The texture families: which matrices are merged or averaged, and what their features are called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from catalog.radiomics.textures import names
from catalog.radiomics.textures.cells import Cells, cells_of_codes, cells_of_sizes
from catalog.radiomics.textures.directed import (
    DensePairs,
    DenseRuns,
    Grid,
    LongRunError,
    SparsePairs,
    SparseRuns,
)
from catalog.radiomics.textures.formulas import difference_features, mean_of, pair_features, size_features
from catalog.radiomics.textures.general import count_neighbours
from catalog.radiomics.textures.neighbours import count_near
from catalog.radiomics.textures.zones import Zones, find_zones, measure_distance

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    import numpy.typing as npt

    from catalog.radiomics.settings import Settings
    from catalog.radiomics.textures.formulas import Reals
    from catalog.radiomics.textures.matrices import Matrices

    Ints = npt.NDArray[np.int64]
    Levels = npt.NDArray[Any]
    Values = dict[str, float | None]

NEAR = 28  # how many may be near a voxel, itself included, and none


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
        Families, distances, alpha. Distances count voxels, whatever their size (IBSI-1, 3.6).
    roi : numpy.ndarray, optional
        The morphological mask on the grid of `levels`, not 0 inside; distances of zones count in it.

    Returns
    -------
    dict of str to float or None
        Values by the names of :data:`catalog.radiomics.FEATURES`; None where no matrix of a feature has a
        cell (pairs of a single voxel), or all of them leave it undefined. Empty for a region without voxels.
    """
    grid = Grid.of(levels, n_levels)
    if not grid.voxels.any():
        return {}
    values: Values = {}
    families, wanted = set(settings.families), set(aggregations)
    if "glcm" in families:
        values |= _pairs(grid, wanted, settings.glcm_distance)
    if "glrlm" in families:
        values |= _runs(grid, wanted)
    dimensions = {name[: name.index("d") + 1] for name in wanted}
    if families & {"glszm", "gldzm"}:
        values |= _zones(grid, dimensions, families, roi)
    if families & {"ngtdm", "ngldm"}:
        values |= _neighbourhoods(grid, dimensions, families, settings)
    return values


def _pairs(grid: Grid, aggregations: set[str], distance: int) -> Values:
    """Grey level co-occurrence (IBSI-1, 3.6)."""
    source = DensePairs(grid) if grid.is_fast and distance == 1 else SparsePairs(grid, distance)
    rows = _aggregate(source, aggregations, lambda part: pair_features(part.cells, grid.n_levels))
    return _named("cm", names.PAIRS, rows)


def _runs(grid: Grid, aggregations: set[str]) -> Values:
    """Grey level run lengths (IBSI-1, 3.7)."""

    def features(part: Matrices) -> Reals:
        return size_features(part.cells, part.n_voxels)

    source = DenseRuns(grid) if grid.is_fast else SparseRuns(grid)
    try:
        rows = _aggregate(source, aggregations, features)
    except LongRunError:
        rows = _aggregate(SparseRuns(grid), aggregations, features)
    return _named("rlm", names.RUNS, rows)


def _aggregate(
    source: Any, aggregations: set[str], features: Callable[[Any], Reals]
) -> dict[str, list[Reals]]:
    """Give the features of the matrices of each aggregation, to be averaged (IBSI-1, 3.6 and 3.7)."""
    flat, deep = aggregations & {"2d_avg", "2d_s_mrg"}, aggregations & {"3d_avg", "3d_v_mrg"}
    rows: dict[str, list[Reals]] = {name: [] for name in aggregations}
    whole: Any = None
    for part in source.within(by_slice=bool(flat)):
        if "2d_avg" in flat:
            rows["2d_avg"].append(features(part))
        if "2d_s_mrg" in flat:
            rows["2d_s_mrg"].append(features(part.over_directions()))
        if aggregations != flat:
            whole = part.over_groups() if whole is None else whole.over_groups(part)
    if "2_5d_d_mrg" in aggregations:
        rows["2_5d_d_mrg"].append(features(whole))
    if "2_5d_v_mrg" in aggregations:
        rows["2_5d_v_mrg"].append(features(whole.over_directions()))
    if deep and whole is not None:
        whole = whole.beside(source.across())
        if "3d_avg" in deep:
            rows["3d_avg"].append(features(whole))
        if "3d_v_mrg" in deep:
            rows["3d_v_mrg"].append(features(whole.over_directions()))
    return rows


def _named(prefix: str, features: Sequence[str], rows: dict[str, list[Reals]]) -> Values:
    values: Values = {}
    for aggregation, tables in rows.items():
        means = mean_of(tables)
        values |= {f"{prefix}_{name}_{aggregation}": means[k] for k, name in enumerate(features)}
    return values


def _zones(grid: Grid, dimensions: set[str], families: set[str], roi: Levels | None) -> Values:
    """Grey level size zones and distance zones (IBSI-1, 3.8 and 3.9)."""
    values: Values = {}
    inside = grid if roi is None or "gldzm" not in families else Grid.of(roi, 1)
    for flat, wanted in ((False, dimensions & {"3d"}), (True, dimensions & {"2d", "2_5d"})):
        if not wanted:
            continue
        distance = None
        if "gldzm" in families:
            distance = measure_distance(inside.levels, inside.spans, flat=flat)
        zones = find_zones(grid.levels, grid.spans, grid.voxels, distance, flat=flat)
        if "glszm" in families:
            rows = _rows_of_zones(grid, zones, zones.size, wanted)
            values |= _named("szm", names.ZONES, rows)
        if "gldzm" in families:
            rows = _rows_of_zones(grid, zones, zones.distance, wanted)
            values |= _named("dzm", names.DISTANCES, rows)
    return values


def _rows_of_zones(grid: Grid, zones: Zones, measure: Ints, wanted: set[str]) -> dict[str, list[Reals]]:
    """Give the features of zones by level and size or distance, by slice in two dimensions."""
    n_rows = grid.n_levels + 1
    codes = measure * n_rows + zones.level
    rows = {}
    for dimension in wanted:
        if dimension == "2d":
            ends = np.searchsorted(zones.slice, np.arange(1, len(grid.voxels)))
            cells, voxels = cells_of_codes(np.split(codes, ends), n_rows), grid.voxels
        else:
            cells, voxels = cells_of_codes([codes], n_rows), grid.voxels.sum(keepdims=True)
        rows[dimension] = [size_features(cells, voxels)]
    return rows


class _Near(NamedTuple):
    """Tables of slices or of the whole region, shape (m, neighbours, n_levels + 1)."""

    alike: Ints
    around: Ints
    sums: Ints


def _neighbourhoods(grid: Grid, dimensions: set[str], families: set[str], settings: Settings) -> Values:
    """Neighbourhood grey tone differences and grey level dependences (IBSI-1, 3.10 and 3.11)."""
    values: Values = {}
    alpha, tone, dependence = settings.ngldm_alpha, settings.ngtdm_distance, settings.ngldm_distance
    rounds: dict[int, set[str]] = {}
    for family, reach in (("ngtdm", tone), ("ngldm", dependence)):
        if family in families:
            rounds.setdefault(reach, set()).add(family)
    for reach, members in rounds.items():
        for flat, wanted in ((False, dimensions & {"3d"}), (True, dimensions & {"2d", "2_5d"})):
            if not wanted:
                continue
            differences: dict[str, list[Reals]] = {name: [] for name in wanted}
            dependences: dict[str, list[Reals]] = {name: [] for name in wanted}
            for dimension, part in _near(grid, reach, alpha, wanted, flat=flat):
                if "ngtdm" in members:
                    differences[dimension].append(difference_features(part.around, part.sums))
                if "ngldm" in members:
                    dependences[dimension].append(_dependences(part.alike))
            if "ngtdm" in members:
                values |= _named("ngt", names.DIFFERENCES, differences)
            if "ngldm" in members:
                values |= _named("ngl", names.DEPENDENCES, dependences)
    return values


def _dependences(alike: Ints) -> Reals:
    cells: Cells = cells_of_sizes(alike.reshape(len(alike), -1), alike.shape[2])
    return size_features(cells, alike[:, :, 1:].sum(axis=(1, 2)))


def _near(
    grid: Grid, reach: int, alpha: float, wanted: set[str], *, flat: bool
) -> Iterator[tuple[str, _Near]]:
    """Give tables by dimension: of slices for 2D, of the whole region otherwise."""
    count = _count_near if grid.is_fast and reach == 1 and alpha < 1 else _count_far
    total = None
    for part in count(grid, reach, alpha, flat=flat, by_slice="2d" in wanted):
        if "2d" in wanted:
            yield "2d", part
        whole = _Near(*(table.sum(axis=0, keepdims=True) for table in part))
        total = whole if total is None else _Near(*(a + b for a, b in zip(total, whole, strict=True)))
    if total is not None:
        for dimension in wanted - {"2d"}:
            yield dimension, total


def _count_near(grid: Grid, _reach: int, _alpha: float, *, flat: bool, by_slice: bool) -> Iterator[_Near]:
    n_rows, width = grid.n_levels + 1, grid.levels.shape[2]
    for first, last, n in grid.chunks(3 * NEAR * n_rows, by_slice=by_slice):
        tables = _Near(*(np.zeros((n, NEAR, n_rows), np.int64) for _ in range(3)))
        sums, marks = np.zeros((2, width), np.uint16), np.zeros((3, width), np.uint8)
        count_near(grid.levels, grid.spans, first, last, flat, sums, marks, *tables)
        yield tables


def _count_far(grid: Grid, reach: int, alpha: float, *, flat: bool, by_slice: bool) -> Iterator[_Near]:
    for part in np.split(grid.levels, len(grid.levels)) if by_slice else [grid.levels]:
        tables = count_neighbours(part, grid.n_levels, reach, float(alpha), flat)
        yield _Near(*(table[np.newaxis] for table in tables))
