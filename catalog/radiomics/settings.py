"""Settings of feature extraction: one frozen record, valid on construction, written as TOML."""

from __future__ import annotations

import difflib
import hashlib
import math
import tomllib
from dataclasses import dataclass, fields, replace
from importlib import resources
from pathlib import Path
from typing import Any

from hpc.errors import MissingError, UsageError

AGGREGATIONS = ("2d_avg", "2d_s_mrg", "2_5d_d_mrg", "2_5d_v_mrg", "3d_avg", "3d_v_mrg")
TEXTURES = ("glcm", "glrlm", "glszm", "gldzm", "ngtdm", "ngldm")
FAMILIES = (
    "morphology",
    "local_intensity",
    "statistics",
    "histogram",
    "ivh",
    *TEXTURES,
)
PRESETS = ("ibsi-a", "ibsi-b", "ibsi-c", "ibsi-d", "ibsi-e", "ct-lung", "pet", "mr")
INTERPOLATIONS = ("nearest", "linear", "cubic")
KEEP = "keep"

Spacing = tuple[float | None, float | None, float | None]


@dataclass(frozen=True, slots=True)
class Settings:
    """How an image and a mask become features (IBSI manual, image processing and feature definitions).

    Attributes
    ----------
    spacing_mm : float, tuple of three or None
        Voxel size after interpolation, one number for all axes or (z, y, x); None, as a whole or for an axis,
        keeps what the image has: ``(None, 2.0, 2.0)`` interpolates within slices.
    image_interpolation, mask_interpolation : str
        ``nearest``, ``linear`` or ``cubic`` (cubic B-spline); the mask's may not be cubic.
    mask_threshold : float
        A voxel belongs to the interpolated mask from this part of its volume on, 0 < threshold <= 1.
    round_intensities : bool
        Round interpolated intensities to whole numbers, as HU are.
    resegment_range : tuple of two floats or None
        Lowest and highest intensity, both included, of the intensity mask; None for a side without bound.
    resegment_sigma : float or None
        Leave out intensities further from the mean than so many standard deviations.
    bin_width : float or None
        Width of the bins of fixed size; 25.0 if neither it nor `bin_number` is given.
    bin_number : int or None
        Number of bins; excludes `bin_width`.
    bin_origin : float or None
        Lower edge of the first bin of fixed size; what lies below belongs to the first bin. None: the lower
        bound of `resegment_range` if it has one, else the least intensity of the region.
    ivh_bin_width, ivh_bin_number : float or None, int or None
        Discretisation of the intensity-volume histogram, at most one. Neither: intensities as they are where
        all are whole numbers, else 1000 bins.
    aggregations : tuple of str
        How matrices of directions and slices are joined, out of `AGGREGATIONS`. Matrices without directions
        (GLSZM, GLDZM, NGTDM, NGLDM) are given for each of 2D, 2.5D and 3D that is named.
    families : tuple of str
        Feature families, out of `FAMILIES`.
    glcm_distance, ngtdm_distance, ngldm_distance : int
        Chebyshev distance of neighbours, in voxels.
    ngldm_alpha : float
        Coarseness: neighbours are dependent if their levels differ by no more.
    autocorrelation : bool or "auto"
        Whether Moran's I and Geary's C are computed; ``auto``: in regions up to `autocorrelation_limit`.
    autocorrelation_limit : int
        Voxels of the largest region for which ``auto`` computes them.
    filter : filter settings or None
        Image filter of :mod:`catalog.radiomics.filters`, applied after interpolation.

    Raises
    ------
    UsageError
        A value is not one of those above.
    """

    spacing_mm: float | Spacing | None = None
    image_interpolation: str = "cubic"
    mask_interpolation: str = "linear"
    mask_threshold: float = 0.5
    round_intensities: bool = False
    resegment_range: tuple[float | None, float | None] | None = None
    resegment_sigma: float | None = None
    bin_width: float | None = None
    bin_number: int | None = None
    bin_origin: float | None = None
    ivh_bin_width: float | None = None
    ivh_bin_number: int | None = None
    aggregations: tuple[str, ...] = ("3d_avg", "3d_v_mrg")
    families: tuple[str, ...] = FAMILIES
    glcm_distance: int = 1
    ngtdm_distance: int = 1
    ngldm_distance: int = 1
    ngldm_alpha: float = 0.0
    autocorrelation: bool | str = "auto"
    autocorrelation_limit: int = 1_000_000
    filter: Any = None

    def __post_init__(self) -> None:
        if self.bin_width is None and self.bin_number is None:
            object.__setattr__(self, "bin_width", 25.0)
        if isinstance(self.spacing_mm, int | float):
            object.__setattr__(self, "spacing_mm", (float(self.spacing_mm),) * 3)
        self._check_processing()
        self._check_discretisation()
        self._check_features()

    def _check_processing(self) -> None:
        spacing, bounds = self.spacing_mm, self.resegment_range
        if spacing is not None:
            fit = (
                isinstance(spacing, tuple) and len(spacing) == 3 and all(s is None or s > 0 for s in spacing)
            )
            _demand("spacing_mm", spacing, fit, "three numbers above zero, or None for an axis that is kept")
        _choice("image_interpolation", self.image_interpolation, INTERPOLATIONS)
        _choice("mask_interpolation", self.mask_interpolation, INTERPOLATIONS[:2])
        _demand("mask_threshold", self.mask_threshold, 0 < self.mask_threshold <= 1, "0 < threshold <= 1")
        if bounds is not None:
            fit = isinstance(bounds, tuple) and len(bounds) == 2
            fit = fit and (bounds[0] is None or bounds[1] is None or bounds[0] <= bounds[1])
            _demand("resegment_range", bounds, fit, "(lowest, highest), None for no bound")
        sigma = self.resegment_sigma
        _demand("resegment_sigma", sigma, sigma is None or sigma > 0, "a number above zero, or None")

    def _check_discretisation(self) -> None:
        one = (self.bin_width is None) != (self.bin_number is None)
        _demand("bin_width and bin_number", (self.bin_width, self.bin_number), one, "one of the two")
        both = self.ivh_bin_width is not None and self.ivh_bin_number is not None
        _demand("ivh_bin_width and ivh_bin_number", "both", not both, "at most one of the two")
        for name in ("bin_width", "ivh_bin_width"):
            width = getattr(self, name)
            _demand(name, width, width is None or (width > 0 and math.isfinite(width)), "a number above zero")
        for name in ("bin_number", "ivh_bin_number"):
            bins = getattr(self, name)
            fit = bins is None or (isinstance(bins, int) and 1 <= bins <= 65535)
            _demand(name, bins, fit, "a whole number from 1 to 65535")

    def _check_features(self) -> None:
        for aggregation in self.aggregations:
            _choice("aggregations", aggregation, AGGREGATIONS)
        for family in self.families:
            _choice("families", family, FAMILIES)
        for name in ("glcm_distance", "ngtdm_distance", "ngldm_distance"):
            distance = getattr(self, name)
            fit = isinstance(distance, int) and 1 <= distance <= 255
            _demand(name, distance, fit, "a whole number of voxels above zero")
        _demand("ngldm_alpha", self.ngldm_alpha, self.ngldm_alpha >= 0, "zero or more")
        _choice("autocorrelation", self.autocorrelation, ("auto", True, False))

    @property
    def grid_mm(self) -> Spacing:
        """Voxel size (z, y, x) after interpolation; None for an axis that is kept."""
        given = self.spacing_mm
        return given if isinstance(given, tuple) else (given, given, given)

    @property
    def text(self) -> str:
        """The settings as TOML, every one that is not None on a line of its own, in a fixed order."""
        return _as_toml(self)

    @property
    def hash(self) -> str:
        """First 16 hexadecimal digits of the SHA-256 of `text`: equal settings, equal hash."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:16]

    @classmethod
    def preset(cls, name: str) -> Settings:
        """Return the named settings, one of `PRESETS`.

        Raises
        ------
        UsageError
            No preset has this name.
        """
        _choice("preset", name, PRESETS)
        return cls.from_toml(
            resources.files(__package__).joinpath("presets", f"{name}.toml").read_text("utf-8")
        )

    @classmethod
    def from_toml(cls, source: str | Path) -> Settings:
        """Read settings from a TOML file, or from TOML text.

        Parameters
        ----------
        source : str or pathlib.Path
            A path, or text (recognised by its ``=``). Keys are the attributes' names; ``preset`` names the
            preset that the others change; ``"keep"`` stands for None in `spacing_mm`, ``-inf`` and ``inf``
            for no bound in `resegment_range`; table ``filter`` holds the settings of a filter, its ``kind``
            the filter's name.

        Raises
        ------
        MissingError
            There is no such file.
        UsageError
            The text is no TOML, or names something unknown or impossible.
        """
        try:
            table = tomllib.loads(_read(source))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise UsageError(f"settings are not valid TOML: {error}") from None
        return _from_table(table)


def _read(source: str | Path) -> str:
    if isinstance(source, str) and ("=" in source or not source.strip()):
        return source
    try:
        return Path(source).read_text("utf-8")
    except FileNotFoundError:
        raise MissingError(f"no settings file {source}; expected a TOML file or a preset's name") from None


def _from_table(table: dict[str, Any]) -> Settings:
    base = Settings.preset(str(table.pop("preset"))) if "preset" in table else None
    known = [field.name for field in fields(Settings)]
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(known)}"
            raise UsageError(f"unknown setting {key!r}{hint}")
    try:
        values = {key: _from_cell(key, value) for key, value in table.items()}
        return Settings(**values) if base is None else replace(base, **_excluded(values), **values)
    except TypeError as error:
        raise UsageError(f"a setting has the wrong type: {error}") from None


def _excluded(values: dict[str, Any]) -> dict[str, Any]:
    """Return what a changed setting turns off in a preset: bins are of fixed width or of fixed number."""
    pairs = (("bin_width", "bin_number"), ("ivh_bin_width", "ivh_bin_number"))
    return {
        off: None for pair in pairs for on, off in (pair, pair[::-1]) if on in values and off not in values
    }


def _from_cell(key: str, value: Any) -> Any:
    if key == "filter":
        from catalog.radiomics.filters import filter_from_table

        return filter_from_table(value)
    if isinstance(value, list):
        return tuple(None if _is_open(item) else item for item in value)
    return None if value == KEEP else value


def _is_open(item: Any) -> bool:
    return item == KEEP or (isinstance(item, float) and math.isinf(item))


def _as_toml(settings: Settings) -> str:
    lines = []
    for field in fields(Settings):
        value = getattr(settings, field.name)
        if value is None or field.name == "filter":
            continue
        if field.name == "resegment_range":
            value = [-math.inf if value[0] is None else value[0], math.inf if value[1] is None else value[1]]
        lines.append(f"{field.name} = {_as_cell(value)}")
    if settings.filter is not None:
        from catalog.radiomics.filters import filter_to_table

        lines += ["", "[filter]"]
        lines += [f"{key} = {_as_cell(value)}" for key, value in filter_to_table(settings.filter).items()]
    return "\n".join(lines) + "\n"


def _as_cell(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        case int():
            return str(value)
        case float():
            return repr(float(value))
        case None:
            return f'"{KEEP}"'
    return "[" + ", ".join(_as_cell(item) for item in value) + "]"


def _demand(name: str, value: Any, fit: bool, expected: str) -> None:  # noqa: FBT001 - the check's outcome
    if not fit:
        raise UsageError(f"{name} is {value!r}; expected {expected}")


def _choice(name: str, value: Any, known: tuple[Any, ...]) -> None:
    if value not in known:
        near = difflib.get_close_matches(str(value), [str(k) for k in known], 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise UsageError(f"{name} {value!r} is unknown{hint}; known are {', '.join(map(str, known))}")
