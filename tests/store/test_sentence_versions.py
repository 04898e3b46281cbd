"""Sentences are those of the version that is shown: published with it, gone with it, and back with it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import count, pairwise
from typing import Any

import pytest
import sqlalchemy as sa
from sentiment import settings
from sentiment.database import transaction
from sentiment.runs import attempts, opening
from sentiment.runs.model import DumpFile, Run
from sentiment.scoring import registry
from sentiment.store import forgetting, publishing, retention
from sentiment.store.forgetting import Target
from sentiment.store.publishing import Expected
from sentiment.store.staging import Staging
from sentiment.workspace import Part

from tests.kit.rows import copy_rows, remove_source, rows, scalar, staged_views

SOURCE, NIGHT = "sentences_test", date(2026, 9, 7)
MINE, OTHER = "a" * 32, "b" * 32
_NUMBERS = count(1)

STAGED = """
INSERT INTO staged_review (file_no, record_no, review_id, item_id, text, rating, text_hash, content_hash, novelty,
  label, score, p_positive, probabilities, n_wordpieces, n_chunks, scored_at, sentences)
VALUES (0, :no, :id, 'f1', :text, :rating, :text, :content, :novelty, :label, 0.9, 0.9, '{}', 5, 1,
  now() - cast(:age AS interval), :sentences)
"""


@pytest.fixture(autouse=True)
def clean(server: object) -> Iterator[None]:
    registry.register(registry.find("cinema-fr", settings.load()))
    yield
    remove_source(SOURCE)


def publish(
    night: date,
    texts: dict[str, str],
    with_sentences: bool = True,
    rating: float = 4.0,
    label: str = "pos",
    age: str = "1 day",
    ends: str = ".",
    **kwargs: Any,
) -> Run:
    """Publish reviews as `score` would have left them `age` ago, each of `ends` ending a sentence where asked."""
    dump_id = f"{SOURCE}-{next(_NUMBERS)}"
    opening.record_dump(dump_id, SOURCE, "test", [DumpFile(0, "test", "0" * 64, "jsonl", "none", 1, 1)])
    run = opening.open_run(night, SOURCE, dump_id, "cinema-fr", **kwargs)
    with transaction() as c:
        known = {row[0]: row[1] for row in c.execute(sa.text(publishing.known_before(night, SOURCE)))}
    with attempts.attempt(run.run_id, "publish") as attempt:
        staging = Staging(run.run_id, attempt.token)
        staging.create()
        with transaction() as c, staged_views(c, staging):
            for no, (review_id, text) in enumerate(texts.items()):
                content = f"{text} {rating}"
                novelty = "known" if known.get(review_id) == content else "changed" if review_id in known else "new"
                sentences = json.dumps(parted(text, label, ends)) if with_sentences else None
                values = {"no": no, "id": review_id, "text": text, "rating": rating, "content": content}
                values |= {"novelty": novelty, "sentences": sentences}
                values |= {"label": label, "age": age}
                c.execute(sa.text(STAGED), values)
        checksum = str(sum(int(i[:15], 16) for i in texts))
        baseline = publishing.newest_publication(SOURCE)
        publishing.merge(run, attempt, Expected(Part([], len(texts), checksum), 0, 0, baseline))
    return opening.get_run(run.run_id)


def parted(text: str, label: str, marks: str) -> list[dict[str, Any]]:
    ends = [0, *(i + 1 for i, c in enumerate(text) if c in marks or i + 1 == len(text))]
    return [
        {"sentence_no": n, "begin_char": begin, "end_char": end, "label": label, "score": 0.75}
        for n, (begin, end) in enumerate(pairwise(ends), 1)
    ]


def shown(review_id: str = MINE) -> list[str]:
    """The review's sentences as the view gives them, in order."""
    query = "SELECT sentence FROM sentiment.v_sentence_sentiment WHERE review_id = :id ORDER BY sentence_no"
    with transaction("reader") as c:
        return list(c.execute(sa.text(query), {"id": review_id}).scalars())


def test_sentences_are_published_with_the_night_and_only_on_request() -> None:
    publish(NIGHT, {MINE: "Bien. 😀 De\u0301ja\u0300 vu."})
    assert shown() == ["Bien.", " 😀 De\u0301ja\u0300 vu."]
    publish(NIGHT + timedelta(days=1), {OTHER: "Un. Deux."}, with_sentences=False)
    assert shown(OTHER) == []


def test_a_known_review_gets_its_sentences_when_a_later_night_asks() -> None:
    publish(NIGHT, {MINE: "Un. Deux."}, with_sentences=False)
    publish(NIGHT + timedelta(days=1), {MINE: "Un. Deux."})
    assert shown() == ["Un.", " Deux."]
    publish(NIGHT + timedelta(days=2), {MINE: "Un. Deux."}, with_sentences=False)
    assert shown() == ["Un.", " Deux."]


@pytest.mark.parametrize("with_sentences", [True, False])
def test_another_text_takes_the_sentences_of_the_old_one_away(with_sentences: bool) -> None:
    publish(NIGHT, {MINE: "Un. Deux. Trois."})
    publish(NIGHT + timedelta(days=1), {MINE: "Autre."}, with_sentences=with_sentences)
    assert shown() == (["Autre."] if with_sentences else [])


def test_another_rating_leaves_the_sentences() -> None:
    publish(NIGHT, {MINE: "Un. Deux."})
    publish(NIGHT + timedelta(days=1), {MINE: "Un. Deux."}, with_sentences=False, rating=1.0)
    assert shown() == ["Un.", " Deux."]


def test_superseding_brings_the_sentences_of_the_version_before_back() -> None:
    later = NIGHT + timedelta(days=1)
    publish(NIGHT, {MINE: "Un. Deux."})
    publish(later, {MINE: "Autre.", OTHER: "Autre aussi."})
    assert (shown(), shown(OTHER)) == (["Autre."], ["Autre aussi."])
    publish(later, {"c" * 32: "Une autre nuit."}, supersede=True, reason="the export was cut")
    assert (shown(), shown(OTHER)) == (["Un.", " Deux."], [])
    with transaction() as c:
        query = "SELECT count(*) FROM sentiment.sentence_sentiment WHERE review_id = :id"
        assert c.execute(sa.text(query), {"id": OTHER}).scalar() == 0


def test_an_older_night_late_shows_nothing_until_it_counts() -> None:
    publish(NIGHT, {MINE: "Neuf."})
    publish(NIGHT - timedelta(days=2), {MINE: "Vieux. Deux."})
    assert shown() == ["Neuf."]
    publish(NIGHT, {OTHER: "Autre."}, supersede=True, reason="the export was cut")
    assert shown() == ["Vieux.", " Deux."]


def test_forgetting_takes_them() -> None:
    publish(NIGHT, {MINE: "Un. Deux.", OTHER: "Trois."})
    target = Target(MINE, SOURCE)
    assert forgetting.count(target)["rows of sentiment.sentence_sentiment"] == 2
    gone, _ = forgetting.remove(target)
    assert gone["rows of sentiment.sentence_sentiment"] == 2
    assert (shown(), shown(OTHER)) == ([], ["Trois."])


def test_a_retired_model_takes_its_sentences_along() -> None:
    copy_rows("model", "model_id", "cinema-fr", model_id="old", fingerprint="f", is_current=False)
    with transaction("owner") as c:
        c.exec_driver_sql("UPDATE sentiment.model SET retired_at = now() - interval '1 year' WHERE model_id = 'old'")
        c.exec_driver_sql("INSERT INTO sentiment.sentence_sentiment VALUES ('r', 'old', 1, 0, 5, 'pos', 1)")
    try:
        leftovers = [x for x in retention.find(settings.load()) if x.where == "sentiment.sentence_sentiment"]
        assert [(x.amount, x.remove()) for x in leftovers] == [(1, True)]
        assert [x for x in retention.find(settings.load()) if x.where == "sentiment.sentence_sentiment"] == []
    finally:
        with transaction("owner") as c:
            c.exec_driver_sql("DELETE FROM sentiment.model WHERE model_id = 'old'")


def test_a_later_score_of_the_same_text_replaces_the_earlier_and_its_sentences() -> None:
    nights = [NIGHT + timedelta(days=n) for n in range(5)]
    publish(nights[0], {MINE: "Bien. Mal."})
    publish(nights[1], {MINE: "Bien. Mal."}, label="neg", age="2 days")
    assert labels() == ("pos", {"pos"})
    publish(nights[2], {MINE: "Bien. Mal."}, label="neg", age="1 minute", with_sentences=False)
    assert labels() == ("neg", {"pos"}), "sentences are scored again when a night asks"
    publish(nights[3], {MINE: "Bien. Mal."}, label="neg", age="1 minute")
    assert labels() == ("neg", {"neg"})
    assert shown() == ["Bien.", " Mal."]
    publish(nights[4], {MINE: "Bien. Mal."}, label="neg", age="0", ends=";")
    assert shown() == ["Bien. Mal."]


def test_an_older_night_with_another_rating_leaves_the_sentences_that_are_shown() -> None:
    publish(NIGHT, {MINE: "Bien. Mal."}, rating=4.0)
    publish(NIGHT - timedelta(days=1), {MINE: "Bien. Mal."}, rating=3.0, age="0")
    assert shown() == ["Bien.", " Mal."]


def labels() -> tuple[str, set[str]]:
    """The review's label and its sentences'."""
    of_sentences = rows("SELECT label FROM sentiment.sentence_sentiment WHERE review_id = :id", id=MINE)
    of_review = scalar("SELECT label FROM sentiment.review_sentiment WHERE review_id = :id", id=MINE)
    return of_review, {label for (label,) in of_sentences}
