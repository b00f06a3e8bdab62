"""Launchers are found by what they set, and N copies of one job are refused."""

from __future__ import annotations

import subprocess
import sys

import pytest

from hpc.errors import UsageError
from hpc.launch import (
    UNKNOWN,
    Choice,
    Launch,
    available_cores,
    choose,
    detect,
    require_company,
    without_launcher,
)

# what the launchers were seen to set, the batch script included, which is one process
HYDRA = {"PMI_RANK": "2", "PMI_SIZE": "4", "PMI_FD": "7"}
OPEN_MPI = {"OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "2", "PMIX_RANK": "1"}
SRUN_NONE = {"SLURM_JOB_ID": "9", "SLURM_PROCID": "3", "SLURM_NTASKS": "4", "SLURM_STEP_NUM_TASKS": "4"}
SRUN_PMIX = {**SRUN_NONE, "PMIX_RANK": "3"}
SRUN_ONE = {"SLURM_JOB_ID": "9", "SLURM_PROCID": "0", "SLURM_NTASKS": "8", "SLURM_STEP_NUM_TASKS": "1"}
SRUN_ONE_OF_PMI2 = {**SRUN_ONE, "PMI_RANK": "0", "PMI_SIZE": "1"}
BATCH = {"SLURM_JOB_ID": "9", "SLURM_PROCID": "0", "SLURM_NTASKS": "8", "SLURM_CPUS_PER_TASK": "2"}
HYDRA_IN_BATCH = {**BATCH, **HYDRA}


@pytest.mark.parametrize(
    ("environment", "launch"),
    [
        ({}, Launch()),
        (HYDRA, Launch("mpiexec", 2, 4)),
        (OPEN_MPI, Launch("mpirun of Open MPI", 1, 2)),
        (SRUN_NONE, Launch("srun", 3, 4)),
        (SRUN_PMIX, Launch("srun", 3, 4)),
        ({**SRUN_ONE, "PMIX_RANK": "0"}, Launch("srun", 0, 1)),
        ({**SRUN_ONE, **HYDRA}, Launch("mpiexec", 2, 4)),
        (SRUN_ONE, Launch("srun", 0, 1)),
        (SRUN_ONE_OF_PMI2, Launch("srun", 0, 1)),
        (BATCH, Launch()),
        (HYDRA_IN_BATCH, Launch("mpiexec", 2, 4)),
        ({"SLURM_PROCID": "1", "SLURM_NTASKS": "2"}, Launch("srun", 1, 2)),
        ({"PMIX_RANK": "0"}, Launch("a PMIx launcher", 0, UNKNOWN)),
        ({"PMI_RANK": "nonsense"}, Launch()),
    ],
)
def test_launchers_are_found_by_what_they_set(environment, launch):
    assert detect(environment) == launch


@pytest.mark.parametrize(
    ("executor", "workers", "launch", "choice"),
    [
        ("auto", 3, Launch(), Choice("processes", 3)),
        ("auto", 1, Launch(), Choice("serial", 1)),
        ("auto", None, Launch("mpiexec", 0, 4), Choice("mpi", available_cores())),
        ("auto", 2, Launch("mpiexec", 0, 1), Choice("mpi", 2)),
        ("auto", 2, Launch("srun", 0, 1), Choice("processes", 2)),
        ("auto", 2, Launch("a PMIx launcher", 0, UNKNOWN), Choice("mpi", 2)),
        ("serial", 4, Launch(), Choice("serial", 1)),
        ("processes", 1, Launch(), Choice("processes", 1)),
        ("mpi", 2, Launch(), Choice("mpi", 2)),
    ],
)
def test_what_a_job_runs_on(executor, workers, launch, choice):
    assert choose(executor, workers, launch) == choice


@pytest.mark.parametrize("executor", ["serial", "processes"])
def test_several_tasks_that_would_each_do_all_are_refused(executor):
    with pytest.raises(UsageError, match="mpiexec started 4 tasks"):
        choose(executor, None, Launch("mpiexec", 0, 4))


def test_a_task_alone_among_several_is_refused_with_the_remedy():
    with pytest.raises(UsageError, match=r"srun started 4 tasks.*--mpi=pmi2"):
        require_company(Launch("srun", 1, 4), "the MPI library sees one rank")
    with pytest.raises(UsageError, match="several tasks"):
        require_company(Launch("a PMIx launcher", 1, UNKNOWN), "MPI cannot be loaded")
    require_company(Launch(), "nobody started it")
    require_company(Launch("a PMIx launcher", 0, UNKNOWN), "the others refuse")


def test_no_workers_are_refused():
    with pytest.raises(UsageError, match="workers: 0"):
        choose("auto", 0, Launch())


def test_cores_are_what_slurm_gave_else_the_affinity():
    assert available_cores({"SLURM_CPUS_PER_TASK": "7"}) == 7
    assert available_cores({"SLURM_CPUS_PER_TASK": ""}) == available_cores({}) >= 1


def test_a_process_of_ours_is_nobodys_rank():
    everything = {**HYDRA, **OPEN_MPI, **SRUN_PMIX, "HOME": "/", "SLURM_JOB_ID": "9"}
    assert without_launcher(everything) == {"HOME": "/", "SLURM_JOB_ID": "9"}
    assert detect(without_launcher(everything)) == Launch()


def test_importing_the_engine_starts_nothing():
    heavy = ["numpy", "pyarrow", "mpi4py", "rich", "typer", "numba", "multiprocessing", "subprocess"]
    code = f"import sys, hpc; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
