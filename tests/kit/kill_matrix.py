"""Stop publishing at every phase, over seeds, and inject every other fault; then ask the oracle.

Each attempt runs in a forked process, which is killed (SIGKILL) or stopped (SIGSTOP) by itself at a phase that
the pipeline announces to Python's audit hooks. The Java machine of the Spark lane outlives the killed process,
as a cluster does.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

import psutil
import sqlalchemy as sa
from psycopg2 import OperationalError
from sentiment import database, settings
from sentiment.embedded import machine
from sentiment.errors import SentimentError
from sentiment.runs import attempts
from sentiment.store import publishing
from sentiment.store.staging import Staging
from sqlalchemy.engine import default

from tests.kit import nights, oracle
from tests.kit.homes import own_home
from tests.kit.nights import Attempt, Scene, made_up_probability, publish_without_spark, scene

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SPARK_PHASES = ("dump found", "ingested", "validated", "chunk scored", "audited", "staged")
MERGE_PHASES = ("staged", "locked", "merged", "before commit", "after commit", "cleaned")
TRIED_AGAIN = "task tried again"
SEEDS_A_SESSION = 9
BROKEN = 70
LOOK_EVERY_S = 0.02
Words = list[str]


def in_child(work: Callable[[], None], at: str = "", with_signal: int = signal.SIGKILL) -> int:
    """Fork; the child does `work` and sends itself the signal the first time it comes to phase `at`."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        _child(work, at, with_signal)
    return pid


def _child(work: Callable[[], None], at: str, with_signal: int) -> None:
    code = BROKEN
    reached: Words = []

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "sentiment.phase" and arguments[0] == at and not reached:
            reached.append(at)
            os.kill(os.getpid(), with_signal)

    try:
        sys.addaudithook(hook)
        work()
        code = 0
    except SentimentError as error:
        code = error.exit_code
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        os._exit(code)


def ended(pid: int) -> int:
    """Wait for the child: its exit code, or minus the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def killed_at(phase: str, work: Callable[[], None]) -> Words:
    """Do `work` in a child that is killed at the phase; says where it was not."""
    code = ended(in_child(work, phase))
    return [] if code == -signal.SIGKILL else [f"never came to be killed at {phase!r}: exit code {code}"]


def expected_after(story: Scene, probability: oracle.Probability, whole: bool) -> oracle.Oracle:
    """The oracle, told of every night of the scene."""
    told = oracle.Oracle(story.victim.source, probability, whole)
    for attempt in (*story.before, story.victim):
        told.publish(attempt.night, attempt.dump)
    return told


def until_published(attempt: Attempt, tries: int = 5) -> Words:
    """Try the night again, as Airflow does with infrastructure errors; says so if it never comes to an end."""
    for _ in range(tries):
        try:
            publish_without_spark(attempt)
        except SentimentError as error:
            refused = str(error)
        else:
            return []
    return [f"{attempt.source}: still refused after {tries} tries: {refused}"]


def _before(story: Scene) -> Words:
    return [words for attempt in story.before for words in until_published(attempt)]


def _judged(story: Scene) -> Words:
    return expected_after(story, made_up_probability, whole=False).violations()


def kill(phase: str, seed: int) -> Words:
    """Kill the merge at a phase, look, try again, look, and once more for nothing."""
    story = scene(f"kill_{MERGE_PHASES.index(phase)}_{seed}", seed)
    found = _before(story)
    old = Scene(story.before[:-1], story.before[-1])
    found += killed_at(phase, lambda: publish_without_spark(story.victim))
    committed = phase in {"after commit", "cleaned"}
    # A killed attempt's staging table may stay until the next one; nothing else may.
    found += [w for w in _judged(story if committed else old) if "staging table left" not in w]
    found += until_published(story.victim) + _judged(story)
    return found + until_published(story.victim) + _judged(story)


def kill_whole(spark: SparkSession, phase: str, seeds: range) -> Words:
    """Kill the real night at a phase, on one Spark session, and run it again or go on with the step it was in."""
    number, found = SPARK_PHASES.index(phase), Words()
    attempts = {
        seed: Attempt(f"night_{number}_{seed}", nights.FIRST, nights.dump(nights.FIRST, seed + 1000 * number))
        for seed in seeds
    }
    texts = {r.text for a in attempts.values() for r in oracle.read(a.dump, a.source, a.night).accepted}
    said = nights.scores(spark, texts)
    with _small_chunks():
        for seed, attempt in attempts.items():
            found += killed_at(phase, _own_thread(lambda attempt=attempt: nights.run_whole(spark, attempt)))  # type: ignore[misc]
            nights.run_whole(spark, attempt, resume=seed % 2 == 0)
            found += expected_after(Scene([], attempt), said.__getitem__, whole=True).violations()
    return found


@contextmanager
def _small_chunks() -> Iterator[None]:
    from sentiment.scoring import reuse

    kept, reuse.CHUNK_TEXTS = reuse.CHUNK_TEXTS, 10
    try:
        yield
    finally:
        reuse.CHUNK_TEXTS = kept


def _own_thread(work: Callable[[], None]) -> Callable[[], None]:
    """In a new thread py4j opens a connection of its own: the parent's must not be shared."""

    def run() -> None:
        errors: list[BaseException] = []

        def inside() -> None:
            try:
                work()
            except SentimentError as error:
                errors.append(error)

        thread = threading.Thread(target=inside)
        thread.start()
        thread.join()
        if errors:
            raise errors[0]

    return run


def interleave(phase: str, seed: int) -> Words:
    """Stop one attempt at a phase, let another of the same night go its way, let the first go on."""
    story = scene(f"inter_{MERGE_PHASES.index(phase)}_{seed}", seed)
    found = _before(story)
    with _short_lock_wait():
        slow = _stopped_at(phase, story.victim)
        quick = ended(in_child(lambda: publish_without_spark(story.victim)))
        os.kill(slow, signal.SIGCONT)
        both = {ended(slow), quick}
    if both - {0, 4}:
        found.append(f"{story.victim.source}: an attempt ended with {both}, not published or refused")
    return found + until_published(story.victim) + _judged(story)


def two_nights(phase: str, seed: int) -> Words:
    """Stop one night at a phase, let the next night of the same source go its way, let the first go on."""
    story = scene(f"two_{MERGE_PHASES.index(phase)}_{seed}", seed)
    found = _before(story)
    later = nights.FIRST + timedelta(days=5)
    other = Attempt(story.victim.source, later, nights.dump(later, seed))
    with _short_lock_wait():
        slow = _stopped_at(phase, story.victim)
        quick = ended(in_child(lambda: publish_without_spark(other)))
        os.kill(slow, signal.SIGCONT)
        both = {ended(slow), quick}
    if both - {0, 4}:
        found.append(f"{story.victim.source}: a night ended with {both}, not published or refused")
    found += until_published(story.victim) + until_published(other)
    return found + _in_their_order([*story.before, story.victim, other]).violations()


def _stopped_at(phase: str, attempt: Attempt) -> int:
    pid = in_child(lambda: publish_without_spark(attempt), phase, signal.SIGSTOP)
    _, status = os.waitpid(pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status), f"never stopped at {phase!r}"
    return pid


@contextmanager
def _short_lock_wait() -> Iterator[None]:
    config = settings.load()
    kept, config.lock_timeout_s = config.lock_timeout_s, 1
    try:
        yield
    finally:
        config.lock_timeout_s = kept


def two_backfills(seed: int) -> Words:
    """Two processes publish four nights of one source each, at the same time, trying again when refused."""
    source = f"backfill_{seed}"
    days = [nights.FIRST + timedelta(days=d) for d in range(8)]
    attempts = [Attempt(source, day, nights.dump(day, seed)) for day in days]
    children = [in_child(lambda part=part: _backfill(part)) for part in (attempts[::2], attempts[1::2])]  # type: ignore[misc]
    found = [f"{source}: a backfill ended with {code}" for code in map(ended, children) if code]
    return found + _in_their_order(attempts).violations()


def _in_their_order(attempts: list[Attempt]) -> oracle.Oracle:
    """The oracle, told of the nights as they were published: what was new was told against what was there."""
    told = oracle.Oracle(attempts[0].source, made_up_probability, whole=False)
    query = "SELECT published_at FROM sentiment.run JOIN sentiment.dump d USING (dump_id) WHERE run.source = :s "
    query += "AND night = :night AND d.uri = :uri"
    with database.transaction() as c:
        when = {
            a: c.execute(sa.text(query), {"s": a.source, "night": a.night, "uri": str(a.dump)}).scalar_one()
            for a in attempts
        }
    for attempt in sorted(attempts, key=when.__getitem__):
        told.publish(attempt.night, attempt.dump)
    return told


def _backfill(attempts: list[Attempt]) -> None:
    for attempt in attempts:
        if until_published(attempt, tries=40):
            os._exit(1)


@dataclass(frozen=True)
class Fault:
    """A fault: what it is called, and how it is injected into one attempt. True where the attempt may succeed."""

    name: str
    inject: Callable[[Attempt], None]


def faulty(fault: Fault, seed: int) -> Words:
    """Inject a fault; the attempt must fail in our own words or succeed; the next one must end it well."""
    story = scene(f"fault_{FAULTS.index(fault)}_{seed}", seed)
    found = _before(story)
    code = ended(in_child(lambda: fault.inject(story.victim)))
    if code != 4:
        found.append(f"{fault.name}: ended with {code}, not as an infrastructure error")
    published = _published(story.victim)
    if published != (fault.name == "commit answer lost"):
        found.append(f"{fault.name}: published is {published}")
    return found + until_published(story.victim) + _judged(story)


def _published(attempt: Attempt) -> bool:
    query = "SELECT uri = :uri FROM sentiment.run JOIN sentiment.dump USING (dump_id) WHERE run.source = :s "
    values = {"uri": str(attempt.dump), "s": attempt.source, "night": attempt.night}
    with database.transaction() as c:
        found = c.execute(sa.text(query + "AND night = :night AND status = 'published'"), values).scalar()
    return bool(found)


def _at(phase: str, action: Callable[[], None]) -> None:
    """In this process, do `action` the first time the phase comes."""
    reached: Words = []

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "sentiment.phase" and arguments[0] == phase and not reached:
            reached.append(phase)
            action()

    sys.addaudithook(hook)


def _lost_answer(attempt: Attempt) -> None:
    def lose() -> None:
        commit = default.DefaultDialect.do_commit

        def then_lose(dialect: Any, connection: Any) -> None:
            commit(dialect, connection)  # type: ignore[no-untyped-call]
            default.DefaultDialect.do_commit = commit  # type: ignore[method-assign]
            raise OperationalError("server closed the connection unexpectedly")

        default.DefaultDialect.do_commit = then_lose  # type: ignore[method-assign]

    _at("before commit", lose)
    publish_without_spark(attempt)


def _terminated(attempt: Attempt) -> None:
    def terminate() -> None:
        _superuser("SELECT pg_terminate_backend(pid) FROM pg_stat_activity " + IN_MERGE)

    _at("merged", terminate)
    publish_without_spark(attempt)


IN_MERGE = (
    "WHERE usename = 'sentiment_writer' AND pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted "
    f"AND classid::bigint << 32 | objid::bigint = {publishing.LOCK_KEY})"
)


def _superuser(query: str) -> list[Any]:
    server = machine.postgres(settings.load()).start()
    with sa.create_engine(server.url("reviews"), poolclass=sa.NullPool).begin() as c:
        return list(c.execute(sa.text(query)).scalars())


def _constraint(attempt: Attempt) -> None:
    def spoil(step: attempts.Attempt) -> None:
        table = Staging(step.run_id, step.token).table("review")
        with database.transaction() as c:
            c.exec_driver_sql(f"UPDATE {table} SET score = 1.5")

    publish_without_spark(attempt, spoil)


def _restarted(attempt: Attempt) -> None:
    def restart(_: attempts.Attempt) -> None:
        server = machine.postgres(settings.load())
        server.crash()
        server.start()

    publish_without_spark(attempt, restart)


def _locked_out(attempt: Attempt) -> None:
    with _short_lock_wait(), database.engine("owner").begin() as holder:
        holder.exec_driver_sql(f"SELECT pg_advisory_xact_lock({publishing.LOCK_KEY})")
        publish_without_spark(attempt)


WAL_SEGMENT_BYTES = 16 << 20


def _disk_full(attempt: Attempt) -> None:
    """The server's process may write no file beyond a WAL segment's size: a table that grows past it fails to grow."""

    def grow(step: attempts.Attempt) -> None:
        table = Staging(step.run_id, step.token).table("review")
        long = "SELECT string_agg(sha256(i::text::bytea)::text, '') FROM generate_series(1, 400000) i"
        with database.transaction() as c:
            c.exec_driver_sql(
                f"UPDATE {table} SET text = ({long}) "
                f"WHERE record_no = (SELECT min(record_no) FROM {table} WHERE novelty = 'new')"
            )

    def limit() -> None:
        for pid in _superuser("SELECT pid FROM pg_stat_activity " + IN_MERGE):
            server = psutil.Process(pid)
            own, group = server.uids().real, server.gids().real
            as_user = ["setpriv", f"--reuid={own}", f"--regid={group}", "--clear-groups"] if own != os.getuid() else []
            subprocess.run([*as_user, "prlimit", f"--pid={pid}", f"--fsize={WAL_SEGMENT_BYTES}"], check=True)

    _at("locked", limit)
    publish_without_spark(attempt, grow)


FAULTS = (
    Fault("commit answer lost", _lost_answer),
    Fault("backend terminated in the merge", _terminated),
    Fault("constraint broken in one table", _constraint),
    Fault("database restarted in immediate mode", _restarted),
    Fault("lock not had in time", _locked_out),
    Fault("disk full", _disk_full),
)


def task_tried_again(spark: SparkSession, seed: int) -> Words:
    """A Spark task fails after rows have gone out, and is tried again; then all are written a second time."""
    attempt = Attempt(f"again_{seed}", nights.FIRST, nights.dump(nights.FIRST, seed + 9000))
    original = Staging.fill

    def twice(self: Staging, kind: str, frame: Any) -> None:
        original(self, kind, frame.repartition(2).mapInPandas(_fail_once, frame.schema))
        if kind == "review":
            original(self, kind, frame)

    Staging.fill = twice  # type: ignore[method-assign]
    try:
        nights.run_whole(spark, attempt)
    finally:
        Staging.fill = original  # type: ignore[method-assign]
    texts = {r.text for r in oracle.read(attempt.dump, attempt.source, attempt.night).accepted}
    said = nights.scores(spark, texts)
    return expected_after(Scene([], attempt), said.__getitem__, whole=True).violations()


def _fail_once(batches: Iterator[Any]) -> Iterator[Any]:
    from pyspark import TaskContext

    yield from batches
    context = TaskContext.get()
    if context is not None and context.attemptNumber() == 0:
        raise RuntimeError("injected: the task fails once")


class Watcher:
    """A reader in a process of its own: every look, in one snapshot, must show whole nights only."""

    def __init__(self) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._mine, theirs = spawn.Pipe()
        self._process = spawn.Process(target=_watch, args=(theirs,), daemon=True)

    def __enter__(self) -> Watcher:
        self._process.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._mine.send("stop")
        self.looks, self.halves = self._mine.recv()
        self._process.join()


def _watch(pipe: Connection) -> None:
    looks, halves = 0, []
    while not pipe.poll():
        began = time.monotonic()
        try:
            with database.transaction("owner") as c:
                c.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                halves += [tuple(row) for row in c.execute(sa.text(HALVES))]
                looks += 1
            time.sleep(max(LOOK_EVERY_S, time.monotonic() - began))  # at most half of the time: others work too
        except SentimentError:  # the matrix restarts the server
            time.sleep(0.1)
    pipe.send((looks, halves))


HALVES = """
SELECT run.run_id, run.status, run.rows_published, n.n, f.n, s.n
FROM (SELECT * FROM sentiment.run WHERE status IN ('published', 'superseded')) run
LEFT JOIN (SELECT run_id, count(*) AS n FROM sentiment.night_review GROUP BY 1) n USING (run_id)
LEFT JOIN (SELECT run_id, sum(n) AS n FROM sentiment.film_night GROUP BY 1) f USING (run_id)
LEFT JOIN (SELECT n.run_id, count(*) AS n FROM sentiment.night_review n JOIN sentiment.review USING (review_id)
           JOIN sentiment.review_sentiment USING (review_id) GROUP BY 1) s USING (run_id)
WHERE ARRAY[coalesce(n.n, 0), coalesce(f.n, 0), coalesce(s.n, 0)]
  <> array_fill(CASE WHEN run.status = 'published' THEN run.rows_published ELSE 0 END::numeric, ARRAY[3])
UNION ALL
SELECT n.run_id, 'rows of a run not published', count(*), 0, 0, 0 FROM sentiment.night_review n
JOIN sentiment.run USING (run_id) WHERE run.status NOT IN ('published') GROUP BY 1
LIMIT 5
"""


def without_spark(seeds: range, tell: Callable[[str], None] = lambda _: None) -> tuple[int, Words]:
    """Every phase of the merge x seeds, attempts and nights interleaved at each, every fault; points and violations."""
    points: list[Callable[[int], Words]] = [
        *(lambda seed, phase=phase, what=what: what(phase, seed)
          for what in (kill, interleave, two_nights) for phase in MERGE_PHASES),
        *(lambda seed, fault=fault: faulty(fault, seed) for fault in FAULTS),
        two_backfills,
    ]  # fmt: skip
    found: Words = []
    for number, point in enumerate(points, 1):
        for seed in seeds:
            found += point(seed)
        tell(f"  {number} of {len(points)} points, {len(found)} violations")
    return len(points), found


def with_spark(n_seeds: int, tell: Callable[[str], None] = lambda _: None) -> tuple[int, Words]:
    """Every phase before the merge x seeds, on the real jobs, and a Spark task tried again.

    A killed process gives nothing back to the Java machine that it left, so a few seeds share one, then it ends.
    """
    spawn = multiprocessing.get_context("spawn")
    points = [*SPARK_PHASES, TRIED_AGAIN]
    blocks = [
        (point, range(first, min(first + SEEDS_A_SESSION, n_seeds)))
        for point in points
        for first in range(0, n_seeds, SEEDS_A_SESSION)
    ]
    found: Words = []
    with ProcessPoolExecutor(1, mp_context=spawn, max_tasks_per_child=1) as process:
        for (point, seeds), words in zip(blocks, process.map(_in_own_session, *zip(*blocks, strict=True)), strict=True):
            found += words
            tell(f"  {point}, seeds to {seeds.stop}: {len(found)} violations")
    return len(points), found


def _in_own_session(point: str, seeds: range) -> Words:
    from sentiment.runtime import spark

    session = spark.session("kill matrix")
    if point != TRIED_AGAIN:
        return kill_whole(session, point, seeds)
    return [words for seed in seeds for words in task_tried_again(session, seed)]


SMALL = {
    "spark.sql.shuffle.partitions": "2",
    "spark.default.parallelism": "1",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}
"""Spark's settings for nights of 40 records: they are through before code for them is compiled."""


@contextmanager
def _tasks_tried_again() -> Iterator[None]:
    changed = {"SENTIMENT_SPARK_MASTER": "local[2,4]", "SENTIMENT_SPARK_CONF": json.dumps(SMALL)}
    os.environ.update(changed)
    settings.load.cache_clear()
    try:
        yield
    finally:
        for name in changed:
            del os.environ[name]
        settings.load.cache_clear()


def measure(n_seeds: int, tell: Callable[[str], None]) -> int:
    """The whole matrix, in a home of its own; prints points, seeds, violations and looks; returns the violations."""
    with own_home(), _tasks_tried_again(), Watcher() as watcher:
        points, found = without_spark(range(n_seeds), tell)
        tell(f"{points} points x {n_seeds} seeds, {len(found)} violations (merge, interleavings, faults; no Spark)")
        more_points, more = with_spark(n_seeds, tell)
    for words in [*found, *more][:20]:
        tell(f"  violation: {words}")
    total = len(found) + len(more)
    tell(f"{points + more_points} points x {n_seeds} seeds, {total} violations")
    tell(
        f"{watcher.looks:,} looks of a concurrent reader, each in one snapshot: {len(watcher.halves)} saw half a night"
    )
    return total + len(watcher.halves)
