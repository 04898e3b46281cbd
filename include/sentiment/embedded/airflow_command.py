"""Airflow's command for a process that ends by itself: `python -m sentiment.embedded.airflow_command dags test …`."""

from __future__ import annotations

from sentiment.runtime.garbage import collect_seldom


def main() -> None:
    """Run Airflow's command line with the arguments of this process."""
    collect_seldom()
    from airflow.__main__ import main as run

    run()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main()
