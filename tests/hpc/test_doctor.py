"""The doctor sees what is there and what is not."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from importlib import metadata

import pytest
import typer
from typer.testing import CliRunner

from hpc import doctor, durable
from hpc.cli import register
from hpc.doctor import examine


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    app.callback()(lambda: None)
    register(app)
    return app


def test_it_finds_what_is_there(tmp_path):
    found = {each.subject: each for each in examine(tmp_path)}
    assert found["python"].detail.startswith(platform.python_version())
    for name in ("pyarrow", "numpy", "duckdb"):
        assert found[name].detail == metadata.version(name)
    assert {found[name].verdict for name in ("rename", "link", "fsync")} == {"ok"}
    assert "mpi4py" not in sys.modules
    assert list(tmp_path.iterdir()) == []


def test_a_folder_to_be_made_is_judged_by_the_one_that_holds_it(tmp_path):
    subjects = [each.subject for each in examine(tmp_path / "new" / "catalogue")]
    assert str(tmp_path) in subjects


def test_a_missing_mpi_library_is_no_problem_but_told(monkeypatch, tmp_path):
    monkeypatch.setenv("MPI4PY_LIBMPI", "/nowhere/libmpi.so")
    (mpi,) = [each for each in examine(tmp_path) if each.subject == "MPI"]
    assert mpi.verdict == "missing"
    assert "pip install" in mpi.detail


def test_it_names_the_launcher(monkeypatch, tmp_path):
    monkeypatch.setenv("PMI_RANK", "1")
    monkeypatch.setenv("PMI_SIZE", "4")
    (launcher,) = [each for each in examine(tmp_path) if each.subject == "launcher"]
    assert launcher.detail == "task 1 of 4, started by mpiexec"


def test_a_file_system_that_gives_a_name_twice_is_a_problem(monkeypatch, tmp_path):
    monkeypatch.setattr(durable, "create_exclusive", lambda *_: True)
    assert {"link": "problem"}.items() <= {each.subject: each.verdict for each in examine(tmp_path)}.items()


def test_a_file_system_without_links_is_a_problem(monkeypatch, tmp_path, app):
    def refuse(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", refuse)
    result = CliRunner().invoke(app, ["doctor", "--folder", str(tmp_path), "--format", "json"])
    assert result.exit_code == 1
    (row,) = [row for row in json.loads(result.stdout) if row["verdict"] == "problem"]
    assert "not supported" in row["detail"]


def test_the_command_prints_a_table(tmp_path, app):
    result = CliRunner().invoke(app, ["doctor", "--folder", str(tmp_path), "--format", "csv"])
    assert result.exit_code == 0, result.output
    header, *rows = result.stdout.splitlines()
    assert header == "subject,verdict,detail"
    assert len(rows) == len(list(examine(tmp_path)))


def test_a_package_that_is_missing_is_a_problem(monkeypatch, tmp_path):
    monkeypatch.setattr(metadata, "requires", lambda _: ["no-such-package>=1", 'extra-one; extra == "mpi"'])
    found = {each.subject: each for each in doctor.examine(tmp_path)}
    assert found["no-such-package"].verdict == "problem"
    assert "extra-one" not in found


def test_an_mpi_that_does_not_start_is_a_problem(monkeypatch, tmp_path):
    def hang(*_, **options):
        raise subprocess.TimeoutExpired("python", options["timeout"])

    monkeypatch.setattr(subprocess, "run", hang)
    (mpi,) = [each for each in examine(tmp_path) if each.subject == "MPI"]
    assert mpi.verdict == "problem"
