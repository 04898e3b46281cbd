"""Which probabilities are uncertain, and counting the column `uncertain` of stored nights anew by another band."""

from __future__ import annotations

import math
from datetime import date

import numpy as np
import sqlalchemy as sa

from sentiment import settings
from sentiment.drift.history import Stream
from sentiment.drift.performance import Calibrator
from sentiment.drift.watched import ALL, EDGES_ID, LOGIT_EDGES, Key
from sentiment.labels import Band
from sentiment.sql import statement

UNCERTAIN: Key = (ALL, ALL, "uncertain")
UNRECORDED: Band = (0.35, 0.65)
"""Band of counts and references without one: versions that recorded none counted by this one, always."""


def calibrated(calibrator: Calibrator | None, low: float, high: float) -> Band:
    """Return the lowest and highest p_positive of the model whose calibrated probability lies in `low` to `high`.

    The limits are edges of the calibrator's bins, 0 or 1, since a bin has one calibrated probability and these never
    fall from bin to bin. Without a calibrator, or where no bin lies in the band, they are `low` and `high`.
    """
    if calibrator is None:
        return low, high
    inside = np.flatnonzero((calibrator.positive >= low) & (calibrator.positive <= high))
    if not len(inside):
        return low, high
    edges = [-math.inf, *LOGIT_EDGES, math.inf]
    return _probability(edges[inside[0]]), _probability(edges[inside[-1] + 1])


def _probability(logit: float) -> float:
    if math.isinf(logit):
        return float(logit > 0)
    return 1 / (1 + math.exp(-logit))


def of_settings(calibrator: Calibrator | None) -> Band:
    """Return the band of the settings, taken back through the calibrator if there is one."""
    config = settings.load()
    return calibrated(calibrator, config.uncertain_low, config.uncertain_high)


def recount(c: sa.Connection, stream: Stream, band: Band, first: date | None = None) -> list[date]:
    """Count `uncertain` by the band on stored nights from `first` on that count by another; return those nights.

    Counted are new and changed reviews, as in `profile.count`, by the scores that are stored. A night of which one
    score is not kept any more is left as it was counted, with its band, and `history.load` returns no value of it. The
    caller holds the stream's lock (`reference.lock`).
    """
    low, high = band
    params = {**stream.keys, "low": low, "high": high, "edges_id": EDGES_ID}
    other = list(c.execute(statement("drift/bands/counted_otherwise"), {**params, "first": first}).scalars())
    if not other:
        return []
    return sorted(c.execute(statement("drift/bands/recount"), {**params, "nights": other}).scalars())
