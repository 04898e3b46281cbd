"""The server that stands in for spark-submit in tests behaves as spark-submit does to whoever submits."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.kit import warm_spark

pytestmark = pytest.mark.night

JOB = """
import os, pathlib, sys, time
from sentiment.runtime import spark
n = spark.session("of a test").range(3).count()
print(n, os.environ["OF_THE_CALLER"], os.getcwd(), *sys.argv[1:])
print("to the other", file=sys.stderr)
pathlib.Path("started").touch()
time.sleep(float(os.environ.get("LINGER", 0)))
sys.exit(7)
"""


def submit(server: Path, folder: Path, **env: str) -> subprocess.Popen[str]:
    job = folder / "jobs" / "job.py"
    job.parent.mkdir(exist_ok=True)
    job.write_text(JOB, "utf-8")
    command = [str(server / warm_spark.COMMAND), "--master", "local[*]", "--conf", "a=b", str(job), "--run-id", "r"]
    return subprocess.Popen(
        command,
        cwd=folder,
        env=os.environ | {"OF_THE_CALLER": "mine"} | env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_job_has_its_callers_environment_outputs_and_exit_code(spark_server: Path, tmp_path: Path) -> None:
    output, error = (process := submit(spark_server, tmp_path)).communicate(timeout=200)
    assert (process.returncode, output, error) == (7, f"3 mine {tmp_path} --run-id r\n", "to the other\n")


def test_a_job_ends_with_whoever_submitted_it(spark_server: Path, tmp_path: Path) -> None:
    process = submit(spark_server, tmp_path, LINGER="600")
    end = time.monotonic() + 200
    while not (tmp_path / "started").exists():
        assert time.monotonic() < end
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    following = submit(spark_server, tmp_path)
    assert following.communicate(timeout=60)[0].startswith("3 mine")
    assert following.returncode == 7
