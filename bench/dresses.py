"""Publish the same labelled reviews in ten dresses, a night each, and compare what the tables have of them."""

from __future__ import annotations

import json
import os
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from sentiment import settings
from sentiment.dump.profiles import BUNDLED
from sentiment.errors import DumpRefusedError
from sentiment.runtime import spark

from tests.kit import dresses
from tests.kit.dresses import DRESSES, Dress, Review
from tests.kit.homes import own_home
from tests.kit.nights import NightSpec, run_all_steps
from tests.kit.rows import rows

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

NIGHT = date(2026, 3, 2)
PUBLISHED = """
SELECT r.text, r.review_date, r.rating, r.polarity, s.label, round(s.p_positive::numeric, 9)
FROM sentiment.review r JOIN sentiment.review_sentiment s USING (review_id) WHERE r.source = :source"""
Columns = tuple[object, ...]


@dataclass(frozen=True)
class Dressed:
    """What came of one dress."""

    name: str
    way: str
    """How it is read: as it comes, or by the line of the error that stops it."""
    n: int
    """Reviews that were published."""
    n_other: int
    """Reviews that only it or only the plain dump has, by text, day, rating, label and sentiment."""

    def row(self) -> list[object]:
        """Return the cells of a table."""
        return [self.name, self.way, f"{self.n:,}", f"{self.n_other:,}"]


def measure(labelled: Path, report: Callable[[str], None]) -> list[Dressed]:
    """Publish the reviews of JSON lines with `review`, `polarity` and perhaps `rating`, in each dress.

    Films, authors and days are made up, and so are missing ratings.
    """
    records = [json.loads(line) for line in labelled.read_text("utf-8").splitlines()]
    default_ratings = {0: 1.5, 1: 4.0}
    own = dresses.reviews(
        [(r["review"], r["polarity"], r.get("rating") or default_ratings[r["polarity"]]) for r in records]
    )
    with own_home(), tempfile.TemporaryDirectory() as folder:
        os.environ["SENTIMENT_SOURCES"] = folder
        settings.load.cache_clear()
        try:
            session = spark.session("bench dresses", len(own))
            plain = _publish(session, NightSpec("plain", NIGHT, dresses.plain(own, Path(folder))))
            compared = []
            for number, dress in enumerate(DRESSES):
                report(f"  {dress.name}")
                compared.append(_dressed(session, dress, own, plain, Path(folder) / str(number)))
            session.stop()
        finally:
            del os.environ["SENTIMENT_SOURCES"]
    return compared


def _dressed(session: SparkSession, dress: Dress, own: list[Review], plain: Counter[Columns], folder: Path) -> Dressed:
    folder.mkdir()
    worn = [review for review in own if dress.holds(review)]
    source, way = f"dress{folder.name}", "as it comes"
    night = NightSpec(source, NIGHT, dress.write(worn, folder), encoding=dress.encoding)
    if dress.lines or dress.is_refused:
        try:
            _publish(session, night)
        except DumpRefusedError as refused:
            line = dress.lines or 'orient="records", lines=True'
            way = line if line in refused.message + refused.try_next else f"{line} IS NOT IN: {refused.message}"
            night = _mended(dress, night, worn, folder)
        else:
            way = "DOES NOT STOP"
    published = _publish(session, night)
    texts = {review.text for review in worn}
    expected = Counter({row: n for row, n in plain.items() if row[0] in texts})
    return Dressed(dress.name, way, published.total(), ((published - expected) + (expected - published)).total())


def _mended(dress: Dress, night: NightSpec, worn: list[Review], folder: Path) -> NightSpec:
    """Return the night as the error has it typed: by a profile with the lines, or of what pandas writes then."""
    if dress.is_refused:
        return NightSpec(night.source, NIGHT, dresses.pandas_lines(worn, folder))
    profile = f"mended{folder.name}"
    lines = "\n".join([dress.lines, (BUNDLED / "usual.toml").read_text("utf-8")])
    (folder.parent / f"{profile}.toml").write_text(lines, "utf-8")
    return NightSpec(night.source, NIGHT, night.dump, profile=profile, encoding=dress.encoding)


def _publish(session: SparkSession, night: NightSpec) -> Counter[Columns]:
    run_all_steps(session, night)
    return Counter(tuple(row) for row in rows(PUBLISHED, source=night.source))
