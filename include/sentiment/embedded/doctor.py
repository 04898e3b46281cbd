"""Check what this machine has and lacks for a night; each check comes with the command that mends it."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass

import psutil

from sentiment.errors import SentimentError
from sentiment.settings import DEFAULT_HOME, EMBEDDED_ENV, Settings

MIN_MEMORY_BYTES = 6 << 30
MIN_DISK_BYTES = 5 << 30
SHOW_ADDRESS = "sentiment db url --role writer"
"""For a server that isn't ours to start: its address is all that can be wrong here."""


@dataclass(frozen=True)
class Check:
    """One requirement and how this machine meets it."""

    requirement: str
    ok: bool
    state: str
    """What is there, or what is wrong with it."""
    mend: str
    """The command to type where it is not met."""


def examine(config: Settings) -> list[Check]:
    """Return every check, in the order in which a night needs what it checks; nothing is changed."""
    checks = (_python, _memory, _disk, _java, _jars, _model, _secrets, _ports, _database, _migrations)
    return [check(config) for check in checks]


def _check(requirement: str, mend: str, state: Callable[[], str]) -> Check:
    """Return the check of a requirement that is met where `state` raises no SentimentError."""
    try:
        return Check(requirement, True, state(), mend)
    except SentimentError as error:
        # Some errors send people here.
        command = mend if error.try_next in ("", "sentiment doctor") else error.try_next
        return Check(requirement, False, error.message, command)


def _python(_: Settings) -> Check:
    version = ".".join(str(n) for n in sys.version_info[:3])
    return Check("Python 3.11", sys.version_info[:2] == (3, 11), version, "apt-get install python3.11 python3.11-venv")


def _memory(_: Settings) -> Check:
    total = psutil.virtual_memory().total
    mend = "SENTIMENT_SPARK_DRIVER_MEMORY=1g make nightly"
    return Check("6 GiB of memory", total >= MIN_MEMORY_BYTES, f"{total / 2**30:.1f} GiB", mend)


def _disk(config: Settings) -> Check:
    # The home may not be there yet.
    folder = next(p for p in (config.home, *config.home.parents) if p.exists())
    free = shutil.disk_usage(folder).free
    mend = f"free some, or: SENTIMENT_HOME=/another/disk make nightly (now {DEFAULT_HOME})"
    return Check("5 GiB of free disk", free >= MIN_DISK_BYTES, f"{free / 2**30:.0f} GiB at {folder}", mend)


def _java(config: Settings) -> Check:
    from sentiment.runtime import java

    return _check("Java 17", "make nightly", lambda: str(java.java_home(config)))


def _jars(config: Settings) -> Check:
    from sentiment.runtime import jars

    return _check("jars of Spark NLP", "make nightly", lambda: f"{len(jars.spark_jars(config))} jars")


def _model(config: Settings) -> Check:
    from sentiment.scoring import registry

    return _check(
        "model",
        "sentiment model list",
        lambda: f"{config.model}, {registry.find(config.model, config).fingerprint[:12]}",
    )


def _secrets(config: Settings) -> Check:
    paths = [config.home / name for name in ("secrets.json", EMBEDDED_ENV)]
    missing = [p for p in paths if not p.exists()]
    if missing:
        return Check("secrets", False, f"{missing[0]} is not there yet", "make nightly")
    loose = [p for p in paths if p.stat().st_mode & 0o077]
    mend = f"chmod 600 {shlex.join(map(str, loose))}"
    return Check("secrets", not loose, "only the owner reads them" if not loose else "others can read them", mend)


def _ports(config: Settings) -> Check:
    from sentiment.embedded import airflow

    # A port that this home's own UI holds is no obstacle.
    is_up = bool(airflow.processes(config, services_only=True))
    return _check(
        f"port {config.airflow_port} for the UI",
        "make up",
        lambda: "our own UI" if is_up else _free(config.airflow_port),
    )


def _free(port: int) -> str:
    from sentiment.embedded import airflow

    airflow.check_port(port)
    return "free"


def _database(_: Settings) -> Check:
    import sqlalchemy as sa

    from sentiment import database

    def server_version() -> str:
        with database.transaction() as c:
            return str(c.execute(sa.text("SELECT split_part(version(), ' on ', 1)")).scalar_one())

    return _check("reviews database", SHOW_ADDRESS, server_version)


def _migrations(_: Settings) -> Check:
    from sentiment.store import migrate

    def revision() -> str:
        return str(migrate.current("writer"))

    check = _check("its migrations", SHOW_ADDRESS, revision)
    known = migrate.head()
    if not check.ok:
        return check
    return Check(check.requirement, check.state == known, check.state, "sentiment db migrate")
