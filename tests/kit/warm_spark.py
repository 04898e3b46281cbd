"""A server that stands in for spark-submit: it runs jobs on a Java machine that is warm already.

For nights in tests that are not about starting Spark. Airflow submits its jobs as ever, by a command, with the
environment, output and exit code that spark-submit would have; each job is forked from a process that has imported
everything, and has a Spark context of its own. One job runs at a time, as the pool `spark` allows.
"""

from __future__ import annotations

import json
import os
import runpy
import select
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

from sentiment import settings
from sentiment.runtime import spark
from sentiment.settings import Settings

ROOT = Path(__file__).parents[2]
COMMAND = "spark3-submit"
"""A name that Airflow's Spark provider allows, and that pyspark has no command of."""
UNEXPECTED_ERROR = 70
START_S = 120
"""For so long the command waits for a server that is starting."""
KEEPERS_OF_A_SESSION = ("com.johnsnowlabs.nlp.util.io.ResourceHelper$", "com.johnsnowlabs.util.ConfigHelper$")
"""Scala objects of Spark NLP whose lazy value is the first session they saw; `bitmap$0` is whether it is there."""
SUBMIT = """#!{python}
import json, os, socket, sys, time
path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "socket")
for _ in range({start_s}):
    if os.path.exists(path):
        break
    time.sleep(1)
with socket.socket(socket.AF_UNIX) as server:
    server.connect(path)
    request = json.dumps([sys.argv[1:], dict(os.environ), os.getcwd()]).encode()
    socket.send_fds(server, [len(request).to_bytes(8, "big")], [1, 2])
    server.sendall(request)
    code = server.recv(1)
sys.exit(code[0] if code else {unexpected})
"""
"""The command: it waits for a server that starts, and hands its own output on to the job."""
LOCAL_SETTINGS = """
import json, os
os.environ["PATH"] += os.pathsep + {folder!r}
_cluster = json.loads(os.environ["AIRFLOW_CONN_SPARK_CLUSTER"])
os.environ["AIRFLOW_CONN_SPARK_CLUSTER"] = json.dumps(_cluster | {{"extra": {{"spark-binary": {command!r}}}}})
"""
"""Airflow imports it as airflow_local_settings, in each of its processes."""


@dataclass(frozen=True)
class Request:
    """What a job is submitted with."""

    arguments: list[str]
    env: dict[str, str]
    folder: str
    outputs: list[int]
    """Descriptors of standard output and standard error."""

    @property
    def command(self) -> list[str]:
        """The job's file and its arguments, without Spark's options."""
        first = next(i for i, text in enumerate(self.arguments) if Path(text).match("jobs/*.py"))
        return self.arguments[first:]


@contextmanager
def server(folder: Path) -> Iterator[Path]:
    """Let a server start in a folder that is not there yet, with the command beside its socket; end it afterwards."""
    folder.mkdir()
    command = folder / COMMAND
    command.write_text(SUBMIT.format(python=sys.executable, unexpected=UNEXPECTED_ERROR, start_s=START_S), "utf-8")
    command.chmod(0o755)
    with (folder / "log").open("wb") as log:
        process = Popen(
            [sys.executable, "-m", __name__, str(folder / "socket")], cwd=ROOT, stdin=PIPE, stdout=log, stderr=log
        )
    try:
        yield folder
    finally:
        process.terminate()
        process.wait()


@contextmanager
def used_by_airflow(folder: Path, airflow_home: Path) -> Iterator[None]:
    """Let Airflow's processes that start meanwhile submit to the server in a folder."""
    local_settings = airflow_home / "config" / "airflow_local_settings.py"
    local_settings.parent.mkdir(parents=True, exist_ok=True)
    local_settings.write_text(LOCAL_SETTINGS.format(folder=str(folder), command=COMMAND), "utf-8")
    try:
        yield
    finally:
        local_settings.unlink()


def serve(path: str) -> None:
    """Run one job after the other until the process is terminated; the Java machine ends with it."""
    gateway = _start_java()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{path}.new")
        listener.listen()
        Path(f"{path}.new").rename(path)  # there only once it answers
        while True:
            connection, _ = listener.accept()
            with connection, suppress(ConnectionError):
                request = _receive(connection)
                _forget_last_job(gateway)
                connection.sendall(bytes([_run(request, connection)]))


def lasting(config: Settings) -> Settings:
    """Return the settings for a session that runs small nights for minutes: a small run's.

    A night has more generated classes than the 100 that are cached otherwise, and the next night's are the same. Of its
    queries, which nobody looks at, few stay: a thousand of them are half a gigabyte for the collector to go through.
    """
    small = spark.conf(config, rows=0)
    own = {name: small[name] for name in ("spark.driver.extraJavaOptions", "spark.sql.shuffle.partitions")}
    own["spark.sql.codegen.cache.maxEntries"] = "5000"
    own |= dict.fromkeys(("spark.sql.ui.retainedExecutions", "spark.ui.retainedJobs", "spark.ui.retainedStages"), "10")
    return config.model_copy(update={"spark_conf": own | config.spark_conf})


def _start_java() -> Any:
    import great_expectations  # noqa: F401
    import sparknlp.annotator  # noqa: F401
    from pyspark import SparkConf, SparkContext
    from sentiment.jobs import evaluate, rescore, score, validate  # noqa: F401

    config = lasting(settings.load())
    os.environ.update(spark.environment(config))
    spark.make_scratch(config)
    values = list(spark.conf(config).items())
    SparkContext._ensure_initialized(conf=SparkConf(loadDefaults=False).setAll(values))
    return SparkContext._gateway


def _forget_last_job(gateway: Any) -> None:
    """Stop the context of a job that was killed, if there is one, and let Spark NLP look for the next one's session."""
    active = getattr(getattr(gateway.jvm.org.apache.spark, "SparkContext$"), "MODULE$").getActive()
    if active.isDefined():
        active.get().stop()
    loader = gateway.jvm.java.lang.Thread.currentThread().getContextClassLoader()
    for name in KEEPERS_OF_A_SESSION:
        keeper = loader.loadClass(name)
        has_session = keeper.getDeclaredField("bitmap$0")
        has_session.setAccessible(True)
        has_session.setBoolean(keeper.getField("MODULE$").get(None), False)


def _receive(connection: socket.socket) -> Request:
    size, outputs, _, _ = socket.recv_fds(connection, 8, 2)
    n, received = int.from_bytes(size, "big"), b""
    while len(received) < n:
        received += connection.recv(n - len(received))
    arguments, env, folder = json.loads(received)
    return Request(arguments, env, folder, outputs)


def _run(request: Request, connection: socket.socket) -> int:
    """Run a job in a forked process; return its exit code. It is killed where whoever submitted it is gone."""
    pid = os.fork()
    if pid == 0:
        _work_and_exit(request)
    for descriptor in request.outputs:
        os.close(descriptor)
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status) % 256
        if select.select([connection], [], [], 0.02)[0]:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise ConnectionAbortedError


def _work_and_exit(request: Request) -> None:
    code = UNEXPECTED_ERROR
    try:
        for descriptor, number in zip(request.outputs, (1, 2), strict=True):
            os.dup2(descriptor, number)
        os.environ.clear()
        os.environ.update(request.env)
        os.chdir(request.folder)
        code = _in_own_thread(request.command)
    finally:
        sys.stdout.flush()
        # None of the parent's handlers of its exit may run here: they would end the Java machine.
        os._exit(code)


def _in_own_thread(command: list[str]) -> int:
    """Run a job's file as a program; return its exit code.

    py4j opens a connection for each thread: a forked process that used its parent's would mix up both processes'
    answers.
    """
    codes: list[int] = []

    def work() -> None:
        from pyspark import SparkContext

        settings.load.cache_clear()
        sys.argv = command
        try:
            runpy.run_path(command[0], run_name="__main__")
        except SystemExit as ended:
            codes.append(int(ended.code or 0))
        if SparkContext._active_spark_context is not None:
            SparkContext._active_spark_context.stop()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return codes[0] if codes else UNEXPECTED_ERROR


if __name__ == "__main__":
    serve(sys.argv[1])
