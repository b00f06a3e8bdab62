"""Headers of the benchmark corpus, kind by kind: one function and one row of :data:`KINDS` each."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final

import corpus_objects as objects
from corpus_common import CT, CURRENT_TOKEN, EXPOSURE_TOKEN, HEIGHT_TOKEN, Recipe, common
from corpus_objects import pixels
from corpus_private import PRIVATE_BLOCKS, csa
from pydicom.dataset import Dataset

from catalog.synthetic.study import code, sequence

ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"
MR, ENHANCED_MR = "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.4.1"
PET, DX = "1.2.840.10008.5.1.4.1.1.128", "1.2.840.10008.5.1.4.1.1.1.1"
SEG, RTSTRUCT = "1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.481.3"
REPORT = "1.2.840.10008.5.1.4.1.1.88.33"


def header(recipe: Recipe) -> Dataset:
    """Data set of a series' objects, without pixel data."""
    rng = recipe.rng()
    sop_class, modality, build = KINDS[recipe.kind]
    ds = common(recipe, rng, sop_class, modality)
    build(ds, recipe, rng)
    if rng.random() < 1 / 3:
        _undefine_lengths(ds, rng)
    return ds


def _plane(ds: Dataset, rng: Random) -> None:
    thickness = rng.choice(("0.75", "1", "1.25", "1.5", "2", "3", "5"))
    ds.SliceThickness = ds.SpacingBetweenSlices = thickness
    ds.ImagePositionPatient = ["-180.25", "-310.125", HEIGHT_TOKEN]
    ds.ImageOrientationPatient, ds.SliceLocation = ["1", "0", "0", "0", "1", "0"], HEIGHT_TOKEN
    ds.PixelSpacing = ["0.703125", "0.703125"]


def _ct(ds: Dataset, recipe: Recipe, rng: Random) -> None:
    _plane(ds, rng)
    pixels(ds, 64)
    ds.ScanOptions, ds.KVP, ds.DataCollectionDiameter, ds.ReconstructionDiameter = (
        "HELICAL MODE",
        "120",
        "500",
        "360",
    )
    ds.DistanceSourceToDetector, ds.DistanceSourceToPatient, ds.GantryDetectorTilt = "1085.6", "595", "0"
    ds.TableHeight, ds.RotationDirection, ds.ExposureTime = "145", "CW", "500"
    ds.XRayTubeCurrent, ds.Exposure = CURRENT_TOKEN, EXPOSURE_TOKEN
    ds.FilterType, ds.GeneratorPower, ds.FocalSpots = "WEDGE_3", "60", "1.2"
    ds.DateOfLastCalibration, ds.TimeOfLastCalibration = "20240314", "080000.000"
    ds.ConvolutionKernel = ["Br40f", "3"] if recipe.maker == "siemens" else "STANDARD"
    ds.SingleCollimationWidth, ds.TotalCollimationWidth, ds.TableSpeed = 0.6, 38.4, 46.0
    ds.TableFeedPerRotation, ds.SpiralPitchFactor, ds.EstimatedDoseSaving, ds.CTDIvol = 23.0, 0.6, 12.5, 7.31
    ds.DataCollectionCenterPatient = ds.ReconstructionTargetCenterPatient = [0.0, -130.0, -500.0]
    ds.ExposureModulationType = "XYZ_EC"
    ds.CTDIPhantomTypeCodeSequence = sequence(code("113691", "DCM", "IEC Body Dosimetry Phantom"))
    ds.ContrastBolusAgent, ds.ContrastBolusRoute, ds.ContrastBolusVolume = "OMNIPAQUE", "IV", "100"
    ds.ContrastBolusStartTime, ds.ContrastBolusTotalDose = "102900", "100"
    ds.ContrastFlowRate, ds.ContrastFlowDuration, ds.ContrastBolusIngredientConcentration = "3", "33", "350"
    ds.ImageComments, ds.LossyImageCompression, ds.BurnedInAnnotation = "None", "00", "NO"
    ds.QualityControlImage, ds.WindowCenter, ds.WindowWidth = "NO", ["50", "-600"], ["350", "1200"]
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "-1024", "1", "HU"
    ds.WindowCenterWidthExplanation = ["WINDOW1", "WINDOW2"]
    ds.SmallestImagePixelValue, ds.LargestImagePixelValue = 0, 2500
    PRIVATE_BLOCKS[recipe.maker](ds)


def _mr(ds: Dataset, recipe: Recipe, rng: Random) -> None:
    _mr_sequence(ds, rng)
    PRIVATE_BLOCKS[recipe.maker](ds)


def _mr_with_long_private_values(ds: Dataset, _recipe: Recipe, rng: Random) -> None:
    _mr_sequence(ds, rng)
    csa(ds, rng.randbytes(11_000), rng.randbytes(75_000))


def _mr_sequence(ds: Dataset, rng: Random) -> None:
    _plane(ds, rng)
    pixels(ds, 64)
    ds.ScanningSequence, ds.SequenceVariant, ds.ScanOptions, ds.MRAcquisitionType = (
        "GR",
        ["SK", "SP"],
        "PFP",
        "3D",
    )
    ds.SequenceName, ds.AngioFlag, ds.RepetitionTime, ds.EchoTime = "*tfl3d1", "N", "2300", "2.98"
    ds.InversionTime, ds.NumberOfAverages, ds.ImagingFrequency, ds.ImagedNucleus = "900", "1", "123.2", "1H"
    ds.EchoNumbers, ds.MagneticFieldStrength, ds.NumberOfPhaseEncodingSteps = "1", "3", "255"
    ds.EchoTrainLength, ds.PercentSampling, ds.PercentPhaseFieldOfView = "1", "100", "100"
    ds.PixelBandwidth, ds.TransmitCoilName, ds.AcquisitionMatrix = "240", "Body", [0, 256, 256, 0]
    ds.InPlanePhaseEncodingDirection, ds.FlipAngle, ds.VariableFlipAngleFlag = "ROW", "9", "N"
    ds.SAR, ds.dBdt, ds.WindowCenter, ds.WindowWidth = "0.05", "0", "300", "700"


def _pet(ds: Dataset, recipe: Recipe, rng: Random) -> None:
    _plane(ds, rng)
    pixels(ds, 64)
    tracer = Dataset()
    tracer.Radiopharmaceutical, tracer.RadiopharmaceuticalVolume = "Fluorodeoxyglucose", "0"
    tracer.RadiopharmaceuticalStartTime = "091500.000000"
    tracer.RadiopharmaceuticalStartDateTime = "20240315091500.000000"
    tracer.RadionuclideTotalDose, tracer.RadionuclideHalfLife = str(rng.randint(250, 420) * 10**6), "6586.2"
    tracer.RadionuclidePositronFraction = "0.97"
    tracer.RadionuclideCodeSequence = sequence(code("C-111A1", "SRT", "^18^Fluorine"))
    tracer.RadiopharmaceuticalCodeSequence = sequence(code("C-B1031", "SRT", "Fluorodeoxyglucose F^18^"))
    tracer.AdministrationRouteCodeSequence = sequence(code("G-D101", "SNM3", "Intravenous route"))
    ds.RadiopharmaceuticalInformationSequence = sequence(tracer)
    ds.Units, ds.CountsSource, ds.RandomsCorrectionMethod, ds.DecayCorrection = (
        "BQML",
        "EMISSION",
        "DLYD",
        "START",
    )
    ds.AttenuationCorrectionMethod, ds.ScatterCorrectionMethod = "measured,AC CT", "Model-based"
    ds.ReconstructionMethod, ds.FrameReferenceTime, ds.DecayFactor = "PSF+TOF 3i21s", "1148850.85", "1.03"
    ds.DoseCalibrationFactor, ds.ScatterFractionFactor, ds.ImageIndex, ds.NumberOfSlices = "1", "0.3", 1, 200
    ds.SeriesType = ["WHOLE BODY", "IMAGE"]
    ds.CorrectedImage = ["DECY", "RADL", "ATTN", "SCAT", "DTIM", "RAN", "NORM"]
    ds.ActualFrameDuration, ds.CollimatorType = "120000", "NONE"
    ds.RescaleSlope, ds.RescaleIntercept = f"{rng.uniform(0.1, 2):.5f}", "0"
    recumbent = code("F-10450", "SRT", "recumbent")
    recumbent.PatientOrientationModifierCodeSequence = sequence(code("F-10340", "SRT", "supine"))
    ds.PatientOrientationCodeSequence = sequence(recumbent)
    PRIVATE_BLOCKS[recipe.maker](ds)


def _undefine_lengths(ds: Dataset, rng: Random) -> None:
    for element in ds:
        if element.VR == "SQ":
            element.is_undefined_length = True
            for item in element.value:
                item.is_undefined_length_sequence_item = rng.random() < 0.8
                _undefine_lengths(item, rng)


Builder = Callable[[Dataset, Recipe, Random], None]
# SOP class, modality, what the header holds besides the common part.
KINDS: Final[dict[str, tuple[str, str, Builder]]] = {
    "ct": (CT, "CT", _ct),
    "mr": (MR, "MR", _mr),
    "mr-csa": (MR, "MR", _mr_with_long_private_values),
    "pet": (PET, "PT", _pet),
    "dx": (DX, "DX", objects.projection),
    "enhanced-ct": (ENHANCED_CT, "CT", objects.enhanced_ct),
    "enhanced-mr": (ENHANCED_MR, "MR", objects.enhanced_mr),
    "seg": (SEG, "SEG", objects.segmentation),
    "rtstruct": (RTSTRUCT, "RTSTRUCT", objects.structure_set),
    "sr": (REPORT, "SR", objects.report),
}
PIXEL_BYTES: Final = {
    "ct": 8192, "mr": 8192, "mr-csa": 8192, "pet": 8192, "dx": 8192,
    "enhanced-ct": 51200, "enhanced-mr": 51200, "seg": 10240,
}  # fmt: skip
