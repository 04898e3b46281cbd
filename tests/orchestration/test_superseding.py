"""A night can be superseded only while the versions that it replaced are kept."""

from __future__ import annotations

from datetime import date

import pytest
from sentiment import settings
from sentiment.errors import DataError
from sentiment.scoring import registry

from tests.kit import nights
from tests.kit.nights import NightSpec, publish_without_spark
from tests.kit.rows import run_sql, scalar


def test_a_night_whose_replaced_versions_are_gone_is_not_superseded(server: object) -> None:
    registry.register(registry.find("cinema-fr", settings.load()))
    source, first, second = "gone_versions", date(2026, 5, 4), date(2026, 5, 5)
    for night in (first, second):
        publish_without_spark(NightSpec(source, night, nights.dump(night, 5)))
    versions = "SELECT count(*) FROM sentiment.review_version WHERE source = :s"
    assert scalar(versions, s=source) != 0
    run_sql("DELETE FROM sentiment.review_version WHERE source = :s", s=source)
    with pytest.raises(DataError, match="SENTIMENT_KEEP_SUPERSEDED_DAYS"):
        publish_without_spark(NightSpec(source, second, nights.dump(second, 6), supersede=True))
    assert scalar("SELECT count(*) FROM sentiment.run WHERE source = :s AND status = 'superseded'", s=source) == 0
