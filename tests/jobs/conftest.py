"""Nights of the real jobs on the test's Spark session, by the registered default model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sentiment import settings
from sentiment.dump.profiles import BUNDLED
from sentiment.scoring import registry
from sentiment.settings import Settings

from tests.kit.nights import NightSpec, run_all_steps

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@pytest.fixture
def publish(spark: SparkSession, _model: None) -> Callable[..., None]:
    """Return a function that runs every step of a night."""
    return lambda *names, **values: run_all_steps(spark, NightSpec(*names, **values))


@pytest.fixture
def profile(tmp_path: Path, set_settings: Callable[..., Settings]) -> Callable[..., str]:
    """Return a function that adds lines to the profile `usual` under another name, which it returns."""

    def of(*lines: str) -> str:
        folder = tmp_path / "sources"
        folder.mkdir(exist_ok=True)
        set_settings(sources=folder)
        (folder / "mine.toml").write_text("\n".join([*lines, (BUNDLED / "usual.toml").read_text("utf-8")]), "utf-8")
        return "mine"

    return of


@pytest.fixture(scope="module")
def _model(server: object, _database_of_the_module: None) -> None:
    registry.register(registry.find("cinema-fr", settings.load()))
