"""Bring one machine to where the pipeline can run: jars, Postgres, roles, schema, Airflow's database."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from filelock import FileLock

from sentiment import settings
from sentiment.embedded import airflow, secrets
from sentiment.embedded.postgres import EmbeddedPostgres, Server
from sentiment.runtime import jars
from sentiment.settings import EMBEDDED_ENV, Settings
from sentiment.store import migrate, roles

ROTATED_ENV = "rotated.env"
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Machine:
    """A machine that is ready: where its server is, and what its processes are started with."""

    server: Server
    env: dict[str, str]


@contextmanager
def stage(tell: Tell, what: str) -> Iterator[list[str]]:
    """Say what is being done, then how long it took, in seconds; the body may append words to the end."""
    began = time.monotonic()
    words: list[str] = []
    tell(f"[bold]{what}[/] …")
    yield words
    tell(f"  {', '.join([*words, 'done'])} in {time.monotonic() - began:.1f} s")


def postgres(config: Settings) -> EmbeddedPostgres:
    """The embedded server of this home."""
    return EmbeddedPostgres(config.home / "postgres", config.postgres_port)


def prepare(config: Settings, tell: Tell) -> Machine:
    """Do whatever is missing; what is there already costs next to nothing."""
    with stage(tell, "Jars for Spark NLP"):
        if not config.jars:
            jars.fetch(config, progress=lambda line: tell(f"  {line}"))
    with stage(tell, "PostgreSQL on 127.0.0.1") as words:
        server = start_postgres(config)
        words.append(f"port {server.port}")
    settings.load.cache_clear()
    config = settings.load()
    with stage(tell, "Reviews database") as words:
        words.append(f"revision {migrate.upgrade()}")
    env = airflow.environment(config, airflow_url(config, server))
    with stage(tell, "Airflow's database") as words:
        words.append("migrated" if airflow.migrate(config, env) else "there already")
    return Machine(server, env)


def start_postgres(config: Settings) -> Server:
    """Start the server of this home, with its roles and databases, and write down how to reach them.

    Roles get the passwords of the secrets file at every start, so whatever ended in between is healed.
    """
    return _settle(config, secrets.load)


def rotate_passwords(config: Settings) -> Server:
    """Give the roles of this home's server new passwords.

    The secrets file comes first. Who crashes before the roles follow locks nobody out: the superuser's password
    is another file's, and the next start (`make nightly`, `sentiment db roles`) makes the roles follow.
    """
    return _settle(config, lambda home: secrets.renew(home, roles.ROLE_SETTINGS))


def _settle(config: Settings, passwords: Callable[[Path], dict[str, str]]) -> Server:
    """Start the server and bring its roles, and the file of addresses, to the secrets that `passwords` gives."""
    server = postgres(config).start()
    with FileLock(config.home / "roles.lock"):
        kept = passwords(config.home)
        roles.ensure(server.url("postgres"), {role: kept[role] for role in roles.ROLE_SETTINGS})
        _write_env(config, server, kept)
    return server


def rotate_elsewhere(config: Settings) -> Path:
    """Give the roles of a server of one's own new passwords; returns the file with the new addresses.

    The file is written first, so that no password is set that nobody knows. Raises ParameterError where one of
    the four addresses is not configured.
    """
    assert config.superuser_url is not None
    new = {role: a.set(password=secrets.generate(role)) for role, a in roles.configured(config).items()}
    lines = [
        f"SENTIMENT_{roles.ADDRESSES[role].upper()}={shlex.quote(a.render_as_string(hide_password=False))}"
        for role, a in new.items()
    ]
    path = config.home / ROTATED_ENV
    secrets.write_private(path, "\n".join([*lines, ""]))
    roles.ensure(config.superuser_url.get_secret_value(), {role: str(a.password) for role, a in new.items()})
    return path


def airflow_url(config: Settings, server: Server) -> str:
    """The address of Airflow's database on this home's server, with today's password."""
    return _url(server, "airflow", secrets.load(config.home)["airflow"], "airflow")


def _write_env(config: Settings, server: Server, kept: dict[str, str]) -> None:
    names = {"owner": "OWNER_URL", "writer": "DATABASE_URL", "reader": "READER_URL"}
    lines = [
        f"SENTIMENT_{name}={_url(server, f'sentiment_{role}', kept[f'sentiment_{role}'], 'reviews')}"
        for role, name in names.items()
    ]
    secrets.write_private(config.home / EMBEDDED_ENV, "\n".join([*lines, ""]))


def _url(server: Server, role: str, password: str, database: str) -> str:
    return f"postgresql://{role}:{quote(password, safe='')}@{server.host}:{server.port}/{database}"
