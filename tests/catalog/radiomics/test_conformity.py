"""Every benchmarked value of the IBSI manual: digital phantom, CT phantom A to E, sarcomas."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from shapes import PHANTOM

from catalog.radiomics import FEATURES, Settings, compute_features
from catalog.radiomics.prepare import box_of, prepare
from catalog.radiomics.settings import AGGREGATIONS

_DIAGNOSTIC = ("img_", "vox_", "int_mask_", "morph_mask_", "mean_int_", "min_int_", "max_int_")


def _column(tag: str) -> str:
    """Name of the column of an IBSI submission tag: its parameters are settings here."""
    return re.sub(r"_d1(?=_)|_a0\.0|_fb[sn]_[wn]\d+$", "", tag).replace("2.5d", "2_5d")


def _matches(value: float | None, reference: float, tolerance: float) -> bool:
    """IBSI's rule: rounded to three significant digits, within the tolerance."""
    return value is not None and abs(float(f"{value:.3g}") - reference) <= tolerance * (1 + 1e-9) + 1e-12


def _references(shared_data: Path, case: str) -> dict[str, tuple[float, float]]:
    return _read(shared_data / "ibsi1_reference_values.csv", case)


def _read(path: Path, case: str | None = None) -> dict[str, tuple[float, float]]:
    with path.open() as file:
        rows = [row for row in csv.DictReader(file) if row.get("case") == case]
    return {row["tag"]: (float(row["value"]), float(row["tolerance"])) for row in rows}


def _demand(values: dict[str, float | None], references: dict[str, tuple[float, float]], name: str) -> None:
    missed = {
        tag: (reference, tolerance, values.get(_column(tag)))
        for tag, (reference, tolerance) in references.items()
        if not _matches(values.get(_column(tag)), reference, tolerance)
    }
    print(f"{name}: {len(references) - len(missed)} / {len(references)} matched")  # noqa: T201 - the count is the result
    assert not missed


def _phantom_values() -> dict[str, float | None]:
    settings = Settings(bin_width=1.0, aggregations=AGGREGATIONS, autocorrelation=True)
    return compute_features(np.abs(PHANTOM), PHANTOM > 0, settings, spacing_mm=(2.0, 2.0, 2.0))


def test_the_digital_phantom() -> None:
    """The values that IBSI published for the phantom, all of them and without any other file."""
    references = _read(Path(__file__).with_name("ibsi1_digital.csv"))
    values = _phantom_values()
    assert len(references) == 482
    assert list(values) == [feature.name for feature in FEATURES]
    _demand(values, references, "digital phantom")


@pytest.fixture(scope="module")
def ct_phantom(shared_data: Path) -> tuple[np.ndarray, np.ndarray, tuple[float, float, float]]:
    folder = shared_data / "ibsi_ct_phantom"
    slices = [pydicom.dcmread(path) for path in (folder / "dicom" / "image").glob("*.dcm")]
    slices.sort(key=lambda ds: float(ds.ImagePositionPatient[2]))
    image = np.stack([ds.pixel_array * ds.RescaleSlope + ds.RescaleIntercept for ds in slices])
    mask = np.asarray(nibabel.load(folder / "nifti" / "mask" / "mask.nii.gz").dataobj).transpose(2, 1, 0)
    return image.astype(np.float32), mask, (3.0, *map(float, slices[0].PixelSpacing))


@pytest.mark.parametrize("case", "ABCDE")
def test_the_ct_phantom(shared_data: Path, ct_phantom, case: str) -> None:
    image, mask, spacing = ct_phantom
    references = _references(shared_data, case)
    references = {tag: row for tag, row in references.items() if not tag.startswith(_DIAGNOSTIC)}
    values = compute_features(image, mask, Settings.preset(f"ibsi-{case.lower()}"), spacing_mm=spacing)
    assert len(references) == {"A": 346, "B": 346}.get(case, 210)
    _demand(values, references, f"CT phantom, configuration {case}")


@pytest.mark.parametrize("case", "ABCDE")
def test_the_masks_of_the_ct_phantom(shared_data: Path, ct_phantom, case: str) -> None:
    """Diagnostic values after re-segmentation: boxes, voxel counts and intensities of both masks."""
    image, mask, spacing = ct_phantom
    region = prepare(image, mask, Settings.preset(f"ibsi-{case.lower()}"), spacing).region
    values: dict[str, float | None] = {}
    for name, flags in (("int", region.intensity_mask), ("morph", region.morphological_mask)):
        values[f"{name}_mask_vox_count_reseg_roi"] = float(flags.sum())
        for axis, side in zip("zyx", box_of(flags), strict=True):
            values[f"{name}_mask_bb_dim_{axis}_reseg_roi"] = side.stop - side.start
    voxels = region.voxels.astype(float)
    for name in ("mean", "min", "max"):
        values[f"int_mask_{name}_int_reseg_roi"] = float(getattr(voxels, name)())
    references = {tag: row for tag, row in _references(shared_data, case).items() if tag in values}
    assert len(references) == 11
    _demand(values, references, f"CT phantom, masks of configuration {case}")
