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
PRIVATE = ("airflow", "dumps", "lake", "logs", "spark")
"""Folders of the home with reviews, or with logs that may hold some."""
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Machine:
    """A machine on which nights can run."""

    server: Server
    """Its Postgres server."""
    env: dict[str, str]
    """The environment in which its Airflow processes start."""


@contextmanager
def stage(progress: Progress, title: str) -> Iterator[list[str]]:
    """Report a stage's title, then how many seconds it took, with the remarks that the body appended to the list."""
    began = time.monotonic()
    remarks: list[str] = []
    progress(f"[bold]{title}[/] …")
    yield remarks
    progress(f"  {', '.join([*remarks, 'done'])} in {time.monotonic() - began:.1f} s")


def postgres(config: Settings) -> EmbeddedPostgres:
    """Return the embedded server of this home, started or not."""
    return EmbeddedPostgres(config.home / "postgres", config.postgres_port)


def prepare(config: Settings, progress: Progress) -> Machine:
    """Fetch jars, start Postgres, migrate both databases: whatever is missing; the rest costs next to nothing."""
    from sentiment.drift import renewal

    with stage(progress, "Jars for Spark NLP"):
        if not config.jars:
            jars.fetch(config, progress=lambda line: progress(f"  {line}"))
    with stage(progress, "PostgreSQL on 127.0.0.1") as remarks:
        server = start_postgres(config)
        remarks.append(f"port {server.port}")
    # The server's start has written the addresses that settings read.
    settings.load.cache_clear()
    config = settings.load()
    with stage(progress, "Reviews database") as remarks:
        remarks.append(f"revision {migrate.upgrade()}")
        renewal.renew()
    env = airflow.environment(config, airflow_url(config, server))
    with stage(progress, "Airflow's database") as remarks:
        remarks.append("migrated" if airflow.migrate(config, env) else "there already")
    return Machine(server, env)


def make_private(config: Settings) -> None:
    """Make the home's folders with reviews and logs, for their owner only; those that are there become so."""
    for folder in (config.home / name for name in PRIVATE):
        # Elsewhere, behind a link, others may be meant to read.
        if not folder.is_symlink():
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)


def start_postgres(config: Settings) -> Server:
    """Start the server of this home, with its roles and databases, and write their addresses to embedded.env.

    Roles get the passwords of the secrets file at every start, which completes a rotation that was killed. Raises
    InfrastructureError where the server does not come up, SetupError where its data can't be used.
    """
    return _apply_passwords(config, secrets.load)


def rotate_passwords(config: Settings) -> Server:
    """Give the roles of this home's server new passwords.

    The secrets file is written first. A crash before the roles have them locks nobody out: the superuser's password
    is in another file, and the next start (`make nightly`, `sentiment db roles`) gives the roles theirs.
    """
    return _apply_passwords(config, lambda home: secrets.renew(home, roles.ROLE_SETTINGS))


def _apply_passwords(config: Settings, passwords: Callable[[Path], dict[str, str]]) -> Server:
    """Start the server and give its roles, and the file of addresses, the secrets that `passwords(home)` returns."""
    server = postgres(config).start()
    make_private(config)
    # Two starts at once would each generate passwords.
    with FileLock(config.home / "roles.lock"):
        by_name = passwords(config.home)
        roles.ensure(server.url("postgres"), {role: by_name[role] for role in roles.ROLE_SETTINGS})
        _write_env(config, server, by_name)
    return server


def rotate_elsewhere(config: Settings) -> Path:
    """Give the roles of a server that is not embedded new passwords; return the file with the new addresses.

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
    """Return the address of Airflow's database on this home's server, password included."""
    return _url(server, "airflow", secrets.load(config.home)["airflow"], "airflow")


def _write_env(config: Settings, server: Server, passwords: dict[str, str]) -> None:
    names = {"owner": "OWNER_URL", "writer": "DATABASE_URL", "reader": "READER_URL"}
    lines = [
        f"SENTIMENT_{name}={_url(server, f'sentiment_{role}', passwords[f'sentiment_{role}'], 'reviews')}"
        for role, name in names.items()
    ]
    secrets.write_private(config.home / EMBEDDED_ENV, "\n".join([*lines, ""]))


def _url(server: Server, role: str, password: str, database: str) -> str:
    return f"postgresql://{role}:{quote(password, safe='')}@{server.host}:{server.port}/{database}"
