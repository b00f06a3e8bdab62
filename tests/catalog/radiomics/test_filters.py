"""Filters against the reference response maps of IBSI 2, each voxel within 1 % of the map's range."""

from __future__ import annotations

import nibabel
import numpy as np
import pytest

from catalog.radiomics.filters import (
    FILTERS,
    LaplacianOfGaussian,
    Laws,
    Mean,
    apply_filter,
    filter_from_table,
    filter_to_table,
)
from hpc.errors import UsageError

CASES = {
    "1_a_1": ("checkerboard", Mean(15, 3, "zero")),
    "1_a_2": ("checkerboard", Mean(15, 3, "nearest")),
    "1_a_3": ("checkerboard", Mean(15, 3, "periodic")),
    "1_a_4": ("checkerboard", Mean(15, 3, "mirror")),
    "1_b_1": ("impulse", Mean(15, 2, "zero")),
    "2_a": ("impulse", LaplacianOfGaussian(3.0, 4.0, 3, "zero")),
    "2_b": ("checkerboard", LaplacianOfGaussian(5.0, 4.0, 3, "mirror")),
    "2_c": ("checkerboard", LaplacianOfGaussian(5.0, 4.0, 2, "mirror")),
    "3_a_1": ("impulse", Laws(("E5", "L5", "S5"), "", 0, "zero")),
    "3_a_2": ("impulse", Laws(("E5", "L5", "S5"), "max", 0, "zero")),
    "3_a_3": ("impulse", Laws(("E5", "L5", "S5"), "max", 7, "zero")),
    "3_b_1": ("checkerboard", Laws(("E3", "W5", "R5"), "", 0, "mirror")),
    "3_b_2": ("checkerboard", Laws(("E3", "W5", "R5"), "max", 0, "mirror")),
    "3_b_3": ("checkerboard", Laws(("E3", "W5", "R5"), "max", 7, "mirror")),
    "3_c_1": ("checkerboard", Laws(("L5", "S5"), "", 0, "mirror")),
    "3_c_2": ("checkerboard", Laws(("L5", "S5"), "max", 0, "mirror")),
    "3_c_3": ("checkerboard", Laws(("L5", "S5"), "max", 7, "mirror")),
}


def read(path):
    image = nibabel.load(path)
    return np.asarray(image.dataobj, np.float64).T, tuple(float(v) for v in image.header.get_zooms()[2::-1])


@pytest.mark.parametrize("case", CASES)
def test_reference_maps(shared_data, case):
    phantom, settings = CASES[case]
    folder = shared_data / "ibsi2_digital_phantom" / "nifti" / phantom / "image"
    image, spacing = read(next(folder.glob("*.nii*")))
    truth, _ = read(shared_data / "ibsi2_reference_maps" / f"{case}-ValidCRM.nii")
    worst = np.abs(apply_filter(image, spacing, settings) - truth).max() / np.ptp(truth)
    assert worst <= 0.01


@pytest.mark.parametrize("name", FILTERS)
def test_tables_make_the_round_trip(name):
    settings = FILTERS[name][0]()
    assert filter_from_table(filter_to_table(settings)) == settings


def test_wrong_settings_are_refused():
    for table in ({"kind": "x"}, {"kind": "mean", "support": 2}, {"kind": "log", "sigma": 1.0}):
        with pytest.raises(UsageError):
            filter_from_table(table)
