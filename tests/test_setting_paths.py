"""Paths of settings are those of the folder in which the command was typed, for every process that reads them."""

from __future__ import annotations

from pathlib import Path

import pytest
from sentiment import settings
from sentiment.embedded import airflow
from sentiment.settings import PATHS, Settings

VARIABLES = [f"SENTIMENT_{name.upper()}" for name in PATHS]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The caller's folder; every path is set to one below it, by its relative name."""
    for name, variable in zip(PATHS, VARIABLES, strict=True):
        monkeypatch.setenv(variable, f"my/{name}")
    monkeypatch.chdir(tmp_path)
    settings.load.cache_clear()
    return tmp_path


def paths(config: Settings) -> dict[str, str]:
    return {name: str(getattr(config, name)) for name in PATHS}


def test_every_setting_that_is_a_path_is_listed() -> None:
    typed = {name for name, field in Settings.model_fields.items() if "Path" in str(field.annotation)}
    assert typed <= set(PATHS)


def test_relative_paths_are_the_caller_s(folder: Path) -> None:
    assert paths(settings.load()) == {name: str(folder / "my" / name) for name in PATHS}


def test_processes_in_another_folder_read_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = settings.load()
    env = airflow.environment(config, "postgresql://airflow@127.0.0.1/airflow")
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    for variable in VARIABLES:
        monkeypatch.setenv(variable, env[variable])
    settings.load.cache_clear()
    assert paths(settings.load()) == paths(config)


def test_the_home_s_own_file_is_read_where_the_home_is(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("SENTIMENT_HOME", "~/own")
    (folder / "own").mkdir()
    (folder / "own" / settings.EMBEDDED_ENV).write_text("SENTIMENT_SOURCE=mine\n", "utf-8")
    assert (settings.load().home, settings.load().source) == (folder / "own", "mine")


@pytest.mark.parametrize("address", ["s3a://bucket/prefix", "file:///data/lake"])
def test_addresses_stay(folder: Path, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("SENTIMENT_LAKE", address)
    assert settings.load().lake == address


def test_an_empty_variable_is_one_that_is_not_set(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in VARIABLES:
        monkeypatch.setenv(variable, "")
    config = settings.load()
    for variable in VARIABLES:
        monkeypatch.delenv(variable)
    settings.load.cache_clear()
    assert paths(settings.load()) == paths(config)
    assert config.sources is None
