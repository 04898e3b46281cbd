"""Airflow on one machine: its environment, its database, and the four processes behind its UI."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path

import psutil
import sqlalchemy as sa

from sentiment.embedded import airflow_command, secrets
from sentiment.errors import InfrastructureError, SetupError, log_end, quoted
from sentiment.runtime import spark
from sentiment.settings import PROJECT_ROOT, Settings
from sentiment.sql import statement

ADMIN = "admin"
MARKER, SERVICE = "SENTIMENT_INSTANCE", "SENTIMENT_SERVICE"
SERVICES = ("api-server", "scheduler", "dag-processor", "triggerer")
HEALTHY_WITHIN_S = 120
BUSY_S = 30
"""For so long services that run may be too busy to answer before they count as broken, and are started anew."""
POOL = {"spark": {"slots": 1, "description": "Spark jobs, one at a time", "include_deferred": False}}


def bin_folder() -> Path:
    """Return the folder of this Python environment's commands."""
    return Path(sys.executable).parent


def command() -> list[str]:
    """Return the beginning of Airflow's command line, for a process that ends by itself."""
    # -P: the home, in which it runs, has a folder named airflow.
    return [sys.executable, "-P", "-m", airflow_command.__name__]


def environment(config: Settings, airflow_url: str) -> dict[str, str]:
    """Return the environment of every process of the embedded default; `airflow_url` is its database, with password."""
    home, passwords = config.home / "airflow", secrets.load(config.home)
    api = f"http://127.0.0.1:{config.airflow_port}"
    own = {
        MARKER: str(config.home),
        "SENTIMENT_HOME": str(config.home),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT_ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT_ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__FERNET_KEY": passwords["airflow_fernet"],
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{ADMIN}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{api}/execution/",
        "AIRFLOW__CORE__DEFAULT_TIMEZONE": "Europe/Paris",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": airflow_url.replace("postgresql://", "postgresql+psycopg2://", 1),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(config.airflow_port),
        "AIRFLOW__API__BASE_URL": api,
        "AIRFLOW__API__SECRET_KEY": passwords["airflow_api"],
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API_AUTH__JWT_SECRET": passwords["airflow_jwt"],
        # The default of ten minutes is shorter than a task of a night.
        "AIRFLOW__EXECUTION_API__JWT_EXPIRATION_TIME": "86400",
        "AIRFLOW__SCHEDULER__DAG_DIR_LIST_INTERVAL": "30",
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "false",
        "AIRFLOW_CONN_SPARK_CLUSTER": json.dumps(_spark_connection(config.spark_master)),
        "PYTHONWARNINGS": "ignore",
    }
    # The processes start in another folder than that of whoever set a relative path.
    return {**os.environ, **config.resolved_paths(), **spark.environment(config), **own}


def _spark_connection(master: str) -> dict[str, object]:
    # SparkSubmitOperator joins host and port by a colon, and adds none to `local[*]`.
    if "://" not in master:
        return {"conn_type": "spark", "host": master}
    host, _, port = master.rpartition(":")
    return {"conn_type": "spark", "host": host, "port": int(port)}


def migrate(config: Settings, env: dict[str, str]) -> bool:
    """Create or upgrade Airflow's tables and the Spark pool; return whether anything had to be done."""
    # Two starts of Airflow's command take longer than everything else that `prepare` checks.
    marker = config.home / "airflow" / "migrated.json"
    now = {"airflow": version("apache-airflow"), "database": env["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].split("@")[-1]}
    if marker.exists() and json.loads(marker.read_text("utf-8")) == now:
        return False
    pools = config.home / "airflow" / "pools.json"
    pools.write_text(json.dumps(POOL), "utf-8")
    _airflow(["db", "migrate"], env, config)
    _airflow(["pools", "import", str(pools)], env, config)
    marker.write_text(json.dumps(now), "utf-8")
    return True


def _airflow(arguments: list[str], env: dict[str, str], config: Settings) -> None:
    log = config.home / "logs" / "airflow-setup.log"
    with log.open("ab") as out:
        done = subprocess.run([*command(), *arguments], env=env, stdout=out, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        raise InfrastructureError(f"`airflow {' '.join(arguments)}` failed; see {log}.", log_end(log))


@contextmanager
def night_in_progress(env: dict[str, str]) -> Iterator[None]:
    """Fail the runs of killed `dags test` commands, then hold a lock that shows others that this one is alive."""
    with _metadata(env) as c:
        _end_abandoned(c)
        c.commit()
        c.execute(sa.text("SELECT pg_advisory_lock_shared(hashtext('sentiment nightly'))"))
        # The lock is the session's and stays; a transaction open all night would keep vacuum from its work.
        c.commit()
        yield


def end_abandoned_nights(env: dict[str, str]) -> None:
    """Fail the runs of killed `dags test` commands, each of which would hold the DAG's only run for ever."""
    with _metadata(env) as c:
        _end_abandoned(c)
        c.commit()


def _end_abandoned(connection: sa.Connection) -> None:
    # Living commands share the lock, so the exclusive one is free only where none lives.
    is_alone = sa.text("SELECT pg_try_advisory_xact_lock(hashtext('sentiment nightly'))")
    if connection.execute(is_alone).scalar_one():
        connection.execute(statement("embedded/airflow/end_abandoned_nights"))


def scheduler_would_interfere(config: Settings, env: dict[str, str], dag_id: str) -> bool:
    """Return whether this home's scheduler runs the DAG: it would start the tasks of a `dags test` a second time."""
    if not processes(config, services_only=True):
        return False
    with _metadata(env) as c:
        query = "SELECT 1 FROM dag WHERE dag_id = :dag_id AND NOT is_paused"
        return c.execute(sa.text(query), {"dag_id": dag_id}).first() is not None


@contextmanager
def _metadata(env: dict[str, str]) -> Iterator[sa.Connection]:
    # No pool: the lock of `night_in_progress` is given back as its connection closes.
    engine = sa.create_engine(env["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"], poolclass=sa.NullPool)
    with engine.connect() as connection:
        yield connection


def up(config: Settings, env: dict[str, str], progress: Callable[[str], None]) -> bool:
    """Start the UI's processes and wait until they are healthy; return False where they run already."""
    if processes(config, services_only=True) and _healthy_within(config, BUSY_S):
        return False
    # What is left of services that are not healthy would hold the port.
    down(config, services_only=True)
    # Before the scheduler starts: it would count killed nights as running, and start no other.
    end_abandoned_nights(env)
    check_port(config.airflow_port)
    password = secrets.load(config.home)["airflow_admin"]
    secrets.write_private(config.home / "airflow" / "passwords.json", json.dumps({ADMIN: password}))
    sessions: dict[int, float] = {}
    for service in SERVICES:
        log = config.home / "logs" / f"airflow-{service}.log"
        process = _start(service, config, env, log)
        sessions[process.pid] = psutil.Process(process.pid).create_time()
        # After each: a killed `up` must leave no process that `down` does not know.
        secrets.write_private(config.home / "airflow" / "sessions.json", json.dumps(sessions))
        progress(f"{service} started, log {log}")
    _wait_until_healthy(config)
    return True


def _start(service: str, config: Settings, env: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as out:
        return subprocess.Popen(
            [str(bin_folder() / "airflow"), service],
            env={**env, SERVICE: service},
            stdout=out,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            # By this session `down` finds what the service has forked.
            start_new_session=True,
            cwd=config.home,
        )


def check_port(port: int) -> None:
    """Raise SetupError where another process listens on the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise SetupError(
                f"Port {port} on 127.0.0.1, for Airflow's UI, is taken.", f"SENTIMENT_AIRFLOW_PORT={port + 1} make up"
            ) from error


def _wait_until_healthy(config: Settings) -> None:
    if not _healthy_within(config, HEALTHY_WITHIN_S):
        raise InfrastructureError(
            f"Airflow's UI was not healthy within {HEALTHY_WITHIN_S} s.",
            f"tail -n 30 {quoted(config.home / 'logs')}/airflow-*.log",
        )


def _healthy_within(config: Settings, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if _healthy(config):
            return True
        time.sleep(1)
    return False


def _healthy(config: Settings) -> bool:
    if not processes(config, services_only=True):
        return False
    try:
        url = f"http://127.0.0.1:{config.airflow_port}/api/v2/monitor/health"
        with urllib.request.urlopen(url, timeout=5) as answer:
            parts = json.load(answer)
    except (urllib.error.URLError, TimeoutError, ValueError, ConnectionError):
        return False
    return all(parts[name]["status"] == "healthy" for name in ("scheduler", "dag_processor", "triggerer"))


def processes(config: Settings, services_only: bool = False) -> list[psutil.Process]:
    """Return the processes started for this home, orphans too, but for Postgres, this process and its parents.

    With `services_only` only those of the UI.
    """
    excluded = {os.getpid(), *(p.pid for p in psutil.Process().parents())}
    sessions = _sessions(config)
    return [p for p in psutil.process_iter() if p.pid not in excluded and _belongs(p, config, sessions, services_only)]


def _sessions(config: Settings) -> dict[int, float]:
    """Return session id -> start, in seconds since 1970, of every service that `up` started."""
    path = config.home / "airflow" / "sessions.json"
    stored = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return {int(session): started for session, started in stored.items()}


def _belongs(process: psutil.Process, config: Settings, sessions: dict[int, float], services_only: bool) -> bool:
    """Return whether a process was started for this home, by its session or by the marker in its environment."""
    try:
        if process.name() == "postgres" or process.status() == psutil.STATUS_ZOMBIE:
            return False
        # Workers that rename themselves (setproctitle) overwrite their environment, so the session comes first; its
        # start distinguishes it from a later one that got the same number.
        started = sessions.get(os.getsid(process.pid))
        if started is not None and process.create_time() >= started:
            return True
        env = process.environ()
        return env.get(MARKER) == str(config.home) and (not services_only or SERVICE in env)
    except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess, ProcessLookupError):
        return False


def down(config: Settings, services_only: bool = False) -> int:
    """End the processes of this home, by SIGTERM and after 15 s by SIGKILL; return how many there were."""
    running = processes(config, services_only)
    for process in running:
        _signal(process, signal.SIGTERM)
    psutil.wait_procs(running, timeout=15)
    # Listed again: a process may have started others before it ended.
    remaining = processes(config, services_only)
    for process in remaining:
        _signal(process, signal.SIGKILL)
    psutil.wait_procs(remaining, timeout=10)
    return len(running)


def _signal(process: psutil.Process, number: int) -> None:
    with suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def end_tree(pid: int) -> None:
    """End a process and everything below it, by SIGTERM and after 10 s by SIGKILL."""
    try:
        root = psutil.Process(pid)
    except psutil.NoSuchProcess:
        return
    tree = [*root.children(recursive=True), root]
    for process in tree:
        _signal(process, signal.SIGTERM)
    _, alive = psutil.wait_procs(tree, timeout=10)
    for process in alive:
        _signal(process, signal.SIGKILL)
