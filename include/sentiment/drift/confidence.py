"""Between which probabilities a model is unsure: where the calibrated one lies in the band of the settings."""

from __future__ import annotations

import math

import numpy as np
import sqlalchemy as sa

from sentiment import settings
from sentiment.drift import reference
from sentiment.drift.history import Stream
from sentiment.drift.performance import Calibrator
from sentiment.drift.watched import LOGIT_EDGES

NOTE = """
UPDATE sentiment.model SET uncertain_low = :low, uncertain_high = :high
WHERE model_id = :model_id AND (uncertain_low, uncertain_high) IS DISTINCT FROM (:low, :high)"""


def band(calibrator: Calibrator | None, low: float, high: float) -> tuple[float, float]:
    """p_positive of the model from which and up to which its calibrated probability lies in `low` to `high`.

    In whole bins of the calibrator, whose shares never fall. Without one, or where no bin lies in the band, the
    probability is taken as it is.
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
    """Write the band down with the model, by the stream's reference; what is published later goes by it."""
    config, found = settings.load(), reference.load(c, stream)
    low, high = band(found.calibrator if found else None, config.uncertain_low, config.uncertain_high)
    c.execute(sa.text(NOTE), {"model_id": stream.model_id, "low": low, "high": high})
