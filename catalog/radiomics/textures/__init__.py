"""Texture matrices of a discretised region, and their features (IBSI-1, sections 3.6 to 3.11)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from catalog.radiomics.textures.families import texture_features

__all__ = ["texture_features"]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    if name == "texture_features":
        from catalog.radiomics.textures.families import texture_features

        return texture_features
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
