"""Faults of the database, the connection or the disk while a night is published; no process is killed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psutil
import sqlalchemy as sa
from psycopg2 import OperationalError
from psycopg2.sql import SQL, Identifier
from sentiment import database, settings
from sentiment.embedded import machine
from sentiment.runs.attempts import Attempt
from sentiment.sql import execute
from sentiment.store import publishing
from sentiment.store.staging import Staging
from sqlalchemy.engine import default

from tests.kit.kill_matrix.processes import exit_code, fork, on_phase
from tests.kit.kill_matrix.scenes import publish_until_done, scene, short_lock_timeout
from tests.kit.nights import NightSpec, publish_without_spark

INFRASTRUCTURE_ERROR = 4
WAL_SEGMENT_BYTES = 16 << 20
IS_PUBLISHED = """
SELECT uri = :uri FROM sentiment.run JOIN sentiment.dump USING (dump_id)
WHERE run.source = :source AND night = :night AND status = 'published'
"""
PUBLISHER_PIDS = """
SELECT pid FROM pg_stat_activity
WHERE usename = 'sentiment_writer' AND pid IN (
  SELECT pid FROM pg_locks
  WHERE locktype = 'advisory' AND granted AND classid::bigint << 32 | objid::bigint = :lock_key)
"""
LOADER_PIDS = """
SELECT pid FROM pg_stat_progress_copy JOIN pg_stat_activity USING (pid)
WHERE usename = 'sentiment_writer' AND command = 'COPY FROM'
"""
LONG_TEXT = """
UPDATE {table}
SET text = (SELECT string_agg(sha256(i::text::bytea)::text, '') FROM generate_series(1, 400000) i)
WHERE record_no = (SELECT min(record_no) FROM {table} WHERE review_id NOT IN (SELECT review_id FROM sentiment.review))
"""
"""Of a review that is in no table: one of a newer night's would not be written again."""


@dataclass(frozen=True)
class Fault:
    """A fault and how to publish a night with it; `commits` where the night is published all the same."""

    name: str
    publish: Callable[[NightSpec], None]
    commits: bool = False


def disturb(fault: Fault, seed: int) -> list[str]:
    """Publish a night with a fault, then without; return violations.

    With the fault the attempt must end as an infrastructure error; the next attempt must publish the night.
    """
    story = scene(f"fault_{FAULTS.index(fault)}_{seed}", seed)
    violations = story.publish_before()
    code = exit_code(fork(lambda: fault.publish(story.disturbed)))
    if code != INFRASTRUCTURE_ERROR:
        violations.append(f"{fault.name}: ended with {code}, not as an infrastructure error")
    published = _is_published(story.disturbed)
    if published != fault.commits:
        violations.append(f"{fault.name}: published is {published}")
    return violations + publish_until_done(story.disturbed) + story.violations()


def _is_published(spec: NightSpec) -> bool:
    params = {"uri": str(spec.dump), "source": spec.source, "night": spec.night}
    with database.transaction() as c:
        return bool(c.execute(sa.text(IS_PUBLISHED), params).scalar())


def _lose_commit_answer(spec: NightSpec) -> None:
    def lose() -> None:
        commit = default.DefaultDialect.do_commit

        def commit_and_lose(dialect: Any, connection: Any) -> None:
            commit(dialect, connection)  # type: ignore[no-untyped-call]
            default.DefaultDialect.do_commit = commit  # type: ignore[method-assign]
            raise OperationalError("server closed the connection unexpectedly")

        default.DefaultDialect.do_commit = commit_and_lose  # type: ignore[method-assign]

    on_phase("before commit", lose)
    publish_without_spark(spec)


def _terminate_backend(spec: NightSpec) -> None:
    on_phase("merged", lambda: _terminate(_publisher_pids))
    publish_without_spark(spec)


def _terminate_loader(spec: NightSpec) -> None:
    on_phase("loading", lambda: _terminate(lambda c: list(c.execute(sa.text(LOADER_PIDS)).scalars())))
    publish_without_spark(spec)


def _terminate(pids_of: Callable[[sa.Connection], list[int]]) -> None:
    with _superuser().begin() as c:
        pids = pids_of(c)
        assert pids, "the server process to terminate is gone"
        for pid in pids:
            c.execute(sa.text("SELECT pg_terminate_backend(:pid, 10000)"), {"pid": pid})


def _publisher_pids(c: sa.Connection) -> list[int]:
    return list(c.execute(sa.text(PUBLISHER_PIDS), {"lock_key": publishing.LOCK_KEY}).scalars())


def _superuser() -> sa.Engine:
    server = machine.postgres(settings.load()).start()
    return sa.create_engine(server.url("reviews"), poolclass=sa.NullPool)


def _break_constraint(spec: NightSpec) -> None:
    def spoil(attempt: Attempt) -> None:
        with database.transaction() as c:
            execute(c, SQL("UPDATE {} SET score = 1.5").format(_staged_reviews(attempt)))

    publish_without_spark(spec, spoil)


def _staged_reviews(attempt: Attempt) -> Identifier:
    return Identifier("staging", Staging(attempt.run_id, attempt.token).name("review"))


def _restart_server(spec: NightSpec) -> None:
    publish_without_spark(spec, lambda _: _restart())


def _restart_server_while_loading(spec: NightSpec) -> None:
    on_phase("loading", _restart)
    publish_without_spark(spec)


def _restart() -> None:
    server = machine.postgres(settings.load())
    server.crash()
    server.start()


def _hold_lock(spec: NightSpec) -> None:
    with short_lock_timeout(), database.engine("owner").begin() as holder:
        holder.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": publishing.LOCK_KEY})
        publish_without_spark(spec)


def _fill_disk(spec: NightSpec) -> None:
    # A limit on file sizes of the one server process stands in for a full disk: other processes go on, and WAL
    # segments, which have this size from the start, can still be written, so the server itself doesn't stop.
    def limit() -> None:
        with _superuser().begin() as c:
            pids = _publisher_pids(c)
        for pid in pids:
            subprocess.run([*_as_user_of(pid), "prlimit", f"--pid={pid}", f"--fsize={WAL_SEGMENT_BYTES}"], check=True)

    # A random text doesn't compress: merging it makes a table grow past the limit.
    def lengthen(attempt: Attempt) -> None:
        with database.transaction() as c:
            execute(c, SQL(LONG_TEXT).format(table=_staged_reviews(attempt)))

    on_phase("locked", limit)
    publish_without_spark(spec, lengthen)


def _as_user_of(pid: int) -> list[str]:
    # Even root may change limits of another user's process only with CAP_SYS_RESOURCE, which containers lack.
    process = psutil.Process(pid)
    user, group = process.uids().real, process.gids().real
    return ["setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups"] if user != os.getuid() else []


FAULTS = (
    Fault("commit answer lost", _lose_commit_answer, commits=True),
    Fault("backend terminated in the merge", _terminate_backend),
    Fault("backend terminated while loading", _terminate_loader),
    Fault("database restarted while loading", _restart_server_while_loading),
    Fault("constraint broken in one table", _break_constraint),
    Fault("database restarted in immediate mode", _restart_server),
    Fault("lock not had in time", _hold_lock),
    Fault("disk full", _fill_disk),
)
