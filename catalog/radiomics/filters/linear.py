"""Mean, Laws and Laplacian of Gaussian and the table of filters (IBSI 2, arXiv 2006.05470)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy import ndimage

from catalog.radiomics.filters.laws import KERNELS, laws
from hpc.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

BOUNDARIES: Final = {"zero": "constant", "nearest": "nearest", "periodic": "wrap", "mirror": "reflect"}


def _demand(name: str, value: object, fit: bool, expected: str) -> None:  # noqa: FBT001
    if not fit:
        raise UsageError(f"filter setting {name} is {value!r}; expected {expected}")


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf


def _check_common(dimensions: object, boundary: object) -> None:
    _demand("dimensions", dimensions, dimensions in {2, 3}, "2 or 3")
    _demand("boundary", boundary, boundary in BOUNDARIES, f"one of {', '.join(BOUNDARIES)}")


@dataclass(frozen=True, slots=True)
class Mean:
    """Mean over a cube (or, within slices, a square) of `support` voxels a side, an odd number."""

    support: int = 3
    dimensions: int = 3
    boundary: str = "mirror"

    def __post_init__(self) -> None:
        fit = isinstance(self.support, int) and self.support > 0 and self.support % 2 == 1
        _demand("support", self.support, fit, "an odd whole number")
        _check_common(self.dimensions, self.boundary)


@dataclass(frozen=True, slots=True)
class LaplacianOfGaussian:
    """Laplacian of Gaussian of scale `sigma_mm`, cut off at `truncate` deviations, derived by voxels."""

    sigma_mm: float = 1.0
    truncate: float = 4.0
    dimensions: int = 3
    boundary: str = "mirror"

    def __post_init__(self) -> None:
        _demand("sigma_mm", self.sigma_mm, _number(self.sigma_mm), "a number above zero")
        _demand("truncate", self.truncate, _number(self.truncate), "a number above zero")
        _check_common(self.dimensions, self.boundary)


@dataclass(frozen=True, slots=True)
class Laws:
    """Laws kernels along x, y (and z); `pooling` "" or max or mean over rotations; energy in voxels or 0."""

    kernels: tuple[str, ...] = ("L5", "E5", "E5")
    pooling: str = ""
    energy: int = 0
    boundary: str = "mirror"

    def __post_init__(self) -> None:
        object.__setattr__(self, "kernels", tuple(self.kernels))
        fit = len(self.kernels) in {2, 3} and set(self.kernels) <= set(KERNELS)
        _demand("kernels", self.kernels, fit, f"two or three of {', '.join(KERNELS)}")
        _demand("pooling", self.pooling, self.pooling in {"", "max", "mean"}, "'', max or mean")
        fit = isinstance(self.energy, int) and self.energy >= 0
        _demand("energy", self.energy, fit, "a whole number")
        _check_common(len(self.kernels), self.boundary)


def _laws(image: npt.NDArray[Any], _spacing_mm: tuple[float, ...], settings: Laws) -> npt.NDArray[Any]:
    mode = BOUNDARIES[settings.boundary]
    return laws(image, settings.kernels, mode, settings.pooling or None, settings.energy)


def _mean(image: npt.NDArray[Any], _spacing_mm: tuple[float, ...], settings: Mean) -> npt.NDArray[Any]:
    size = (settings.support if settings.dimensions == 3 else 1, settings.support, settings.support)
    return np.asarray(ndimage.uniform_filter(image, size, mode=BOUNDARIES[settings.boundary]))


def _log(
    image: npt.NDArray[Any], spacing_mm: tuple[float, ...], settings: LaplacianOfGaussian
) -> npt.NDArray[Any]:
    axes = (0, 1, 2)[3 - settings.dimensions :]
    result = np.zeros_like(image)
    mode = BOUNDARIES[settings.boundary]
    for second in axes:
        part = image
        for axis in axes:
            sigma = settings.sigma_mm / spacing_mm[axis]
            order = 2 if axis == second else 0
            part = ndimage.gaussian_filter1d(part, sigma, axis, order, mode=mode, truncate=settings.truncate)
        result += part
    return result


FILTERS: Final[dict[str, tuple[type[Any], Callable[..., npt.NDArray[Any]], str]]] = {
    "mean": (Mean, _mean, "mean over neighbouring voxels"),
    "log": (LaplacianOfGaussian, _log, "Laplacian of Gaussian: edges and blobs of one scale"),
    "laws": (Laws, _laws, "Laws kernels: levels, edges, spots, waves, ripples"),
}


def apply_filter(image: npt.NDArray[Any], spacing_mm: tuple[float, ...], settings: Any) -> npt.NDArray[Any]:
    """Return the response map, float32 or float64 (z, y, x), of an image with a spacing in mm (z, y, x)."""
    image = np.asarray(image)
    if image.ndim != 3:
        raise UsageError(f"the image has {image.ndim} axes; a filter takes (z, y, x)")
    if image.dtype not in {np.dtype(np.float32), np.dtype(np.float64)}:
        image = image.astype(np.float32)
    for kind, function, _ in FILTERS.values():
        if isinstance(settings, kind):
            return function(image, spacing_mm, settings)
    raise UsageError(f"{type(settings).__name__} is not a filter's settings")


def filter_from_table(table: Mapping[str, Any]) -> Any:
    """Return the settings a TOML table holds; its ``kind`` is the filter's name (`FILTERS`)."""
    if not isinstance(table, Mapping):
        raise UsageError(f"filter is {table!r}; expected a table with the filter's kind")
    values = dict(table)
    kind = values.pop("kind", None)
    if kind not in FILTERS:
        raise UsageError(f"filter kind {kind!r} is unknown; expected one of {', '.join(FILTERS)}")
    settings = FILTERS[kind][0]
    unknown = set(values) - {field.name for field in fields(settings)}
    if unknown:
        raise UsageError(f"filter {kind} has no setting {', '.join(sorted(unknown))}")
    return settings(**values)


def filter_to_table(settings: Any) -> dict[str, Any]:
    """Return settings as a plain table with the filter's name as ``kind``."""
    for name, (kind, _, _) in FILTERS.items():
        if isinstance(settings, kind):
            return {"kind": name, **asdict(settings)}
    raise UsageError(f"{type(settings).__name__} is not a filter's settings")
