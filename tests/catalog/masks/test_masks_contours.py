"""RTSTRUCT: a voxel is in where its centre is inside an odd number of contours of its slice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mask_objects as objects
import numpy as np
import pydicom
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.masks import load_masks
from catalog.masks.rtstruct import fill_even_odd


def square(low: float, high: float, z: float = 2) -> list[tuple[float, float, float]]:
    return [(z, low, low), (z, low, high), (z, high, high), (z, high, low)]


def expected(*parts: tuple[int, int], z: int = 2) -> Any:
    """Squares of pixels low to high - 1; a second inside the first is a hole."""
    made = np.zeros(objects.SHAPE, bool)
    for low, high in parts:
        made[z, low:high, low:high] ^= True
    return made


def test_holes_islands_and_keyholes(tmp_path: Path) -> None:
    # out along the keyhole's slit from the outer to the inner square, and back the same way
    outer, inner = square(1.5, 12.5), square(4.5, 8.5)
    keyhole = [*outer, outer[0], inner[0], *inner[::-1], inner[0], outer[0]]
    closed = "CLOSED_PLANAR"
    rois = {
        "solid": [(closed, outer)],
        "hole": [(closed, outer), (closed, inner)],
        "keyhole": [(closed, keyhole)],
        "island": [(closed, outer), (closed, inner), (closed, square(5.5, 6.5))],
        "two": [(closed, square(1.5, 4.5)), (closed, square(6.5, 9.5))],
        "twice": [(closed, inner), (closed, inner)],
        "slices": [(closed, square(4.5, 8.5, z)) for z in range(6)],
    }
    masks = {
        m.label: m
        for m in load_masks(objects.rtstruct(objects.volume(), rois, tmp_path / "r"), objects.volume())
    }
    assert list(masks) == list(rois)
    np.testing.assert_array_equal(masks["solid"].array, expected((2, 13)))
    for name in ("hole", "keyhole"):
        np.testing.assert_array_equal(masks[name].array, expected((2, 13), (5, 9)))
    np.testing.assert_array_equal(masks["island"].array, expected((2, 13), (5, 9), (6, 7)))
    np.testing.assert_array_equal(masks["two"].array, expected((2, 5), (7, 10)))
    np.testing.assert_array_equal(masks["twice"].array, expected((5, 9)))
    assert masks["twice"].notes == ("duplicate_contours_ignored(1)",)
    assert masks["slices"].array.sum() == 6 * 16
    assert {m.linked_by for m in masks.values()} == {"frame_of_reference"}


def test_what_is_left_out_is_noted(tmp_path: Path) -> None:
    closed = "CLOSED_PLANAR"
    tilted = [(2, 3, 3), (3, 3, 9), (3, 9, 9), (2, 9, 3)]
    rois: dict[str, list[tuple[str, Any]]] = {
        "point": [("POINT", [(2, 3, 3)]), (closed, [(2, 3, 3), (2, 4, 4)])],
        "open": [("OPEN_PLANAR", square(1.5, 4.5)), (closed, square(6.5, 8.5))],
        "off": [(closed, square(1.5, 4.5, z)) for z in (-1, 2.5, 6, 3.1)] + [(closed, tilted)],
        "nothing": [],
    }
    masks = load_masks(objects.rtstruct(objects.volume(), rois, tmp_path / "r"), objects.volume())
    assert [m.notes for m in masks] == [
        ("point_contours_ignored(2)", "empty"),
        ("open_contours_ignored(1)",),
        ("contours_off_the_slices(4)",),
        ("empty",),
    ]
    assert masks[2].array.sum() == masks[2].array[3].sum() == 9


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(-3, 15), st.floats(-3, 17)), min_size=3, max_size=12), st.booleans())
def test_even_odd_equals_counting_crossings(corners: list[tuple[float, float]], reverse: bool) -> None:
    polygon = np.array(corners[::-1] if reverse else corners)
    plane = np.zeros((12, 14), bool)
    fill_even_odd([polygon], plane)
    other = np.zeros_like(plane)
    fill_even_odd([np.roll(polygon[::-1], 1, axis=0)], other)
    np.testing.assert_array_equal(plane, other)
    for y, x in np.ndindex(plane.shape):
        inside, near = False, False
        for (y0, x0), (y1, x1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
            if (y0 <= y) != (y1 <= y):
                cross = x0 + (y - y0) / (y1 - y0) * (x1 - x0)
                inside ^= cross < x
                near |= abs(cross - x) < 1e-9
        if not near and not np.isclose(polygon[:, 0], y, atol=1e-9).any():
            assert plane[y, x] == inside


def test_contours_that_are_no_numbers_are_noted(tmp_path: Path) -> None:
    rois = {"a": [("CLOSED_PLANAR", square(1.5, 4.5)), ("CLOSED_PLANAR", square(6.5, 9.5))]}
    path = objects.rtstruct(objects.volume(), rois, tmp_path / "r")
    made = pydicom.dcmread(path)
    for broken in (["x"] * 9, ["1", "2", "3", "4"]):
        contour = made.ROIContourSequence[0].ContourSequence[0]
        with pydicom.config.disable_value_validation():
            contour["ContourData"] = pydicom.DataElement(0x30060050, "LO", broken)
        contour["ContourData"].VR = "LO"
        made.save_as(path)
        (mask,) = load_masks(path, objects.volume())
        assert mask.notes == ("broken_contours_ignored(1)",)
        np.testing.assert_array_equal(mask.array, expected((7, 10)))
