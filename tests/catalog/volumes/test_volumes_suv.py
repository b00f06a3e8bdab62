"""SUVbw from the headers of PET: known factors of real slices, the formula on invented ones, refusals."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from awkward_series import PET, image, positions, write
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import UID

from catalog.volumes import VolumeError, load_volume

WEIGHT_KG, DOSE_BQ, HALF_LIFE_S = 70.0, 350e6, 6586.2


def pet(**changes: object) -> list[Dataset]:
    """Five PET slices; names of the radiopharmaceutical's item are looked up there, None removes."""
    images = []
    for k, p in enumerate(positions(5)):
        ds = image(
            p, "1.2.6.1", SOPClassUID=UID(PET), Modality="PT", RescaleSlope=0.5 + 0.1 * k, RescaleIntercept=0
        )
        ds.Units, ds.DecayCorrection, ds.CorrectedImage = "BQML", "START", ["ATTN", "DECY"]
        ds.PatientWeight, ds.SeriesDate, ds.SeriesTime = WEIGHT_KG, "20200310", "100000"
        ds.AcquisitionDate, ds.AcquisitionTime = "20200310", f"10{k:02d}00"
        drug = Dataset()
        drug.RadionuclideTotalDose, drug.RadionuclideHalfLife = DOSE_BQ, HALF_LIFE_S
        drug.RadiopharmaceuticalStartTime = "090000.00"
        ds.RadiopharmaceuticalInformationSequence = Items([drug])
        for name, value in changes.items():
            target = drug if "Radio" in name else ds
            if value is None:
                del target[name]
            else:
                setattr(target, name, value)
        images.append(ds)
    return images


def ratio(folder: Path, images: list[Dataset]) -> float:
    """How much SUV is per unit of what was sent; the same in every voxel."""
    paths = write(images, folder)
    suv, sent = load_volume(paths), load_volume(paths, suv=False)
    assert suv.unit == "SUVbw"
    shown = np.abs(sent.array) > 0
    factors = suv.array[shown].astype(np.float64) / sent.array[shown]
    assert np.ptp(factors) < 1e-6 * factors.mean()
    return float(factors.mean())


def at(seconds: float) -> float:
    return WEIGHT_KG * 1000 / (DOSE_BQ * 2 ** (-seconds / HALF_LIFE_S))


FACTORS = {
    "start of the series": ({}, at(3600)),
    "correction to the injection": ({"DecayCorrection": "ADMIN"}, at(0)),
    "first acquisition, where the series was stored later": ({"SeriesTime": "180000"}, at(3600)),
    "series starts before its first image": ({"SeriesTime": "093000"}, at(1800)),
    "injected before midnight": (
        {"SeriesTime": "001000", "AcquisitionTime": "001000", "RadiopharmaceuticalStartTime": "235000"},
        at(1200),
    ),
    "injection with its date": ({"RadiopharmaceuticalStartDateTime": "20200310083000.0"}, at(5400)),
    "injection with its zone": ({"RadiopharmaceuticalStartDateTime": "20200310083000+0100"}, at(5400)),
    "already SUV": ({"Units": "GML", "PatientWeight": None}, 1.0),
}


@pytest.mark.parametrize("name", FACTORS)
def test_factor(name: str, tmp_path: Path) -> None:
    changes, expected = FACTORS[name]
    assert ratio(tmp_path, pet(**changes)) == pytest.approx(expected, rel=1e-6)


def philips(images: list[Dataset], element: int, value: str) -> list[Dataset]:
    for ds in images:
        ds.private_block(0x7053, "Philips PET Private Group", create=True).add_new(element, "DS", value)
    return images


def test_counts_of_philips(tmp_path: Path) -> None:
    assert ratio(tmp_path / "suv", philips(pet(Units="CNTS"), 0x00, "0.00125")) == pytest.approx(0.00125)
    by_activity = philips(philips(pet(Units="CNTS"), 0x00, "0"), 0x09, "2.5")
    assert ratio(tmp_path / "bq", by_activity) == pytest.approx(2.5 * at(3600), rel=1e-6)


REFUSED = {
    "no weight": {"PatientWeight": None},
    "weight of zero": {"PatientWeight": 0},
    "no dose": {"RadionuclideTotalDose": None},
    "dose in MBq": {"RadionuclideTotalDose": 350},
    "no half-life": {"RadionuclideHalfLife": None},
    "no injection": {"RadiopharmaceuticalStartTime": None},
    "injection on another day": {"RadiopharmaceuticalStartDateTime": "20200301083000"},
    "injection after the scan": {"RadiopharmaceuticalStartDateTime": "20200310120000"},
    "injection without time of day": {"RadiopharmaceuticalStartDateTime": "20200310"},
    "no start": {"SeriesTime": None},
    "not corrected for decay": {"DecayCorrection": "NONE"},
    "not corrected for attenuation": {"CorrectedImage": ["DECY"]},
    "no units": {"Units": None},
    "units of another thing": {"Units": "PROPCPS"},
    "counts without factors": {"Units": "CNTS"},
    "lean body mass": {"Units": "GML", "SUVType": "LBM"},
}


@pytest.mark.parametrize("name", REFUSED)
def test_headers_that_do_not_allow_it_are_refused(name: str, tmp_path: Path) -> None:
    paths = write(pet(**REFUSED[name]), tmp_path)
    with pytest.raises(VolumeError) as caught:
        load_volume(paths)
    assert caught.value.reason == "unknown_suv"
    assert not any(value in str(caught.value) for value in ("70.0", "350000000", "2020"))  # of a patient
    assert load_volume(paths, suv=False).array.shape == (5, 48, 64)


def test_weights_that_differ_are_refused(tmp_path: Path) -> None:
    images = pet()
    images[2].PatientWeight = 71
    with pytest.raises(VolumeError, match="PatientWeight differs"):
        load_volume(write(images, tmp_path))


def test_real_slices(shared_data: Path) -> None:
    with (shared_data / "truth_pet_suv.csv").open(newline="") as file:
        truth = {row["patient"]: row for row in csv.DictReader(file)}
    from pydicom import dcmread

    paths = sorted((shared_data / "pet_suv_slices").glob("*.dcm"))
    assert len(paths) == len(truth) == 2
    for path in paths:
        row = truth[str(dcmread(path, stop_before_pixels=True).PatientID)]
        volume, sent = load_volume(path), load_volume(path, suv=False)
        assert volume.unit == "SUVbw"
        assert volume.array.max() == pytest.approx(float(row["slice_suv_max"]), abs=1e-6)
        assert volume.array.mean(dtype=np.float64) == pytest.approx(float(row["slice_suv_mean"]), abs=1e-6)
        assert volume.array.max() / sent.array.max() == pytest.approx(float(row["suvbw_factor"]), rel=1e-6)
        assert sent.unit == "BQML"
