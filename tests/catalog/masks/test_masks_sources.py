"""Every source of masks, by the same law; NIfTI files; and the lungs of an invented chest."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import mask_objects as objects
import nibabel
import numpy as np
import pytest

from catalog.masks import MASK_REASONS, MASK_SOURCES, MaskError, iter_masks, load_masks, lungs_mask
from catalog.volumes.volume import Volume
from hpc.errors import UsageError


def nifti(of: Volume, values: Any, path: Path, dtype: Any = np.int16) -> Path:
    """A file with axes (x, y, z) and RAS positions of the same voxels."""
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ of.affine[:, [2, 1, 0, 3]]
    nibabel.save(nibabel.Nifti1Image(values.astype(dtype).transpose(2, 1, 0), affine), path)
    return path


@cache
def chest(
    *, cut: bool = False, spacing: tuple[float, float, float] = (2.5, 1.5, 1.5)
) -> tuple[Volume, Any, Any]:
    """A body with two lungs, vessels, trachea and bronchi on a hollow table; its lungs and airways."""
    shape = (100 if not cut else 60, 192, 224)
    z, y, x = (np.arange(n).reshape([-1 if a == i else 1 for a in range(3)]) for i, n in enumerate(shape))
    z, y, x = (z - 50) * spacing[0], (y - 96) * spacing[1], (x - 112) * spacing[2]
    everywhere = np.ones(shape, bool)
    hu = np.where((x / 155) ** 2 + (y / 105) ** 2 < 1, 40.0, -1000.0) * everywhere
    hu[(np.abs(y - 128) < 12) & (np.abs(x) < 140) & everywhere] = -100
    hu[(np.abs(y - 128) < 8) & (np.abs(x) < 136) & everywhere] = -985
    lungs = np.zeros(shape, bool)
    for side in (-1, 1):
        lungs |= ((x - side * 70) / 52) ** 2 + (y / 75) ** 2 + (z / 100) ** 2 < 1
    hu[lungs] = -850
    wall = ((x**2 + y**2 < 12**2) & (z > 10)) | (((z - 16) ** 2 + y**2 < 9**2) & (np.abs(x) < 45))
    lumen = ((x**2 + y**2 < 8.5**2) & (z > 14)) | (((z - 16) ** 2 + y**2 < 6**2) & (np.abs(x) < 44))
    truth = lungs & ~wall
    vessels = sum(((y - k) ** 2 + (z - k) ** 2 < 2**2) & (np.abs(x) < 95) for k in range(-40, 41, 20)) > 0
    hu[vessels & truth] = 40
    hu[wall], hu[lumen] = 30, -1000
    hu += np.random.default_rng(1).normal(0, 20, shape)
    return Volume(hu.astype(np.float32), spacing, modality="CT", unit="HU"), truth, lumen


@pytest.mark.parametrize("name", MASK_SOURCES)
def test_every_source_gives_masks_of_the_volumes_shape(name: str, tmp_path: Path) -> None:
    row = MASK_SOURCES[name]
    of = chest()[0] if name == "lungs" else objects.volume()
    makers = {
        "seg": lambda: objects.seg(of, np.ones(objects.SHAPE, np.uint8), "BINARY", 1, tmp_path / "s"),
        "rtstruct": lambda: objects.rtstruct(
            of, {"a": [("CLOSED_PLANAR", [(1, 2, 2), (1, 9, 2), (1, 9, 9)])]}, tmp_path / "r"
        ),
        "nifti": lambda: nifti(of, np.ones(objects.SHAPE), tmp_path / "n.nii"),
    }
    paths = [makers[name]()] if row.needs_files else []
    masks = load_masks(paths, of, source=name)
    assert row.name == name
    assert row.text
    assert masks
    for mask in masks:
        assert mask.source == name
        assert mask.array.dtype == np.bool_
        assert mask.array.shape == of.array.shape
        assert mask.array.any()
        assert (mask.linked_by == "computed") is not row.needs_files
    if paths:
        np.testing.assert_array_equal(load_masks(paths[0], of)[0].array, masks[0].array)


def test_nifti_labels_and_shares(tmp_path: Path) -> None:
    of, rng = objects.volume(), np.random.default_rng(5)
    labels = rng.choice([0, 0, 2, 7], objects.SHAPE)
    masks = load_masks(nifti(of, labels, tmp_path / "l.nii.gz"), of)
    assert [(m.number, m.label, m.linked_by) for m in masks] == [
        (2, "label_2", "name"),
        (7, "label_7", "name"),
    ]
    for mask in masks:
        np.testing.assert_array_equal(mask.array, labels == mask.number)
    shares = rng.random(objects.SHAPE).astype(np.float32)
    (mask,) = load_masks(nifti(of, shares, tmp_path / "s.nii", np.float32), of, fraction=0.25)
    np.testing.assert_array_equal(mask.array, shares >= 0.25)
    (mask,) = load_masks(nifti(of, np.zeros(objects.SHAPE), tmp_path / "e.nii"), of)
    assert (mask.array.any(), mask.notes) == (False, ("empty",))


def test_nifti_that_is_no_mask(tmp_path: Path) -> None:
    of, values = objects.volume(), np.zeros(objects.SHAPE)
    values[0, 0, 0] = -1
    (tmp_path / "junk.nii").write_bytes(b"junk" * 100)
    nibabel.save(nibabel.Nifti1Image(np.ones((2, 2, 2, 2), np.int16), np.eye(4)), tmp_path / "four.nii")
    for path, reason in (
        (nifti(of, values, tmp_path / "n.nii"), "not_a_mask"),
        (nifti(of, values - 0.5, tmp_path / "f.nii", np.float32), "not_a_mask"),
        (tmp_path / "four.nii", "not_a_mask"),
        (tmp_path / "junk.nii", "unreadable"),
        (tmp_path / "absent.nii", "unreadable"),
    ):
        with pytest.raises(MaskError) as caught:
            load_masks(path, of)
        assert caught.value.reason == reason
        assert reason in MASK_REASONS


def test_wrong_calls() -> None:
    for arguments in ({"source": "other"}, {"source": "seg"}, {}, {"source": "whole", "fraction": 2}):
        with pytest.raises(UsageError):
            load_masks((), objects.volume(), **arguments)
    with pytest.raises(UsageError):
        list(iter_masks("a.dcm", objects.volume(), source="whole"))


def dice(a: Any, b: Any) -> float:
    return 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b))


def test_lungs_without_airways_and_with_vessels() -> None:
    volume, truth, airways = chest()
    mask, verdict = lungs_mask(volume)
    assert verdict == ""
    assert dice(mask, truth) > 0.99
    assert np.count_nonzero(mask & airways) < 0.01 * np.count_nonzero(airways)


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 1, 0)])
@pytest.mark.parametrize("feet_last", [False, True])
def test_lungs_in_any_orientation(order: tuple[int, ...], feet_last: bool) -> None:
    volume, truth, airways = chest()
    direction, array = volume.direction.copy(), volume.array
    if feet_last:
        direction[:, 0] *= -1
        array, truth, airways = array[::-1], truth[::-1], airways[::-1]
    volume = replace(
        volume,
        array=np.ascontiguousarray(array.transpose(order)),
        spacing_mm=tuple(volume.spacing_mm[a] for a in order),
        direction=direction[:, list(order)],
    )
    mask, verdict = lungs_mask(volume)
    assert verdict == ""
    assert dice(mask, truth.transpose(order)) > 0.99
    assert np.count_nonzero(mask & airways.transpose(order)) < 0.01 * np.count_nonzero(airways)


def test_lungs_that_are_cut_say_so() -> None:
    volume, truth, _ = chest(cut=True)
    mask, verdict = lungs_mask(volume)
    assert verdict == "lungs_cut"
    assert dice(mask, truth) > 0.97
    assert load_masks((), volume, source="lungs")[0].notes == ("lungs_cut",)


def test_no_chest_is_a_verdict() -> None:
    volume, truth, _ = chest()
    solid = np.where(truth, np.float32(30), volume.array)
    gas = np.where(truth, np.float32(-1000), volume.array)
    for other, verdict in (
        (replace(volume, array=solid), "no_air_inside"),
        (replace(volume, array=gas), "no_air_inside"),
        (replace(volume, array=np.full_like(volume.array, -1000)), "no_air_inside"),
        (replace(volume, array=np.full_like(volume.array, 40)), "no_air_inside"),
        (replace(volume, modality="MR", unit=""), "not_ct"),
        (replace(volume, array=volume.array[:3]), "too_small"),
        (replace(volume, spacing_mm=(1.0, 0.5, 0.5)), "too_little"),
    ):
        mask, found = lungs_mask(other)
        assert found == verdict
        assert not mask.any()
        with pytest.raises(MaskError) as caught:
            load_masks((), other, source="lungs")
        assert caught.value.reason == "no_lungs"
