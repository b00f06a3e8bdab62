"""SEG: what highdicom writes comes back on the volume's grid, whatever the order and sense of its axes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import mask_objects as objects
import numpy as np
import pydicom
import pytest

from catalog.masks import MaskError, load_masks

RNG = np.random.default_rng(3)
TRUTH = RNG.random((*objects.SHAPE, 2)) < 0.3
TRUTH[2] = False  # frames without a voxel are left out of the file


@pytest.fixture(scope="module")
def overlapping(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("seg") / "a.dcm"
    return objects.seg(objects.volume(), TRUTH.astype(np.uint8), "BINARY", 2, path)


def test_overlapping_segments_come_back(overlapping: Path) -> None:
    masks = load_masks(overlapping, objects.volume())
    assert [(m.number, m.label, m.source, m.linked_by) for m in masks] == [
        (1, "part 1", "seg", "instances"),
        (2, "part 2", "seg", "instances"),
    ]
    assert masks[0].code_meaning == "Liver"
    assert masks[0].sop_instance_uid == str(pydicom.dcmread(overlapping).SOPInstanceUID)
    for k, mask in enumerate(masks):
        np.testing.assert_array_equal(mask.array, TRUTH[..., k])
        assert mask.notes == ()


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0), (0, 2, 1)])
@pytest.mark.parametrize("flipped", [(), (0,), (1, 2), (0, 1, 2)])
def test_any_order_and_sense_of_axes(
    overlapping: Path, order: tuple[int, ...], flipped: tuple[int, ...]
) -> None:
    of = objects.volume()
    direction, origin = of.direction.copy(), np.array(of.origin_mm)
    for axis in flipped:
        origin += direction[:, axis] * of.spacing_mm[axis] * (of.array.shape[axis] - 1)
        direction[:, axis] *= -1
    grid = replace(
        of,
        array=np.zeros([of.array.shape[a] for a in order], np.float32),
        spacing_mm=tuple(of.spacing_mm[a] for a in order),
        origin_mm=tuple(origin),
        direction=direction[:, list(order)],
    )
    for k, mask in enumerate(load_masks(overlapping, grid)):
        np.testing.assert_array_equal(mask.array, np.flip(TRUTH[..., k], flipped).transpose(order))


def test_a_part_of_the_grid(overlapping: Path) -> None:
    of = objects.volume()
    part = replace(
        of,
        array=of.array[1:4, 3:, :10],
        origin_mm=tuple((of.affine @ [1, 3, 0, 1])[:3]),
        sop_instance_uids=(),
    )
    (mask, _) = load_masks(overlapping, part)
    np.testing.assert_array_equal(mask.array, TRUTH[1:4, 3:, :10, 0])
    assert mask.notes == (f"voxels_outside({TRUTH[..., 0].sum() - mask.array.sum()})",)
    assert mask.linked_by == "series"


def test_other_grid_is_resampled_to_the_nearest_as_simpleitk_does(overlapping: Path) -> None:
    import SimpleITK

    of = objects.volume()
    other = replace(of, array=np.zeros((9, 15, 17), np.float32), spacing_mm=(2.1, 1.13, 0.87))
    other = replace(other, direction=objects.turned(0.3))
    (mask, _) = load_masks(overlapping, other)

    def image(array: np.ndarray, grid: object) -> SimpleITK.Image:
        made = SimpleITK.GetImageFromArray(array.astype(np.uint8))
        made.SetSpacing(grid.spacing_mm[::-1])
        made.SetOrigin(grid.origin_mm)
        made.SetDirection(grid.direction[:, ::-1].ravel())
        return made

    expected = SimpleITK.Resample(
        image(TRUTH[..., 0], of),
        image(other.array, other),
        SimpleITK.Transform(),
        SimpleITK.sitkNearestNeighbor,
    )
    expected = SimpleITK.GetArrayFromImage(expected).astype(bool)
    assert mask.notes == ("resampled_nearest",)
    assert expected.sum() > 100
    different = np.argwhere(expected != mask.array)
    to_source = np.linalg.inv(of.affine) @ other.affine
    at = np.c_[different, np.ones(len(different))] @ to_source.T
    limit = np.array([*objects.SHAPE]) - 0.5
    # SimpleITK takes what lies beyond the border by rounding; only there and on ties may they differ
    inside = ((at[:, :3] > -0.49) & (at[:, :3] < limit - 0.01)).all(axis=1)
    assert not inside.any()


def test_fractional_by_threshold(tmp_path: Path) -> None:
    shares = RNG.integers(0, 11, objects.SHAPE) / 10
    path = objects.seg(
        objects.volume(), shares, "FRACTIONAL", 1, tmp_path / "f.dcm", max_fractional_value=100
    )
    for fraction, expected in ((0.5, shares >= 0.5), (0.7, shares >= 0.7), (0.0, shares > 0)):
        (mask,) = load_masks(path, objects.volume(), fraction=fraction)
        np.testing.assert_array_equal(mask.array, expected)


def test_labelmap(tmp_path: Path) -> None:
    labels = RNG.integers(0, 3, objects.SHAPE).astype(np.uint8)
    path = objects.seg(objects.volume(), labels, "LABELMAP", 2, tmp_path / "l.dcm")
    masks = load_masks(path, objects.volume())
    assert [m.number for m in masks] == [1, 2]
    for mask in masks:
        np.testing.assert_array_equal(mask.array, labels == mask.number)


def test_refusals_are_named(overlapping: Path, tmp_path: Path) -> None:
    elsewhere = replace(
        objects.volume(), series_uid="9", frame_of_reference_uid="9", sop_instance_uids=("9",) * 6
    )
    cut, plain = pydicom.dcmread(overlapping), tmp_path / "plain"
    cut.PixelData = cut.PixelData[:4]
    cut.save_as(tmp_path / "cut.dcm")
    plain.write_bytes(b"no image at all" * 20)
    bare = pydicom.dcmread(overlapping)
    del bare.Rows
    bare.save_as(tmp_path / "bare.dcm")
    for path, grid, reason in (
        (tmp_path / "bare.dcm", objects.volume(), "unreadable"),
        (overlapping, elsewhere, "other_frame_of_reference"),
        (tmp_path / "cut.dcm", objects.volume(), "pixels_unreadable"),
        (plain, objects.volume(), "not_a_mask"),
        (tmp_path / "absent.dcm", objects.volume(), "unreadable"),
    ):
        with pytest.raises(MaskError) as caught:
            load_masks([path], grid)
        assert caught.value.reason == reason
