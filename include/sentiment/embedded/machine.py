"""Bring one machine to where the pipeline can run: jars, Postgres, roles, schema, Airflow's database."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import quote

from sentiment import settings
from sentiment.embedded import airflow, jars, secrets
from sentiment.embedded.postgres import EmbeddedPostgres, Server
from sentiment.settings import EMBEDDED_ENV, Settings
from sentiment.store import migrate, roles

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
    kept = secrets.load(config.home)
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
    env = airflow.environment(config, _url(server, "airflow", kept["airflow"], "airflow"))
    with stage(tell, "Airflow's database") as words:
        words.append("migrated" if airflow.migrate(config, env) else "there already")
    return Machine(server, env)


def start_postgres(config: Settings) -> Server:
    """Start the server of this home, with its roles and databases, and write down how to reach them."""
    kept = secrets.load(config.home)
    server = postgres(config).start()
    roles.ensure(server.url("postgres"), {role: kept[role] for role in roles.ROLE_SETTINGS})
    _write_env(config, server, kept)
    return server


def _write_env(config: Settings, server: Server, kept: dict[str, str]) -> None:
    names = {"owner": "OWNER_URL", "writer": "DATABASE_URL", "reader": "READER_URL"}
    lines = [
        f"SENTIMENT_{name}={_url(server, f'sentiment_{role}', kept[f'sentiment_{role}'], 'reviews')}"
        for role, name in names.items()
    ]
    secrets.write_private(config.home / EMBEDDED_ENV, "\n".join([*lines, ""]))


def _url(server: Server, role: str, password: str, database: str) -> str:
    return f"postgresql://{role}:{quote(password, safe='')}@{server.host}:{server.port}/{database}"
