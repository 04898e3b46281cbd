"""Where the reviews database is away, every command that needs it names a line that helps."""

from __future__ import annotations

from pathlib import Path

import pytest
from sentiment import cli, settings
from sentiment.embedded import doctor
from sentiment.errors import InfrastructureError
from typer.testing import CliRunner

URLS = {"SENTIMENT_DATABASE_URL": "writer", "SENTIMENT_OWNER_URL": "owner", "SENTIMENT_READER_URL": "reader"}
COMMANDS = [
    "runs", "run show 20261122-1a2b3c4d", "quarantine list", "quarantine show 20261122-1a2b3c4d 0 1", "drift show",
    "drift ack 0123456789abcdef --reason r", "drift replay --from 2026-11-01", "reference list",
    "reference pin --from 2026-05-01 --to 2026-10-31", "review forget 0123456789abcdef0123456789abcdef", "maintain",
    "db migrate", "db dictionary --output -", "db text-index", "db text-index --drop", "model retire cinema-fr",
    "model use cinema-fr", "quarantine requeue 20261122-1a2b3c4d",
]  # fmt: skip


def addresses(port: int) -> dict[str, str]:
    return {name: f"postgresql://sentiment_{role}:x@127.0.0.1:{port}/reviews" for name, role in URLS.items()}


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose server is stopped: nobody listens on port 1."""
    text = "".join(f"{name}={address}\n" for name, address in addresses(1).items())
    (tmp_path / settings.EMBEDDED_ENV).write_text(text, "utf-8")
    monkeypatch.setenv("SENTIMENT_HOME", str(tmp_path))
    for name in URLS:
        monkeypatch.delenv(name, raising=False)
    settings.load.cache_clear()
    return tmp_path


@pytest.fixture
def elsewhere(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that isn't this home's, on port 2."""
    for name, address in addresses(2).items():
        monkeypatch.setenv(name, address)
    settings.load.cache_clear()


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.usefixtures("own_home")
def test_the_stopped_server_of_this_home_is_to_be_started(command: str) -> None:
    error = CliRunner().invoke(cli.app, command.split()).exception
    assert isinstance(error, InfrastructureError)
    assert error.try_next == "sentiment db start"


@pytest.mark.usefixtures("elsewhere")
def test_another_server_is_not_to_be_started() -> None:
    error = CliRunner().invoke(cli.app, ["runs"]).exception
    assert isinstance(error, InfrastructureError)
    assert error.try_next == "sentiment doctor"


@pytest.mark.parametrize(("database", "mend"), [("own_home", "sentiment db start"), ("elsewhere", doctor.SHOW_ADDRESS)])
def test_the_doctor_does_not_send_people_to_itself(database: str, mend: str, request: pytest.FixtureRequest) -> None:
    request.getfixturevalue(database)
    missing = {check.requirement: check.mend for check in doctor.examine(settings.load()) if not check.ok}
    assert (missing["reviews database"], missing["its migrations"]) == (mend, mend)
    assert not [command for command in missing.values() if "doctor" in command]
