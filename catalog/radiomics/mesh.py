"""Area and volume of the triangle mesh around a mask, from how often each of the 256 cube cases occurs.

The vertices of a mask's mesh lie on the middles of voxel edges, so a case has one shape wherever it stands.
The table of triangles is derived, not stored: on every face of the cube, segments cut outside corners off
inside ones (two inside corners across a face's diagonal are joined, seen from either cube alike: the mesh is
closed), segments join to loops, and each loop is split into the triangles of the greatest area, as the
tables behind the consensus values do.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from catalog.kernel import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

Point = tuple[float, float, float]

# corner k of a cube lies at (z, y, x) = (k >> 2 & 1, k >> 1 & 1, k & 1)
_CORNERS = np.array([(k >> 2 & 1, k >> 1 & 1, k & 1) for k in range(8)], np.float64)
# corners around each face, in such an order that the triangles' normals point out of the mask
_FACES = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))


class Mesh(NamedTuple):
    """Measures of a closed mesh."""

    area_mm2: float
    volume_mm3: float


def mesh_of(padded: NDArray[np.uint8], spacing_mm: tuple[float, float, float]) -> Mesh:
    """Measure the mesh of a mask.

    Parameters
    ----------
    padded : uint8 array (z, y, x)
        The mask (0 and 1), with at least one voxel of zeros on every side.
    spacing_mm : tuple of float
        Voxel spacing (z, y, x).

    Returns
    -------
    Mesh
        Surface area in mm² and volume in mm³, as by marching cubes at the level 0.5.

    Notes
    -----
    IBSI reference manual, "Mesh-based representation".
    """
    counts = np.zeros((256, 4), np.int64)
    _count_cases(padded, np.zeros((2, padded.shape[2]), np.uint8), counts)
    areas, normals, cones = _measures(tuple(float(s) for s in spacing_mm))
    area = float(counts[:, 0] @ areas)
    places = counts[:, 1:] * np.asarray(spacing_mm)
    return Mesh(area, float(counts[:, 0] @ cones + (places * normals).sum() / 3))


@lru_cache(maxsize=64)
def _measures(
    spacing_mm: tuple[float, ...],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Area, sum of the triangles' normals and volume of their cones from the cube's corner, of each case."""
    case, triangles = _triangles()
    corners = triangles * np.asarray(spacing_mm)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]) / 2
    areas, sums, cones = np.zeros(256), np.zeros((256, 3)), np.zeros(256)
    np.add.at(areas, case, np.linalg.norm(normals, axis=1))
    np.add.at(sums, case, normals)
    np.add.at(cones, case, (corners[:, 0] * normals).sum(1) / 3)
    return areas, sums, cones


@cache
def _triangles() -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Every triangle of the 256 cases: its case and its corners in voxels, outward by the right hand."""
    found = [
        (case, triangle) for case in range(256) for loop in _loops(case) for triangle in _split(tuple(loop))
    ]
    return np.array([case for case, _ in found], np.int64), np.array([corners for _, corners in found])


def _loops(case: int) -> list[list[Point]]:
    """Closed polygons of a case, through the middles of the cube's edges."""
    after: dict[Point, Point] = {}
    for face in _FACES:
        inside = [case >> corner & 1 for corner in face]
        ends = [i for i in range(4) if inside[i] and not inside[(i + 1) % 4]]
        for i in ends:  # where the border leaves the inside; through outside corners to where it enters again
            entry = next(j % 4 for j in range(i + 1, i + 4) if inside[(j + 1) % 4] and not inside[j % 4])
            after[_middle(face[entry], face[(entry + 1) % 4])] = _middle(face[i], face[(i + 1) % 4])
    loops = []
    while after:
        first, point = after.popitem()
        loop = [first]
        while point != first:
            loop.append(point)
            point = after.pop(point)
        loops.append(loop)
    return loops


def _middle(a: int, b: int) -> Point:
    """Middle of the edge between two corners."""
    z, y, x = (_CORNERS[a] + _CORNERS[b]) / 2
    return (float(z), float(y), float(x))


@cache
def _split(loop: tuple[Point, ...]) -> tuple[tuple[Point, Point, Point], ...]:
    """Triangles that fill a loop and have the greatest area; of equal ones, those that hold most."""
    if len(loop) < 3:
        return ()
    first, last = loop[0], loop[-1]
    choices = [
        ((first, loop[k], last), *_split(loop[: k + 1]), *_split(loop[k:])) for k in range(1, len(loop) - 1)
    ]
    return min(choices, key=lambda triangles: _rank(np.array(triangles)))


def _rank(triangles: NDArray[np.float64]) -> tuple[float, float]:
    """Negative area, then the negative volume, rounded so that equal ones are equal."""
    normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]) / 2
    volume = (triangles[:, 0] * normals).sum() / 3
    return -round(float(np.linalg.norm(normals, axis=1).sum()), 9), -round(float(volume), 9)


@kernel
def _count_cases(padded: NDArray[np.uint8], line: NDArray[np.uint8], counts: NDArray[np.int64]) -> None:
    """Count the cases and add up where they stand; cubes wholly inside or outside make no surface."""
    columns, cases = line[0], line[1]
    nz, ny, nx = padded.shape
    for z in range(nz - 1):
        for y in range(ny - 1):
            a, b, c, d = padded[z, y], padded[z, y + 1], padded[z + 1, y], padded[z + 1, y + 1]
            some = np.uint8(0)
            for x in range(nx):
                column = a[x] | (b[x] << np.uint8(2)) | (c[x] << np.uint8(4)) | (d[x] << np.uint8(6))
                columns[x] = np.uint8(column)
                some |= np.uint8(column)
            if some == 0:
                continue
            for x in range(nx - 1):
                cases[x] = np.uint8(columns[x] | (columns[x + 1] << np.uint8(1)))
            for x in range(nx - 1):
                case = cases[x]
                if np.uint8(case - np.uint8(1)) < np.uint8(254):
                    counts[case, 0] += 1
                    counts[case, 1] += z
                    counts[case, 2] += y
                    counts[case, 3] += x
