"""A chest made of simple shapes: body, spine, heart, two lungs with vessels, airways and a nodule.

Coordinates are DICOM's: LPS millimetres, x to the patient's left, y to the back, z to the head. Every shape
has a formula, so volumes, masks and contours of a synthetic study have a known truth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Point = tuple[float, float, float]
Labels = NDArray[np.uint8]
Floats = NDArray[np.float32]

OUTSIDE: Final = 0
SOFT_TISSUE: Final = 1
BONE: Final = 2
HEART: Final = 3
LUNG: Final = 4
VESSEL: Final = 5
AIRWAY_WALL: Final = 6
AIRWAY: Final = 7
NODULE: Final = 8
TABLE: Final = 9

# One value per label: Hounsfield units, T1 signal, standardised uptake.
HOUNSFIELD: Final = np.array([-1000, 30, 400, 45, -850, 60, 20, -1000, 40, -300], dtype=np.float32)
T1_SIGNAL: Final = np.array([0, 260, 180, 320, 20, 90, 240, 0, 300, 0], dtype=np.float32)
UPTAKE_SUV: Final = np.array([0, 1, 0.8, 3, 0.4, 1.2, 0.8, 0, 8, 0], dtype=np.float32)

BODY_MM: Final = (165.0, 110.0)
LUNG_X_MM: Final = 75.0


@dataclass(frozen=True, slots=True)
class Grid:
    """Centres of the voxels of an axial volume.

    Attributes
    ----------
    shape : tuple of int
        Slices, rows, columns: ``(z, y, x)``.
    spacing_mm : Point
        Distance between slices, rows and columns: ``(z, y, x)``.
    origin_mm : Point
        Centre of voxel (0, 0, 0), LPS ``(x, y, z)``.
    """

    shape: tuple[int, int, int]
    spacing_mm: Point
    origin_mm: Point

    @classmethod
    def centred(cls, shape: tuple[int, int, int], spacing_mm: Point) -> Grid:
        """Grid whose middle is the middle of the chest."""
        z, y, x = ((1 - n) / 2 * step for n, step in zip(shape, spacing_mm, strict=True))
        return cls(shape, spacing_mm, (x, y, z))

    def axes(self) -> tuple[Floats, Floats, Floats]:
        """Coordinates in millimetres along z, y and x, shaped to broadcast to the volume."""
        x0, y0, z0 = self.origin_mm
        starts = (z0, y0, x0)
        z, y, x = (
            (start + step * np.arange(n)).astype(np.float32)
            for start, step, n in zip(starts, self.spacing_mm, self.shape, strict=True)
        )
        return z[:, None, None], y[None, :, None], x[None, None, :]

    def position_mm(self, slice_index: int) -> Point:
        """Centre of the first pixel of a slice, LPS."""
        x, y, z = self.origin_mm
        return x, y, z + slice_index * self.spacing_mm[0]


@dataclass(frozen=True, slots=True)
class Chest:
    """One patient's chest, as high as the scan and centred on (0, 0, 0).

    Attributes
    ----------
    height_mm : float
        Height of the scanned part; the lungs fill most of it and end within.
    nodule_mm : Point
        Centre of the nodule, in the right lung.
    nodule_radius_mm : float
        Its radius.
    vessels : tuple
        Ends and radius of the vessels: pairs of points and a number.
    """

    height_mm: float
    nodule_mm: Point
    nodule_radius_mm: float
    vessels: tuple[tuple[Point, Point, float], ...]

    @classmethod
    def random(cls, rng: np.random.Generator, height_mm: float) -> Chest:
        """Chest with its own nodule and vessels."""
        radius = min(float(rng.uniform(6.0, 10.0)), 0.3 * height_mm)
        x, y, z = rng.uniform((-90, -25, -0.1 * height_mm), (-65, 25, 0.1 * height_mm))
        return cls(
            height_mm,
            (round(float(x), 1), round(float(y), 1), round(float(z), 1)),
            round(radius, 1),
            tuple(_vessel(rng, side, height_mm) for side in (-1, 1) for _ in range(7)),
        )

    @property
    def lung_half_axes_mm(self) -> Point:
        """Half axes (x, y, z) of either lung's ellipsoid."""
        return 52.0, 78.0, 0.45 * self.height_mm

    def labels(self, grid: Grid) -> Labels:
        """Tissue of every voxel, shape ``(z, y, x)``."""
        z, y, x = grid.axes()
        h = self.height_mm
        labels: Labels = np.zeros(grid.shape, dtype=np.uint8)

        def paint(inside: NDArray[np.bool_], label: int) -> None:
            labels[np.broadcast_to(inside, grid.shape)] = label

        paint((np.abs(y - 122) < 4) & (np.abs(x) < 180), TABLE)
        paint((x / BODY_MM[0]) ** 2 + (y / BODY_MM[1]) ** 2 < 1, SOFT_TISSUE)
        paint(x**2 + (y - 80) ** 2 < 16**2, BONE)
        lungs = self.lung(grid, -1) | self.lung(grid, 1)
        paint(lungs, LUNG)
        for start, end, radius in self.vessels:
            paint(_tube(z, y, x, start, end, radius) & lungs, VESSEL)
        paint(_ellipsoid(z, y, x, (25.0, -30.0, -0.1 * h), (45.0, 40.0, 0.3 * h)), HEART)
        for wall, label in ((1.5, AIRWAY_WALL), (0.0, AIRWAY)):
            fork = (0.0, 10.0, 0.1 * h)
            paint(_tube(z, y, x, (0.0, 10.0, h), fork, 8 + wall), label)
            for side in (-1.0, 1.0):
                paint(_tube(z, y, x, fork, (side * 38, 12.0, 0.0), 5 + wall), label)
        r = self.nodule_radius_mm
        paint(_ellipsoid(z, y, x, self.nodule_mm, (r, r, r)), NODULE)
        return labels

    def lung(self, grid: Grid, side: int) -> NDArray[np.bool_]:
        """Voxels within one lung's ellipsoid: ``side`` is -1 for the right lung, 1 for the left."""
        return _ellipsoid(*grid.axes(), (side * LUNG_X_MM, 0.0, 0.0), self.lung_half_axes_mm)


def nodule_mask(labels: Labels) -> NDArray[np.bool_]:
    """Voxels of the nodule."""
    mask: NDArray[np.bool_] = labels == NODULE
    return mask


def lung_masks(labels: Labels, grid: Grid) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Voxels of the right and the left lung, with the vessels and the nodule within them."""
    inside = (labels == LUNG) | (labels == VESSEL) | (labels == NODULE)
    x = grid.axes()[2]
    return inside & (x < 0), inside & (x >= 0)


def noisy(values: Floats, labels: Labels, rng: np.random.Generator, noise: float) -> Floats:
    """Image of the labels with normal noise, as float32, shape ``(z, y, x)``."""
    image: Floats = values[labels]
    image += noise * rng.standard_normal(labels.shape, dtype=np.float32)
    return image


def _vessel(rng: np.random.Generator, side: int, height_mm: float) -> tuple[Point, Point, float]:
    root = (side * 35.0, 10.0, 0.0)
    end = (
        side * float(rng.uniform(80, 125)),
        float(rng.uniform(-65, 65)),
        float(rng.uniform(-0.4, 0.4)) * height_mm,
    )
    return root, end, float(rng.uniform(1.2, 3.0))


def _ellipsoid(z: Floats, y: Floats, x: Floats, centre: Point, half_axes: Point) -> NDArray[np.bool_]:
    (cx, cy, cz), (ax, ay, az) = centre, half_axes
    inside: NDArray[np.bool_] = ((x - cx) / ax) ** 2 + ((y - cy) / ay) ** 2 + ((z - cz) / az) ** 2 < 1
    return inside


def _tube(
    z: Floats,
    y: Floats,
    x: Floats,
    start: Point,
    end: Point,
    radius: float,
) -> NDArray[np.bool_]:
    """Voxels nearer than ``radius`` to the line between two points."""
    a, d = np.array(start, np.float32), np.array(end, np.float32) - np.array(start, np.float32)
    x, y, z = x - a[0], y - a[1], z - a[2]
    t = np.clip((x * d[0] + y * d[1] + z * d[2]) / np.float32(d @ d), 0, 1)
    inside: NDArray[np.bool_] = (x - t * d[0]) ** 2 + (y - t * d[1]) ** 2 + (z - t * d[2]) ** 2 < radius**2
    return inside
