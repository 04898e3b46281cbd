"""Measure scoring: the step against what people use otherwise, the second night, a cluster, and where time goes.

Sides of a comparison are measured in turn, in one run, and reported as the ratio of each round, not of the best ones.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from sentiment import settings
from sentiment.jobs import score, validate
from sentiment.orchestration import ingesting
from sentiment.runs import attempts, opening
from sentiment.runs.model import Run
from sentiment.runtime import spark
from sentiment.samples import sample_dump
from sentiment.scoring.folders import BUNDLED
from sentiment.workspace import Workspace

from bench import sides
from bench.night import Measured
from bench.sides import Side, Task
from tests.kit import networks
from tests.kit.homes import own_home

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

TEXTS = 256
"""Texts for a network of the published one's size."""
SMALL_TEXTS = 4_000
"""Texts for the bundled network."""
REVIEWS = 8_000
KILLED_REVIEWS = 4_000
STEADY_AFTER = 12
"""Repetitions, beside the usual ones, until Java has compiled what it will: a share of a limit is of a steady state."""
KNOWN_SHARE = 0.95
KILLED_AFTER_S = (5, 55)
"""Least and most seconds after its first chunk at which a job is killed: any moment of a chunk."""
FIRST_NIGHT = date(2026, 3, 2)
CHARS = (9, 113, 196, 398, 792, 1214, 2000)
QUANTILES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
"""Characters of AlloCiné reviews by quantile: 1,999 of the public training set, mean 544 (130 wordpieces)."""
BUDGETS = {"fp32": (2.2, 0.88), "int8": (4.5, 0.90)}
"""Network -> least ratio to the card's snippet, and least share of the raw limit."""


def measure(rounds: int, report: Callable[[str], None], texts: int = TEXTS) -> list[Measured]:
    """Return every row of the table.

    The network has the published one's size, random weights, and 30,106 wordpieces. `report` gets a line a round.
    """
    figures: list[Measured] = []
    with tempfile.TemporaryDirectory(prefix="sentiment-bench-") as folder:
        fp32 = networks.make(Path(folder) / "fp32")
        plain, int8 = Path(folder) / "int8-plain", Path(folder) / "int8"
        networks.quantize(fp32, plain)
        networks.quantize_fused(fp32, int8)
        with own_home():
            sample = like_real_ones(texts)
            chars = sum(map(len, sample)) / texts
            report(f"{texts} texts of {chars:.0f} characters in the mean; network of 6 x 768, {os.cpu_count()} cores")
            as_printed = Task(fp32, sample)
            figures += compared("fp32", as_printed, as_printed, as_printed, rounds, report)
            figures += compared("int8", Task(int8, sample), Task(plain, sample), as_printed, rounds, report)
            figures += workers(Task(int8, sample), rounds, report)
            figures += small(rounds, report)
            figures += nights(fp32, rounds, report)
    return figures


def like_real_ones(n: int) -> list[str]:
    """Return n made-up reviews of the lengths that real ones have (`CHARS`), in random order; the same every time."""
    reviews = sample_dump.texts(sample_dump.SampleDump(FIRST_NIGHT, max(2 * n, 1000), defect_share=0, known_share=0))
    vocabulary = iter(" ".join(reviews).split(" ") * (1 + n // 50))
    lengths = [_chars((rank + 0.5) / n) for rank in range(n)]
    random.Random(networks.SEED).shuffle(lengths)
    return [_text(vocabulary, length) for length in lengths]


def _chars(quantile: float) -> int:
    above = next(n for n, known in enumerate(QUANTILES) if known >= quantile)
    low, high = QUANTILES[above - 1], QUANTILES[above]
    return round(CHARS[above - 1] + (CHARS[above] - CHARS[above - 1]) * (quantile - low) / (high - low))


def _text(vocabulary: Iterator[str], chars: int) -> str:
    text = next(vocabulary)
    while len(text) < chars:
        text = f"{text} {next(vocabulary)}"
    return text


def compared(
    kind: str, task: Task, plain: Task, as_printed: Task, rounds: int, report: Callable[[str], None]
) -> list[Measured]:
    """Measure the score step, the card's snippet, the raw limit and the usual alternative in turn.

    `plain` is the network, not fused, that the raw limit and the alternative run; `as_printed` the one of the card's
    snippet. `kind` is a key of `BUDGETS`.
    """
    least_times, least_share = BUDGETS[kind]
    step = Measured(f"{kind}: the score step", None, "reviews/s")
    card = Measured(f"{kind}: step / the card's snippet as printed (fp32)", least_times, "x")
    share = Measured(f"{kind}: step / raw limit", least_share, "x")
    same = Measured(f"{kind}: step / the card's snippet with {kind}", None, "x")
    usual = Measured(f"{kind}: step / ONNX Runtime sorted, batches of {sides.BATCH}", 1, "x")
    cost = Measured(f"{kind}: a million reviews", None, "core-hours")
    memory = Measured(f"{kind}: peak of the step's processes", 4, "GiB")
    ways = {"step": (sides.score_step, task), "card": (sides.card, as_printed)}
    ways |= {"same": (sides.card, plain)} if plain != as_printed else {}
    ways |= {"raw": (sides.raw, plain), "batches": (sides.batched, plain)}
    with sides.sides(ways) as started:
        for _ in range(rounds):
            per_s = _in_turn(started, "step", *(name for name in ("card", "same", "batches") if name in started))
            report(f"{kind}: {_rates(per_s)}")
            card.rounds.append(per_s["step"] / per_s["card"])
            same.rounds.append(per_s["step"] / per_s.get("same", per_s["card"]))
            usual.rounds.append(per_s["step"] / per_s["batches"])
        # The raw limit has no Java to warm up: a share of it means something once Java has compiled.
        started["step"].warm_up(STEADY_AFTER)
        for _ in range(rounds):
            per_s = _in_turn(started, "step", "raw")
            report(f"{kind}, warm: {_rates(per_s)}")
            step.rounds.append(per_s["step"])
            share.rounds.append(per_s["step"] / per_s["raw"])
            cost.rounds.append(_core_hours(per_s["step"], task.cores))
        memory.rounds.append(started["step"].peak_bytes() / 2**30)
    return [step, card, *([same] if plain != as_printed else []), share, usual, cost, memory]


def _in_turn(started: dict[str, Side], *names: str) -> dict[str, float]:
    return {name: started[name].texts_per_s() for name in names or started}


def _rates(per_s: dict[str, float]) -> str:
    return ", ".join(f"{name} {n:.1f}/s" for name, n in per_s.items())


def _core_hours(per_s: float, cores: int) -> float:
    return cores * 1e6 / per_s / 3600


def workers(task: Task, rounds: int, report: Callable[[str], None]) -> list[Measured]:
    """Measure the score step on a standalone cluster of two one-core workers against one of one."""
    ratio = Measured("int8: two one-core workers / one", 1.5, "x")
    with cluster(1) as one, cluster(2) as two:
        ways = {
            name: (sides.score_step, Task(task.folder, task.texts, url)) for name, url in (("one", one), ("two", two))
        }
        with sides.sides(ways) as started:
            for side in started.values():
                side.warm_up(STEADY_AFTER)
            for _ in range(rounds):
                per_s = _in_turn(started)
                report(f"standalone cluster: {_rates(per_s)}")
                ratio.rounds.append(per_s["two"] / per_s["one"])
    return [ratio]


@contextmanager
def cluster(n_workers: int) -> Iterator[str]:
    """Run a standalone master with so many one-core workers, on free ports; yield the master's address."""
    config, port = settings.load(), _free_port()
    url = f"spark://127.0.0.1:{port}"
    env = {**os.environ, **spark.environment(config), "SPARK_LOCAL_IP": "127.0.0.1"}
    env |= {"SPARK_WORKER_DIR": str(config.home / "spark" / "work"), "SPARK_DAEMON_MEMORY": "256m"}
    java = [sys.executable, "-m", "sentiment.runtime.standalone"]
    master = ["--host", "127.0.0.1", "--port", str(port), "--webui-port", "0"]
    worker = ["--host", "127.0.0.1", "--cores", "1", "--memory", "4g", "--webui-port", "0"]
    commands = [[*java, "master", *master], *([*java, "worker", url, *worker] for _ in range(n_workers))]
    started = []
    try:
        for command in commands:
            started.append(subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
            # No daemon reports that it is ready. Spark tries again by itself; waiting keeps that out of the figures.
            time.sleep(5)
        yield url
    finally:
        for process in reversed(started):
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    for member in (*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)):
        member.terminate()
    process.wait(30)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    return port


def small(rounds: int, report: Callable[[str], None]) -> list[Measured]:
    """Measure the bundled model: rows a second, and which part of the step takes how much of its time."""
    task = Task(BUNDLED / "cinema-fr", like_real_ones(SMALL_TEXTS))
    step = Measured("cinema-fr: the score step", None, "reviews/s")
    cost = Measured("cinema-fr: a million reviews", None, "core-hours")
    ways: dict[str, Any] = {
        "all": sides.score_step,
        "preparation": sides.prepared_only,
        "wordpieces": sides.counted_only,
    }
    ways["preparation + document + tokens"] = sides.tokenized_only
    with sides.sides({name: (way, task) for name, way in ways.items()}) as started:
        for _ in range(rounds):
            per_s = _in_turn(started)
            seconds = {name: per_s["all"] / n for name, n in per_s.items()}
            seconds["network and the rest"] = 1 - seconds["wordpieces"] - seconds["preparation + document + tokens"]
            shares = ", ".join(f"{name} {share:.0%}" for name, share in seconds.items())
            report(f"cinema-fr: {per_s['all']:,.0f}/s, of whose time {shares}")
            step.rounds.append(per_s["all"])
            cost.rounds.append(_core_hours(per_s["all"], task.cores))
    return [step, cost]


def nights(folder: Path, rounds: int, report: Callable[[str], None]) -> list[Measured]:
    """Measure the step `score` of a first night and of one 95 % known, and of a night whose job is killed."""
    settings.load().models.mkdir(exist_ok=True)
    (settings.load().models / folder.name).symlink_to(folder)
    session = spark.session("bench nights")
    session.sparkContext.setLogLevel("ERROR")
    figures = [part(session, folder.name, rounds, report) for part in (_second_night, _killed)]
    session.stop()
    return figures


def _second_night(session: SparkSession, model: str, rounds: int, report: Callable[[str], None]) -> Measured:
    ratio = Measured(f"{model}: second night of {REVIEWS:,}, 95 % known: how much faster", 10, "x")
    for number in range(rounds):
        first, second = _two_dumps(settings.load().home, f"bench{number}", REVIEWS, number)
        one = _score_night(
            session, _taken_in(session, model, f"bench{number}", FIRST_NIGHT + timedelta(days=60), first)
        )
        two = _score_night(
            session, _taken_in(session, model, f"bench{number}", FIRST_NIGHT + timedelta(days=61), second)
        )
        report(f"score step: first night {one:.0f} s, second {two:.1f} s")
        ratio.rounds.append(one / two)
    return ratio


def _killed(session: SparkSession, model: str, rounds: int, report: Callable[[str], None]) -> Measured:
    lost = Measured(f"{model}: work that a killed job lost", 90, "s")
    for number in range(rounds):
        dump, _ = _two_dumps(settings.load().home, f"killed{number}", KILLED_REVIEWS, rounds + number)
        run = _taken_in(session, model, f"killed{number}", FIRST_NIGHT + timedelta(days=60), dump)
        lost.rounds.append(_lost_by_killing(run.run_id, random.Random(number).uniform(*KILLED_AFTER_S)))
        rest = _score_night(session, run)
        report(f"killed: {lost.rounds[-1]:.0f} s of work lost; the rest of {KILLED_REVIEWS:,} took {rest:.0f} s")
    return lost


def _lost_by_killing(run_id: str, after_s: float) -> float:
    """Kill the run's score step so long after its first chunk; return the seconds since its last committed chunk."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_score_and_send, args=(there, run_id))
    process.start()
    there.close()  # else a process that ends early is waited for
    committed = [here.recv()]
    time.sleep(after_s)
    while here.poll():
        committed.append(here.recv())
    for member in (*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)):
        member.kill()
    lost: float = time.monotonic() - committed[-1]
    process.join(30)
    return lost


def _score_and_send(there: Connection, run_id: str) -> None:
    """Score the run, in a process of its own, and send the moment at which each chunk is committed."""

    def note(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "sentiment.phase" and arguments[0] == "chunk scored":
            there.send(time.monotonic())

    sys.addaudithook(note)
    session = spark.session("bench killed")
    session.sparkContext.setLogLevel("ERROR")
    _score_night(session, opening.get_run(run_id))


def _two_dumps(folder: Path, source: str, reviews: int, seed: int) -> tuple[Path, Path]:
    """Write a night's dump and the next one's: `KNOWN_SHARE` of the same records, and new ones; return their paths."""
    lines = []
    for number, n in enumerate((reviews, reviews - round(KNOWN_SHARE * reviews))):
        path = folder / f"{source}-{number}.made.jsonl"
        spec = sample_dump.SampleDump(FIRST_NIGHT + timedelta(days=30 * number), n, seed + 1, 0.6, 0, 0, 0, 0)
        sample_dump.write(spec, path)
        lines.append(path.read_bytes().splitlines(keepends=True))
    first, second = folder / f"{source}-first.jsonl", folder / f"{source}-second.jsonl"
    first.write_bytes(b"".join(lines[0]))
    second.write_bytes(b"".join([*lines[0][: reviews - len(lines[1])], *lines[1]]))
    return first, second


def _taken_in(session: SparkSession, model: str, source: str, night: date, dump: Path) -> Run:
    """Open the dump's run and take it as far as `validate`."""
    dump_run = ingesting.ingest(ingesting.Request(night, source, model, str(dump)))
    run = opening.get_run(dump_run.run_id)
    with attempts.attempt(run.run_id, "validate") as attempt:
        validate.work(session, run, attempt, Workspace())
    return run


def _score_night(session: SparkSession, run: Run) -> float:
    """Score the run and return the seconds that took, less the session's start."""
    began = time.monotonic()
    with attempts.attempt(run.run_id, "score") as attempt:
        score.work(session, run, attempt, Workspace())
    return time.monotonic() - began
