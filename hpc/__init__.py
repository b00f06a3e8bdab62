"""Runs work: jobs on one process, on local processes or on MPI ranks, with the same result."""

from hpc.marks import Mark
from hpc.run import run_job
from hpc.session import Session, StageReport
from hpc.staging import Staging
from hpc.tasks import Outcome, Stage, Task

__all__ = ["Mark", "Outcome", "Session", "Stage", "StageReport", "Staging", "Task", "run_job"]
