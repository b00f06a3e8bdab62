"""Real regions with known truth: voxels, mean, least and greatest value, from three kinds of files."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from catalog.masks import load_masks
from catalog.volumes import load_volume


def _rows(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / name).open() as file:
        return list(csv.DictReader(file))


def _sarcoma(data: Path, row: dict[str, str]) -> tuple[list[Path], list[tuple[Path, str]]]:
    folder = data / "ibsi_sts/dicom" / row["patient"] / row["modality"]
    nifti = data / "ibsi_sts/nifti_masks" / row["patient"] / f"{row['modality']}_mask.nii.gz"
    return list((folder / "image").iterdir()), [(folder / "mask/RS.dcm", "series"), (nifti, "name")]


def _ct_phantom(data: Path, row: dict[str, str]) -> tuple[list[Path], list[tuple[Path, str]]]:
    folder = data / "ibsi_ct_phantom"
    (drawn,) = (folder / "dicom/mask").iterdir()
    nifti = next(p for p in (folder / "nifti").rglob("*mask*") if p.is_file())
    return list((folder / "dicom/image").iterdir()), [(drawn, "instances"), (nifti, "name")]


def _breast(data: Path, row: dict[str, str]) -> tuple[list[Path], list[tuple[Path, str]]]:
    folder = data / "breast_mr_seg"
    return list((folder / "image_ser").iterdir()), [(folder / "mask/1-1.dcm", "frame_of_reference")]


SETS = {"ibsi_sts": _sarcoma, "ibsi_ct_phantom": _ct_phantom, "breast_mr_seg": _breast}


@pytest.mark.parametrize("name", SETS)
def test_regions_have_the_known_voxels_and_values(shared_data: Path, name: str) -> None:
    rows = [row for row in _rows(shared_data, "truth_roi.csv") if row["set"] == name]
    assert len(rows) == {"ibsi_sts": 15}.get(name, 1)
    for row in rows:
        images, files = SETS[name](shared_data, row)
        volume = load_volume(images)
        scale = 0.001 if name == "breast_mr_seg" else 1.0  # its truth is of stored values
        for path, linked_by in files:
            (mask,) = load_masks(path, volume)
            assert (mask.linked_by, mask.notes) == (linked_by, ())
            values = volume.array[mask.array]
            assert len(values) == int(row["voxels"])
            for of, found in (
                ("mean", values.mean(dtype=float)),
                ("min", values.min()),
                ("max", values.max()),
            ):
                assert found == pytest.approx(float(row[of]) * scale, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize(
    ("images", "mask"),
    [
        ("seg_small/dcmqi_ct3/image", "seg_small/dcmqi_ct3/seg/liver.dcm"),
        ("seg_small/dcmqi_ct3/image", "seg_small/dcmqi_ct3/seg/partial_overlaps.dcm"),
        ("seg_small/dcmqi_23x38x3/image", "seg_small/dcmqi_23x38x3/seg/label.seg"),
    ],
)
def test_segments_of_other_programs(shared_data: Path, images: str, mask: str) -> None:
    volume = load_volume(list((shared_data / images).iterdir()))
    (row,) = (r for r in _rows(shared_data, "truth_refs.csv") if r["file"] == mask)
    masks = load_masks(shared_data / mask, volume)
    assert [(m.number, m.label, int(m.array.sum())) for m in masks] == [
        (i["number"], i["name"], i["nonzero_voxels"]) for i in json.loads(row["items"])
    ]


def test_contours_on_missing_slices_are_noted(shared_data: Path) -> None:
    folder = shared_data / "rt_objects/dicompyler"
    masks = load_masks(folder / "rtss.dcm", load_volume([folder / "ct.0.dcm"]))
    (row,) = (r for r in _rows(shared_data, "truth_refs.csv") if r["file"].endswith("dicompyler/rtss.dcm"))
    counts = {i["name"]: i["contours"] for i in json.loads(row["items"])}
    assert len(masks) == len(counts) == 10
    assert masks[0].notes == (f"contours_off_the_slices({counts['BODY'] - 4})",)  # 4 lie on the slice here
    for mask in masks[1:]:
        n = counts[mask.label]
        assert mask.notes == ((f"contours_off_the_slices({n})", "empty") if n else ("empty",))
