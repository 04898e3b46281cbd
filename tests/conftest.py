"""Heavy things, started once a session: a home of its own, Postgres, a Spark session; and each test's lane.

A module that uses the database gets one of its own, a copy of the migrated one, with a run workspace of its own, so
that no test sees what another module's tests left. What a test sets in the environment ends with the test.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest
from sentiment import settings
from sentiment.embedded import machine
from sentiment.local import nights
from sentiment.runtime import jars
from sentiment.samples import sample_dump
from sentiment.settings import Settings

from tests.kit import commands, databases, disks, scheduling, warm_spark
from tests.kit.databases import Database

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

hypothesis.settings.register_profile("long", max_examples=100_000, deadline=None)
NIGHT = date(2026, 11, 19)
LANES = ("unit", "postgres", "spark", "night", "browser")
LANE_OF_FIXTURE = {"night": "night", "airflow_env": "night", "spark": "spark", "server": "postgres"}
"""Fixture -> the lane of the tests that use it, the heaviest first; a marker on the test or its module wins."""


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """Put every test in one lane, and modules in the order in which `FromBothEnds` hands them to workers."""
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if not any(item.get_closest_marker(lane) for lane in LANES):
            lane = next((lane for name, lane in LANE_OF_FIXTURE.items() if name in fixtures), "unit")
            item.add_marker(getattr(pytest.mark, lane))
    _group(items)
    yield  # -m chooses by marker, plugins shuffle
    positions = {module: (*_position(own), n) for n, (module, own) in enumerate(_by_module(items).items())}
    items.sort(key=lambda item: (positions[item.getparent(pytest.Module)], item.get_closest_marker("last") is not None))


def _by_module(items: list[pytest.Item]) -> dict[pytest.Module | None, list[pytest.Item]]:
    modules: dict[pytest.Module | None, list[pytest.Item]] = {}
    for item in items:
        modules.setdefault(item.getparent(pytest.Module), []).append(item)
    return modules


def _position(own: list[pytest.Item]) -> tuple[int, int]:
    """Return what orders modules: whole nights, the published one's first, then light lanes, then Spark sessions.

    At both ends what is heavy comes first, so that workers which begin there have light tests in the end.
    """
    lanes = {lane for lane in LANES for item in own if item.get_closest_marker(lane)}
    is_heavy = any(item.get_closest_marker("heavy") for item in own)
    if lanes & {"night", "browser"}:
        uses_the_night = any("night" in getattr(item, "fixturenames", ()) for item in own)
        return 0, 0 if uses_the_night else 1 + ("browser" not in lanes) + (not is_heavy)
    return (2, is_heavy) if "spark" in lanes else (1, not is_heavy)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> scheduling.FromBothEnds:
    return scheduling.FromBothEnds(config, log)


def _group(items: list[pytest.Item]) -> None:
    """Keep each module's tests on one worker of pytest-xdist, and what two workers would both have to make, too.

    That is the published night, and in the fast lanes Airflow's database.
    """
    for module, own in _by_module(items).items():
        used = {name for item in own for name in getattr(item, "fixturenames", ())}
        alone = module.nodeid if module is not None else ""
        for item in own:
            is_fast = item.get_closest_marker("unit") or item.get_closest_marker("postgres")
            shared = "night" if "night" in used else "ready" if is_fast and "ready" in used else alone
            item.add_marker(pytest.mark.xdist_group(shared))


@pytest.fixture(scope="session")
def home() -> Iterator[Path]:
    """Return a SENTIMENT_HOME of this test session; nothing of the checkout's own state is read or written."""
    folder = Path(tempfile.mkdtemp(prefix="sentiment-tests-"))
    folder.chmod(0o755)  # the embedded server runs as a system user and must reach its folder
    for name in [n for n in os.environ if n.startswith(("SENTIMENT_", "AIRFLOW"))]:
        del os.environ[name]
    os.environ["SENTIMENT_HOME"] = str(folder)
    settings.load.cache_clear()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def _environment_ends_with_the_test() -> Iterator[None]:
    before = dict(os.environ)
    yield
    if os.environ != before:
        os.environ.clear()
        os.environ.update(before)
    settings.load.cache_clear()


@contextmanager
def settings_for_a_while() -> Iterator[Callable[..., Settings]]:
    """Yield a function that sets settings by name, None removes one; they end with the context."""
    with pytest.MonkeyPatch.context() as patch:

        def change(**values: object) -> Settings:
            for name, value in values.items():
                variable = f"SENTIMENT_{name.upper()}"
                patch.delenv(variable, raising=False) if value is None else patch.setenv(variable, str(value))
            settings.load.cache_clear()
            return settings.load()

        yield change
    settings.load.cache_clear()


@pytest.fixture
def set_settings() -> Iterator[Callable[..., Settings]]:
    """Return a function that sets settings by name, None removes one; they end with the test."""
    with settings_for_a_while() as change:
        yield change


@pytest.fixture(scope="module")
def set_module_settings(_database_of_the_module: None) -> Iterator[Callable[..., Settings]]:
    """Return a function like that of `set_settings`, for fixtures of a module; they end with the module."""
    with settings_for_a_while() as change:
        yield change


@pytest.fixture(scope="session")
def server(home: Path) -> Iterator[Database]:
    """Return the migrated reviews database on the session's server, of which every module gets a copy."""
    config = settings.load()
    template = databases.template(config)
    yield template
    machine.postgres(config).destroy()


@pytest.fixture(scope="session")
def ready(server: Database) -> machine.Machine:
    """Return the whole machine of this home: jars and Airflow's database beside the reviews database."""
    return machine.prepare(settings.load(), lambda _: None)


@pytest.fixture(scope="session")
def published_night(ready: machine.Machine, server: Database, spark_server: Path) -> Iterator[Database]:
    """Publish a small night with every kind of record through the real DAG, once; modules get copies of it.

    It starts Java by itself, while the warm server starts, which later nights use.
    """
    with databases.copy_of(server, "night") as database:
        path = settings.load().home / "dumps" / f"allocine-{NIGHT}.jsonl.gz"
        sample_dump.write(sample_dump.SampleDump(night=NIGHT, n_reviews=200, defect_share=0.05), path)
        nights.run({"dump": str(path), "night": NIGHT.isoformat(), "sentences": True}, lambda _: None)
    yield database
    databases.drop(database)


@pytest.fixture(scope="session")
def spark_server(ready: machine.Machine, home: Path) -> Iterator[Path]:
    """Return the folder of a warm server of Spark jobs, which starts meanwhile (`tests.kit.warm_spark`)."""
    with warm_spark.server(home / "spark-server") as folder:
        yield folder


@pytest.fixture(scope="module")
def warm_nights(spark_server: Path, home: Path) -> Iterator[None]:
    """Let Airflow submit the module's Spark jobs to a warm server, for nights that are not about starting Spark."""
    with warm_spark.used_by_airflow(spark_server, home / "airflow"):
        yield


@pytest.fixture(scope="module", autouse=True)
def _database_of_the_module(request: pytest.FixtureRequest) -> Iterator[None]:
    items = [item for item in request.session.items if item.getparent(pytest.Module) is request.node]
    fixtures = {name for item in items for name in getattr(item, "fixturenames", ())}
    if "server" not in fixtures:
        yield
        return
    template = request.getfixturevalue("published_night" if "night" in fixtures else "server")
    with databases.copy_of(template, request.node.name) as database:
        yield
    databases.drop(database)


@pytest.fixture
def airflow_env(ready: machine.Machine) -> dict[str, str]:
    """Return the environment of an Airflow process that works on the module's database."""
    return commands.airflow_env(ready)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of a few MiB at a folder; fails, rather than skips, where mounting isn't allowed."""
    (tmp_path / "disk").mkdir()
    with disks.mounted(tmp_path / "disk") as folder:
        yield folder


@pytest.fixture
def config(server: Database) -> Settings:
    """Return the settings, with the module's own database and run workspace."""
    return settings.load()


@pytest.fixture(scope="session")
def spark(home: Path) -> Iterator[SparkSession]:
    """Start one Spark session with the jars, for all tests."""
    from sentiment.runtime import spark as sessions

    os.environ["SENTIMENT_SPARK_MASTER"] = "local[2,4]"  # tasks are tried again, as on a cluster
    settings.load.cache_clear()
    for part in ("base", jars.TENSORFLOW):
        jars.fetch(settings.load(), lambda _: None, part)
    config = warm_spark.lasting(settings.load())
    # Nights through Airflow plan their queries anew at each stage, as in production; 6 % of what steps take here.
    config.spark_conf["spark.sql.adaptive.enabled"] = "false"
    session = sessions.session("tests", config=config, detects_language=True)
    del os.environ["SENTIMENT_SPARK_MASTER"]
    settings.load.cache_clear()
    gateway = session.sparkContext._gateway
    yield session
    session.stop()
    if gateway is not None:
        gateway.shutdown()  # else py4j writes to a closed log when Python ends


@pytest.fixture(scope="session")
def night(published_night: Database) -> date:
    """Return the night that was published through the real DAG; its tables are in the module's database."""
    return NIGHT
