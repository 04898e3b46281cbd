"""The commands of docs/operations.md for backup and restore, typed as they stand, bring everything back."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa
from dotenv import dotenv_values
from psycopg2.sql import SQL, Identifier
from sentiment import database, settings
from sentiment.embedded import machine
from sentiment.settings import EMBEDDED_ENV, PROJECT_ROOT, Settings
from sentiment.sql import execute
from sentiment.store import dictionary
from sentiment.store.staging import Staging
from sqlalchemy.exc import ProgrammingError

from tests.kit import databases
from tests.kit.rows import remove_source
from tests.store import small_night

pytestmark = pytest.mark.postgres

SECTION = (PROJECT_ROOT / "docs" / "operations.md").read_text("utf-8").split("\n## ")[1]
TOOLS, BACKUP, RESTORE, EMPTY = re.findall(r"```bash\n(.*?)```", SECTION, re.DOTALL)
SOURCE, NIGHT = "backed_up", date(2026, 6, 1)
UNFINISHED = Staging("20260602-00000000", 1)

# Without view_version: migrating after a restore applies views again, and notes when.
TABLES = """
SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname IN ('sentiment', 'drift', 'public') AND c.relkind IN ('r', 'p') AND NOT c.relispartition
  AND c.relname <> 'view_version' ORDER BY 1
"""
CONTENT = SQL("SELECT count(*), md5(string_agg(t::text, chr(10) ORDER BY t::text)) FROM {} t")
RIGHTS = """
SELECT what, (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(rights) a) FROM (
  SELECT oid::regclass::text AS what, relnamespace AS schema,
    coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner)) AS rights
  FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'S')
  UNION ALL SELECT oid::regprocedure::text, pronamespace, coalesce(proacl, acldefault('f', proowner)) FROM pg_proc
  UNION ALL SELECT nspname, oid, coalesce(nspacl, acldefault('n', nspowner)) FROM pg_namespace
) AS granted WHERE schema::regnamespace::text IN ('sentiment', 'drift', 'public') OR what = 'staging' ORDER BY 1
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder in which the documented paths hold, whatever the environment's own name."""
    (tmp_path / ".venv").symlink_to(sys.prefix)
    return tmp_path


@pytest.fixture
def new_home() -> Iterator[Settings]:
    """A home without anything, as on a new machine."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        config = Settings(home=Path(folder) / "home")
        yield config
        machine.postgres(config).destroy()


@pytest.fixture
def unfinished(server: object) -> Iterator[None]:
    """A published night, and the work tables of another."""
    small_night.publish(SOURCE, NIGHT, ["Zoé Vexillaire", "L'\n\tautre\\", None])
    UNFINISHED.create()
    yield
    UNFINISHED.drop()
    remove_source(SOURCE)


def type_in(commands: str, folder: Path, home: Path) -> None:
    """Run commands of docs/operations.md for a home, with the addresses of the home's own server."""
    env = {**os.environ, "SENTIMENT_HOME": str(home), "PYTHONPATH": str(PROJECT_ROOT / "include")}
    if home != settings.load().home:
        env = {name: value for name, value in env.items() if name not in databases.URL_SETTINGS.values()}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def state_of(engine: sa.Engine) -> dict[str, object]:
    """What has to survive, by name: rows, rights, the place of the sequence, comments, the revision."""
    with engine.connect() as c:
        tables = c.exec_driver_sql(TABLES).scalars().all()
        state: dict[str, object] = {
            table: tuple(execute(c, CONTENT.format(Identifier(*table.split(".")))).one()) for table in tables
        }
        state |= {f"rights on {name}": rights for name, rights in c.exec_driver_sql(RIGHTS)}
        state["token"] = c.exec_driver_sql("SELECT last_value FROM sentiment.fence_token").scalar_one()
        return {**state, "comments": dictionary.render(dictionary.read(c))}


def engine_of(addresses: dict[str, str | None], setting: str) -> sa.Engine:
    # SQLAlchemy 2.1 takes a bare `postgresql://` for psycopg 3.
    address = sa.make_url(str(addresses[setting])).set(drivername="postgresql+psycopg2")
    return sa.create_engine(address, poolclass=sa.NullPool)


@pytest.mark.heavy
@pytest.mark.usefixtures("unfinished")
def test_the_documented_commands_bring_everything_back(home: Path, checkout: Path, new_home: Settings) -> None:
    type_in(TOOLS + BACKUP, checkout, settings.load().home)
    before = state_of(database.engine("owner"))
    assert before["sentiment.review"][0] >= 3  # type: ignore[index]
    type_in(TOOLS + RESTORE + EMPTY + RESTORE, checkout, new_home.home)
    restored = dotenv_values(new_home.home / EMBEDDED_ENV)
    assert state_of(engine_of(restored, "SENTIMENT_OWNER_URL")) == before
    assert (checkout / "reviews.dump").stat().st_mode & 0o077 == 0
    with engine_of(restored, "SENTIMENT_READER_URL").connect() as c:
        seen = "SELECT count(*) FROM sentiment.v_review_sentiment WHERE source = 'backed_up'"
        assert c.exec_driver_sql(seen).scalar_one() == 3
        with pytest.raises(ProgrammingError, match="permission denied"):
            c.exec_driver_sql("SELECT 1 FROM sentiment.review")
