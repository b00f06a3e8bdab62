"""Who started this process, as how many tasks, and with what to work."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from hpc.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

ExecutorName = Literal["auto", "serial", "processes", "mpi"]

UNKNOWN: Final = 0

# launcher; variable of the task's number, of the number of tasks ("" where the launcher does not tell)
_LAUNCHERS: Final = (
    ("mpirun of Open MPI", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("mpiexec", "PMI_RANK", "PMI_SIZE"),
    ("MVAPICH", "MV2_COMM_WORLD_RANK", "MV2_COMM_WORLD_SIZE"),
    ("flux", "FLUX_TASK_RANK", "FLUX_JOB_SIZE"),
    ("srun", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS"),
    ("PALS", "PALS_RANKID", ""),
    ("a PMIx launcher", "PMIX_RANK", ""),
)
_LAUNCH_PREFIXES: Final = (
    "PMI_", "PMIX_", "OMPI_", "PRTE_", "MV2_COMM_WORLD_", "MPI_LOCAL", "HYDI_", "HYDRA_", "FLUX_", "PALS_",
    "SLURM_STEP", "SLURM_PROCID", "SLURM_NTASKS", "SLURM_NPROCS", "SLURM_LOCALID", "SLURM_MPI_TYPE",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Launch:
    """How this process was started.

    Attributes
    ----------
    launcher : str
        For people; empty where nothing but a shell started it.
    rank : int
        The launcher's number for this task, from zero.
    tasks : int
        How many tasks the launcher started; `UNKNOWN` where it does not tell.
    """

    launcher: str = ""
    rank: int = 0
    tasks: int = 1

    @property
    def several(self) -> bool:
        """Whether this is certainly one of several tasks."""
        return self.tasks > 1 or self.rank > 0


@dataclass(frozen=True, slots=True)
class Choice:
    """What a run will use: name of the executor, and number of workers (of ranks' choosing under MPI)."""

    executor: ExecutorName
    workers: int


def detect(environment: Mapping[str, str] = os.environ) -> Launch:
    """Return who started this process, by the variables that launchers set.

    Launchers stand inside one another (mpiexec in a shell that srun started): the one that started several
    tasks is meant.
    """
    found = []
    for launcher, rank, size in _LAUNCHERS:
        if environment.get(rank, "").isdigit() and (launcher != "srun" or _is_srun_task(environment)):
            tasks = environment.get(size) or (environment.get("SLURM_NTASKS") if launcher == "srun" else None)
            found.append(Launch(launcher, int(environment[rank]), _integer(tasks) or UNKNOWN))
    # then srun, which says how many cores a single task has; last who does not say how many tasks there are
    found.sort(key=lambda each: (each.tasks <= 1, each.launcher != "srun", each.tasks == UNKNOWN))
    return found[0] if found else Launch()


def choose(executor: ExecutorName, workers: int | None, launch: Launch) -> Choice:
    """Return what to run on, for what the user asked (``auto``: found out) and how the process was started.

    Raises
    ------
    hpc.errors.UsageError
        If each of several tasks would do the whole job for itself.
    """
    if workers is not None and workers < 1:
        raise UsageError(f"workers: {workers}, expected 1 or more")
    count = workers or available_cores()
    if executor == "auto":
        if launch.several or launch.launcher not in ("", "srun"):
            executor = "mpi"
        else:
            executor = "serial" if count == 1 else "processes"
    if executor != "mpi" and launch.several:
        raise UsageError(
            f"executor {executor!r} was asked for, but {launch.launcher} started {_several(launch)}, and "
            "each would do the whole job. Start one task, or leave the executor to 'auto'"
        )
    return Choice(executor, 1 if executor == "serial" else count)


def require_company(launch: Launch, reason: str) -> None:
    """Raise `hpc.errors.UsageError` if this is one of several tasks, which cannot see the others.

    Parameters
    ----------
    launch : Launch
        How this process was started.
    reason : str
        Why the task is alone.
    """
    if launch.several:
        raise UsageError(
            f"{launch.launcher} started {_several(launch)}, but each believes to be alone ({reason}) and "
            "would do the whole job. Start them with the launcher of the MPI library that mpi4py uses "
            "(`cohortium doctor` names it); with srun, try --mpi=pmi2 or --mpi=pmix; or start one task"
        )


def available_cores(environment: Mapping[str, str] = os.environ) -> int:
    """Return how many cores this process may use: what Slurm gave to the task, else its affinity."""
    given = _integer(environment.get("SLURM_CPUS_PER_TASK"))
    if given:
        return given
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def without_launcher(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for a process that is nobody's MPI rank."""
    return {name: text for name, text in environment.items() if not name.startswith(_LAUNCH_PREFIXES)}


def _is_srun_task(environment: Mapping[str, str]) -> bool:
    """Tell a task of srun from the batch script, which has a SLURM_PROCID too but is one process."""
    if "SLURM_STEP_NUM_TASKS" in environment:
        return True
    return "SLURM_JOB_ID" not in environment and (_integer(environment.get("SLURM_NTASKS")) or 1) > 1


def _several(launch: Launch) -> str:
    return f"{launch.tasks} tasks" if launch.tasks else "several tasks"


def _integer(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() else None
