"""The same reviews in ten dresses: the same texts, days, ratings and labels, or a line to type that leads there."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sentiment.dump.profiles import BUNDLED
from sentiment.errors import DumpRefusedError
from sentiment.jobs import looking
from sentiment.runs.model import Reading
from sentiment.samples.sample_review import review
from sentiment.settings import Settings

from tests.intake import NIGHT, through
from tests.kit.dresses import DRESSES, Dress, Review, reviews

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

RECORDS = 60


def sample() -> list[Review]:
    drawn = [review(5, NIGHT, n % 2, n // 2) for n in range(RECORDS)]
    rows = [
        (str(r["review"]), n % 2, None if r["rating"] is None else float(str(r["rating"]))) for n, r in enumerate(drawn)
    ]
    return reviews([(text, polarity, rating) for text, polarity, rating in rows])


@pytest.fixture
def config(set_settings: Callable[..., Settings], tmp_path: Path) -> Settings:
    return set_settings(home=tmp_path / "home", sources=tmp_path)


@pytest.mark.parametrize("dress", DRESSES, ids=lambda dress: dress.name)
def test_every_dress_has_the_same_reviews(spark: SparkSession, tmp_path: Path, config: Settings, dress: Dress) -> None:
    own = [review for review in sample() if dress.holds(review)]
    path = dress.write(own, tmp_path)
    reading = Reading("mine", None, dress.encoding)
    if dress.lines:
        seen = looking.look(str(path), config, reading)
        assert seen.stops
        assert tomllib.loads(dress.lines).items() <= seen.suggested.items()
        (tmp_path / "mine.toml").write_text(
            "\n".join([dress.lines, (BUNDLED / "usual.toml").read_text("utf-8")]), "utf-8"
        )
        reading = Reading("mine", "mine", dress.encoding)
    if dress.is_refused:
        with pytest.raises(DumpRefusedError, match=re.escape('orient="records", lines=True')):
            through(spark, path, config, reading)
        return
    night = through(spark, path, config, reading)
    assert (night.refused, night.repeated, night.unread) == ([], [], [])
    read = Counter(
        (r["text"], r["review_date"], r["rating"], r["polarity"], r["author"], r["item_title"]) for r in night.accepted
    )
    assert read == Counter((r.text, r.day, r.rating, r.polarity, r.author, r.film) for r in own)
