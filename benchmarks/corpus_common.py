"""What every header of the benchmark corpus holds: people, places, dates and references.

Values that differ from file to file are the tokens below, of fixed width, which :mod:`corpus` overwrites in
the encoded bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final

from pydicom.dataset import Dataset
from pydicom.valuerep import PersonName

from catalog.synthetic.encode import uid
from catalog.synthetic.study import code, reference, sequence

UID_TOKEN: Final = "987654321012"
NUMBER_TOKEN: Final = "98712"
HEIGHT_TOKEN: Final = "-9999.125"
CURRENT_TOKEN: Final = "98761"
EXPOSURE_TOKEN: Final = "98743"
ACQUIRED_TOKEN: Final = "235958.123456"
MADE_TOKEN: Final = "235959.654321"

CT = "1.2.840.10008.5.1.4.1.1.2"

MAKERS: Final = {
    "siemens": ("SIEMENS", ("SOMATOM Force", "SOMATOM Definition AS+", "Biograph128_mCT")),
    "ge": ("GE MEDICAL SYSTEMS", ("Revolution CT", "Discovery CT750 HD", "Optima CT660")),
    "uih": ("UIH", ("uCT 780", "uCT 960+", "uMI 780")),
    "philips": ("Philips", ("Ingenuity CT", "Brilliance 64", "IQon - Spectral CT")),
}
# Charset as declared, patient's name in it; pydicom writes no escape for ISO 2022 IR 58, so those are bytes.
NAMES: Final[dict[str, tuple[str | bytes, ...]]] = {
    "": ("DOE^JOHN", "ROE^MARY ANN", "SMITH^ADAM^B"),
    "ISO_IR 100": ("Müller^Jürgen", "García^José", "Sørensen^Åse"),
    "ISO_IR 192": ("Wang^XiaoMing=王^小明", "Nguyễn^Thị Mai", "Łukaszewicz^Michał"),
    "GB18030": ("Li^XiuYing=李^秀英", "Zhang^Wei=张^伟", "Liu^Yang=刘^洋"),
    "GBK": ("Chen^Jing=陈^静", "Zhao^Lei=赵^磊", "Huang^Li=黄^丽"),
    "\\ISO 2022 IR 58": (b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab=",),
    "\\ISO 2022 IR 87": ("Yamada^Tarou=山田^太郎=やまだ^たろう",),
    "\\ISO 2022 IR 149": ("Hong^Gildong=洪^吉洞=홍^길동",),
}
INSTITUTIONS: Final = {"ISO_IR 192": "北京协和医院", "GB18030": "上海第六医院", "GBK": "广州第一医院"}


@dataclass(frozen=True, slots=True)
class Recipe:
    """One series of the corpus: everything that its header depends on."""

    key: str
    kind: str
    maker: str
    charset: str
    syntax: str
    files: int

    def rng(self) -> Random:
        return Random(self.key)

    def uid(self, *words: object) -> str:
        return uid("corpus", self.key, *words)


def common(recipe: Recipe, rng: Random, sop_class: str, modality: str) -> Dataset:
    ds = Dataset()
    if recipe.charset:
        ds.SpecificCharacterSet = recipe.charset.split("\\")
    day = f"20{rng.randint(15, 24)}{rng.randint(1, 12):02d}{rng.randint(1, 28):02d}"
    clock = f"{rng.randint(7, 19):02d}{rng.randint(0, 59):02d}{rng.randint(0, 59):02d}"
    ds.SOPClassUID = sop_class
    ds.SOPInstanceUID = f"1.2.826.0.1.3680043.10.9999.{rng.randint(10**13, 10**14)}.{UID_TOKEN}"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.InstanceCreationDate, ds.InstanceCreationTime, ds.InstanceCreatorUID = (
        day,
        MADE_TOKEN,
        uid(recipe.maker),
    )
    ds.StudyDate = ds.SeriesDate = ds.AcquisitionDate = ds.ContentDate = day
    ds.StudyTime, ds.SeriesTime = clock, f"{clock}.{rng.randint(0, 999):03d}000"
    ds.AcquisitionTime, ds.ContentTime, ds.AcquisitionDateTime = (
        ACQUIRED_TOKEN,
        MADE_TOKEN,
        day + ACQUIRED_TOKEN,
    )
    ds.Modality = modality
    _who(ds, recipe, rng)
    _what(ds, recipe, rng, day, clock)
    return ds


def _who(ds: Dataset, recipe: Recipe, rng: Random) -> None:
    """Patient, institution and equipment."""
    name = rng.choice(NAMES[recipe.charset])
    ds.PatientName = name if isinstance(name, str) else PersonName(name)
    ds.PatientID, ds.IssuerOfPatientID = f"PID{rng.randint(0, 10**8):08d}", "HOSP"
    ds.OtherPatientIDs = [f"X{rng.randint(0, 10**6)}", "OTHER2"]
    ds.PatientBirthDate = f"{rng.randint(1930, 2005)}{rng.randint(1, 12):02d}{rng.randint(1, 28):02d}"
    ds.PatientSex, ds.PatientAge = rng.choice("MF"), f"{rng.randint(18, 90):03d}Y"
    ds.PatientSize, ds.PatientWeight = f"{rng.uniform(1.5, 1.95):.2f}", f"{rng.uniform(45, 110):.1f}"
    ds.EthnicGroup, ds.PatientComments, ds.AdditionalPatientHistory = "X", "no comment", "none"
    ds.PregnancyStatus, ds.MedicalAlerts = 4, "none"
    ds.Manufacturer, models = MAKERS[recipe.maker]
    ds.ManufacturerModelName = rng.choice(models)
    ds.InstitutionName = INSTITUTIONS.get(recipe.charset, "General Hospital")
    ds.InstitutionAddress, ds.InstitutionalDepartmentName = "1 Hospital Road, Springfield", "Radiology"
    ds.StationName, ds.DeviceSerialNumber = f"CT{rng.randint(10000, 99999)}", str(rng.randint(10000, 99999))
    ds.SoftwareVersions = ["syngo CT VB20A", "VB20A_SP1"]
    ds.ReferringPhysicianName, ds.PerformingPhysicianName = "Doe^Jane^^Dr", "Smith^A"
    ds.PhysiciansOfRecord, ds.OperatorsName = "Roe^Richard", "tech1"


def _what(ds: Dataset, recipe: Recipe, rng: Random, day: str, clock: str) -> None:
    """Study, series, request and references."""
    ds.StudyInstanceUID, ds.SeriesInstanceUID = recipe.uid("study"), recipe.uid("series")
    ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = recipe.uid("frame"), ""
    ds.StudyID, ds.AccessionNumber = str(rng.randint(1000, 9999)), f"ACC{rng.randint(0, 10**8):08d}"
    ds.SeriesNumber, ds.AcquisitionNumber, ds.InstanceNumber = str(rng.randint(1, 20)), "2", NUMBER_TOKEN
    ds.StudyDescription = "CT Chest^1_ROUTINE (Adult)"
    ds.SeriesDescription = rng.choice(("Thorax 1.0 Br40", "AP 5.0 I30f", "Lung 1.25mm", "STD Recon 2"))
    ds.ProtocolName, ds.PatientPosition, ds.BodyPartExamined = "1_ROUTINE", "HFS", "CHEST"
    ds.AdmittingDiagnosesDescription, ds.ReasonForStudy, ds.StudyStatusID = "cough", "rule out", "IN"
    ds.ProcedureCodeSequence = sequence(code("71260", "C4", "CT CHEST W CONTRAST"))
    ds.ReferencedStudySequence = sequence(reference("1.2.840.10008.3.1.2.3.1", recipe.uid("rs")))
    ds.ReferencedPerformedProcedureStepSequence = sequence(
        reference("1.2.840.10008.3.1.2.3.3", recipe.uid("rp"))
    )
    ds.ReferencedImageSequence = sequence(*(reference(CT, recipe.uid("ri", k)) for k in range(3)))
    ds.IrradiationEventUID = recipe.uid("irradiation")
    ds.PerformedProcedureStepStartDate, ds.PerformedProcedureStepStartTime = day, clock
    ds.PerformedProcedureStepID, ds.PerformedProcedureStepDescription = "PPS1", "CT Chest"
    ds.PerformedProtocolCodeSequence = sequence(code("P1", "99X", "Protocol"))
    request = Dataset()
    request.ScheduledProcedureStepDescription, request.ScheduledProcedureStepID = "CT", "S1"
    request.RequestedProcedureID, request.RequestedProcedureDescription = "RP1", "chest ct"
    request.ScheduledProtocolCodeSequence = sequence(code("SP", "99X", "Scheduled"))
    ds.RequestAttributesSequence = sequence(request)
    ds.RequestedProcedureDescription, ds.RequestingService = "CT CHEST", "ER"
    ds.RequestedProcedureCodeSequence = sequence(code("71260", "C4", "CT CHEST W CONTRAST"))
