"""Texture matrices of a discretised region, and their features (IBSI-1, sections 3.6 to 3.11)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpc.lazy import lazily

if TYPE_CHECKING:
    from catalog.radiomics.textures.families import texture_features

__all__ = ["texture_features"]

__getattr__ = lazily(__name__, dict.fromkeys(__all__, "families"))
