"""The synthetic network: write it and say what it holds."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import numpy as np

from catalog.synthetic import images
from catalog.synthetic.anatomy import Chest, Grid
from catalog.synthetic.encode import cut_in_pixels, encode, without_preamble
from catalog.synthetic.extras import JUNK, OBJECTS
from catalog.synthetic.sites import SITES, Accidents, Site
from catalog.synthetic.write import FIELD_OF_VIEW_MM, Scan, SiteTruth, SiteWriter
from hpc.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from catalog.synthetic.study import Study


SHARP_NOISE_HU: Final = 45.0
SMOOTH_NOISE_HU: Final = 12.0


@dataclass(frozen=True, slots=True)
class Network:
    """A synthetic network on disk: where its sites are and what they hold."""

    folder: Path
    sites: Mapping[str, Path]
    truth: Mapping[str, SiteTruth]


def make_network(
    folder: Path, *, seed: int = 20, studies_per_site: int = 2, rows: int = 128, slices: int = 24
) -> Network:
    """Write three hospitals' DICOM files: chest CT, some PET, MR, SEG and RTSTRUCT, and broken files.

    Every name is invented. The same arguments give the same bytes.

    Parameters
    ----------
    folder : Path
        Where the sites' folders go; made if it is missing.
    seed : int
        Another seed gives other people's chests and other UIDs.
    studies_per_site : int
        With two or more, every scanner, habit and accident of the network occurs.
    rows : int
        Height and width of the CT images, at least 32.
    slices : int
        Slices of a thin series, at least 12; a thick series has as many as fill the same height.

    Raises
    ------
    UsageError
        If a number is too small.
    """
    for name, value, least in (
        ("studies_per_site", studies_per_site, 1),
        ("rows", rows, 32),
        ("slices", slices, 12),
    ):
        if value < least:
            raise UsageError(f"make_network: {name} is {value}; give at least {least}")
    truth = {}
    for number, site in enumerate(SITES):
        writer = SiteWriter(site, folder / site.name)
        for index in range(studies_per_site):
            study = site.study(index, studies_per_site, seed)
            rng = np.random.default_rng([seed, number, index])
            _write_study(writer, study, _accidents(site, index), rng, rows, slices)
        truth[site.name] = writer.truth()
    return Network(
        folder,
        MappingProxyType({site.name: folder / site.name for site in SITES}),
        MappingProxyType(truth),
    )


def _accidents(site: Site, index: int) -> Accidents:
    return site.accidents[index] if index < len(site.accidents) else Accidents()


def _write_study(
    writer: SiteWriter, study: Study, accidents: Accidents, rng: np.random.Generator, rows: int, slices: int
) -> None:
    scanner = study.scanner
    height = slices * scanner.thin_mm
    chest = Chest.random(rng, height)
    step = FIELD_OF_VIEW_MM / rows
    grid = Grid.centred((slices, rows, rows), (scanner.thin_mm, step, step))
    scan = Scan(study, chest, grid, chest.labels(grid), rng)

    middle = slices // 2
    skip = frozenset(range(middle, middle + accidents.missing_slices))
    thin = images.ct_images(scan.thin(), scan.labels, grid, scanner.kernels[0], SHARP_NOISE_HU, rng)
    writer.put_series(scan, scan.thin(), thin, syntax=scanner.syntax, spacing_mm=scanner.thin_mm, skip=skip)
    _write_thick(writer, scan, accidents)
    for name in accidents.objects:
        OBJECTS[name](writer, scan)
    for name in accidents.junk:
        content, kind = JUNK[name]
        writer.put(name, content(scan), kind)


def _write_thick(writer: SiteWriter, scan: Scan, accidents: Accidents) -> None:
    scanner = scan.study.scanner
    slices = max(4, ceil(scan.grid.shape[0] * scanner.thin_mm / scanner.thick_mm))
    grid = Grid.centred((slices, *scan.grid.shape[1:]), (scanner.thick_mm, *scan.grid.spacing_mm[1:]))
    series = scan.thick()
    labels = scan.chest.labels(grid)
    stack = list(images.ct_images(series, labels, grid, scanner.kernels[1], SMOOTH_NOISE_HU, scan.rng))
    damage: dict[int, Callable[[bytes], bytes]] = {}
    if accidents.cut_pixels:
        damage[slices - 1] = cut_in_pixels
    if accidents.no_preamble:
        damage[0] = without_preamble
    writer.put_series(scan, series, stack, syntax=scanner.syntax, spacing_mm=scanner.thick_mm, damage=damage)
    ds = stack[1]
    if accidents.duplicate:
        writer.put("copy.dcm", encode(ds, scanner.syntax), "duplicates")
    if accidents.conflict:
        ds = stack[2]
        ds.PixelData = bytes(len(ds.PixelData))
        ds.WindowCenter, ds.WindowWidth = 50, 350
        writer.put("sent again.dcm", encode(ds, scanner.syntax), "instances")
        writer.counts["conflicts"] += 1
