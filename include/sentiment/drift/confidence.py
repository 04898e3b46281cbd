"""The probabilities for which a model is uncertain: those whose calibrated value lies in the band of the settings."""

from __future__ import annotations

import math

import numpy as np
import sqlalchemy as sa

from sentiment import settings
from sentiment.drift import reference
from sentiment.drift.history import Stream
from sentiment.drift.performance import Calibrator
from sentiment.drift.watched import LOGIT_EDGES
from sentiment.sql import statement


def band(calibrator: Calibrator | None, low: float, high: float) -> tuple[float, float]:
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


def note(c: sa.Connection, stream: Stream) -> None:
    """Store the model's band, by the calibrator of the stream's current reference; reviews published later use it."""
    config, pinned = settings.load(), reference.load(c, stream)
    low, high = band(pinned.calibrator if pinned else None, config.uncertain_low, config.uncertain_high)
    c.execute(statement("drift/confidence/set_band"), {"model_id": stream.model_id, "low": low, "high": high})
