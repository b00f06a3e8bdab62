"""What a study holds besides its two CT series: further objects, and files that are none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from catalog.synthetic import derived, images
from catalog.synthetic.anatomy import lung_masks, nodule_mask
from catalog.synthetic.encode import cut_in_header, media_directory
from catalog.synthetic.write import Scan, SiteWriter, encoded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def _localizer(writer: SiteWriter, scan: Scan, syntax: str = "explicit") -> None:
    series = scan.series(1, "CT", "Topogram", images.CT_IMAGE)
    view = images.localizer(series, scan.labels, scan.grid)
    writer.put_series(scan, series, [view], syntax=syntax)


def _deflated_localizer(writer: SiteWriter, scan: Scan) -> None:
    _localizer(writer, scan, "deflated")


def _pet(writer: SiteWriter, scan: Scan) -> None:
    grid = scan.coarse(2, 8)
    series = scan.series(4, "PT", "PET FDG AC", images.PET_IMAGE, "Biograph mCT")
    slices = images.pet_images(series, scan.chest.labels(grid), grid, scan.rng)
    writer.put_series(scan, series, slices, spacing_mm=grid.spacing_mm[0])


def _mr(writer: SiteWriter, scan: Scan) -> None:
    grid = scan.coarse(2, 8)
    series = scan.series(5, "MR", "T1 mDIXON", images.MR_IMAGE, "Ingenia")
    slices = images.mr_images(series, scan.chest.labels(grid), grid, scan.rng)
    writer.put_series(scan, series, slices, spacing_mm=grid.spacing_mm[0])


def _segmentation(writer: SiteWriter, scan: Scan) -> None:
    series = scan.series(6, "SEG", "Lungs and nodule", derived.SEGMENTATION)
    right, left = lung_masks(scan.labels, scan.grid)
    organ, lesion = ("123037004", "Anatomical Structure"), ("49755003", "Morphologically Altered Structure")
    segments = (
        derived.Segment("Right lung", organ, ("3341006", "Right lung"), right),
        derived.Segment("Left lung", organ, ("44029006", "Left lung"), left),
        derived.Segment("Nodule", lesion, ("27925004", "Nodule"), nodule_mask(scan.labels)),
    )
    ds = derived.segmentation(series, scan.thin(), scan.grid, segments)
    writer.put_series(scan, series, [ds])


def _structure_set(writer: SiteWriter, scan: Scan) -> None:
    series = scan.series(7, "RTSTRUCT", "Contours", derived.STRUCTURE_SET)
    ds = derived.structure_set(series, scan.thin(), scan.grid, scan.chest)
    writer.put_series(scan, series, [ds], syntax="implicit")


def _cut_header(scan: Scan) -> bytes:
    series = scan.series(9, "CT", "Topogram", images.CT_IMAGE)
    return cut_in_header(encoded(images.localizer(series, scan.labels, scan.grid), scan.study, "explicit"))


def _text(_scan: Scan) -> bytes:
    return "Ask the archive's office before you move these folders.\nÀ bientôt.\n".encode()


def _directory(scan: Scan) -> bytes:
    return media_directory(scan.study.site.upper())


def _nothing(_scan: Scan) -> bytes:
    return b""


OBJECTS: Final[Mapping[str, Callable[[SiteWriter, Scan], None]]] = {
    "localizer": _localizer,
    "deflated localizer": _deflated_localizer,
    "pet": _pet,
    "mr": _mr,
    "seg": _segmentation,
    "rtstruct": _structure_set,
}
JUNK: Final[Mapping[str, tuple[Callable[[Scan], bytes], str]]] = {
    "README.txt": (_text, "not_dicom"),
    "LISEZMOI.TXT": (_text, "not_dicom"),
    "DICOMDIR": (_directory, "not_dicom"),
    "notes.dcm": (_text, "not_dicom"),
    "EMPTY.dcm": (_nothing, "failures"),
    "cut_header.dcm": (_cut_header, "failures"),
}
