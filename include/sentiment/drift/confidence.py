"""The band of probabilities for which a model is uncertain: the one that the stream's reference froze."""

from __future__ import annotations

import sqlalchemy as sa

from sentiment.database import transaction
from sentiment.drift import bands, reference
from sentiment.drift.history import Stream
from sentiment.drift.reference import Reference
from sentiment.labels import Band
from sentiment.sql import statement


def band(pinned: Reference | None) -> Band:
    """Return the reference's band; that of the settings without one."""
    return pinned.band if pinned else bands.of_settings(None)


def band_of(stream: Stream) -> Band:
    """Return the band by which the stream's next night counts."""
    with transaction() as c:
        return band(reference.load(c, stream))


def band_of_model(model_id: str) -> Band | None:
    """Return the band by which the views call a model's predictions uncertain; None of a model that scored no night."""
    with transaction() as c:
        row = c.execute(statement("drift/confidence/band_of_model"), {"model_id": model_id}).one_or_none()
    return (row.uncertain_low, row.uncertain_high) if row else None


def note(c: sa.Connection, stream: Stream) -> None:
    """Store the stream's band with the model; the views use it, and reviews published later."""
    low, high = band(reference.load(c, stream))
    c.execute(statement("drift/confidence/set_band"), {"model_id": stream.model_id, "low": low, "high": high})
