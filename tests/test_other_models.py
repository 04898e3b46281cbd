"""Models that people bring run whole nights: one with three labels, none the positive one; one whose had no names."""

from __future__ import annotations

import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from sentiment import settings
from sentiment.database import transaction
from sentiment.local import nights
from sentiment.orchestration import adding, rescoring, summary
from sentiment.samples import sample_dump
from sentiment.scoring import registry

from tests.kit import networks
from tests.kit.networks import Size
from tests.kit.nights import NightSpec, run_all_steps
from tests.kit.rows import scalar

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

NIGHT = date(2026, 9, 12)
SENTIMENT = [str(Path(sys.executable).with_name("sentiment"))]

SUMS = """
SELECT (SELECT count(*) FROM sentiment.review_sentiment s WHERE s.run_id = r.run_id) AS scored,
  (SELECT count(*) FROM sentiment.review_sentiment s WHERE s.run_id = r.run_id AND s.p_positive IS NULL) AS no_positive,
  (SELECT array_agg(DISTINCT k ORDER BY k) FROM sentiment.review_sentiment s, jsonb_object_keys(s.probabilities) k
    WHERE s.run_id = r.run_id) AS labels,
  (SELECT max(abs(1 - total)) FROM (SELECT sum(v::float) AS total FROM sentiment.review_sentiment s,
    jsonb_each_text(s.probabilities) AS p(k, v) WHERE s.run_id = r.run_id GROUP BY s.review_id) t) AS off,
  (SELECT sum(n_positive) FROM sentiment.film_night f WHERE f.run_id = r.run_id) AS positive,
  (SELECT count(*) FROM sentiment.review_sentiment s WHERE s.run_id = r.run_id AND s.label = 'pos') AS said_pos
FROM sentiment.run r WHERE r.run_id = :run_id"""


@pytest.mark.night
@pytest.mark.usefixtures("ready")
def test_a_model_with_three_labels_is_added_and_runs_a_night(tmp_path: Path) -> None:
    folder = networks.make(tmp_path / "moods", Size(1, 32, 2), ("joie", "ennui", "colère"))
    subprocess.run([*SENTIMENT, "model", "add", str(folder)], check=True, capture_output=True, timeout=300)
    request = {"dump": str(dump(tmp_path)), "night": NIGHT.isoformat(), "model": "moods", "source": "moods"}
    assert_shown("moods", nights.run(request, lambda _: None).run_id, ["colère", "ennui", "joie"])


@pytest.mark.usefixtures("server")
def test_a_model_whose_labels_are_named_when_it_is_added_runs_a_night(tmp_path: Path, spark: SparkSession) -> None:
    folder = networks.make(tmp_path / "nameless", Size(1, 32, 2), ("LABEL_0", "LABEL_1"))
    request = adding.Request(str(folder), None, ("neg", "pos"))
    adding.add(request, settings.load(), lambda: spark, lambda _: None)
    run_all_steps(spark, NightSpec("nameless", NIGHT, dump(tmp_path), model="nameless"))
    assert_shown("nameless", scalar("SELECT run_id FROM sentiment.run WHERE source = 'nameless'"), ["neg", "pos"])
    shutil.rmtree(settings.load().models / "nameless")


def dump(folder: Path) -> Path:
    path = folder / "night.jsonl"
    sample_dump.write(sample_dump.SampleDump(NIGHT, 40, seed=5), path)
    return path


def assert_shown(name: str, run_id: str, labels: list[str]) -> None:
    """The night is published by the model, and the views show its labels once it is the current one."""
    with transaction("reader") as c:
        sums = c.execute(sa.text(SUMS), {"run_id": run_id}).one()
    assert sums.scored > 30
    assert sums.labels == labels
    assert sums.off < 1e-3
    assert sums.no_positive == (0 if "pos" in labels else sums.scored)
    assert sums.positive == sums.said_pos
    text = summary.label_shares(run_id)
    assert text.endswith("positive") if "pos" in labels else set(text.split()) & set(labels)
    registry.register(registry.find("cinema-fr", settings.load()))
    rescoring.use(name, anyway=True)
    with transaction("reader") as c:
        shares = c.execute(sa.text("SELECT share_positive FROM sentiment.v_daily_sentiment")).scalars().all()
    assert shares
    assert [share is None for share in shares] == ["pos" not in labels] * len(shares)
    rescoring.use("cinema-fr", anyway=True)
