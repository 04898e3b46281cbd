"""A model that people bring runs a whole night: its three labels have no names, and none is the positive one."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
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

NIGHT = date(2026, 9, 7)
SENTIMENT = [str(Path(sys.executable).with_name("sentiment"))]

SUMS = """
SELECT (SELECT count(*) FROM sentiment.review_sentiment s WHERE s.run_id = r.run_id) AS scored,
  (SELECT count(*) FROM sentiment.review_sentiment s WHERE s.run_id = r.run_id AND s.p_positive IS NULL) AS no_positive,
  (SELECT array_agg(DISTINCT k ORDER BY k) FROM sentiment.review_sentiment s, jsonb_object_keys(s.probabilities) k
    WHERE s.run_id = r.run_id) AS labels,
  (SELECT max(abs(1 - total)) FROM (SELECT sum(v::float) AS total FROM sentiment.review_sentiment s,
    jsonb_each_text(s.probabilities) AS p(k, v) WHERE s.run_id = r.run_id GROUP BY s.review_id) t) AS off,
  (SELECT sum(n_positive) FROM sentiment.film_night f WHERE f.run_id = r.run_id) AS positive
FROM sentiment.run r WHERE r.run_id = :run_id"""


@pytest.mark.usefixtures("ready", "warm_nights")
def test_a_model_of_ones_own_runs_a_night(tmp_path: Path) -> None:
    name, labels = "moods", ["joie", "ennui", "colère"]
    folder = networks.make(tmp_path / name, Size(1, 32, 2), ("LABEL_0", "LABEL_1", "LABEL_2"))
    command = [*SENTIMENT, "model", "add", str(folder), "--labels", ",".join(labels)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    dump = tmp_path / "night.jsonl"
    sample_dump.write(sample_dump.SampleDump(NIGHT, 40), dump)
    request = {"dump": str(dump), "night": NIGHT.isoformat(), "model": name, "source": name}
    run_id = nights.run(request, lambda _: None).run_id
    with transaction("reader") as c:
        sums = c.execute(sa.text(SUMS), {"run_id": run_id}).one()
    assert sums.scored > 30
    assert sums.labels == sorted(labels)
    assert sums.off < 1e-3
    assert sums.no_positive == sums.scored
    assert sums.positive == 0
    assert set(summary.label_shares(run_id).split()) & set(labels)
    registry.register(registry.find("cinema-fr", settings.load()))
    rescoring.use(name, anyway=True)
    with transaction("reader") as c:
        shares = c.execute(sa.text("SELECT share_positive FROM sentiment.v_daily_sentiment")).scalars().all()
    assert shares
    assert set(shares) == {None}
    rescoring.use("cinema-fr", anyway=True)
