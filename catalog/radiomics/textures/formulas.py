"""Features of texture matrices, for many matrices at once (IBSI-1, sections 3.6 to 3.11).

Each function returns one row per matrix, in the order of :mod:`catalog.radiomics.textures.names`; NaN stands
for a value that is not defined, and a matrix without cells is a row of it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from catalog.kernel import kernel
from catalog.radiomics.textures.names import DEPENDENCES, DIFFERENCES, PAIRS

if TYPE_CHECKING:
    import numpy.typing as npt

    from catalog.radiomics.textures.cells import Cells

    Reals = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]
    Counts = npt.NDArray[Any]

COARSEST: Final = 1e6  # coarseness of a region without differences (IBSI-1, 3.10.1)


def pair_features(cells: Cells, n_levels: int) -> Reals:
    """Features of grey level co-occurrence matrices (IBSI-1, 3.6).

    Parameters
    ----------
    cells : Cells
        Cells on and above the diagonal of the symmetric matrices.
    n_levels : int
        Number of grey levels of the discretisation.

    Returns
    -------
    numpy.ndarray
        Shape (m, 25). Where all pairs are of one level, correlation is 1 by convention and the first
        information correlation, 0 / 0, is not defined.
    """
    m = len(cells.starts) - 1
    features, scratch = np.full((m, len(PAIRS)), np.nan), np.zeros((3, 2 * n_levels + 2))
    _pair_features(*cells, n_levels, scratch, features)
    return features


def size_features(cells: Cells, n_voxels: Ints) -> Reals:
    """Features of matrices of levels and sizes: runs, zones, distances, dependences (IBSI-1, 3.7 to 3.11).

    Parameters
    ----------
    cells : Cells
        Rows are levels, columns sizes.
    n_voxels : numpy.ndarray
        Shape (m,): voxels that a matrix describes, once for each matrix that was merged into it.

    Returns
    -------
    numpy.ndarray
        Shape (m, 17); the last feature, the energy of the matrix, is only used of dependences.
    """
    m = len(cells.starts) - 1
    features = np.full((m, len(DEPENDENCES)), np.nan)
    by_level = np.zeros(int(cells.row.max(initial=0)) + 1)
    _size_features(*cells, n_voxels, by_level, features)
    return features


def difference_features(around: Counts, sums: Counts) -> Reals:
    """Features of neighbourhood grey tone difference matrices (IBSI-1, 3.10).

    Parameters
    ----------
    around, sums : numpy.ndarray
        Shape (m, neighbours, levels): voxels by number of neighbours, and their sums of
        ``|level * neighbours - sum of neighbours|``. Voxels without neighbours do not count.

    Returns
    -------
    numpy.ndarray
        Shape (m, 5). Contrast and busyness of one level and strength without differences are 0.
    """
    features, scratch = np.full((len(around), len(DIFFERENCES)), np.nan), np.zeros((3, around.shape[2]))
    _difference_features(around, sums, scratch, features)
    return features


def mean_of(rows: list[Reals]) -> list[float | None]:
    """Average the matrices' features, each over the matrices for which it is defined."""
    table = rows[0] if len(rows) == 1 else np.concatenate(rows)
    if len(table) == 1:
        return [None if math.isnan(value) else value for value in table[0].tolist()]
    known = ~np.isnan(table)
    n = known.sum(axis=0)
    total = np.where(known, table, 0.0).sum(axis=0)
    return [total[k] / n[k] if n[k] else None for k in range(table.shape[1])]


@kernel
def _bits(p: float) -> float:
    return -p * math.log2(p)


@kernel
def _pair_features(
    starts: Ints, row: Ints, column: Ints, count: Ints, n_levels: int, scratch: Reals, features: Reals
) -> None:
    single, apart, together = scratch[0], scratch[1], scratch[2]
    for k in range(len(starts) - 1):
        first, last = starts[k], starts[k + 1]
        if first == last:
            continue
        scratch[:, :] = 0.0
        total = 0
        for c in range(first, last):
            total += count[c] if row[c] == column[c] else 2 * count[c]
        greatest, joint, energy, auto = 0.0, 0.0, 0.0, 0.0
        for c in range(first, last):
            i, j, p = row[c], column[c], count[c] / total
            greatest = max(greatest, p)
            single[i] += p
            times = 1.0
            if i != j:
                single[j] += p
                times = 2.0
            apart[j - i] += times * p
            together[i + j] += times * p
            joint += times * _bits(p)
            energy += times * p * p
            auto += times * p * i * j
        out = features[k]
        out[0], out[3], out[10], out[19] = greatest, joint, energy, auto
        _of_levels(single, n_levels, out)
        _of_differences(apart, n_levels, out)
        _of_sums(together, n_levels, out)


@kernel
def _of_levels(single: Reals, n_levels: int, out: Reals) -> None:
    """Features that need the distribution of single levels."""
    mean, entropy, variance = 0.0, 0.0, 0.0
    for i in range(1, n_levels + 1):
        if single[i] > 0:
            mean += i * single[i]
            entropy += _bits(single[i])
    for i in range(1, n_levels + 1):
        variance += single[i] * (i - mean) ** 2
    out[1], out[2] = mean, variance
    mixed = 2 * entropy  # joint entropy if neighbours were independent
    if entropy > 0:
        out[18] = (out[19] - mean * mean) / variance
        out[23] = (out[3] - mixed) / entropy
    else:
        out[18] = 1.0
    out[24] = math.sqrt(max(0.0, 1 - math.exp(-2 * (mixed - out[3]))))


@kernel
def _of_differences(apart: Reals, n_levels: int, out: Reals) -> None:
    """Features of the distribution of differences."""
    mean, entropy, variance, contrast = 0.0, 0.0, 0.0, 0.0
    inverse, inverse_part, moment, moment_part, inverse_variance = 0.0, 0.0, 0.0, 0.0, 0.0
    for d in range(n_levels):
        p = apart[d]
        if p > 0:
            square, part = float(d * d), d / n_levels
            mean += d * p
            contrast += square * p
            entropy += _bits(p)
            inverse += p / (1 + d)
            inverse_part += p / (1 + part)
            moment += p / (1 + square)
            moment_part += p / (1 + part * part)
            if d > 0:
                inverse_variance += p / square
    for d in range(n_levels):
        variance += apart[d] * (d - mean) ** 2
    out[4], out[5], out[6], out[11], out[12] = mean, variance, entropy, contrast, mean
    out[13], out[14], out[15], out[16], out[17] = inverse, inverse_part, moment, moment_part, inverse_variance


@kernel
def _of_sums(together: Reals, n_levels: int, out: Reals) -> None:
    """Features of the distribution of sums; `out` holds the mean of single levels."""
    mean, entropy, variance, tendency, shade, prominence = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for s in range(2, 2 * n_levels + 1):
        p = together[s]
        if p > 0:
            mean += s * p
            entropy += _bits(p)
    for s in range(2, 2 * n_levels + 1):
        p, centred = together[s], s - 2 * out[1]
        variance += p * (s - mean) ** 2
        tendency += p * centred**2
        shade += p * centred**3
        prominence += p * centred**4
    out[7], out[8], out[9] = mean, variance, entropy
    out[20], out[21], out[22] = tendency, shade, prominence


@kernel
def _size_features(
    starts: Ints, row: Ints, column: Ints, count: Ints, n_voxels: Ints, by_level: Reals, features: Reals
) -> None:
    for k in range(len(starts) - 1):
        first, last = starts[k], starts[k + 1]
        if first == last:
            continue
        by_level[:] = 0.0
        total = 0
        for c in range(first, last):
            total += count[c]
        short, long, low, high, short_low, short_high, long_low, long_high = (0.0,) * 8
        level_mean, size_mean, entropy, energy, size_squares, of_size = (0.0,) * 6
        for c in range(first, last):
            i, j, p = float(row[c]), float(column[c]), count[c] / total
            ii, jj = i * i, j * j
            short += p / jj
            long += p * jj
            low += p / ii
            high += p * ii
            short_low += p / ii / jj
            short_high += p * ii / jj
            long_low += p * jj / ii
            long_high += p * ii * jj
            level_mean += p * i
            size_mean += p * j
            entropy += _bits(p)
            energy += p * p
            by_level[row[c]] += p
            of_size += p
            if c + 1 == last or column[c + 1] != column[c]:  # cells of one size follow one another
                size_squares += of_size * of_size
                of_size = 0.0
        level_variance, size_variance, level_squares = 0.0, 0.0, 0.0
        for c in range(first, last):
            level_variance += count[c] / total * (row[c] - level_mean) ** 2
            size_variance += count[c] / total * (column[c] - size_mean) ** 2
        for p in by_level:
            level_squares += p * p
        out = features[k]
        out[0], out[1], out[2], out[3] = short, long, low, high
        out[4], out[5], out[6], out[7] = short_low, short_high, long_low, long_high
        out[8], out[9] = level_squares * total, level_squares
        out[10], out[11] = size_squares * total, size_squares
        out[12], out[13], out[14] = total / n_voxels[k], level_variance, size_variance
        out[15], out[16] = entropy, energy


@kernel
def _difference_features(around: Counts, sums: Counts, scratch: Reals, features: Reals) -> None:
    level, part, differences = scratch[0], scratch[1], scratch[2]
    for k in range(around.shape[0]):
        total, n = 0, 0
        for i in range(1, around.shape[2]):
            voxels, difference = 0, 0.0
            for j in range(1, around.shape[1]):
                voxels += around[k, j, i]
                difference += sums[k, j, i] / j
            if voxels > 0:
                level[n], part[n], differences[n] = i, voxels, difference
                total += voxels
                n += 1
        if n == 0:
            continue
        weighted, unrest, contrast, complexity, strength, all_differences = (0.0,) * 6
        for a in range(n):
            part[a] /= total
            weighted += part[a] * differences[a]
            all_differences += differences[a]
        for a in range(n):
            for b in range(a):
                p, q, apart = part[a], part[b], level[a] - level[b]
                contrast += 2 * p * q * apart * apart
                unrest += 2 * abs(level[a] * p - level[b] * q)
                complexity += 2 * apart * (p * differences[a] + q * differences[b]) / (p + q)
                strength += 2 * (p + q) * apart * apart
        out = features[k]
        out[0] = min(1 / weighted, COARSEST) if weighted > 0 else COARSEST
        out[1] = contrast / (n * (n - 1)) * all_differences / total if n > 1 else 0.0
        out[2] = weighted / unrest if unrest > 0 else 0.0
        out[3] = complexity / total
        out[4] = strength / all_differences if all_differences > 0 else 0.0
