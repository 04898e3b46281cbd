"""The batch check `identity` across nights: whether a dump's ids are those of the nights before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sentiment.contract import OWN_ITEM
from sentiment.errors import DumpRefusedError
from sentiment.quality.same_ids import SHOWN_CHARS
from sentiment.runs import opening
from sentiment.runs.model import Run

MOST_SHARE, FEWEST = 0.05, 20
"""Known ids that come with another review are changes up to this share of the known ids, or below this number."""


def may_be_new(n_other: int, counted: Mapping[str, int]) -> bool:
    """Return whether so many known ids with another review are too many for changes; `counted` is as in `check`."""
    return n_other >= FEWEST and n_other > MOST_SHARE * _n_known(counted)


def _n_known(counted: Mapping[str, int]) -> int:
    return sum(counted.get(novelty, 0) for novelty in ("changed", "known", "read_anew"))


def check(run: Run, changed: DataFrame, counted: Mapping[str, int]) -> None:
    """Raise DumpRefusedError, with two pairs, where ids come with another text and another author or item.

    `changed` are the reviews whose content is not what the nights before had, with what these had of them
    (`publishing.known_reviews`); `counted` has novelty -> reviews of the night.
    """
    is_other = (
        f"text_hash <> known_text AND NOT (author <=> known_author AND coalesce({OWN_ITEM}, item_title) <=> known_item)"
    )
    others, n_known = changed.where(is_other), _n_known(counted)
    n = others.count()
    if not may_be_new(n, counted):
        return
    pairs = others.orderBy("file_no", "record_no").limit(2)
    item = F.expr(f"coalesce({OWN_ITEM}, item_title) AS item")
    is_author = F.expr("author <=> known_author").alias("is_author")
    # Neither author nor text: the error is stored where readers see it.
    rows = pairs.select("file_no", "record_no", "review_id", item, "known_item", is_author).collect()
    shown = "; ".join(
        f"record {row.record_no} of file {row.file_no} (review {row.review_id}), {_item(row.item)}, another text"
        f"{'' if row.is_author else ' and another author'}, where a night before had {_item(row.known_item)}"
        for row in rows
    )
    raise DumpRefusedError(
        f"identity: {n:,} of the {n_known:,} ids known before come with another text and another author or item: the "
        f"dump seems to number its reviews anew. For two of them: {shown}.",
        "publish as another source, by a source profile without own_id: "
        + opening.rerun_command(replace(run, source=f"{run.source}_2")),
    )


def _item(value: str | None) -> str:
    return f"item {value[:SHOWN_CHARS]!r}" if value else "no item"
