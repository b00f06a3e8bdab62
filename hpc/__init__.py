"""Runs work: jobs on one process, on local processes or on MPI ranks, with the same result."""
