"""Bodies around a region: convex hull, greatest diameter, smallest oriented box, smallest ellipsoid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from catalog.kernel import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

_HALVES = np.array([(0.5, 0, 0), (-0.5, 0, 0), (0, 0.5, 0), (0, -0.5, 0), (0, 0, 0.5), (0, 0, -0.5)])
_ROTATIONS = 40  # starts of the search for the smallest box
_REFINED = 4  # of them, those that are followed
_FINEST = np.deg2rad(0.02)
_ELLIPSOID_TOLERANCE = 1e-4
_ELLIPSOID_STEPS = 20_000


@dataclass(frozen=True, slots=True)
class Hull:
    """Convex hull of a mask's mesh.

    Attributes
    ----------
    vertices_mm : float64 array (n, 3)
        Vertices (z, y, x), from the array's first voxel on.
    area_mm2, volume_mm3 : float
    """

    vertices_mm: NDArray[np.float64]
    area_mm2: float
    volume_mm3: float


def hull_of(
    padded: NDArray[np.uint8], ends: NDArray[np.int64], spacing_mm: tuple[float, float, float]
) -> Hull:
    """Convex hull of the mesh of a mask.

    Parameters
    ----------
    padded : uint8 array (z, y, x)
        The mask, with zeros around.
    ends : int64 array (n, 3)
        First and last voxel (z, y, x) of every row, ordered.
    spacing_mm : tuple of float
    """
    from scipy.spatial import ConvexHull

    keep = np.zeros(len(ends), np.uint8)
    _outer_of_slices(ends, np.zeros(len(ends) + 1, np.int64), keep)
    outer = ends[keep != 0]
    # vertices of the mesh lie half a voxel from a voxel of the mask, where its neighbour is none
    points = []
    for half in _HALVES:
        z, y, x = (outer + (2 * half).astype(np.int64)).T
        free = padded[z, y, x] == 0
        points.append((outer[free] + half) * spacing_mm)
    hull = ConvexHull(np.concatenate(points))
    return Hull(hull.points[hull.vertices], float(hull.area), float(hull.volume))


def greatest_distance(points_mm: NDArray[np.float64]) -> float:
    """Greatest distance between two of the points, in mm."""
    return float(np.sqrt(_greatest_square(np.ascontiguousarray(points_mm.T))))


def smallest_box(points_mm: NDArray[np.float64], axes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Edges, in mm, of a small oriented box around points: a local search from many rotations.

    Parameters
    ----------
    points_mm : float64 array (n, 3)
        Vertices of the convex hull.
    axes : float64 array (3, 3)
        Principal axes, in rows: one of the starts.

    Returns
    -------
    float64 array (3,)
        Edges, ascending. Its volume is never above that of the axis-aligned box.
    """
    from scipy.spatial.transform import Rotation

    grid = Rotation.random(_ROTATIONS, rng=np.random.default_rng(1)).as_matrix()
    columns = np.ascontiguousarray((points_mm - points_mm.mean(0)).T)
    volumes = np.array([np.prod(_extent(frame @ columns)) for frame in grid])
    starts = [np.eye(3), axes, *grid[np.argsort(volumes)[:_REFINED]]]
    smallest = _extent(columns)
    least = float(np.prod(smallest))
    frame, edges = np.empty((3, 3)), np.empty(3)
    for start in starts:
        frame[:] = start
        volume = _turn_to_smallest(columns, frame, np.empty((3, 3)), np.deg2rad(8), _FINEST, edges)
        if volume < least:
            least, smallest = volume, edges.copy()
    return np.sort(smallest)


def smallest_ellipsoid(points_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Semi-axes, in mm and ascending, of the ellipsoid of the least volume around points that span the space.

    Notes
    -----
    Khachiyan's ascent with steps away (Todd and Yildirim, Discrete Applied Mathematics 155, 2007).
    """
    lifted = np.hstack([points_mm - points_mm.mean(0), np.ones((len(points_mm), 1))])
    weights = np.zeros(len(points_mm))
    weights[_spread(points_mm)] = 1
    weights /= weights.sum()
    inverse = np.linalg.inv((lifted * weights[:, None]).T @ lifted)
    distances = np.einsum("ij,jk,ik->i", lifted, inverse, lifted)
    _ascend(np.ascontiguousarray(lifted), weights, inverse, distances, np.empty(4), _ELLIPSOID_TOLERANCE)
    centre = weights @ points_mm
    spread = ((points_mm - centre) * weights[:, None]).T @ (points_mm - centre) * 3
    largest = float(
        np.einsum("ij,ij->i", points_mm - centre, (points_mm - centre) @ np.linalg.inv(spread)).max()
    )
    axes: NDArray[np.float64] = np.sqrt(np.linalg.eigvalsh(spread) * largest)  # grown to hold every point
    return axes


def _extent(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Size of the axis-aligned box around points given as columns."""
    extent: NDArray[np.float64] = columns.max(1) - columns.min(1)
    return extent


def _spread(points: NDArray[np.float64]) -> list[int]:
    """Indices of points far out along three directions, each orthogonal to the spans so far."""
    chosen: list[int] = []
    left = np.eye(3)
    for _ in range(3):
        along = points @ left[:, 0]
        pair = [int(np.argmax(along)), int(np.argmin(along))]
        chosen += pair
        step = left.T @ (points[pair[0]] - points[pair[1]])
        q, _ = np.linalg.qr(np.column_stack([step, np.eye(len(step))]))
        left = left @ q[:, 1:]
    return sorted(set(chosen))


@kernel
def _outer_of_slices(ends: NDArray[np.int64], stack: NDArray[np.int64], keep: NDArray[np.uint8]) -> None:
    """Mark, slice by slice, the corners of the convex outline of the row ends (Andrew's monotone chain)."""
    n = len(ends)
    start = 0
    while start < n:
        stop = start
        while stop < n and ends[stop, 0] == ends[start, 0]:
            stop += 1
        for side in range(2):
            height = 0
            for q in range(start, stop):
                t = q if side == 0 else start + stop - 1 - q
                while height >= 2:
                    o, m = stack[height - 2], stack[height - 1]
                    left = (ends[m, 1] - ends[o, 1]) * (ends[t, 2] - ends[o, 2])
                    if left - (ends[m, 2] - ends[o, 2]) * (ends[t, 1] - ends[o, 1]) > 0:
                        break
                    height -= 1
                stack[height] = t
                height += 1
            for q in range(height):
                keep[stack[q]] = 1
        start = stop


@kernel
def _greatest_square(columns: NDArray[np.float64]) -> float:
    best = 0.0
    z, y, x = columns[0], columns[1], columns[2]
    for i in range(len(z)):
        for j in range(i):
            square = (z[i] - z[j]) ** 2 + (y[i] - y[j]) ** 2 + (x[i] - x[j]) ** 2
            best = max(best, square)
    return best


@kernel
def _box_volume(
    columns: NDArray[np.float64], frame: NDArray[np.float64], edges: NDArray[np.float64]
) -> float:
    volume = 1.0
    for axis in range(3):
        a, b, c = frame[axis, 0], frame[axis, 1], frame[axis, 2]
        low, high = np.inf, -np.inf
        for i in range(columns.shape[1]):
            along = a * columns[0, i] + b * columns[1, i] + c * columns[2, i]
            low, high = min(low, along), max(high, along)
        edges[axis] = high - low
        volume *= high - low
    return volume


@kernel
def _turn_to_smallest(
    columns: NDArray[np.float64],
    frame: NDArray[np.float64],
    trial: NDArray[np.float64],
    step: float,
    finest: float,
    edges: NDArray[np.float64],
) -> float:
    """Turn a frame about its own axes, by ever smaller steps, while the box around the points shrinks."""
    best = _box_volume(columns, frame, edges)
    while step > finest:
        better = False
        for axis in range(3):
            for sign in range(2):
                cosine, sine = np.cos(step), np.sin(step) * (1 - 2 * sign)
                p, q = (axis + 1) % 3, (axis + 2) % 3
                for k in range(3):
                    trial[axis, k] = frame[axis, k]
                    trial[p, k] = cosine * frame[p, k] + sine * frame[q, k]
                    trial[q, k] = cosine * frame[q, k] - sine * frame[p, k]
                volume = _box_volume(columns, trial, edges)
                if volume < best * (1 - 1e-12):
                    best, better = volume, True
                    for i in range(3):
                        for k in range(3):
                            frame[i, k] = trial[i, k]
        if not better:
            step /= 2
    return _box_volume(columns, frame, edges)


@kernel
def _ascend(
    lifted: NDArray[np.float64],
    weights: NDArray[np.float64],
    inverse: NDArray[np.float64],
    distances: NDArray[np.float64],
    row: NDArray[np.float64],
    tolerance: float,
) -> None:
    """Move weight to the farthest point or from the nearest with some, until all lie on one ellipsoid."""
    n, d = len(lifted), 4
    for _ in range(_ELLIPSOID_STEPS):
        far, near = 0, -1
        for i in range(n):
            if distances[i] > distances[far]:
                far = i
            if weights[i] > 0 and (near < 0 or distances[i] < distances[near]):
                near = i
        above, below = distances[far] / d - 1, 1 - distances[near] / d
        if max(above, below) < tolerance:
            break
        j = far if above >= below else near
        share = (distances[j] - d) / (d * (distances[j] - 1)) if distances[j] > 1 else -1e300
        if above < below:
            share = max(share, -weights[j] / (1 - weights[j]))
        for k in range(d):
            row[k] = 0.0
            for m in range(d):
                row[k] += inverse[k, m] * lifted[j, m]
        change = share / (1 - share + share * distances[j])
        for i in range(d):
            for k in range(d):
                inverse[i, k] = (inverse[i, k] - change * row[i] * row[k]) / (1 - share)
        for i in range(n):
            along = (
                lifted[i, 0] * row[0] + lifted[i, 1] * row[1] + lifted[i, 2] * row[2] + lifted[i, 3] * row[3]
            )
            distances[i] = (distances[i] - change * along * along) / (1 - share)
            weights[i] *= 1 - share
        weights[j] += share
        if weights[j] < 1e-15:
            weights[j] = 0.0
