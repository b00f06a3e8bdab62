"""The table of attributes against the DICOM dictionary."""

from __future__ import annotations

import pyarrow as pa
import pytest
from pydicom.datadict import dictionary_VR, keyword_for_tag

from catalog.columns import ATTRIBUTES, DERIVED, Column, identity_columns, instance_columns

NESTED = {
    "AnatomicRegionCodeValue": "CodeValue",
    "AnatomicRegionCodingScheme": "CodingSchemeDesignator",
    "AnatomicRegionCodeMeaning": "CodeMeaning",
    "ProcedureCodeValue": "CodeValue",
    "ProcedureCodeMeaning": "CodeMeaning",
    "RadiopharmaceuticalCodeMeaning": "CodeMeaning",
    "RadionuclideCodeMeaning": "CodeMeaning",
    "ConceptNameCodeMeaning": "CodeMeaning",
}
KINDS = {
    "DA": {"date"},
    "IS": {"integer"},
    "US": {"integer", "reals"},
    "DS": {"real", "reals"},
    "FD": {"real", "reals"},
    "FL": {"real", "reals"},
}


@pytest.mark.parametrize("column", [c for c in ATTRIBUTES if not c.collect], ids=lambda c: c.name)
def test_a_column_is_named_tagged_and_typed_as_the_dictionary_says(column: Column) -> None:
    tag = column.paths[0][-1]
    assert keyword_for_tag(tag) == NESTED.get(column.name, column.name)
    assert column.vr in dictionary_VR(tag).split(" or ")
    assert column.kind in KINDS.get(column.vr, {"text"})


@pytest.mark.parametrize("column", ATTRIBUTES, ids=lambda c: c.name)
def test_every_path_leads_through_sequences(column: Column) -> None:
    for path in column.paths:
        assert all(dictionary_VR(tag) == "SQ" for tag in path[:-1])
        assert dictionary_VR(path[-1]) != "SQ"


def test_names_are_unique() -> None:
    names = [c.name for c in (*DERIVED, *ATTRIBUTES)]
    assert len(names) == len(set(names))


def test_no_column_is_unsigned_or_a_time_of_day() -> None:
    """Delta Lake knows neither."""
    types = {c.arrow() for c in (*instance_columns(), *identity_columns())}
    assert not any(pa.types.is_unsigned_integer(t) or pa.types.is_time(t) for t in types)


def test_what_identifies_a_person_is_in_the_restricted_zone() -> None:
    """Names, numbers, dates of birth, staff and places: what the Basic Profile removes or replaces."""
    research = {c.name for c in instance_columns()}
    identifying = {c.name for c in ATTRIBUTES if c.vr == "PN"} | {
        "PatientID", "PatientBirthDate", "OtherPatientIDs", "IssuerOfPatientID", "AccessionNumber", "StudyID",
        "InstitutionName", "InstitutionAddress", "StationName", "PatientComments", "ImageComments",
        "AdditionalPatientHistory",
    }  # fmt: skip
    assert not research & identifying
    assert identifying <= {c.name for c in identity_columns()}
