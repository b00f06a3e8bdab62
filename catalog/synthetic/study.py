"""People, scanners and studies of the synthetic network, and the DICOM modules that every object shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from catalog.synthetic.encode import uid

if TYPE_CHECKING:
    from datetime import date


@dataclass(frozen=True, slots=True)
class Person:
    """An invented patient."""

    patient_id: str
    name: str
    born: date
    sex: str
    weight_kg: float
    height_m: float


@dataclass(frozen=True, slots=True)
class Scanner:
    """A scanner and its habits.

    Attributes
    ----------
    charset : str
        What its files declare as SpecificCharacterSet.
    undeclared : str
        Python codec of the text where the scanner declares nothing, or empty.
    syntax : str
        How it stores CT: a key of :data:`catalog.synthetic.encode.SYNTAXES`.
    thin_mm, thick_mm : float
        Slice spacing of its two reconstructions.
    kernels : tuple of str
        Kernel of the thin and of the thick reconstruction.
    words : tuple of str
        How their SeriesDescriptions start.
    body_part : str
        BodyPartExamined, empty where it is not sent.
    feet_first_numbers : bool
        True where InstanceNumber 1 is the lowest slice.
    """

    manufacturer: str
    model: str
    software: str
    charset: str
    undeclared: str
    syntax: str
    thin_mm: float
    thick_mm: float
    kernels: tuple[str, str]
    words: tuple[str, str]
    body_part: str
    feet_first_numbers: bool


@dataclass(frozen=True, slots=True)
class Study:
    """One examination: who, where, when and with what."""

    site: str
    institution: str
    description: str
    accession: str
    date: date
    person: Person
    scanner: Scanner
    seed: int

    def uid(self, *words: object) -> str:
        """UID of something within the study; without words, of the study."""
        return uid("cohortium", self.seed, self.site, self.accession, *words)

    @property
    def frame_of_reference(self) -> str:
        """UID of the coordinate system that the study's images share."""
        return self.uid("frame of reference")


@dataclass(frozen=True, slots=True)
class Series:
    """A series to be written: its number, kind and words, and its model where another machine took it."""

    study: Study
    number: int
    modality: str
    description: str
    sop_class: str
    model: str = ""

    @property
    def uid(self) -> str:
        """SeriesInstanceUID."""
        return self.study.uid("series", self.number)

    def instance_uid(self, index: int) -> str:
        """SOPInstanceUID of an object, counted from 0 at the feet."""
        return self.study.uid("instance", self.number, index)


def code(value: str, scheme: str, meaning: str) -> Dataset:
    """Item of a code sequence (PS3.3, 8.8)."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def sequence(*items: Dataset) -> Sequence:
    """Sequence of items."""
    return Sequence(items)


def reference(sop_class: str, instance: str) -> Dataset:
    """Item that refers to an object."""
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, instance
    return item


def series_dataset(series: Series) -> Dataset:
    """Patient, study, series, frame of reference and equipment modules (PS3.3, C.7)."""
    study, scanner, person = series.study, series.study.scanner, series.study.person
    ds = Dataset()
    ds.SpecificCharacterSet = scanner.charset
    ds.SOPClassUID = series.sop_class
    _patient(ds, person, study.date)
    ds.StudyInstanceUID = study.uid()
    ds.StudyDate = f"{study.date:%Y%m%d}"
    ds.StudyTime = "101500"
    ds.StudyID = study.accession[-4:]
    ds.AccessionNumber = study.accession
    ds.StudyDescription = study.description
    ds.ReferringPhysicianName = ""
    ds.ProcedureCodeSequence = sequence(code("24627-2", "LN", "CT Chest"))
    ds.SeriesInstanceUID = series.uid
    ds.SeriesNumber = series.number
    ds.Modality = series.modality
    ds.SeriesDate = ds.StudyDate
    ds.SeriesTime = f"10{20 + series.number:02d}00"
    ds.SeriesDescription = series.description
    ds.ProtocolName = study.description
    ds.OperatorsName = ""
    ds.PatientPosition = "HFS"
    if scanner.body_part:
        ds.BodyPartExamined = scanner.body_part
    ds.FrameOfReferenceUID = study.frame_of_reference
    ds.PositionReferenceIndicator = ""
    ds.Manufacturer = scanner.manufacturer
    ds.ManufacturerModelName = series.model or scanner.model
    ds.SoftwareVersions = scanner.software
    ds.DeviceSerialNumber = str(10000 + 37 * len(ds.ManufacturerModelName))
    ds.StationName = f"CT{len(scanner.software)}"
    ds.InstitutionName = study.institution
    return ds


def _patient(ds: Dataset, person: Person, today: date) -> None:
    ds.PatientName = person.name
    ds.PatientID = person.patient_id
    ds.PatientBirthDate = f"{person.born:%Y%m%d}"
    ds.PatientSex = person.sex
    years = today.year - person.born.year - ((today.month, today.day) < (person.born.month, person.born.day))
    ds.PatientAge = f"{years:03d}Y"
    ds.PatientWeight = person.weight_kg
    ds.PatientSize = person.height_m
