"""Twelve series that other readers get wrong: each gives the right volume or a named refusal."""

from __future__ import annotations

import pickle
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
from awkward_series import (
    CASES,
    SLICES,
    duplicate,
    field,
    image,
    multi_frame,
    positions,
    regular,
    tilted,
    two_volumes,
    with_localizer,
    write,
)
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from catalog.volumes import Volume, VolumeError, load_volume
from hpc.errors import MissingError, UsageError

STEP = 0.5  # the coarsest rounding of a stored value of these series


def truth(volume: Volume) -> np.ndarray:
    """What every voxel should be, from where the volume says that it lies."""
    z, y, x = np.meshgrid(*map(np.arange, volume.array.shape), indexing="ij")
    at = np.stack([z, y, x, np.ones_like(z)], axis=-1) @ volume.affine.T
    return field(at[..., :3])


@pytest.mark.parametrize("name", CASES)
def test_volume_is_right_or_refused_by_name(name: str, tmp_path: Path) -> None:
    make, reason = CASES[name]
    paths = write(make(), tmp_path)
    if reason is None:
        volume = load_volume(paths)
        assert volume.array.dtype == np.float32
        assert volume.array.shape == (SLICES, 48, 64)
        assert volume.notes == ()
        assert np.abs(volume.array - truth(volume)).max() <= STEP + 0.02
        assert np.allclose(volume.spacing_mm, (2.5, 0.8, 0.7), atol=1e-3)
        assert volume.affine[2, 0] > 0  # slices ascend along the normal
    else:
        with pytest.raises(VolumeError) as caught:
            load_volume(paths)
        assert caught.value.reason == reason


@pytest.mark.parametrize("name", [name for name, (_, reason) in CASES.items() if reason is None])
def test_order_of_files_does_not_matter(name: str, tmp_path: Path) -> None:
    paths = write(CASES[name][0](), tmp_path)
    one = load_volume(paths)
    random.Random(3).shuffle(paths)
    other = load_volume(paths)
    assert np.array_equal(one.array, other.array)
    assert np.array_equal(one.affine, other.affine)
    assert one.sop_instance_uids == other.sop_instance_uids


def test_tilt_is_corrected_when_asked(tmp_path: Path) -> None:
    paths = write(tilted(), tmp_path)
    volume = load_volume(paths, correct_tilt=True)
    assert volume.notes == ("tilt_corrected(15.0 deg)",)
    assert np.allclose(volume.direction.T @ volume.direction, np.eye(3))
    assert volume.array.shape[1] > 48  # no slice is cut
    inside = volume.array > volume.array.min()
    expected = truth(volume)
    assert np.abs(volume.array - expected)[inside].max() < 0.11  # rounding of stored values
    # All that could be interpolated is there: 47 whole rows of each slice.
    assert inside.any(axis=2).sum(axis=1).min() >= 47


def test_volumes_of_one_series_are_split_when_asked(tmp_path: Path) -> None:
    paths = write(two_volumes(), tmp_path)
    for part in (0, 1):
        volume = load_volume(paths, split_by="AcquisitionNumber", part=part)
        assert np.abs(volume.array - 100 * part - truth(volume)).max() < 0.06
        assert volume.notes == (f"part({part} of 2 by AcquisitionNumber)",)
    with pytest.raises(VolumeError, match="split_by may be AcquisitionNumber"):
        load_volume(paths)
    with pytest.raises(UsageError, match="part is 2"):
        load_volume(paths, split_by="AcquisitionNumber", part=2)
    with pytest.raises(UsageError, match="no keyword"):
        load_volume(paths, split_by="Acquisition")
    with pytest.raises(VolumeError) as caught:
        load_volume(paths, split_by="ImageType")  # known, and does not tell them apart
    assert caught.value.reason == "multiple_volumes"


def test_localizer_is_dropped_when_asked(tmp_path: Path) -> None:
    volume = load_volume(write(with_localizer(), tmp_path), drop_localizers=True)
    assert volume.notes == ("localizers_dropped(1)",)
    assert np.abs(volume.array - truth(volume)).max() < 0.06


def test_same_file_twice_is_one_slice_and_told(tmp_path: Path) -> None:
    paths = write(regular(), tmp_path)
    shutil.copy(paths[3], tmp_path / "copy.dcm")
    volume = load_volume(tmp_path)
    assert volume.notes == ("copies_dropped(1)",)
    assert np.array_equal(volume.array, load_volume(paths).array)


def test_same_uid_with_other_content_is_refused(tmp_path: Path) -> None:
    images = duplicate()
    images[-1].SOPInstanceUID = images[5].SOPInstanceUID
    images[-1].ImageComments = "changed"
    with pytest.raises(VolumeError) as caught:
        load_volume(write(images, tmp_path))
    assert caught.value.reason == "duplicate_positions"


@pytest.mark.parametrize("options", [{"slopes": True}, {"per_frame_orientation": True}])
def test_functional_groups_of_each_frame_count(options: dict[str, bool], tmp_path: Path) -> None:
    volume = load_volume(write(multi_frame(**options), tmp_path))
    assert np.abs(volume.array - truth(volume)).max() < 0.16
    assert volume.unit == "HU"
    assert len(volume.sop_instance_uids) == SLICES


def test_multi_frame_without_positions_is_refused(tmp_path: Path) -> None:
    (ds,) = multi_frame()
    del ds.PerFrameFunctionalGroupsSequence
    ds.ImagePositionPatient, ds.ImageOrientationPatient = [0, 0, 0], [1, 0, 0, 0, 1, 0]
    with pytest.raises(VolumeError) as caught:
        load_volume(write([ds], tmp_path))
    assert caught.value.reason == "no_geometry"


def _spoilt(**changes: object) -> list:
    return [image(p, "1.2.3.8", **changes) for p in positions()]


REFUSED = {
    "mosaic": lambda: _spoilt(ImageType=["DERIVED", "PRIMARY", "MOSAIC"]),
    "no_geometry": lambda: [_without(ds, "PixelSpacing") for ds in _spoilt()],
    "mixed_frames_of_reference": lambda: [*_spoilt()[:10], *_spoilt(FrameOfReferenceUID="1.2.9")[10:]],
    "mixed_series": lambda: [*_spoilt()[:10], *_spoilt(SeriesInstanceUID="1.2.9")[10:]],
    "colour": lambda: _spoilt(PhotometricInterpretation="PALETTE COLOR"),
    "unsupported_pixels": lambda: _spoilt(BitsStored=20),
    "mixed_units": lambda: [*_spoilt(RescaleType="HU")[:10], *_spoilt(RescaleType="Z_EFF")[10:]],
    "pixels_truncated": lambda: [_cut(ds) for ds in _spoilt()],
    "no_pixels": lambda: [_without(ds, "PixelData") for ds in _spoilt()],
}


def _without(ds, name: str):
    delattr(ds, name)
    return ds


def _cut(ds):
    ds.PixelData = ds.PixelData[:-512]
    return ds


@pytest.mark.parametrize("reason", REFUSED)
def test_refusals_have_names(reason: str, tmp_path: Path) -> None:
    with pytest.raises(VolumeError) as caught:
        load_volume(write(REFUSED[reason](), tmp_path))
    assert caught.value.reason == reason
    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.reason, str(again)) == (reason, str(caught.value))


def test_instance_number_never_stands_in_for_a_position(tmp_path: Path) -> None:
    images = regular()
    for ds in images:
        del ds.ImagePositionPatient
    with pytest.raises(VolumeError) as caught:
        load_volume(write(images, tmp_path))
    assert caught.value.reason == "no_geometry"


def test_files_that_are_none(tmp_path: Path) -> None:
    write(regular(), tmp_path)
    note = tmp_path / "note.txt"
    note.write_text("no image")
    assert len(load_volume(tmp_path).array) == SLICES  # a folder may hold others
    with pytest.raises(VolumeError) as caught:
        load_volume([note])
    assert caught.value.reason == "not_dicom"
    with pytest.raises(MissingError):
        load_volume([tmp_path / "absent.dcm"])
    with pytest.raises(MissingError):
        load_volume(tmp_path / "absent")


def test_too_large_is_refused_before_pixels_are_read(tmp_path: Path) -> None:
    paths = write(regular(), tmp_path)
    voxels = SLICES * 48 * 64
    assert load_volume(paths, max_voxels=voxels).array.size == voxels
    with pytest.raises(VolumeError) as caught:
        load_volume(paths, max_voxels=voxels - 1)
    assert caught.value.reason == "too_large"


def test_single_slice_has_its_thickness(tmp_path: Path) -> None:
    images = _spoilt()[:1]
    assert load_volume(write(images, tmp_path / "a")).spacing_mm[0] == 2.5
    del images[0].SliceThickness
    volume = load_volume(write(images, tmp_path / "b"))
    assert (volume.spacing_mm[0], volume.notes) == (1.0, ("slice_thickness_assumed(1 mm)",))


@pytest.mark.parametrize("changes", [{"RescaleSlope": 0}, {"BitsAllocated": 64}, {"PixelRepresentation": 2}])
def test_pixels_that_no_rule_turns_into_values(changes: dict[str, int], tmp_path: Path) -> None:
    images = _spoilt()
    for ds in images:
        for name, value in changes.items():
            setattr(ds, name, value)
    with pytest.raises(VolumeError) as caught:
        load_volume(write(images, tmp_path))
    assert caught.value.reason == "unsupported_pixels"


def test_modality_table_is_refused(tmp_path: Path) -> None:
    images = _spoilt()
    for ds in images:
        del ds.RescaleSlope, ds.RescaleIntercept
        table = Dataset()
        table.LUTDescriptor, table.ModalityLUTType, table.LUTData = [2, 0, 16], "HU", [5, 9]
        table["LUTDescriptor"].VR = table["LUTData"].VR = "US"
        ds.ModalityLUTSequence = Sequence([table])
    with pytest.raises(VolumeError, match="Modality LUT") as caught:
        load_volume(write(images, tmp_path))
    assert caught.value.reason == "unsupported_pixels"


def test_localizers_without_names(tmp_path: Path) -> None:
    """One image of 21 that is turned against all others is one; where no image has a direction, none is."""
    images = with_localizer()
    images[-1].ImageType = ["DERIVED", "SECONDARY"]
    assert load_volume(write(images, tmp_path / "a"), drop_localizers=True).notes == (
        "localizers_dropped(1)",
    )
    images = regular()
    for ds in images:
        del ds.ImageOrientationPatient
    with pytest.raises(VolumeError) as caught:
        load_volume(write(images, tmp_path / "b"), drop_localizers=True)
    assert caught.value.reason == "no_geometry"


def test_several_keywords_split_together(tmp_path: Path) -> None:
    images = []
    for echo in (5.0, 9.0):
        for kind in ("M", "P"):
            for p in positions():
                ds = image(
                    p, "1.2.3.10", Modality="MR", EchoTime=echo, ImageType=["ORIGINAL", "PRIMARY", kind]
                )
                ds.RescaleIntercept = -1000 + echo + (100 if kind == "P" else 0)
                images.append(ds)
    paths = write(images, tmp_path)
    with pytest.raises(VolumeError, match="EchoTime,ImageType"):
        load_volume(paths)
    for part, more in enumerate((5, 105, 9, 109)):
        volume = load_volume(paths, split_by=["EchoTime", "ImageType"], part=part)
        assert np.abs(volume.array - more - truth(volume)).max() < 0.06
    assert np.array_equal(load_volume(paths, split_by="EchoTime,ImageType", part=3).array, volume.array)
