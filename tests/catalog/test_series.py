"""The series table: known truth of real series, laws of geometry, and an independent count of values."""

from __future__ import annotations

import csv
import math
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rows_by_pydicom import SCHEMA, rows_by_pydicom

from catalog.grouping import group_rows, most_frequent
from catalog.series import CONSTANT, KEYS, SERIES_COLUMNS, needed_columns, position_order, summarise
from catalog.series_geometry import REASONS

if TYPE_CHECKING:
    from pathlib import Path

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)


def image(z: float, **cells: Any) -> dict[str, Any]:
    """Row of an axial CT image at a position."""
    return {
        "site": "here",
        "PatientKey": "patient",
        "StudyInstanceUID": "1.2",
        "SeriesInstanceUID": "1.2.3",
        "SOPInstanceUID": f"1.2.3.{cells}.{z}",
        "uid_version": 0,
        "pixel_offset": 1000,
        "Modality": "CT",
        "Rows": 512,
        "Columns": 512,
        "PixelSpacing": [0.7, 0.7],
        "ImageOrientationPatient": list(AXIAL),
        "ImagePositionPatient": [-100.0, -120.0, z],
        "ImageType": "ORIGINAL\\PRIMARY\\AXIAL",
    } | cells


def table(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def one(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the only series of the rows."""
    (series,) = summarise(table(rows)).to_pylist()
    return dict(series)


def stack(n: int = 10, spacing: float = 2.5) -> list[dict[str, Any]]:
    return [image(i * spacing, InstanceNumber=i + 1) for i in range(n)]


@pytest.fixture(scope="session")
def real_rows(shared_data: Path) -> pa.Table:
    with (shared_data / "truth.csv").open(encoding="utf-8") as lines:
        listed = [r for r in csv.DictReader(lines) if r["pydicom"] in {"ok", "force"} and r["SOPInstanceUID"]]
    return rows_by_pydicom((r["set"], shared_data / r["file"]) for r in listed)


@pytest.fixture(params=["synthetic", "real"])
def many_rows(request: pytest.FixtureRequest) -> pa.Table:
    """Rows of many series of several sites, in no order."""
    if request.param == "real":
        return request.getfixturevalue("real_rows")
    dice = np.random.default_rng(20)
    rows = [
        row
        | {
            "site": site,
            "SeriesInstanceUID": f"1.2.{uid}",
            "KVP": float(dice.choice([80, 120])),
            "SliceThickness": [None, -0.0, 0.0, 1.0][dice.integers(4)],
            "ConvolutionKernel": [None, "B30f", "B70f"][dice.integers(3)],
            "PixelSpacing": [[0.7, 0.7], [0.7], None][dice.integers(3)],
        }
        for site in ("north", "south")
        for uid, reason in enumerate(CASES)
        for row in CASES[reason]
    ]
    rows += [frames([[0.0, 0.0, float(z)] for z in range(n)], SeriesInstanceUID=f"1.3.{n}") for n in (1, 9)]
    rows += [image(float(z), SeriesInstanceUID=None) for z in range(3)]
    return table(rows).take(pa.array(dice.permutation(len(rows))))


@pytest.fixture(scope="session")
def truth(shared_data: Path) -> list[dict[str, str]]:
    with (shared_data / "truth_series.csv").open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def test_every_real_series_is_found(real_rows: pa.Table, truth: list[dict[str, str]]) -> None:
    series = summarise(real_rows).to_pylist()
    assert len(series) == len(truth) == 140
    found = [(s["site"], s["SeriesInstanceUID"], s["n_instances"]) for s in series]
    assert sorted(found) == sorted((t["set"], t["SeriesInstanceUID"], int(t["n_sop"])) for t in truth)
    assert found == sorted(found)


def test_geometry_of_every_real_series(real_rows: pa.Table, truth: list[dict[str, str]]) -> None:
    series = {(s["site"], s["SeriesInstanceUID"]): s for s in summarise(real_rows).to_pylist()}
    n_rows = Counter(zip(*(real_rows.column(key).to_pylist() for key in KEYS), strict=True))
    for true in truth:
        key = true["set"], true["SeriesInstanceUID"]
        ours = series[key]
        if n_rows[key] == int(true["n_files"]):  # the truth counts copies of a file, the catalogue does not
            assert ours["n_frames"] == int(true["n_frames"]), key
        if "MOSAIC" in (ours["ImageType"] or ""):  # the truth counts the position of the mosaic as a plane
            continue
        assert ours["n_planes"] == int(true["n_planes"]), key
        assert ours["n_orientations"] == int(true["n_orientations"] or 0), key
        _agree(ours["n_positions"], true["n_unique_positions"], 0)
        several = (ours["n_positions"] or 0) > 1  # the truth leaves single positions empty
        _agree(ours["planes_per_position"] if several else None, true["planes_per_position"], 5e-4)
        _agree(ours["spacing_min_mm"], true["spacing_min"], 1e-3)
        _agree(ours["slice_spacing_mm"], true["spacing_median"], 1e-3)
        _agree(ours["spacing_max_mm"], true["spacing_max"], 1e-3)
        _agree(ours["tilt_mm"], true["inplane_shift_mm"], 0.02)  # the truth rounds the normal
        for position, corner in (("first_position", "first_ipp"), ("last_position", "last_ipp")):
            if true[corner]:
                assert ours[position] == pytest.approx([float(v) for v in true[corner].split()], abs=1e-2)
        if several:
            uneven = ours["geometry_reason"] in {"missing_slices", "variable_spacing"}
            if ours["geometry_regular"] or uneven:
                assert uneven != (true["uniform_1pct"] == "1"), key
            assert ((ours["tilt_mm"] or 0) > 1) == (true["tilted"] == "1"), key


def _agree(ours: float | None, true: str, tolerance: float) -> None:
    assert (ours is None) == (true == "")
    if ours is not None:
        assert ours == pytest.approx(float(true), abs=tolerance)


@pytest.mark.parametrize(
    ("site", "description", "layout", "reason"),
    [
        ("ct_philips_tilt", "STEREOTAXIS", "single-frame", "sheared"),
        ("geometry_traps", None, "single-frame", "missing_slices"),
        ("mr_ge", "B0map", "single-frame", "multiple_volumes"),
        ("mr_ge", "3-Plane Localizer", "single-frame", "mixed_orientation"),
        ("mr_philips", "Dual-echo_iso", "single-frame", "multiple_volumes"),
        ("mr_uih", "dti_tra_dir16_PA_rot_SaveBySlc", "mosaic", "no_geometry"),
        ("mr_uih", "t1_gre_fsp_3d_sag", "single-frame", None),
        ("enhanced_multiframe", "REST1 w SMS PF7-8", "multi-frame", "multiple_volumes"),
        ("enhanced_multiframe", "anat-T1w_acq-tfl", "multi-frame", None),
        ("ibsi2_digital_phantom", "orientation", "single-frame", None),
    ],
)
def test_verdicts_on_real_series(
    real_rows: pa.Table, site: str, description: str | None, layout: str, reason: str | None
) -> None:
    chosen = [s for s in summarise(real_rows).to_pylist() if s["site"] == site]
    chosen = [s for s in chosen if description in {None, s["SeriesDescription"]} and s["Modality"] != "SR"]
    if description is None:
        chosen = [s for s in chosen if s["Modality"] == "CT"]
    assert [(s["layout"], s["geometry_reason"]) for s in chosen] == [(layout, reason)]
    assert all(s["geometry_regular"] == (reason is None) for s in chosen)


def test_tilt_of_a_real_gantry(real_rows: pa.Table) -> None:
    """The head phantom was scanned with the gantry at 16.5 degrees; the header says so too."""
    (tilted,) = (s for s in summarise(real_rows).to_pylist() if s["site"] == "ct_philips_tilt")
    assert tilted["tilt_deg"] == pytest.approx(16.5, abs=0.01)
    assert abs(tilted["GantryDetectorTilt"]) == pytest.approx(16.5)


def test_the_order_of_files_does_not_matter(many_rows: pa.Table) -> None:
    expected = summarise(many_rows)
    for seed in range(3):
        shuffled = np.random.default_rng(seed).permutation(many_rows.num_rows)
        assert summarise(many_rows.take(pa.array(shuffled))).equals(expected)
    assert summarise(many_rows.take(position_order(many_rows))).equals(expected)


def test_dictionaries_and_chunks_do_not_matter(many_rows: pa.Table) -> None:
    coded = pa.table(
        {f.name: c.dictionary_encode() if f.type == pa.string() else c for f, c in _fields(many_rows)}
    )
    parts = [coded.slice(at, 100) for at in range(0, coded.num_rows, 100)]
    assert summarise(pa.concat_tables(parts).select(needed_columns())).equals(summarise(many_rows))
    assert position_order(pa.concat_tables(parts)).equals(position_order(many_rows))


def _fields(rows: pa.Table) -> zip[tuple[pa.Field, pa.ChunkedArray]]:
    return zip(rows.schema, rows.columns, strict=True)


def test_most_frequent_values_against_counting(many_rows: pa.Table) -> None:
    """Counted value by value: the most frequent, the smallest of several such, nulls left out."""
    series = {(s["site"], s["SeriesInstanceUID"]): s for s in summarise(many_rows).to_pylist()}
    names = [c.name for c in SERIES_COLUMNS if c.name in SCHEMA.names]
    counts: dict[tuple[Any, ...], Counter[Any]] = {}
    for row in many_rows.select(needed_columns()).to_pylist():
        for name in names:
            value = tuple(row[name]) if isinstance(row[name], list) else row[name]
            counter = counts.setdefault((row["site"], row["SeriesInstanceUID"], name), Counter())
            counter.update([] if value is None else [value])
    for (site, uid, name), counter in counts.items():
        if uid is None:
            continue
        ours = series[site, uid][name]
        best = min(counter, key=lambda v: (-counter[v], v), default=None)
        assert (tuple(ours) if isinstance(ours, list) else ours) == best, (name, uid)
        if name in CONSTANT:
            assert series[site, uid][f"n_distinct_{name}"] == len(counter), (name, uid)


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from([None, 0.0, -0.0, 1.5, -2.0, math.inf])),
        max_size=40,
    )
)
def test_most_frequent_is_the_mode(rows: list[tuple[str, float | None]]) -> None:
    keys, values = [k for k, _ in rows], [v for _, v in rows]
    whole = pa.table({"key": pa.array(keys, pa.string()), "value": pa.array(values, pa.float64())})
    groups = group_rows(whole, ("key",))
    best, n_distinct = most_frequent(whole.column("value"), groups)
    assert groups.keys.column("key").to_pylist() == sorted(set(keys))
    for key, ours, n in zip(sorted(set(keys)), best.to_pylist(), n_distinct, strict=True):
        counter = Counter(v for k, v in rows if k == key and v is not None)
        assert ours == min(counter, key=lambda v: (-counter[v], v), default=None)
        assert n == len(counter)
        assert str(ours) != "-0.0"


CASES: dict[str, list[dict[str, Any]]] = {
    "no_geometry": [*stack(), image(0, ImagePositionPatient=None)],
    "mixed_matrix": [*stack(), image(25, Rows=256)],
    "mixed_orientation": [*stack(), image(25, ImageOrientationPatient=list(SAGITTAL))],
    "duplicate_positions": [*stack(), image(5, InstanceNumber=99)],
    "multiple_volumes": [row | {"EchoTime": echo} for row in stack() for echo in (10.0, 20.0)],
    "missing_slices": [row for i, row in enumerate(stack()) if i not in {4, 7, 8}],
    "variable_spacing": [*stack(), image(22.5 + 3.1)],
    "sheared": [
        row | {"ImagePositionPatient": [-100.0, -120.0 + 0.3 * i, 2.5 * i]} for i, row in enumerate(stack())
    ],
}


def test_every_reason_has_a_case() -> None:
    assert list(CASES) == list(REASONS)


@pytest.mark.parametrize("reason", CASES)
def test_reasons(reason: str) -> None:
    series = one(CASES[reason])
    assert (series["geometry_regular"], series["geometry_reason"]) == (False, reason)


def test_regular_stack() -> None:
    series = one(stack(10, 2.5))
    expected = {
        "n_instances": 10,
        "n_uid_conflicts": 0,
        "n_frames": 10,
        "layout": "single-frame",
        "n_planes": 10,
        "n_orientations": 1,
        "n_positions": 10,
        "planes_per_position": 1.0,
        "n_duplicate_positions": 0,
        "n_missing_slices": 0,
        "slice_spacing_mm": 2.5,
        "spacing_min_mm": 2.5,
        "spacing_max_mm": 2.5,
        "tilt_mm": 0.0,
        "tilt_deg": 0.0,
        "first_position": [-100.0, -120.0, 0.0],
        "last_position": [-100.0, -120.0, 22.5],
        "geometry_regular": True,
        "geometry_reason": None,
    }
    assert {name: series[name] for name in expected} == expected


def test_numbers_of_irregular_stacks() -> None:
    assert one(CASES["missing_slices"])["n_missing_slices"] == 3
    assert one(CASES["duplicate_positions"])["n_duplicate_positions"] == 1
    assert one(CASES["multiple_volumes"])["planes_per_position"] == 2
    assert one(CASES["variable_spacing"])["n_missing_slices"] is None
    assert one(CASES["sheared"])["tilt_mm"] == pytest.approx(2.7)
    assert one(CASES["sheared"])["tilt_deg"] == pytest.approx(math.degrees(math.atan2(0.3, 2.5)))
    assert one(CASES["mixed_orientation"])["n_orientations"] == 2
    assert one(CASES["mixed_orientation"])["slice_spacing_mm"] is None
    assert one(CASES["mixed_matrix"])["n_distinct_Rows"] == 2
    assert one([image(0), image(5), image(15)])["n_missing_slices"] == 1


@pytest.mark.parametrize(("jitter", "regular"), [(0.009, True), (0.011, False)])
def test_spacing_is_uniform_within_one_percent(jitter: float, regular: bool) -> None:
    rows = [*stack(10, 1.0), image(10.0 + jitter)]
    assert one(rows)["geometry_regular"] is regular


@pytest.mark.parametrize(("shift", "regular"), [(0.99, True), (1.01, False)])
def test_shear_starts_at_one_millimetre(shift: float, regular: bool) -> None:
    rows = [*stack(10), image(25.0, ImagePositionPatient=[-100.0 + shift, -120.0, 25.0])]
    assert one(rows)["geometry_regular"] is regular


def test_rounding_makes_no_other_position_or_orientation() -> None:
    turned = [1.0, 0.0, 0.0, 0.0, 0.9999998, 0.0006]
    rows = [
        *stack(),
        *(image(2.5 * i + 0.001, InstanceNumber=i, ImageOrientationPatient=turned) for i in range(10)),
    ]
    series = one(rows)
    assert (series["n_orientations"], series["n_positions"], series["planes_per_position"]) == (1, 10, 2)


def test_a_single_image() -> None:
    """One plane is a volume of one slice, but has no spacing."""
    series = one([image(3.0)])
    assert (series["geometry_regular"], series["slice_spacing_mm"], series["n_positions"]) == (True, None, 1)
    assert series["first_position"] == series["last_position"] == [-100.0, -120.0, 3.0]
    assert one([image(3.0, pixel_offset=None)])["geometry_reason"] == "no_geometry"


@pytest.mark.parametrize("orientation", [[0.0] * 6, [1.0, 0, 0, 1.0, 0, 0], [1.0, 0.0, 0.0], None])
def test_directions_that_span_no_plane(orientation: list[float] | None) -> None:
    series = one([row | {"ImageOrientationPatient": orientation} for row in stack()])
    assert (series["n_planes"], series["geometry_reason"]) == (0, "no_geometry")


def frames(positions: list[list[float]], **cells: Any) -> dict[str, Any]:
    """Row of an enhanced multi-frame object."""
    own = {
        "NumberOfFrames": len(positions),
        "frame_positions": [v for position in positions for v in position],
        "ImagePositionPatient": positions[0],
    }
    return image(0, **(own | cells))


@pytest.mark.parametrize(
    "reason", [None, "missing_slices", "duplicate_positions", "variable_spacing", "sheared"]
)
def test_frames_are_measured_like_images(reason: str | None) -> None:
    """A multi-frame object has the geometry of its frames stored one by one."""
    rows = stack() if reason is None else CASES[reason]
    single, multi = one(rows), one([frames([row["ImagePositionPatient"] for row in rows])])
    assert multi["layout"] == "multi-frame"
    same = [c.name for c in SERIES_COLUMNS if "mm" in c.name or c.name.startswith(("n_p", "n_m", "geometry"))]
    assert {name: multi[name] for name in same} == {name: single[name] for name in same}


def test_frames_with_orientations_of_their_own() -> None:
    positions = [[0.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    turned = one([frames(positions, frame_orientations=[*AXIAL, *SAGITTAL])])
    assert (turned["n_orientations"], turned["geometry_reason"]) == (2, "mixed_orientation")
    assert one([frames(positions, frame_orientations=[*AXIAL, *AXIAL])])["geometry_regular"]


def test_frames_without_positions() -> None:
    """The one position of a cine or a dose grid is not that of its frames."""
    series = one([image(0, NumberOfFrames=30)])
    assert (series["layout"], series["n_frames"], series["geometry_reason"]) == (
        "multi-frame",
        30,
        "no_geometry",
    )


@pytest.mark.parametrize(
    ("image_type", "layout"),
    [
        ("ORIGINAL\\PRIMARY\\M\\ND\\MOSAIC", "mosaic"),
        ("ORIGINAL\\PRIMARY\\M\\VFRAME", "mosaic"),
        ("ORIGINAL\\PRIMARY\\MOSAICKED", "single-frame"),
        (None, "single-frame"),
    ],
)
def test_mosaics(image_type: str | None, layout: str) -> None:
    series = one([row | {"ImageType": image_type} for row in stack()])
    assert (series["layout"], series["geometry_regular"]) == (layout, layout != "mosaic")


def test_siemens_keeps_the_word_mosaic_in_enhanced_objects() -> None:
    row = frames([[0.0, 0.0, float(z)] for z in range(5)], ImageType="ORIGINAL\\PRIMARY\\M\\ND\\MOSAIC")
    series = one([row])
    assert (series["layout"], series["geometry_regular"]) == ("multi-frame", True)


def test_no_image() -> None:
    report = {
        "site": "here",
        "SeriesInstanceUID": "1",
        "SOPInstanceUID": "1.1",
        "uid_version": 0,
        "Modality": "SR",
    }
    series = one([report])
    assert (series["layout"], series["n_instances"], series["n_frames"]) == ("no image", 1, 0)
    assert (series["geometry_regular"], series["geometry_reason"]) == (False, "no_geometry")


def test_uid_conflicts_are_counted() -> None:
    rows = [*stack(), stack()[3] | {"uid_version": 1}, stack()[3] | {"uid_version": 2}]
    series = one(rows)
    assert (series["n_instances"], series["n_uid_conflicts"], series["n_planes"]) == (10, 2, 12)
    moved = summarise(table([*stack(), image(1, uid_version=1, SeriesInstanceUID="1.9")])).to_pylist()
    assert [(s["n_instances"], s["n_uid_conflicts"]) for s in moved] == [(10, 0), (1, 1)]


def test_series_are_told_apart_by_site() -> None:
    rows = [row | {"site": site} for site in ("there", "here") for row in stack()]
    rows += [image(0, SeriesInstanceUID=None)]
    series = summarise(table(rows)).to_pylist()
    assert [(s["site"], s["n_instances"]) for s in series] == [("here", 10), ("there", 10)]


def test_no_rows_give_an_empty_table() -> None:
    empty = summarise(table([]))
    assert empty.num_rows == 0
    assert empty.schema.equals(pa.schema([(c.name, c.arrow()) for c in SERIES_COLUMNS]))
    assert summarise(table([image(0, SeriesInstanceUID=None)])).equals(empty)
    assert len(position_order(table([]))) == 0


def test_columns_have_different_names() -> None:
    names = [c.name for c in SERIES_COLUMNS]
    assert len(set(names)) == len(names)
    assert set(needed_columns()) <= set(SCHEMA.names)


quaternions = st.tuples(*[st.floats(-1, 1)] * 4).filter(lambda q: sum(v * v for v in q) > 0.1)


def rotation(quaternion: tuple[float, ...]) -> np.ndarray:
    w, x, y, z = np.array(quaternion) / np.linalg.norm(quaternion)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


@settings(max_examples=40)
@given(quaternions, st.tuples(*[st.floats(-500, 500)] * 3), st.sampled_from([None, *CASES]))
def test_a_rigid_motion_changes_nothing(
    quaternion: tuple[float, ...], shift: tuple[float, ...], reason: str | None
) -> None:
    turn = rotation(quaternion)
    rows = stack() if reason is None else CASES[reason]
    moved = []
    for row in rows:
        position, directions = row["ImagePositionPatient"], np.reshape(row["ImageOrientationPatient"], (2, 3))
        corner = None if position is None else (turn @ position + shift).tolist()
        turned = (directions @ turn.T).reshape(-1).tolist()
        moved.append(row | {"ImagePositionPatient": corner, "ImageOrientationPatient": turned})
    before, after = one(rows), one(moved)
    assert after["geometry_reason"] == reason
    for name in (
        "slice_spacing_mm",
        "spacing_min_mm",
        "spacing_max_mm",
        "tilt_mm",
        "tilt_deg",
        "n_positions",
    ):
        assert after[name] == pytest.approx(before[name], abs=1e-4)
    if before["first_position"] is not None:
        assert after["first_position"] == pytest.approx(turn @ before["first_position"] + shift)
        assert after["last_position"] == pytest.approx(turn @ before["last_position"] + shift)


def test_a_flip_swaps_first_and_last() -> None:
    flipped = [-1.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    before, after = one(stack()), one([row | {"ImageOrientationPatient": flipped} for row in stack()])
    assert (after["first_position"], after["last_position"]) == (
        before["last_position"],
        before["first_position"],
    )


def test_position_order_against_sorting(many_rows: pa.Table) -> None:
    rows = many_rows.select(
        [
            "SeriesInstanceUID",
            "ImagePositionPatient",
            "ImageOrientationPatient",
            "InstanceNumber",
            "SOPInstanceUID",
        ]
    )

    def key(row: dict[str, Any]) -> tuple[Any, ...]:
        position, directions = row["ImagePositionPatient"], row["ImageOrientationPatient"]
        along, number = math.inf, row["InstanceNumber"]
        if position and directions and np.any(np.cross(directions[:3], directions[3:])):
            normal = np.cross(directions[:3], directions[3:])
            along = round(float(np.dot(position, normal / np.linalg.norm(normal))), 6)
        series = row["SeriesInstanceUID"] or "~"  # above every UID: rows without a series come last
        return series, along, math.inf if number is None else number, row["SOPInstanceUID"]

    ordered = [key(row) for row in rows.take(position_order(rows)).to_pylist()]
    assert ordered == sorted(map(key, rows.to_pylist()))


@given(
    st.lists(st.lists(st.floats(), max_size=4), max_size=6),
    st.lists(st.one_of(st.floats(), st.sampled_from([0.0, 1.0])), min_size=6, max_size=6),
    st.lists(st.floats(), max_size=20),
)
def test_any_numbers_give_a_verdict(
    positions: list[list[float]], directions: list[float], frame_positions: list[float]
) -> None:
    rows = [image(i, ImagePositionPatient=p) for i, p in enumerate(positions)]
    rows += [image(i, ImageOrientationPatient=directions, PixelSpacing=directions[:2]) for i in range(3)]
    rows += [image(9, NumberOfFrames=len(frame_positions), frame_positions=frame_positions)]
    series = one(rows)
    assert series["geometry_regular"] == (series["geometry_reason"] is None)
    assert len(position_order(table(rows))) == len(rows)


def test_position_order_of_ties_and_gaps() -> None:
    rows = [
        image(5, SOPInstanceUID="b", InstanceNumber=2),
        image(5, SOPInstanceUID="a", InstanceNumber=2),
        image(5, SOPInstanceUID="c", InstanceNumber=1),
        image(1, SOPInstanceUID="d", InstanceNumber=9),
        image(0, SOPInstanceUID="e", InstanceNumber=0, ImagePositionPatient=None),
        image(0, SOPInstanceUID="f", SeriesInstanceUID=None),
        image(0, SOPInstanceUID="g", SeriesInstanceUID="1.1"),
    ]
    for seed in range(5):
        mixed = table(rows).take(pa.array(np.random.default_rng(seed).permutation(len(rows))))
        assert mixed.take(position_order(mixed)).column("SOPInstanceUID").to_pylist() == list("gdcabef")
