"""The watched columns and slices, declared once."""

from __future__ import annotations

from dataclasses import dataclass

from sentiment.contract import LOGIT_SQL
from sentiment.schemas import PROFILE_KEY

EDGES_ID = "edges-2"
"""Raise it with any change of a column's value or edges: counts on other edges are not compared."""
FILM_SLICES = 20
"""Films with a slice of their own, by reviews; the rest together are one more."""
REST = "(rest)"
REASON = "quarantine_reason"
"""Slice key of `refused`, the share of records that a rule refuses, for each rule; the ledger counts it."""


@dataclass(frozen=True)
class Watched:
    """A watched column: its Spark SQL value, its bin edges (ascending), and the effect that matters.

    Bins are: null, below the first edge, between edges (lower end included), from the last edge on. A value of ""
    is not counted by Spark: it comes from the ledger.
    """

    name: str
    value: str
    edges: tuple[float, ...]
    effect_floor: float
    data_type: str = "numeric"
    in_slices: bool = False
    """Whether slices are watched for it too; the whole night always is."""
    may_alarm: bool = True
    """False: told, at most watched; a small or missing night is `audit`'s business."""
    judged: bool = True
    """False: counted for calibration only."""

    @property
    def n_bins(self) -> int:
        """Length of `bin_counts`."""
        return len(self.edges) + 2

    @property
    def is_share(self) -> bool:
        """Whether its values are yes or no."""
        return self.data_type == "categorical"


N_WORDS = "greatest(size(split(trim(text), '\\\\s+')), 1)"
LABEL = "coalesce(polarity, CASE WHEN rating <= 2 THEN 0 WHEN rating >= 4 THEN 1 END)"
"""The dump's own label, else a weak one from the rating."""
COMMON_WORDS = (
    "le la les l de des du d un une et en est à a que qui ce c se s il elle on ne n pas pour dans sur avec par au aux "
    "plus je j mais film très bien tout son sa ses cette ou si y sont fait"
)
FEW_WORDS, FRENCH_SHARE = 6, 0.1
WORDS = "split(trim(regexp_replace(lower(text), '[^\\\\p{L}]+', ' ')), ' ')"
_LISTED = ", ".join(f"'{w}'" for w in COMMON_WORDS.split())
NOT_FRENCH = (
    f"CASE WHEN size({WORDS}) >= {FEW_WORDS} THEN cast(size(filter({WORDS}, w -> w IN ({_LISTED}))) "
    f"< {FRENCH_SHARE} * size({WORDS}) AS double) END"
)
"""Too few of the commonest French words; null where the text is too short to tell."""

SHARE_EDGES = (0.5,)
LOGIT_EDGES = tuple(float(e) for e in range(-8, 9))
"""Equally spaced, since scores pile up at 0 and 1; an edge at 0, the decision threshold."""
MAX_CHARS, MAX_PIECES = 2000, 5
"""Values are capped there: one outlier row must not move a night's mean."""

COLUMNS = (
    Watched("positive", "cast(p_positive >= score AS double)", SHARE_EDGES, 0.02, "categorical", in_slices=True),
    Watched("logit", LOGIT_SQL, LOGIT_EDGES, 0.2),
    Watched("uncertain", "cast(p_positive BETWEEN 0.35 AND 0.65 AS double)", SHARE_EDGES, 0.02, "categorical"),
    Watched("text_chars", f"least(length(text), {MAX_CHARS})", (50, 100, 200, 400, 800, 1600), 50),
    Watched(
        "pieces_per_word",
        f"least(n_wordpieces / {N_WORDS}, {MAX_PIECES})",
        (1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.5, 3.0),
        0.1,
    ),
    Watched("unknown_share", "n_unknown / n_wordpieces", (0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5), 0.01),
    Watched("not_french", NOT_FRENCH, SHARE_EDGES, 0.02, "categorical"),
    Watched("rating_missing", "cast(rating IS NULL AS double)", SHARE_EDGES, 0.05, "categorical"),
    Watched("rating", "rating", (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0), 0.2),
    Watched("agreement", f"cast((p_positive >= score) = ({LABEL} = 1) AS double)", SHARE_EDGES, 0.03, "categorical"),
    Watched("labelled_logit", f"CASE WHEN {LABEL} IS NOT NULL THEN {LOGIT_SQL} END", LOGIT_EDGES, 0.2, judged=False),
    Watched("positive_logit", f"CASE WHEN {LABEL} = 1 THEN {LOGIT_SQL} END", LOGIT_EDGES, 0.2, judged=False),
    Watched("quarantined", "", SHARE_EDGES, 0.05, "categorical"),
    Watched("refused", "", SHARE_EDGES, 0.02, "categorical"),
    Watched("known", "", SHARE_EDGES, 0.1, "categorical", may_alarm=False),
    Watched("log_volume", "", SHARE_EDGES, 0.3, may_alarm=False),
)
COUNTED = tuple(w for w in COLUMNS if w.value)
BY_NAME = {w.name: w for w in COLUMNS}

KEY = PROFILE_KEY
"""Columns that name a series."""
WHOLE = ("all", "all", "positive")
"""The series that has half the false-alarm budget to itself."""

SLICES = {
    "item_type": "coalesce(item_type, '')",
    "rating_band": "CASE WHEN rating <= 2 THEN 'low' WHEN rating >= 4 THEN 'high' "
    "WHEN rating IS NULL THEN 'none' ELSE 'middle' END",
    "film": "film",
}
"""Slice key -> Spark SQL of the slice's value; `film` is the night's film, or `REST`, as `profile.count` sets it.

Alarms judge films by `sentiment.film_night` and the reference's own list of films, so that the list may change
without counting anything anew. A source has references of its own, so it needs no slice."""
