"""Each night's accuracy and F1 in Postgres, estimated and realised; and the list of the newest nights."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import Any

import sqlalchemy as sa

from sentiment.database import transaction
from sentiment.drift import history, performance
from sentiment.drift.history import EMPTY, Stream
from sentiment.drift.reference import Reference
from sentiment.drift.watched import ALL, LOGIT_EDGES, MAIN_SERIES
from sentiment.sql import statement

NEWEST_DAYS = 7


def write(
    c: sa.Connection, stream: Stream, pinned: Reference | None, night: date, cells: history.Night, run_id: str
) -> None:
    """Insert or renew the night's estimated and realised performance; without a calibrator no estimate."""
    scored, labelled, positive = (
        history.bins_of([cells], (ALL, ALL, name))[1:] for name in ("logit", "labelled_logit", "positive_logit")
    )
    estimated = performance.NOTHING
    if pinned is not None and pinned.calibrator is not None:
        design_effect = _design_effect(pinned, cells)
        estimated = performance.estimate(scored, pinned.calibrator, LOGIT_EDGES, design_effect)
    realised = performance.realised(labelled, positive, LOGIT_EDGES)
    params = {
        **stream.keys,
        "night": night,
        "reference_id": pinned.reference_id if pinned else "",
        "n_scored": int(scored.sum()),
        "n_labelled": int(labelled.sum()),
        "run_id": run_id,
        **{f"estimated_{name}": value for name, value in asdict(estimated).items()},
        **{f"realised_{name}": value for name, value in asdict(realised).items()},
    }
    c.execute(statement("drift/tracking/upsert_performance"), params)


def _design_effect(pinned: Reference, cells: history.Night) -> float:
    """Return the variance of the night's positive share over that of as many independent reviews, at least 1."""
    cell = cells.get(MAIN_SERIES, EMPTY)
    if MAIN_SERIES not in pinned.series or cell.n_values <= 1:
        return 1.0
    i = pinned.series.index(MAIN_SERIES)
    partners = max(cell.item_n_sq / cell.n_values - 1, 0.0)
    return float(max((1 + pinned.model.icc[i] * partners) * pinned.model.dispersion[i], 1.0))


def newest_nights(source: str | None) -> list[tuple[Any, ...]]:
    """Return the newest nights, of one source or of all, for display.

    A row holds night, source, model, the number of series of each status, and both accuracies as text.
    """
    with transaction() as c:
        rows = c.execute(statement("drift/tracking/newest_nights"), {"source": source, "days": NEWEST_DAYS})
        return [(*row[:-3], _accuracy(row.estimated, row.error), _accuracy(row.realised, None)) for row in rows]


def _accuracy(value: float | None, error: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.1%}" if error is None else f"{value:.1%} ± {1.96 * error:.1%}"
