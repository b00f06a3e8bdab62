"""The hospitals of the synthetic network: scanners, words, character sets, folder habits and accidents."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from catalog.synthetic.study import Person, Scanner, Series, Study

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Accidents:
    """What a study holds besides its two CT series, and what went wrong with it.

    Attributes
    ----------
    objects : tuple of str
        Further objects: keys of :data:`catalog.synthetic.extras.OBJECTS`.
    missing_slices : int
        Slices that never arrived from the middle of the thin series.
    cut_pixels, no_preamble : bool
        True where one file of the thick series has lost the end of its pixel data, or its preamble.
    duplicate, conflict : bool
        True where one object is stored twice: byte for byte, or with another content under the same UID.
    junk : tuple of str
        Files that are no objects: keys of :data:`catalog.synthetic.extras.JUNK`.
    """

    objects: tuple[str, ...] = ()
    missing_slices: int = 0
    cut_pixels: bool = False
    no_preamble: bool = False
    duplicate: bool = False
    conflict: bool = False
    junk: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Site:
    """A hospital.

    Attributes
    ----------
    scanners : tuple of Scanner
        They take the studies in turn.
    people : tuple of Person
        Its patients; PatientID is a plain number, so it repeats from site to site.
    path : callable
        Where it files an object: ``path(series, number, SOPInstanceUID)``, relative to the site's folder.
    accidents : tuple of Accidents
        Of the first study, of the second, ...
    """

    name: str
    institution: str
    description: str
    scanners: tuple[Scanner, ...]
    people: tuple[Person, ...]
    path: Callable[[Series, int, str], str]
    accidents: tuple[Accidents, ...]

    def study(self, index: int, of: int, seed: int) -> Study:
        """Study number ``index`` of ``of``; from three studies on, the last is the first patient's second."""
        patient = index % max(2, of - 1)
        person = self.people[patient % len(self.people)]
        return Study(
            site=self.name,
            institution=self.institution,
            description=self.description,
            accession=f"A{seed % 100:02d}{index + 1:05d}",
            date=date(2021, 3, 4) + timedelta(days=97 * index + 11 * len(self.name)),
            person=Person(
                f"{patient + 1:06d}", person.name, person.born, person.sex, person.weight_kg, person.height_m
            ),
            scanner=self.scanners[index % len(self.scanners)],
            seed=seed,
        )


def _by_day(series: Series, number: int, _uid: str) -> str:
    study = series.study
    return f"{study.date:%Y/%m/%d}/{study.accession}/SE{series.number:03d}/IM{number:04d}.dcm"


def _by_uid(series: Series, _number: int, uid: str) -> str:
    return f"胸部/{series.study.person.patient_id}_{series.study.accession}/{series.number}/{uid}.dcm"


def _as_media(series: Series, number: int, _uid: str) -> str:
    study = series.study
    folder = f"DICOM/PA{study.person.patient_id}/ST{study.accession[-5:]}"
    return f"{folder}/SE{series.number:06d}/IM{number:06d}"


FORCE: Final = Scanner(
    manufacturer="SIEMENS",
    model="SOMATOM Force",
    software="syngo CT VB20A",
    charset="ISO_IR 100",
    undeclared="",
    syntax="explicit",
    thin_mm=1.0,
    thick_mm=5.0,
    kernels=("Bl57d\\3", "Br40d\\3"),
    words=("Lung", "Thorax"),
    body_part="CHEST",
    feet_first_numbers=False,
)
UCT: Final = Scanner(
    manufacturer="UIH",
    model="uCT 780",
    software="uCT R001",
    charset="GB18030",
    undeclared="",
    syntax="implicit",
    thin_mm=1.5,
    thick_mm=4.0,
    kernels=("B_SHARP_C", "B_SOFT_B"),
    words=("肺窗", "纵隔窗"),
    body_part="CHEST",
    feet_first_numbers=True,
)
REVOLUTION: Final = Scanner(
    manufacturer="GE MEDICAL SYSTEMS",
    model="Revolution CT",
    software="revo_ct_22bc",
    charset="ISO_IR 100",
    undeclared="gbk",
    syntax="explicit",
    thin_mm=1.25,
    thick_mm=5.0,
    kernels=("LUNG", "STANDARD"),
    words=("肺窗", "纵隔窗"),
    body_part="",
    feet_first_numbers=False,
)
INGENUITY: Final = Scanner(
    manufacturer="Philips",
    model="Ingenuity CT",
    software="4.1.7",
    charset="ISO_IR 192",
    undeclared="",
    syntax="explicit",
    thin_mm=2.0,
    thick_mm=5.0,
    kernels=("YA", "B"),
    words=("Parenchyme", "Médiastin"),
    body_part="THORAX",
    feet_first_numbers=True,
)
OPTIMA: Final = Scanner(
    manufacturer="GE MEDICAL SYSTEMS",
    model="Optima CT660",
    software="gmp_vct.42",
    charset="ISO_IR 192",
    undeclared="",
    syntax="rle",
    thin_mm=1.25,
    thick_mm=5.0,
    kernels=("LUNG", "STANDARD"),
    words=("Parenchyme", "Médiastin"),
    body_part="CHEST",
    feet_first_numbers=False,
)

SITES: Final = (
    Site(
        name="st-mary",
        institution="St Mary's Hospital",
        description="CT Chest^1_ROUTINE (Adult)",
        scanners=(FORCE,),
        people=(
            Person("", "Müller^Jürgen", date(1957, 2, 14), "M", 82.5, 1.78),
            Person("", "O'Neill^Zoë^Mary^Mrs", date(1968, 11, 30), "F", 61.0, 1.66),
            Person("", "García^José Luis", date(1949, 6, 1), "M", 77.0, 1.7),
        ),
        path=_by_day,
        accidents=(
            Accidents(objects=("localizer", "pet", "seg"), junk=("README.txt", "EMPTY.dcm")),
            Accidents(missing_slices=1, cut_pixels=True),
        ),
    ),
    Site(
        name="beijing-3",
        institution="北京第三医院",
        description="胸部CT平扫",
        scanners=(UCT, REVOLUTION),
        people=(
            Person("", "Wang^Xiaoming=王^小明", date(1961, 8, 8), "M", 68.0, 1.72),
            Person("", "Li^Xiuying=李^秀英", date(1972, 1, 25), "F", 55.5, 1.6),
            Person("", "Zhang^Wei=张^伟", date(1980, 12, 12), "M", 73.0, 1.75),
        ),
        path=_by_uid,
        accidents=(
            Accidents(objects=("rtstruct",), no_preamble=True, duplicate=True, conflict=True),
            Accidents(objects=("localizer",), junk=("notes.dcm", "cut_header.dcm")),
        ),
    ),
    Site(
        name="lyon",
        institution="Hôpital de la Croix-Bleue",
        description="TDM thoracique sans injection",
        scanners=(INGENUITY, OPTIMA),
        people=(
            Person("", "Lefèvre^Éloïse", date(1955, 4, 19), "F", 64.0, 1.63),
            Person("", "Nguyễn^Thị Mai", date(1979, 9, 3), "F", 52.0, 1.57),
            Person("", "Łukaszewicz^Michał", date(1944, 10, 27), "M", 88.0, 1.81),
        ),
        path=_as_media,
        accidents=(
            Accidents(objects=("deflated localizer", "mr"), junk=("DICOMDIR", "LISEZMOI.TXT", "EMPTY.dcm")),
            Accidents(junk=("cut_header.dcm",)),
        ),
    ),
)
