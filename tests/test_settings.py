"""A wrong value of a setting is one paragraph that names its variable, wherever settings are read first."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from sentiment import database, settings
from sentiment.errors import ParameterError
from sentiment.jobs import entry
from sentiment.runs import outcome
from sentiment.store import roles

SECRET = "postgresql://writer:hunter2@db:port/reviews"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SENTIMENT_MAX_TEXT_CHARS", "many"),
        ("SENTIMENT_MAX_TEXT_CHARS", "0"),
        ("SENTIMENT_CHECK_LANGUAGE", "perhaps"),
        ("SENTIMENT_SOURCE", "Two Words"),
        ("SENTIMENT_SPARK_CONF", "spark.ui.port=1"),
        ("SENTIMENT_SPARK_CONF", '{"spark.ui.port": {}}'),
        ("SENTIMENT_SPARK_DRIVER_MEMORY", "lots"),
        ("SENTIMENT_UNCERTAIN_LOW", "0.9"),
        ("SENTIMENT_HOME", "~nobody-of-this-name/state"),
        ("SENTIMENT_LAKE", "~nobody-of-this-name/lake"),
    ],
)
def test_a_wrong_value_names_its_variable(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)
    settings.load.cache_clear()
    with pytest.raises(ParameterError) as refused:
        settings.load()
    assert variable in refused.value.message
    assert variable in refused.value.try_next
    assert "\n" not in refused.value.message


def test_an_address_that_is_none_is_named_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "OWNER_URL", "READER_URL", "AIRFLOW_URL"):
        monkeypatch.setenv(f"SENTIMENT_{name}", SECRET)
    settings.load.cache_clear()
    for parse in (database.url, lambda: roles.configured(settings.load())):
        with pytest.raises(ParameterError, match=r"SENTIMENT_\w+_URL") as refused:
            parse()
        assert "hunter2" not in str(refused.value)


def test_a_job_reports_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SENTIMENT_MAX_TEXT_CHARS", "many")
    settings.load.cache_clear()
    assert entry.ended(lambda: settings.load().model, tmp_path / "o") == ParameterError.exit_code
    noted = outcome.read(tmp_path / "o")
    assert noted is not None
    assert noted.error is not None
    assert noted.error.kind == "ParameterError"


def test_a_command_ends_with_it(tmp_path: Path) -> None:
    env = {"SENTIMENT_HOME": str(tmp_path), "SENTIMENT_MAX_TEXT_CHARS": "many", "PYTHONPATH": ":".join(sys.path)}
    code = "import sys; from sentiment import cli; sys.argv = ['sentiment', 'runs']; cli.main()"
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == ParameterError.exit_code
    assert "SENTIMENT_MAX_TEXT_CHARS" in done.stderr
    assert "Traceback" not in done.stderr
