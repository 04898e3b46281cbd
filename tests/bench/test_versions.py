"""Two checkouts measured in turn: what their commands get and report, and how a night's seconds are divided."""

from __future__ import annotations

import json
import time
from datetime import UTC, date, datetime
from itertools import chain, repeat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sentiment.errors import InfrastructureError, ParameterError
from typer.testing import CliRunner

from bench import checkouts, publishing, seconds, versions
from bench.__main__ import app
from bench.checkouts import Checkout, Night, Step
from bench.pairs import Measure, Pair
from bench.processes import Sample, Sampler
from bench.publishing import Took
from bench.versions import Compared, Versions
from tests.kit.digests import Difference

BEGAN = datetime(2026, 11, 28, 22, 20, tzinfo=UTC).timestamp()
VALUES = {"DUMP": "/d.jsonl", "DATE": "2026-11-22"}


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A folder whose `make nightly` prints its environment, then waits."""
    (tmp_path / "Makefile").write_text("nightly:\n\t@env; echo $(DUMP); sleep $(WAIT)\nfailing:\n\t@echo why; false\n")
    (tmp_path / "home" / "logs").mkdir(parents=True)
    (tmp_path / "home" / "logs" / f"nightly-{VALUES['DATE']}-1.log").touch()
    return Checkout(tmp_path, tmp_path / "home")


def test_a_commands_environment_is_its_own(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SENTIMENT_CACHE", "MAKEFLAGS", "PYTHONPATH", "DUMP", "AIRFLOW_HOME"):
        monkeypatch.setenv(name, "" if name == "MAKEFLAGS" else "of the caller")
    printed = checkout.make("nightly", "WAIT=0")
    assert f"SENTIMENT_HOME={checkout.home}" in printed
    assert "of the caller" not in printed
    with pytest.raises(InfrastructureError, match="why"):
        checkout.make("failing")


def test_a_night_ends_when_the_step_is_done(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    done = {"validate": Step(0.0, 7.0)}
    looks = chain(repeat({}, 3), repeat(done))  # a look a second, of which the process tree has two samples
    monkeypatch.setattr(Checkout, "steps", lambda *_: next(looks))
    began = time.monotonic()
    night = checkout.night(VALUES | {"WAIT": "600"}, until="validate")
    assert time.monotonic() - began < 60
    assert night.steps == done
    assert night.log.name == "nightly-2026-11-22-1.log"
    assert [seen for seen in night.sampler.processes.values() if seen.runs("sleep", "600")]
    assert night.sampler.peak_bytes > 0


def test_a_night_that_fails_shows_its_output(checkout: Checkout) -> None:
    with pytest.raises(InfrastructureError, match="sleep"):
        checkout.night(VALUES | {"WAIT": "nothing"})


def test_a_folder_without_a_checkout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=str(tmp_path)) as refused:
        checkouts.there(tmp_path, tmp_path)
    assert "--prepare-old" in refused.value.try_next


def test_written_bytes_are_those_between_two_moments() -> None:
    sampler: Any = SimpleNamespace(samples=[Sample(at, 0.0, written) for at, written in ((1, 10), (2, 40), (3, 90))])
    assert Sampler.written_between(sampler, 1.5, 3.5) == 80
    assert Sampler.written_between(sampler, 0.5, 2.5) == 40


@pytest.mark.parametrize(("receives", "expected"), [("find_dump", 50.0), ("ingest", 30.0)])
def test_validate_is_what_follows_the_received_records(receives: str, expected: float) -> None:
    steps = {"find_dump": Step(0, 10), "ingest": Step(10, 30), "validate": Step(40, 70)}
    if receives == "ingest":
        del steps["find_dump"]
    sampler: Any = SimpleNamespace(written_between=lambda began, ended: ended - began)
    taken, written = versions._validated(Night(0, 100, steps, sampler, Path()))
    assert (taken, written) == (expected, 70 - steps["ingest" if receives == "find_dump" else "validate"].began)


def test_a_round_of_publishing_is_read_as_it_is_reported() -> None:
    reported = publishing._summary(Took(12.34, 5.6, 0))
    output = f"round 1 of 1: server just made 1.0 s staging\n+ 9.0 s merge, first {reported}, second 2 s"
    assert versions.publishing_s(output) == pytest.approx(17.9)
    with pytest.raises(InfrastructureError, match="nothing"):
        versions.publishing_s("nothing")


def test_a_pair_misses_its_budget_by_the_ratio_of_medians() -> None:
    pair = Pair("a night", "s", 0.7, [100, 110, 90], [71, 70.5, 300])
    assert (pair.ratio, pair.is_missed) == (0.71, True)
    assert "missed" in pair.row()[-1]
    assert not Pair("a night", "s", 0.71, pair.old, pair.new).is_missed
    assert not Pair("a night", "s", None, [1], [9]).is_missed


def test_nights_are_new_to_both_and_warm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    typed: list[tuple[str, str, str]] = []

    def night(checkout: Checkout, values: dict[str, str], until: str = "") -> Night:
        typed.append((checkout.home.name, values["DATE"], values["SOURCE"]))
        sampler: Any = SimpleNamespace(peak_bytes=2.0**20)
        return Night(0, 60 if checkout.home.name == ".present" else 100, {}, sampler, Path())

    (tmp_path / "Makefile").touch()
    newest = {".local": date(2026, 5, 4), ".present": None}
    monkeypatch.setattr(Checkout, "night", night)
    monkeypatch.setattr(Checkout, "newest_night", lambda checkout: newest[checkout.home.name])
    monkeypatch.setattr(Checkout, "make", lambda *_: "")
    monkeypatch.setattr(versions, "REVIEWS", 20)
    compared = Versions(tmp_path, lambda _: None, tmp_path).measure([Measure.night, Measure.known], rounds=2)
    assert [pair.ratio for pair in compared.pairs] == [0.6, 1.0, 0.6]
    assert typed[:2] == [(".local", "2026-05-05", "warm"), (".present", "2026-05-05", "warm")]
    assert [side for side, _, source in typed if source == "small"] == [".local", ".present", ".present", ".local"]
    dates = [day for side, day, _ in typed if side == ".local"]
    assert dates == sorted(set(dates))
    first, second = (Path(tmp_path / ".dumps" / f"known-2026-05-{day:02}.jsonl").read_bytes() for day in (9, 10))
    assert first != second
    assert sorted(first.splitlines()) == sorted(second.splitlines())


LOG = """
2026-11-28T22:20:10.000000Z [info     ] [DAG TEST] starting task_id=find_dump map_index=-1 [airflow] loc=dag.py:1501
2026-11-28T22:20:12.500000Z [info     ] [DAG TEST] end task task_id=find_dump map_index=-1 [airflow] loc=dag.py:1563
2026-11-28T22:20:13.000000Z [info     ] [DAG TEST] starting task_id=score map_index=-1 [airflow] loc=dag.py:1501
done:
2026-11-28T22:20:43.000000Z [info     ] [DAG TEST] end task task_id=score map_index=-1 [airflow] loc=dag.py:1563
"""


def test_cells_of_a_night_add_up_to_its_seconds(tmp_path: Path) -> None:
    def at(s: float) -> float:
        return BEGAN + s

    events = [
        {"Event": "SparkListenerApplicationStart", "App Name": "sentiment score 20261122-00000000"},
        {"Event": "SparkListenerExecutorAdded", "Timestamp": at(25) * 1000},
        {"Event": "SparkListenerJobStart", "Job ID": 0, "Submission Time": at(30) * 1000},
        {"Event": "SparkListenerJobStart", "Job ID": 1, "Submission Time": at(31) * 1000},
        {"Event": "SparkListenerJobEnd", "Job ID": 0, "Completion Time": at(33) * 1000},
        {"Event": "SparkListenerJobEnd", "Job ID": 1, "Completion Time": at(35) * 1000},
    ]
    (tmp_path / "events").mkdir()
    (tmp_path / "events" / "local-1").write_text("\n".join(map(json.dumps, events)), "utf-8")
    (tmp_path / "log").write_text(LOG, "utf-8")
    began = {("python", seconds.AIRFLOW): at(4), ("java", "jobs/score.py"): at(14), ("python", "jobs/score.py"): at(17)}
    sampler: Any = SimpleNamespace(first=lambda *which: began.get(which))
    steps = {"find_dump": Step(at(11), at(12)), "score": Step(at(20), at(41))}
    table = seconds.seconds("a night", Night(at(0), at(45), steps, sampler, tmp_path / "log"), tmp_path / "events")
    assert table.rows["score"] == pytest.approx(
        {"Airflow": 1, "Java": 3, "imports": 3, "session": 5, "Spark jobs": 5, "other work": 11, "end": 2}
    )
    assert table.rows["find_dump"] == pytest.approx({"Airflow": 1.5, "other work": 1})
    assert table.rows[seconds.START] == pytest.approx({"Airflow": 6})
    assert table.cells()[-1][-1] == "45.0"


def test_spans_that_overlap_count_once() -> None:
    assert list(seconds.merged([(5, 6), (0, 2), (1, 3), (1.5, 2), (3, 4)])) == [(0, 4), (5, 6)]


def test_versions_need_an_older_checkout() -> None:
    result = CliRunner().invoke(app, ["--only", "versions"])
    assert result.exit_code == 2
    assert "--prepare-old" in result.output


@pytest.mark.parametrize("digest", ["a", "b"])
def test_tables_that_differ_end_with_an_exit_code(digest: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    chosen: list[tuple[list[Measure], int | None]] = []

    def measure(_: Versions, measures: list[Measure], rounds: int | None = None) -> Compared:
        chosen.append((measures, rounds))
        return Compared(differences=[Difference("review", (1, 1), ("a", digest), frozenset())])

    (tmp_path / "Makefile").touch()
    monkeypatch.setattr(Versions, "measure", measure)
    options = ["--only", "versions", "--old", str(tmp_path), "--measure", "digests", "--rounds", "1"]
    assert CliRunner().invoke(app, options).exit_code == (digest == "b")
    assert chosen == [([Measure.digests], 1)]
