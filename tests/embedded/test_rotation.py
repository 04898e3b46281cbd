"""New passwords: the old ones are refused, the new ones are written down, and nobody is locked out."""

from __future__ import annotations

import shlex
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
import sqlalchemy as sa
from dotenv import dotenv_values
from sentiment import cli, database, settings
from sentiment.embedded import airflow, machine, secrets
from sentiment.embedded.postgres import Server
from sentiment.errors import InfrastructureError
from sentiment.settings import EMBEDDED_ENV, Settings
from sentiment.store import roles
from typer.testing import CliRunner

pytestmark = pytest.mark.postgres

Addresses = dict[str, str]


@pytest.fixture(scope="module")
def config() -> Iterator[Settings]:
    """A home with a server of its own, so that the session's server keeps its passwords."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        config = Settings(home=Path(folder) / "home")
        yield config
        machine.postgres(config).destroy()


@pytest.fixture
def own_server(home: Path, config: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("SENTIMENT_HOME", str(config.home))
    settings.load.cache_clear()
    yield machine.start_postgres(config)
    monkeypatch.undo()
    settings.load.cache_clear()


def addresses(config: Settings, own_server: Server) -> Addresses:
    """Return setting -> address, as written down for this home."""
    written = {name: str(value) for name, value in dotenv_values(config.home / EMBEDDED_ENV).items()}
    return {**written, "SENTIMENT_AIRFLOW_URL": machine.airflow_url(config, own_server)}


def connects(address: str) -> bool:
    try:
        psycopg2.connect(address).close()
    except psycopg2.OperationalError as error:
        assert "password authentication failed" in str(error)  # noqa: PT017
        return False
    return True


def rotate() -> str:
    settings.load.cache_clear()
    done = CliRunner().invoke(cli.app, ["db", "roles", "--rotate"], catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


def test_old_passwords_are_refused_and_new_ones_accepted(config: Settings, own_server: Server) -> None:
    old, before = addresses(config, own_server), secrets.load(config.home)
    output = rotate()
    assert "make down" in output
    assert "make up" in output
    new = addresses(config, own_server)
    assert len(new) == 4
    assert [connects(address) for address in new.values()] == [True] * 4
    assert [connects(address) for address in old.values()] == [False] * 4
    changed = {name for name, value in secrets.load(config.home).items() if value != before[name]}
    assert changed == set(roles.ROLE_SETTINGS)
    for name in (secrets.FILE, EMBEDDED_ENV):
        assert stat.S_IMODE((config.home / name).stat().st_mode) == 0o600
    assert not list(config.home.glob(".*"))


def test_a_crash_before_the_roles_follow_locks_nobody_out(
    config: Settings, own_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = addresses(config, own_server)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(roles, "ensure", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        machine.rotate_passwords(config)
    written = dotenv_values(config.home / EMBEDDED_ENV)
    assert all(connects(str(address)) for address in written.values())
    machine.start_postgres(config)
    new = addresses(config, own_server)
    assert all(connects(address) for address in new.values())
    assert not any(connects(address) for address in old.values())


def test_airflow_follows_without_migrating_again(
    config: Settings, own_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(airflow, "_airflow", lambda *_: None)
    assert airflow.migrate(config, airflow.environment(config, machine.airflow_url(config, own_server)))
    rotate()
    env = airflow.environment(config, machine.airflow_url(config, own_server))
    with airflow._metadata(env) as c:
        assert c.execute(sa.text("SELECT current_user")).scalar_one() == "airflow"
    assert not airflow.migrate(config, env)


def test_new_addresses_of_a_server_elsewhere_are_written_to_a_file(
    config: Settings, own_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = {name: f"{address}?sslmode=prefer" for name, address in addresses(config, own_server).items()}
    for name, address in {**old, "SENTIMENT_SUPERUSER_URL": own_server.url("postgres")}.items():
        monkeypatch.setenv(name, address)
    path = config.home / machine.ROTATED_ENV
    assert str(path) in rotate()
    new = {name: str(value) for name, value in dotenv_values(path).items()}
    assert set(new) == set(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert all(connects(address) and address.endswith("?sslmode=prefer") for address in new.values())
    assert not any(connects(address) for address in old.values())


def test_a_stopped_server_s_errors_name_the_line_that_starts_it(config: Settings, own_server: Server) -> None:
    machine.postgres(config).stop()
    with pytest.raises(InfrastructureError) as refused, database.transaction():
        pass
    program, *arguments = shlex.split(refused.value.try_next)
    assert program == "sentiment"
    assert CliRunner().invoke(cli.app, arguments, catch_exceptions=False).exit_code == 0
    settings.load.cache_clear()
    with database.transaction("reader") as c:
        assert c.execute(sa.text("SELECT current_user")).scalar_one() == "sentiment_reader"
