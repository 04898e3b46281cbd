"""Nights of the real jobs on the test's Spark session, by the registered default model."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from sentiment import settings
from sentiment.scoring import registry

from tests.kit.nights import NightSpec, run_all_steps

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@pytest.fixture
def publish(spark: SparkSession, _model: None) -> Callable[..., None]:
    """Return a function that runs every step of a night."""
    return lambda *names, **values: run_all_steps(spark, NightSpec(*names, **values))


@pytest.fixture(scope="module")
def _model(server: object, _database_of_the_module: None) -> None:
    registry.register(registry.find("cinema-fr", settings.load()))
