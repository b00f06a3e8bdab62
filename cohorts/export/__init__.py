"""Exports: the rows of a cohort in a folder of their own, with all that says where they come from."""

from __future__ import annotations

from cohorts.export.folder import Export, export, exporter
from cohorts.export.formats import EXPORTERS, Exporter

__all__ = ["EXPORTERS", "Export", "Exporter", "export", "exporter"]
