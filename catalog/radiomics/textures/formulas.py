"""Features of texture matrices; each function takes one matrix or a stack of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Reals = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]
    Features = dict[str, Any]

COARSEST: Final = 1e6  # coarseness of a region of one level (IBSI-1, 3.10.1)


def _entropy(p: Reals) -> Reals:
    """Entropy in bits over the last axis."""
    logs = np.log2(p, out=np.zeros_like(p), where=p > 0)
    entropy: Reals = -(p * logs).sum(axis=-1)
    return entropy


def pair_features(counts: Ints) -> Features:
    """Features of grey level co-occurrence matrices (IBSI-1, 3.6).

    Parameters
    ----------
    counts : numpy.ndarray
        Shape (m, n_levels, n_levels), directed counts, none of them all zero.

    Returns
    -------
    dict
        An array of m values per feature.
    """
    m, n = counts.shape[:2]
    both = (counts + counts.transpose(0, 2, 1)).astype(np.float64)
    p: Reals = both / both.sum(axis=(1, 2), keepdims=True)
    level = np.arange(1.0, n + 1)
    apart = np.abs(level[:, None] - level)
    together = (level[:, None] + level).astype(np.int64)
    flat = p.reshape(m, -1)
    marginal = p.sum(axis=2)
    mean = marginal @ level
    variance = (marginal * (level - mean[:, None]) ** 2).sum(axis=1)
    difference, sums = np.zeros((m, n)), np.zeros((m, 2 * n + 1))
    for i in range(m):
        difference[i] = np.bincount(apart.astype(np.int64).ravel(), flat[i], minlength=n)
        sums[i] = np.bincount(together.ravel(), flat[i], minlength=2 * n + 1)
    k, s = np.arange(float(n)), np.arange(2.0 * n + 1)
    difference_mean, sum_mean = difference @ k, sums @ s
    auto = flat @ np.outer(level, level).ravel()
    centred = s - 2 * mean[:, None]
    joint, single = _entropy(flat), _entropy(marginal)
    logs = np.log2(marginal, out=np.zeros_like(marginal), where=marginal > 0)
    first = -2 * (marginal * logs).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        correlation = np.where(variance > 0, (auto - mean**2) / variance, 1.0)
        information = np.where(single > 0, (joint - first) / single, np.nan)
    return {
        "joint_max": flat.max(axis=1),
        "joint_avg": mean,
        "joint_var": variance,
        "joint_entr": joint,
        "diff_avg": difference_mean,
        "diff_var": (difference * (k - difference_mean[:, None]) ** 2).sum(axis=1),
        "diff_entr": _entropy(difference),
        "sum_avg": sum_mean,
        "sum_var": (sums * (s - sum_mean[:, None]) ** 2).sum(axis=1),
        "sum_entr": _entropy(sums),
        "energy": (flat**2).sum(axis=1),
        "contrast": difference @ k**2,
        "dissimilarity": difference_mean,
        "inv_diff": difference @ (1 / (1 + k)),
        "inv_diff_norm": difference @ (1 / (1 + k / n)),
        "inv_diff_mom": difference @ (1 / (1 + k**2)),
        "inv_diff_mom_norm": difference @ (1 / (1 + (k / n) ** 2)),
        "inv_var": difference[:, 1:] @ (1 / k[1:] ** 2),
        "corr": correlation,
        "auto_corr": auto,
        "clust_tend": (sums * centred**2).sum(axis=1),
        "clust_shade": (sums * centred**3).sum(axis=1),
        "clust_prom": (sums * centred**4).sum(axis=1),
        "info_corr1": information,
        "info_corr2": np.sqrt(np.maximum(0.0, 1 - np.exp(-2 * (first - joint)))),
    }


EMPHASES: Final = ("short", "long", "low", "high", "short_low", "short_high", "long_low", "long_high")
OTHERS: Final = (
    *("level_nu", "level_nu_norm", "size_nu", "size_nu_norm"),
    *("percentage", "level_var", "size_var", "entropy", "energy"),
)


def size_features(level: Ints, size: Ints, counts: Ints, n_voxels: int) -> tuple[float, ...]:
    """Features of a matrix of levels and sizes: runs, zones, distances, dependences (IBSI-1, 3.7 to 3.11).

    Parameters
    ----------
    level, size, counts : numpy.ndarray
        The matrix's cells that are not zero.
    n_voxels : int
        Voxels that the matrix describes, once for each matrix that was merged into it.

    Returns
    -------
    tuple of float
        In the order of :data:`EMPHASES` and :data:`OTHERS`.
    """
    i, j, r = level.astype(np.float64), size.astype(np.float64), counts.astype(np.float64)
    n = r.sum()
    p = r / n
    by_level, by_size = np.bincount(level, r), np.bincount(size, r)
    level_mean, size_mean = p @ i, p @ j
    return (
        p @ j**-2,
        p @ j**2,
        p @ i**-2,
        p @ i**2,
        p @ (i**-2 * j**-2),
        p @ (i**2 * j**-2),
        p @ (i**-2 * j**2),
        p @ (i**2 * j**2),
        (by_level**2).sum() / n,
        (by_level**2).sum() / n**2,
        (by_size**2).sum() / n,
        (by_size**2).sum() / n**2,
        n / n_voxels,
        p @ (i - level_mean) ** 2,
        p @ (j - size_mean) ** 2,
        float(_entropy(p)),
        p @ p,
    )


def difference_features(around: Ints, sums: Ints) -> Features | None:
    """Features of a neighbourhood grey tone difference matrix (IBSI-1, 3.10), or None where it is empty.

    Parameters
    ----------
    around, sums : numpy.ndarray
        Of :func:`catalog.radiomics.textures.kernels.count_neighbours`; voxels without neighbours do
        not count.
    """
    n_neighbours = np.arange(around.shape[1], dtype=np.float64)
    counts = around[:, 1:].sum(axis=1)
    level = np.flatnonzero(counts)
    if not len(level):
        return None
    total = counts.sum()
    p = counts[level] / total
    s = (sums[level, 1:] / n_neighbours[1:]).sum(axis=1)
    i = level.astype(np.float64)
    apart = np.abs(i[:, None] - i)
    weighted, n = p @ s, len(level)
    unrest = np.abs((i * p)[:, None] - i * p).sum()
    contrast = (p[:, None] * p * apart**2).sum() / max(n * (n - 1), 1) * s.sum() / total
    shared = (p * s)[:, None] + p * s
    return {
        "coarseness": min(1 / weighted, COARSEST) if weighted > 0 else COARSEST,
        "contrast": contrast if n > 1 else 0.0,
        "busyness": weighted / unrest if n > 1 and unrest > 0 else 0.0,
        "complexity": (apart * shared / (p[:, None] + p)).sum() / total,
        "strength": ((p[:, None] + p) * apart**2).sum() / s.sum() if s.sum() > 0 else 0.0,
    }
