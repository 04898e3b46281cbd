"""The watched columns and slices, declared once."""

from __future__ import annotations

from dataclasses import dataclass

from sentiment.contract import LOGIT_SQL

EDGES_ID = "default-1"


@dataclass(frozen=True)
class Watched:
    """A watched column: its Spark SQL value, its bin edges (ascending), and the effect that matters.

    Bins are: null, below the first edge, between edges (lower end included), from the last edge on.
    """

    name: str
    value: str
    edges: tuple[float, ...]
    effect_floor: float
    data_type: str = "numeric"

    @property
    def n_bins(self) -> int:
        """Length of `bin_counts`."""
        return len(self.edges) + 2


N_WORDS = "greatest(size(split(trim(text), '\\\\s+')), 1)"

COLUMNS = (
    Watched("positive", "cast(p_positive >= 0.5 AS double)", (0.5,), 0.02, "categorical"),
    Watched("logit", LOGIT_SQL, tuple(float(e) for e in range(-8, 9)), 0.2),
    Watched("text_chars", "cast(length(text) AS double)", (50, 100, 200, 400, 800, 1600, 3200, 6400), 50),
    Watched("pieces_per_word", f"n_wordpieces / {N_WORDS}", (1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.5, 3.0), 0.1),
    Watched("unknown_share", "n_unknown / n_wordpieces", (0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5), 0.01),
    Watched("rating", "rating", (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0), 0.2),
)

SLICES = {
    "all": "'all'",
    "item_type": "coalesce(item_type, '')",
    "rating_band": "CASE WHEN rating <= 2 THEN 'low' WHEN rating >= 4 THEN 'high' "
    "WHEN rating IS NULL THEN 'none' ELSE 'middle' END",
}
"""Slice key -> Spark SQL of the slice's value."""
