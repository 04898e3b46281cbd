"""When a model is unsure: its calibrated probability decides, and the views say so."""

from __future__ import annotations

import math

import numpy as np
import pytest
import sqlalchemy as sa
from sentiment import settings
from sentiment.database import transaction
from sentiment.drift import bands, confidence
from sentiment.drift.history import Stream
from sentiment.drift.performance import Calibrator
from sentiment.drift.watched import LOGIT_EDGES
from sentiment.scoring import registry


def calibrator(positive: list[float]) -> Calibrator:
    shares = np.array(positive)
    return Calibrator("isotonic", shares, np.ones_like(shares), None, 0.0, 0.0)


def test_without_a_calibrator_the_probability_is_taken_as_it_is() -> None:
    assert bands.calibrated(None, 0.35, 0.65) == (0.35, 0.65)


def test_the_band_is_where_the_calibrated_probability_lies_in_it() -> None:
    """By hand: calibrated .1 below logit edge i, .5 in two bins, .9 from then on."""
    bins, first = len(LOGIT_EDGES) + 1, 3
    shares = [0.1] * first + [0.5, 0.5] + [0.9] * (bins - first - 2)
    low, high = bands.calibrated(calibrator(shares), 0.35, 0.65)
    assert low == pytest.approx(1 / (1 + math.exp(-LOGIT_EDGES[first - 1])))
    assert high == pytest.approx(1 / (1 + math.exp(-LOGIT_EDGES[first + 1])))


def test_open_bins_reach_to_the_ends_and_no_bin_means_as_it_is() -> None:
    bins = len(LOGIT_EDGES) + 1
    assert bands.calibrated(calibrator([0.5] * bins), 0.35, 0.65) == (0.0, 1.0)
    assert bands.calibrated(calibrator([0.1] * bins), 0.35, 0.65) == (0.35, 0.65)


def test_the_settings_band_is_noted_with_the_model(server: object, monkeypatch: pytest.MonkeyPatch) -> None:
    registry.register(registry.find("cinema-fr", settings.load()))
    with transaction() as c:
        for low, high in ((0.45, 0.55), (0.35, 0.65)):
            monkeypatch.setattr(settings.load(), "uncertain_low", low)
            monkeypatch.setattr(settings.load(), "uncertain_high", high)
            confidence.note(c, Stream("nobody", "cinema-fr"))
            noted = c.execute(
                sa.text("SELECT uncertain_low, uncertain_high FROM sentiment.model WHERE model_id = 'cinema-fr'")
            ).one()
            assert tuple(noted) == (low, high)
