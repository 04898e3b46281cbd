"""What this machine has and lacks for a night, each with the line that mends it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass

import psutil

from sentiment.errors import SentimentError
from sentiment.settings import DEFAULT_HOME, EMBEDDED_ENV, Settings

MIN_MEMORY_BYTES = 6 << 30
MIN_DISK_BYTES = 5 << 30


@dataclass(frozen=True)
class Finding:
    """One thing looked at."""

    what: str
    ok: bool
    found: str
    mend: str


def examine(config: Settings) -> list[Finding]:
    """Look at everything; nothing is changed."""
    checks = (_python, _memory, _disk, _java, _jars, _model, _secrets, _ports, _database, _migrations)
    return [check(config) for check in checks]


def _tried(what: str, mend: str, attempt: Callable[[], str]) -> Finding:
    try:
        return Finding(what, True, attempt(), mend)
    except SentimentError as error:
        return Finding(what, False, error.message, error.try_next or mend)


def _python(_: Settings) -> Finding:
    found = ".".join(str(n) for n in sys.version_info[:3])
    return Finding("Python 3.11", sys.version_info[:2] == (3, 11), found, "apt-get install python3.11 python3.11-venv")


def _memory(_: Settings) -> Finding:
    total = psutil.virtual_memory().total
    mend = "SENTIMENT_SPARK_DRIVER_MEMORY=1g make nightly"
    return Finding("6 GiB of memory", total >= MIN_MEMORY_BYTES, f"{total / 2**30:.1f} GiB", mend)


def _disk(config: Settings) -> Finding:
    place = next(p for p in (config.home, *config.home.parents) if p.exists())
    free = shutil.disk_usage(place).free
    mend = f"free some, or: SENTIMENT_HOME=/another/disk make nightly (now {DEFAULT_HOME})"
    return Finding("5 GiB of free disk", free >= MIN_DISK_BYTES, f"{free / 2**30:.0f} GiB at {place}", mend)


def _java(config: Settings) -> Finding:
    from sentiment.runtime import java

    return _tried("Java 17", "make nightly", lambda: str(java.java_home(config)))


def _jars(config: Settings) -> Finding:
    from sentiment.runtime import jars

    return _tried("jars of Spark NLP", "make nightly", lambda: f"{len(jars.spark_jars(config))} jars")


def _model(config: Settings) -> Finding:
    from sentiment.scoring import registry

    return _tried(
        "model",
        "sentiment model list",
        lambda: f"{config.model}, {registry.find(config.model, config).fingerprint[:12]}",
    )


def _secrets(config: Settings) -> Finding:
    paths = [config.home / name for name in ("secrets.json", EMBEDDED_ENV)]
    missing = [p for p in paths if not p.exists()]
    if missing:
        return Finding("secrets", False, f"{missing[0]} is not there yet", "make nightly")
    loose = [p for p in paths if p.stat().st_mode & 0o077]
    mend = f"chmod 600 {' '.join(map(str, loose))}"
    return Finding("secrets", not loose, "only the owner reads them" if not loose else "others can read them", mend)


def _ports(config: Settings) -> Finding:
    from sentiment.embedded import airflow

    mine = bool(airflow.processes(config, services_only=True))
    return _tried(
        f"port {config.airflow_port} for the UI",
        "make up",
        lambda: "our own UI" if mine else _free(config.airflow_port),
    )


def _free(port: int) -> str:
    from sentiment.embedded import airflow

    airflow.check_port(port)
    return "free"


def _database(_: Settings) -> Finding:
    import sqlalchemy as sa

    from sentiment import database

    def attempt() -> str:
        with database.transaction() as c:
            return str(c.execute(sa.text("SELECT split_part(version(), ' on ', 1)")).scalar_one())

    return _tried("reviews database", "make nightly", attempt)


def _migrations(_: Settings) -> Finding:
    from sentiment.store import migrate

    def attempt() -> str:
        return str(migrate.current("writer"))

    found = _tried("its migrations", "sentiment db migrate", attempt)
    known = migrate.head()
    return found if not found.ok else Finding(found.what, found.found == known, found.found, "sentiment db migrate")
