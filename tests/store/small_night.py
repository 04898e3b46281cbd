"""A few reviews published as a night is, without Spark, for tests that need rows in every table."""

from __future__ import annotations

import hashlib
from datetime import date
from itertools import count

import sqlalchemy as sa
from sentiment import settings
from sentiment.database import transaction
from sentiment.runs import attempts, opening
from sentiment.runs.model import DumpFile, Run
from sentiment.scoring import registry
from sentiment.store import publishing
from sentiment.store.publishing import Expected
from sentiment.store.staging import Staging
from sentiment.workspace import Part

from tests.kit.rows import staged_views

_NUMBERS = count(1)

REVIEW = """
INSERT INTO staged_review (file_no, record_no, review_id, item_id, item_type, item_title, author, text, text_hash,
  content_hash, novelty, label, score, p_positive, probabilities, n_wordpieces, n_chunks, scored_at)
VALUES (0, :no, :review_id, 'f1', 'film', 'Été à 100 %', :author, :text, :text, :text, 'new', 'pos', 0.9,
  0.9, '{"pos": 0.9, "neg": 0.1}', 5, 1, now())
"""
REFUSED = """
INSERT INTO staged_quarantine (file_no, record_no, reasons, details, raw, raw_bytes, raw_sha256, byte_offset)
VALUES (0, 1000, ARRAY['blank_text'], 'no text', 'x', 1, '00', 0)
"""


def publish(source: str, night: date, authors: list[str | None]) -> Run:
    """Publish one review for each author, and one refused record."""
    registry.register(registry.find("cinema-fr", settings.load()))
    dump_id = f"{source}-{next(_NUMBERS)}"
    opening.record_dump(dump_id, source, "test", [DumpFile(0, "test", "0" * 64, "jsonl", "none", 1, 1)])
    run = opening.open_run(night, source, dump_id, "cinema-fr")
    with attempts.attempt(run.run_id, "publish") as attempt:
        staging = Staging(run.run_id, attempt.token)
        staging.create()
        ids = [hashlib.sha256(f"{source} {no}".encode()).hexdigest()[:32] for no in range(len(authors))]
        with transaction() as c, staged_views(c, staging):
            c.execute(sa.text(REFUSED))
            for no, author in enumerate(authors):
                values = {"no": no, "review_id": ids[no], "author": author, "text": f"texte {no}"}
                c.execute(sa.text(REVIEW), values)
        checksum = str(sum(int(i[:15], 16) for i in ids))
        baseline = publishing.newest_publication(source)
        publishing.merge(run, attempt, Expected(Part([], len(authors), checksum), 1, 0, baseline))
    return opening.get_run(run.run_id)
