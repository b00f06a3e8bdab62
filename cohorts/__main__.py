"""``python -m cohorts`` is the command ``cohortium``."""

from cohorts.cli import main

if __name__ == "__main__":
    main()
