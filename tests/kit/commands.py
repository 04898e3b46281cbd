"""Commands of `sentiment` as a person types them, in a process group of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from sentiment.embedded.machine import Machine

SENTIMENT = str(Path(sys.executable).parent / "sentiment")


def start(*arguments: str, **env: str) -> subprocess.Popen[str]:
    """Start `sentiment` with arguments and further variables; both outputs come through one pipe."""
    return subprocess.Popen(
        [SENTIMENT, *arguments],
        env={**os.environ, **env},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def run(*arguments: str, **env: str) -> tuple[int, str]:
    """Run `sentiment` and return its exit code and both outputs."""
    process = start(*arguments, **env)
    output, _ = process.communicate(timeout=420)
    return process.returncode, output


def airflow_env(machine: Machine) -> dict[str, str]:
    """Return the environment of an Airflow process that works on the database that the settings name now."""
    return machine.env | {name: value for name, value in os.environ.items() if name.startswith("SENTIMENT_")}
