"""Models that people bring run whole nights: one with three labels, none the positive one; one whose had no names."""

from __future__ import annotations

import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sentiment import settings
from sentiment.database import transaction
from sentiment.local import nights
from sentiment.orchestration import rescoring, summary
from sentiment.samples import sample_dump
from sentiment.scoring import registry

from tests.kit import networks
from tests.kit.networks import Size

pytestmark = pytest.mark.night

FIRST = date(2026, 9, 7)
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


@pytest.mark.parametrize(
    ("name", "own", "options", "labels"),
    [
        ("moods", ("joie", "ennui", "colère"), (), ["colère", "ennui", "joie"]),
        ("nameless", ("LABEL_0", "LABEL_1"), ("--labels", "neg,pos"), ["neg", "pos"]),
    ],
)
@pytest.mark.usefixtures("ready", "warm_nights")
def test_a_model_of_ones_own_runs_a_night(
    tmp_path: Path, name: str, own: tuple[str, ...], options: tuple[str, ...], labels: list[str]
) -> None:
    folder = networks.make(tmp_path / name, Size(1, 32, 2), own)
    subprocess.run([*SENTIMENT, "model", "add", str(folder), *options], check=True, capture_output=True, timeout=300)
    night = FIRST + timedelta(days=len(name))
    dump = tmp_path / "night.jsonl"
    sample_dump.write(sample_dump.SampleDump(night, 40, seed=len(name)), dump)
    request = {"dump": str(dump), "night": night.isoformat(), "model": name, "source": name}
    run_id = nights.run(request, lambda _: None).run_id
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
