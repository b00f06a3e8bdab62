"""The scan: from folders of DICOM files to rows of the catalogue.

The steps, in order: walk (:mod:`~catalog.scan.discover`), plan (:mod:`~catalog.scan.plan`), read
(:mod:`~catalog.scan.read`), settle copies and conflicts (:mod:`~catalog.scan.settle`), derive series
(:mod:`~catalog.scan.derive`), commit (:mod:`~catalog.scan.commit`).
"""

from catalog.scan.job import ScanOptions, ScanReport, scan

__all__ = ["ScanOptions", "ScanReport", "scan"]
