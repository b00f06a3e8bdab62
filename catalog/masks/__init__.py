"""Masks: regions of interest on the grid of a volume, from files or found in the image; and their links."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpc.lazy import lazily

if TYPE_CHECKING:
    from catalog.masks.errors import MASK_REASONS, MaskError
    from catalog.masks.linking import Candidate, Link, References, link, read_references
    from catalog.masks.lungs import lungs_mask
    from catalog.masks.mask import Mask
    from catalog.masks.sources import MASK_SOURCES, MaskSource, iter_masks, load_masks

__all__ = [
    "MASK_REASONS",
    "MASK_SOURCES",
    "Candidate",
    "Link",
    "Mask",
    "MaskError",
    "MaskSource",
    "References",
    "iter_masks",
    "link",
    "load_masks",
    "lungs_mask",
    "read_references",
]

__getattr__ = lazily(
    __name__,
    {
        "MASK_REASONS": "errors",
        "MASK_SOURCES": "sources",
        "Candidate": "linking",
        "Link": "linking",
        "Mask": "mask",
        "MaskError": "errors",
        "MaskSource": "sources",
        "References": "linking",
        "iter_masks": "sources",
        "link": "linking",
        "load_masks": "sources",
        "lungs_mask": "lungs",
        "read_references": "linking",
    },
)
