"""Settings are valid or refused, and survive being written."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.radiomics.settings import AGGREGATIONS, FAMILIES, PRESETS, Settings
from hpc.errors import MissingError, UsageError


@pytest.mark.parametrize("name", PRESETS)
def test_presets_survive_text_and_pickle(name: str) -> None:
    settings = Settings.preset(name)
    assert Settings.from_toml(settings.text) == settings
    assert pickle.loads(pickle.dumps(settings)) == settings
    assert replace(settings, mask_threshold=0.25).hash != settings.hash


def test_presets_differ_from_each_other() -> None:
    assert len({Settings.preset(name).hash for name in PRESETS}) == len(PRESETS)


def test_the_ibsi_presets_are_those_of_the_manual() -> None:
    """IBSI manual, reference data sets: image processing of configurations A to E."""
    a, b, c, d, e = (Settings.preset(f"ibsi-{case}") for case in "abcde")
    assert [s.spacing_mm for s in (a, b, c)] == [None, (None, 2.0, 2.0), (2.0, 2.0, 2.0)]
    assert [s.image_interpolation for s in (b, c, d, e)] == ["linear", "linear", "linear", "cubic"]
    low_high = [(-500.0, 400.0), (-500.0, 400.0), (-1000.0, 400.0), None, (-1000.0, 400.0)]
    assert [s.resegment_range for s in (a, b, c, d, e)] == low_high
    assert [s.resegment_sigma for s in (a, b, c, d, e)] == [None, None, None, 3.0, 3.0]
    assert [(s.bin_width, s.bin_number) for s in (a, b, c)] == [(25.0, None), (None, 32), (25.0, None)]
    assert (c.ivh_bin_width, e.ivh_bin_number) == (2.5, 1000)


@given(
    spacing=st.none() | st.floats(0.1, 9) | st.tuples(*[st.none() | st.floats(0.1, 9)] * 3),
    low=st.none() | st.floats(-2000, 0),
    high=st.none() | st.floats(0, 4000),
    bins=st.integers(1, 65535),
    aggregations=st.lists(st.sampled_from(AGGREGATIONS), unique=True),
    families=st.lists(st.sampled_from(FAMILIES), unique=True),
)
def test_any_settings_survive_text(spacing, low, high, bins, aggregations, families) -> None:
    settings = Settings(
        spacing_mm=spacing,
        resegment_range=(low, high),
        bin_number=bins,
        aggregations=tuple(aggregations),
        families=tuple(families),
    )
    again = Settings.from_toml(settings.text)
    assert (again, again.hash) == (settings, settings.hash)


@pytest.mark.parametrize(
    "wrong",
    [
        {"spacing_mm": 0.0},
        {"spacing_mm": (1.0, 2.0)},
        {"spacing_mm": (1.0, float("nan"), 1.0)},
        {"image_interpolation": "quintic"},
        {"mask_interpolation": "cubic"},
        {"mask_threshold": 0.0},
        {"resegment_range": (3.0, 2.0)},
        {"resegment_sigma": -1.0},
        {"bin_width": 25.0, "bin_number": 32},
        {"bin_width": -1.0},
        {"bin_number": 0},
        {"bin_number": 65536},
        {"ivh_bin_width": 1.0, "ivh_bin_number": 10},
        {"aggregations": ("3d",)},
        {"families": ("glcmm",)},
        {"glcm_distance": 0},
        {"ngldm_alpha": -1.0},
        {"autocorrelation": "sometimes"},
    ],
)
def test_impossible_settings_are_refused(wrong) -> None:
    with pytest.raises(UsageError):
        Settings(**wrong)


def test_a_setting_misspelt_gets_a_suggestion() -> None:
    with pytest.raises(UsageError, match="did you mean 'bin_width'"):
        Settings.from_toml("bin_widht = 25.0")
    with pytest.raises(UsageError, match="did you mean 'ct-lung'"):
        Settings.preset("ct-lungs")
    with pytest.raises(UsageError, match="not valid TOML"):
        Settings.from_toml("bin_width = = 3")
    with pytest.raises(UsageError, match="wrong type"):
        Settings.from_toml('bin_width = "wide"')
    with pytest.raises(MissingError):
        Settings.from_toml("no-such-file.toml")


def test_a_file_changes_a_preset(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text('preset = "ct-lung"\nbin_number = 32\nspacing_mm = ["keep", 1, 1]\n')
    settings = Settings.from_toml(file)
    assert (settings.bin_width, settings.bin_number) == (None, 32)
    assert settings.spacing_mm == (None, 1, 1)
    assert settings.resegment_range == Settings.preset("ct-lung").resegment_range


@pytest.mark.parametrize(
    "text",
    [
        "filter = 3",
        'filter = "mean"',
        '[filter]\nkind = "mean"\nsupport = "wide"',
        "preset = 3",
        'bin_width = "x"',
    ],
)
def test_values_of_another_type_are_refused(text: str) -> None:
    with pytest.raises(UsageError):
        Settings.from_toml(text)


def test_a_file_of_bytes_is_no_settings_file(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_bytes(bytes(range(256)))
    with pytest.raises(UsageError, match="not valid TOML"):
        Settings.from_toml(tmp_path / "settings.toml")


def test_settings_do_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        Settings().bin_width = 3.0  # type: ignore[misc]
    assert Settings().bin_width == 25.0
