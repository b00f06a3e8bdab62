"""Image planes in space: what the positions and orientations of a series say of its geometry.

Coordinates are the patient's (LPS), in mm (PS3.3 C.7.6.2.1.1). Planes are ordered by the projection of their
position on the normal, which is the cross product of the direction of a row and that of a column.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from catalog.grouping import matrix, plain

if TYPE_CHECKING:
    import pyarrow as pa

    from catalog.grouping import Flags, Ints, Reals

SAME_POSITION_MM: Final = 0.005  # positions are written with three decimals or more
SAME_DIRECTION: Final = 1e-3  # of a direction cosine: a quarter of a mm at the edge of a field of 50 cm
SAME_PIXEL: Final = 1e-3  # of the pixel spacing
UNIFORM: Final = 0.01  # of the median spacing
WHOLE_SPACINGS: Final = 0.05  # of the spacing: how near a gap must be to a multiple of it
SHEARED_MM: Final = 1.0
FARTHEST_MM: Final = 1e6  # a position farther off is no position


@dataclass(frozen=True, slots=True)
class Planes:
    """Planes of all series, grouped.

    Attributes
    ----------
    group : numpy.ndarray
        Series of each plane, ascending.
    position : numpy.ndarray
        ImagePositionPatient, shape (n, 3), mm.
    orientation : numpy.ndarray
        ImageOrientationPatient, shape (n, 6).
    pixel_spacing : numpy.ndarray
        PixelSpacing, shape (n, 2), mm; NaN where it is absent.
    """

    group: Ints
    position: Reals
    orientation: Reals
    pixel_spacing: Reals


@dataclass(frozen=True, slots=True)
class Geometry:
    """Geometry of each series that has planes; NaN where a number makes no sense.

    Attributes
    ----------
    group : numpy.ndarray
        The series, ascending.
    n_planes, n_orientations, n_positions : numpy.ndarray
        Planes; their different orientations; their different positions along the normal.
    fewest, most : numpy.ndarray
        Planes at the position with the fewest, and with the most.
    n_duplicate : numpy.ndarray
        Positions with more than one plane.
    spacing, spacing_min, spacing_max : numpy.ndarray
        Median, least and greatest distance of neighbouring positions along the normal, mm.
    n_missing : numpy.ndarray
        Positions left out by gaps of whole spacings; NaN where gaps are of other sizes.
    shift : numpy.ndarray
        Greatest distance from the first position across the normal, mm.
    tilt : numpy.ndarray
        Angle between the normal and the line from first to last position, degrees.
    first, last : numpy.ndarray
        Positions of the lowest and of the highest plane along the normal, shape (n, 3), mm.
    same_pixels : numpy.ndarray
        True where all planes have one PixelSpacing.
    """

    group: Ints
    n_planes: Ints
    n_orientations: Ints
    n_positions: Ints
    fewest: Ints
    most: Ints
    n_duplicate: Ints
    spacing: Reals
    spacing_min: Reals
    spacing_max: Reals
    n_missing: Reals
    shift: Reals
    tilt: Reals
    first: Reals
    last: Reals
    same_pixels: Flags


def gather_planes(rows: pa.Table, group: Ints, usable: Flags) -> Planes:
    """Gather the planes of single-frame and multi-frame objects.

    Parameters
    ----------
    rows : pyarrow.Table
        Instances.
    group : numpy.ndarray
        Series of each row; -1 for none.
    usable : numpy.ndarray
        False for rows whose position is not that of a plane.

    Notes
    -----
    The planes of a multi-frame object are those of its functional groups, where it has any
    (PS3.3 C.7.6.16.2.3).
    """
    frames = plain(rows.column("frame_positions"))
    lengths = frames.value_lengths().fill_null(0).to_numpy().astype(np.int64)
    n_frames = np.where(lengths % 3 == 0, lengths // 3, 0)
    orientation = matrix(plain(rows.column("ImageOrientationPatient")), 6)
    spacing = matrix(plain(rows.column("PixelSpacing")), 2)
    position = matrix(plain(rows.column("ImagePositionPatient")), 3)
    if n_frames.any():
        row = np.arange(len(rows)).repeat(np.maximum(n_frames, 1))
        orientation = orientation[row]
        position = position[row]
        own = n_frames[row] > 0
        position[own] = _flat(frames, n_frames > 0).reshape(-1, 3)
        turned = plain(rows.column("frame_orientations"))
        n_turned = turned.value_lengths().fill_null(0).to_numpy()
        each = (n_frames > 0) & (n_turned == 6 * n_frames)
        orientation[each[row]] = _flat(turned, each).reshape(-1, 6)
        group, usable, spacing = group[row], usable[row], spacing[row]
    near = (np.abs(position) < FARTHEST_MM).all(axis=1)
    kept = usable & (group >= 0) & near & _is_oriented(orientation)
    if bool((np.diff(group[kept]) >= 0).all()):
        order: Ints | slice = slice(None)
    else:
        order = np.argsort(group[kept], kind="stable")
    return Planes(group[kept][order], position[kept][order], orientation[kept][order], spacing[kept][order])


def _flat(lists: pa.Array, chosen: Flags) -> Reals:
    """Numbers of the chosen lists, one after another."""
    import pyarrow as pa

    flat: Reals = lists.filter(pa.array(chosen)).flatten().to_numpy(zero_copy_only=False)
    return flat


def _is_oriented(orientation: Reals) -> Flags:
    """Tell where two direction cosines are of about length 1 and about perpendicular."""
    with np.errstate(invalid="ignore", over="ignore"):
        row, column = orientation[:, :3], orientation[:, 3:]
        off = np.abs(np.einsum("ij,ij->i", row, row) - 1)
        off = np.maximum(off, np.abs(np.einsum("ij,ij->i", column, column) - 1))
        oriented: Flags = np.maximum(off, np.abs(np.einsum("ij,ij->i", row, column))) < 0.1
    return oriented


def normals(orientation: Reals) -> Reals:
    """Return unit normals of planes: row direction x column direction."""
    crossed = np.cross(orientation[:, :3], orientation[:, 3:])
    unit: Reals = crossed / np.linalg.norm(crossed, axis=1, keepdims=True)
    return unit


def measure(planes: Planes) -> Geometry:
    """Measure the geometry of each series that has planes."""
    if not len(planes.group):
        return _nothing()
    start = _starts(planes.group)
    group = planes.group[start]
    n_planes = np.diff(start, append=len(planes.group))
    least = np.minimum.reduceat(planes.orientation, start)
    greatest = np.maximum.reduceat(planes.orientation, start)
    n_orientations = np.ones(len(group), np.int64)
    for i in np.flatnonzero((greatest - least > SAME_DIRECTION).any(axis=1)):
        n_orientations[i] = count_orientations(planes.orientation[start[i] : start[i] + n_planes[i]])
    normal = normals((least + greatest) / 2)
    along = np.einsum("ij,ij->i", planes.position, normal.repeat(n_planes, axis=0))
    order = np.lexsort((along, planes.group))
    along, position = along[order], planes.position[order]
    # A position starts where the series does, or where the step from the plane before is more than rounding.
    step = np.diff(along, prepend=0.0) > SAME_POSITION_MM
    step[start] = True
    at = np.flatnonzero(step)
    of_position = planes.group[at]
    first_at = _starts(of_position)
    n_positions = np.diff(first_at, append=len(at))
    copies = np.diff(at, append=len(along))
    corner = np.minimum.reduceat(
        position, at
    )  # of planes at one position: the order of files must not matter
    first, last = corner[first_at], corner[first_at + n_positions - 1]
    shift, tilt = _shear(position, normal, first, last, n_planes)
    median, lowest, highest, n_missing = _gaps(along[at], first_at, n_positions)
    return Geometry(
        group,
        n_planes,
        n_orientations,
        n_positions,
        np.minimum.reduceat(copies, first_at),
        np.maximum.reduceat(copies, first_at),
        np.add.reduceat((copies > 1).astype(np.int64), first_at),
        median,
        lowest,
        highest,
        n_missing,
        shift,
        tilt,
        first,
        last,
        _same_pixels(planes.pixel_spacing, start),
    )


def _nothing() -> Geometry:
    """Return the geometry of no series."""
    n, mm, corner = np.zeros(0, np.int64), np.zeros(0), np.zeros((0, 3))
    return Geometry(n, n, n, n, n, n, n, mm, mm, mm, mm, mm, mm, corner, corner, np.zeros(0, np.bool_))


def count_orientations(orientation: Reals) -> int:
    """Count the different orientations of one series; one that differs by rounding is no other."""
    left = np.unique(orientation, axis=0)
    count = 0
    while len(left):
        left = left[(np.abs(left - left[0]) > SAME_DIRECTION).any(axis=1)]
        count += 1
    return count


def _starts(group: Ints) -> Ints:
    """Where each group of an ascending array starts."""
    return np.flatnonzero(np.diff(group, prepend=-1))


def _shear(position: Reals, normal: Reals, first: Reals, last: Reals, n_planes: Ints) -> tuple[Reals, Reals]:
    """Greatest shift across the normal from the first position, and the angle from first to last."""

    def across(shift: Reals, unit: Reals) -> Reals:
        along = np.einsum("ij,ij->i", shift, unit)[:, None]
        distance: Reals = np.linalg.norm(shift - along * unit, axis=1)
        return distance

    shift = across(position - first.repeat(n_planes, axis=0), normal.repeat(n_planes, axis=0))
    extent = np.abs(np.einsum("ij,ij->i", last - first, normal))
    tilt = np.degrees(np.arctan2(across(last - first, normal), extent))
    return np.maximum.reduceat(shift, np.cumsum(n_planes) - n_planes), tilt


def _gaps(along: Reals, first_at: Ints, n_positions: Ints) -> tuple[Reals, Reals, Reals, Reals]:
    """Median, least and greatest spacing of each series, and how many positions its gaps leave out."""
    n_series = len(n_positions)
    median, lowest, highest, n_missing = (np.full(n_series, np.nan) for _ in range(4))
    several = np.flatnonzero(n_positions > 1)
    if not len(several):
        return median, lowest, highest, n_missing
    inside = np.ones(len(along), np.bool_)
    inside[first_at] = False
    gap = np.diff(along, prepend=0.0)[inside]
    count = n_positions[several] - 1
    start = np.cumsum(count) - count
    of_gap = np.arange(len(several)).repeat(count)
    ordered = gap[np.lexsort((gap, of_gap))]
    low, high = ordered[start + (count - 1) // 2], ordered[start + count // 2]
    median[several] = (low + high) / 2
    lowest[several], highest[several] = ordered[start], ordered[start + count - 1]
    # The lower median: of two gaps 5 and 10 the spacing is 5.
    spacing = low[of_gap]
    multiple = np.maximum(np.rint(gap / spacing), 1)
    off = np.abs(gap - multiple * spacing) > WHOLE_SPACINGS * spacing
    missing = np.add.reduceat(multiple - 1, start)
    missing[np.logical_or.reduceat(off, start)] = np.nan
    n_missing[several] = missing
    return median, lowest, highest, n_missing


def _same_pixels(spacing: Reals, start: Ints) -> Flags:
    """Tell where all planes of a series have one pixel spacing; absent ones do not count."""
    least, greatest = np.fmin.reduceat(spacing, start), np.fmax.reduceat(spacing, start)
    with np.errstate(invalid="ignore", over="ignore"):
        differs = greatest - least > SAME_PIXEL * greatest
    return ~(differs[:, 0] | differs[:, 1])
