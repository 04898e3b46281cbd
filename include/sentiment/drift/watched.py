"""The watched columns and slices, each declared once; docs/how-to has recipes for another one."""

from __future__ import annotations

from dataclasses import dataclass

from sentiment.contract import LOGIT_SQL
from sentiment.labels import WEAK_NEGATIVE_TO, WEAK_POSITIVE_FROM
from sentiment.schemas import PROFILE_KEY

Key = tuple[str, str, str]
"""A series: slice key, slice value, column name."""
KEY = PROFILE_KEY
"""Columns that name a series in the tables."""
ALL = "all"
"""Slice key and slice value of the whole night."""
MAIN_SERIES: Key = (ALL, ALL, "positive")
"""The whole night's positive share, which has half the false-alarm budget to itself."""

EDGES_ID = "edges-2"
"""Raise it with any change of a column's value or edges: counts on other edges are not compared."""
FILM_SLICES = 20
"""Films with a slice of their own, by reviews; the other films together are one more."""
REST = "(rest)"
"""Slice value of the films that have no slice of their own."""
REASON = "quarantine_reason"
"""Slice key of the column `refused`: a slice for each rule, counted from the ledger."""


@dataclass(frozen=True)
class Watched:
    """A watched column: how Spark computes its value, into which bins it is counted, and which effect matters.

    Bins are: null, below the first edge, between edges (lower end included), from the last edge on.
    """

    name: str
    value: str
    """Spark SQL over a scored review; empty where the value comes from the ledger, not from Spark."""
    edges: tuple[float, ...]
    """Bin edges, ascending, in the unit of the value."""
    effect_floor: float
    """Smallest effect that may alarm, in the unit of the value."""
    data_type: str = "numeric"
    """`categorical` for a yes or no (1 or 0), whose mean is a share; else `numeric`."""
    in_slices: bool = False
    """Whether slices are watched for it too; the whole night always is."""
    may_alarm: bool = True
    """False: shown, at most as a warning; a small or missing night is the business of `audit`."""
    judged: bool = True
    """False: counted for calibration only."""

    @property
    def n_bins(self) -> int:
        """Length of `bin_counts`, the null bin included."""
        return len(self.edges) + 2

    @property
    def is_share(self) -> bool:
        """Whether its values are yes or no, so that its mean is a share."""
        return self.data_type == "categorical"


WORD_COUNT = "greatest(size(split(trim(text), '\\\\s+')), 1)"
LABEL = (
    f"coalesce(polarity, CASE WHEN rating <= {WEAK_NEGATIVE_TO:g} THEN 0 "
    f"WHEN rating >= {WEAK_POSITIVE_FROM:g} THEN 1 END)"
)
"""The dump's own label, else a weak one from the rating; null for neither."""
COMMON_FRENCH = (
    "le la les l de des du d un une et en est à a que qui ce c se s il elle on ne n pas pour dans sur avec par au aux "
    "plus je j mais film très bien tout son sa ses cette ou si y sont fait"
)
MIN_TOKENS, FRENCH_SHARE = 6, 0.1
TOKENS = "split(trim(regexp_replace(lower(text), '[^\\\\p{L}]+', ' ')), ' ')"
_COMMON_LIST = ", ".join(f"'{token}'" for token in COMMON_FRENCH.split())
NOT_FRENCH = (
    f"CASE WHEN size({TOKENS}) >= {MIN_TOKENS} THEN cast(size(filter({TOKENS}, w -> w IN ({_COMMON_LIST}))) "
    f"< {FRENCH_SHARE} * size({TOKENS}) AS double) END"
)
"""Whether too few of a text's words are among the commonest French ones; null where it has fewer than `MIN_TOKENS`."""

SHARE_EDGES = (0.5,)
# Equally spaced, since scores pile up at 0 and 1; one edge lies at 0, the decision threshold, so that accuracy can be
# estimated from the bins.
LOGIT_EDGES = tuple(float(edge) for edge in range(-8, 9))
# Values are capped, since one outlier row must not move a night's mean.
MAX_CHARS, MAX_PIECES = 2000, 5

COLUMNS = (
    Watched("positive", "cast(p_positive >= score AS double)", SHARE_EDGES, 0.02, "categorical", in_slices=True),
    Watched("logit", LOGIT_SQL, LOGIT_EDGES, 0.2),
    # The columns of the band, which the reference froze, are set by `profile.count`.
    Watched("uncertain", "cast(p_positive BETWEEN band_low AND band_high AS double)", SHARE_EDGES, 0.02, "categorical"),
    Watched("text_chars", f"least(length(text), {MAX_CHARS})", (50, 100, 200, 400, 800, 1600), 50),
    Watched(
        "pieces_per_word",
        f"least(n_wordpieces / {WORD_COUNT}, {MAX_PIECES})",
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
"""Columns that Spark counts."""
BY_NAME = {w.name: w for w in COLUMNS}

# Alarms judge films by `sentiment.film_night` and the reference's own list of films, so that the list may change
# without counting anything anew. A source has references of its own, so it needs no slice.
SLICES = {
    "item_type": "coalesce(item_type, '')",
    "rating_band": (
        f"CASE WHEN rating <= {WEAK_NEGATIVE_TO:g} THEN 'low' WHEN rating >= {WEAK_POSITIVE_FROM:g} THEN 'high' "
        "WHEN rating IS NULL THEN 'none' ELSE 'middle' END"
    ),
    "film": "film",
}
"""Slice key -> Spark SQL of the slice's value, never null; `film` is an item id or `REST`, set by `profile.count`."""
