"""Public names of a package that are imported when they are first asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def lazily(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """Return a package's ``__getattr__`` (PEP 562): importing the package then loads nothing.

    Parameters
    ----------
    package : str
        The package's ``__name__``.
    homes : Mapping
        The module of each public name, relative to the package.

    Returns
    -------
    callable
        Returns the public name asked for; raises AttributeError for any other.
    """

    def get(name: str) -> Any:
        if name in homes:
            return getattr(import_module(f"{package}.{homes[name]}"), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return get
