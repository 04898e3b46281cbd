"""Airflow's command for a process that runs one DAG and ends: `python -m sentiment.embedded.airflow_command dags test`.

Its libraries make a million objects that all stay, and Python's collector went through them again and again while they
were imported: 1.7 of the 9.8 seconds of CPU that a run without a task takes.
"""

from __future__ import annotations

import gc

SELDOM = 50_000
"""Objects made, less those freed, after which the youngest are looked through; Python's default is 700."""


def main() -> None:
    """Run Airflow's command line with the arguments of this process."""
    gc.set_threshold(SELDOM, *gc.get_threshold()[1:])
    from airflow.__main__ import main as run

    run()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main()
