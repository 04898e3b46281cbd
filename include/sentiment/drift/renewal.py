"""Bring current references that earlier versions pinned to the calibrated band; `sentiment db migrate` does so once."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import sqlalchemy as sa

from sentiment.database import transaction
from sentiment.drift import bands, history, null_model, reference, tracking
from sentiment.drift.history import Stream
from sentiment.drift.null_model import NullModel
from sentiment.drift.reference import MODEL_FIELDS, Reference
from sentiment.drift.watched import EDGES_ID
from sentiment.labels import Band
from sentiment.sql import statement


def renew() -> list[Stream]:
    """Renew, as owner, each current reference that records no band of its own; return their streams.

    The reference gets the band of its calibrator, `uncertain` is counted anew where scores are kept, its null model is
    fitted to those counts, and the nights that the reference has judged are judged once more. Everything else of the
    reference stays, thresholds included, and so do all comparisons of other series. A stream is one transaction.
    """
    with transaction("owner") as c:
        rows = c.execute(statement("drift/renewal/without_band"), {"edges_id": EDGES_ID})
        streams = [Stream(row.source, row.model_id) for row in rows]
    for stream in streams:
        with transaction("owner") as c:
            reference.lock(c, stream)
            pinned = reference.load(c, stream)
            if pinned is not None:
                _renew(c, pinned)
    return streams


def _renew(c: sa.Connection, pinned: Reference) -> None:
    band = bands.of_settings(pinned.calibrator)
    bands.recount(c, pinned.stream, band)
    renewed = replace(_refitted(c, pinned, band), band=band)
    keys = {**pinned.stream.keys, "reference_id": pinned.reference_id}
    c.execute(statement("drift/renewal/store"), {**keys, "frozen": json.dumps(reference.as_json(renewed))})
    first = c.execute(statement("drift/renewal/first_judged"), keys).scalar()
    if first is not None:
        tracking.replay_in(c, pinned.stream, first, None, run_id="renewal")


def _refitted(c: sa.Connection, pinned: Reference, band: Band) -> Reference:
    """Return the reference with null model and bins of `uncertain` as its nights count them by the band."""
    if bands.UNCERTAIN not in pinned.series:
        return pinned
    i = pinned.series.index(bands.UNCERTAIN)
    counted = history.load(c, pinned.stream, pinned.nights, pinned.films, band)
    nights = [counted[night] for night in pinned.nights]
    days = np.array([night.weekday() for night in pinned.nights], dtype=np.int64)
    before = pinned.model
    fitted = null_model.fit(
        history.sums_of(nights, [bands.UNCERTAIN]), days, before.floor[i : i + 1], before.is_share[i : i + 1]
    )
    fields = {name: np.array(getattr(before, name)) for name in MODEL_FIELDS}
    for name, values in fields.items():
        values[..., i] = getattr(fitted, name)[..., 0]
    bins = (*pinned.bins[:i], history.bins_of(nights, bands.UNCERTAIN), *pinned.bins[i + 1 :])
    return replace(pinned, model=NullModel(**fields), bins=bins)
