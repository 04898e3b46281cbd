"""A forgotten review, and its author's name, are nowhere left, stay away, and no one else's words go with them."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from sentiment import contract, ledger, settings
from sentiment.bench import nights
from sentiment.bench.nights import Attempt
from sentiment.database import transaction
from sentiment.errors import InfrastructureError, ParameterError
from sentiment.lake import Lake
from sentiment.orchestration import forgetting as everywhere
from sentiment.scoring import registry
from sentiment.store import forgetting
from sentiment.store.forgetting import Target

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SOURCE = "forgetful"
TEXT = 'Je, « Zoé », dis\tn\'importe quoi "/" et voilà, œuvre pénible.'
REFUSED = f'{{"id": "x9", "author": "Zoé Unique/Née", "review": {json.dumps(TEXT)}, "rating": "onze"}}'


def records() -> list[dict[str, object]]:
    """Zoé's review, another of hers, someone's with her very words, and one that names her."""
    named: dict[str, object] = {"film_id": "f1", "film": "Zoé", "date": "2026-02-20", "rating": "2"}
    return [
        {"id": "r1", "author": "Zoé Unique/Née", "review": TEXT, **named},
        {"id": "r2", "author": "Zoé Unique/Née", "review": "Une merveille, sans réserve.", **named},
        {"id": "r3", "author": "Paul", "review": "D'accord avec tout le monde, quel beau film.", **named},
        {"id": "r4", "author": "Zoé", "review": "Très bien.", **named},
        *({"id": f"o{n}", "author": "Paul", "review": f"Vu {n} fois.", **named} for n in range(8)),
    ]


@pytest.fixture(scope="module")
def attempt(ready: object, home: Path, spark: SparkSession) -> Attempt:
    """One night for all tests here; only the last one takes the review out of the tables."""
    registry.register(registry.find("demo-fr", settings.load()))
    dump = home / "dumps" / "forgetful.jsonl"
    dump.parent.mkdir(exist_ok=True)
    dump.write_text("\n".join([*map(json.dumps, records()), REFUSED]) + "\n", "utf-8")
    first = Attempt(SOURCE, nights.FIRST, dump)
    nights.run_whole(spark, first)
    return first


def scalar(query: str) -> object:
    with transaction("owner") as c:
        return c.execute(sa.text(query)).scalar_one()


def zoe() -> Target:
    query = f"SELECT review_id FROM sentiment.review WHERE source = '{SOURCE}' AND text LIKE 'Je, %'"
    return forgetting.find(str(scalar(query)))


def cli(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "sentiment"), "review", "forget", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command_tells_first(attempt: Attempt) -> None:
    target = zoe()
    places = everywhere.found(target)
    wanted = {"sentiment.review", "sentiment.night_review", "sentiment.review_sentiment", "refused records"}
    wanted |= {"lake received", "lake accepted", "lake scored", "lake quarantined", "lake score_cache"}
    assert wanted <= set(places)
    assert places["sentiment.review.author"] == 2
    told = cli(target.review_id)
    assert told.returncode == 0
    assert "would be removed from" in told.stdout
    assert everywhere.found(target) == places


def test_words_shared_with_someone_else_keep_their_score(attempt: Attempt) -> None:
    target = zoe()
    with transaction("owner") as c:
        c.exec_driver_sql(
            f"UPDATE sentiment.review SET text_hash = '{target.text_hashes[0]}' WHERE source = '{SOURCE}' "
            "AND author = 'Paul'"
        )
    assert zoe().text_hashes == ()
    assert "lake score_cache" not in everywhere.found(zoe())
    with transaction("owner") as c:
        c.exec_driver_sql(
            f"UPDATE sentiment.review SET text_hash = 'paul' WHERE source = '{SOURCE}' AND author = 'Paul'"
        )


def test_not_while_a_step_is_at_work(attempt: Attempt) -> None:
    run_id = str(scalar(f"SELECT run_id FROM sentiment.run WHERE source = '{SOURCE}'"))
    with ledger.step(run_id, "report"), pytest.raises(InfrastructureError, match=f"Run {run_id} is at work"):
        everywhere.forget(zoe())
    assert scalar("SELECT count(*) FROM sentiment.forgotten") == 0


def test_what_is_left_is_named(attempt: Attempt, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Lake, "remove_files", lambda *_: None)
    monkeypatch.setattr(forgetting, "remove", lambda _: None)
    wanted = r"sentiment\.review \(1\).*sentiment\.review\.author \(2\).*lake accepted \(\d\).*lake score_cache \(1\)"
    with pytest.raises(InfrastructureError, match=wanted):
        everywhere.forget(zoe())


def test_killed_and_typed_again_nothing_is_left_and_the_next_night_brings_nothing_back(
    attempt: Attempt, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = zoe()

    def killed(_: Target) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(forgetting, "remove", killed)
        with pytest.raises(KeyboardInterrupt):
            everywhere.forget(target)
    assert {p for p in everywhere.found(target) if p.startswith("lake")} == set()

    done = cli(target.review_id, "--remove")
    assert "nothing is left" in done.stdout, done.stderr
    assert everywhere.found(target) == {}
    gone = cli(target.review_id)
    assert gone.returncode == ParameterError.exit_code
    assert "There is no review" in gone.stderr
    kept = f"""SELECT string_agg(coalesce(author, '-'), ' ' ORDER BY text) FROM sentiment.review
      WHERE source = '{SOURCE}' AND text NOT LIKE 'Vu %'"""
    assert scalar(kept) == "Paul Zoé -"

    again = Attempt(SOURCE, attempt.night + timedelta(days=1), attempt.dump)
    nights.run_whole(spark, again)
    assert scalar(kept) == "Paul Zoé -"
    assert set(everywhere.found(target)) == {"lake received"}
    refused = f"""SELECT string_agg(reasons[1] || ' ' || length(raw), ', ' ORDER BY record_no) FROM sentiment.quarantine
      JOIN sentiment.run USING (run_id) WHERE source = '{SOURCE}' AND night = '{again.night}'"""
    assert scalar(refused) == "not_forgotten 0, rating_in_range 0"
    counts = f"SELECT rows_read - rows_accepted - rows_quarantined FROM sentiment.run WHERE night = '{again.night}' "
    assert scalar(counts + f"AND source = '{SOURCE}'") == 0


def test_both_sides_hash_the_same_key(spark: SparkSession) -> None:
    frame = spark.createDataFrame([("allociné", "Zoé")], "source string, author string")
    from pyspark.sql import functions as F

    key = frame.select(contract.forgotten_key("author", F.col("author"))).collect()[0][0]
    assert key == contract.forgotten_hash("author", "allociné", "Zoé")


def test_needles_are_spelt_as_files_spell_them() -> None:
    needles = Target("id", SOURCE, ("Zoé/É",), ('dit "œ"',), (), ()).needles
    for spelt in (
        b"Zo\xc3\xa9/",
        b"Zo\xe9/\xc9",
        rb"Zo\u00e9\/\u00c9",
        rb"Zo\u00E9/\u00C9",
        b'dit ""\x9c""',
        rb"\"\u0153\"",
    ):
        assert any(spelt in needle for needle in needles), spelt
    assert b"" not in Target("id", SOURCE, (), ("🎬",), (), ()).needles
