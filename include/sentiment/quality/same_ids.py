"""The batch check `identity`: whether the identity rule of a source separates a dump's reviews."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from sentiment.contract import OWN_ITEM, is_at
from sentiment.errors import DumpRefusedError
from sentiment.runs import opening
from sentiment.runs.model import IdentityRule, Run
from sentiment.schemas import CONTENT, POSITION

MOST_SHARE, MOST = 0.01, 2
"""Identities that several reviews share are single mistakes up to this share of all, or up to this number."""
CANDIDATES = (
    ("item_id", "own_id"),
    ("review_date", "own_id"),
    ("author", "own_id"),
    ("item_id", "author", "own_id"),
    ("item_id", "author", "review_date", "text"),
)
"""Rules that are tried where the source's own separates too little, the likeliest to stay true first."""
SHOWN_CHARS = 60
"""Characters of a value that the error shows."""


@dataclass(frozen=True)
class SharedIds:
    """Identities that several reviews of a dump share."""

    n: int
    n_identities: int
    """All identities of the dump."""
    pair: tuple[str, str]
    """Two records of one identity, for people."""
    differences: tuple[str, ...]
    """Columns in which these two differ."""
    rule: tuple[str, ...]
    """Columns that separate the records; empty where none of `CANDIDATES` does."""

    @property
    def is_common(self) -> bool:
        """Whether they are too many for single mistakes."""
        return is_common(self.n, self.n_identities)

    def sentence(self, rule: str) -> str:
        """Return what is wrong as a sentence; `rule` is the source's for people."""
        one, other = self.pair
        return (
            f"identity: {self.n:,} of {self.n_identities:,} identities by {rule} are shared by several reviews, so "
            f"this identifies no review. For one, {one}; and {other}; they differ in {', '.join(self.differences)}."
        )

    def error(self, run: Run, rule: str, is_fixed: bool) -> DumpRefusedError:
        """Return the error that stops the night; `rule` is the source's for people, which nights before may have fixed.

        A fixed rule is another source's to change.
        """
        again = opening.rerun_command(replace(run, source=f"{run.source}_2") if is_fixed else run)
        if names := self.rule:
            again = f"put `{line(names)}` into a source profile of your own, mine.toml, then: {again} PROFILE=mine"
        return DumpRefusedError(self.sentence(rule), again)


def is_common(n: int, n_identities: int) -> bool:
    """Return whether so many identities of several reviews are too many for single mistakes."""
    return n > MOST and n > MOST_SHARE * n_identities


def line(columns: tuple[str, ...]) -> str:
    """Return the line of a source profile that makes these columns the identity."""
    return f"identity = {json.dumps(columns)}"


def find(verdicts: DataFrame, repeated: DataFrame, rule: IdentityRule) -> SharedIds:
    """Count the identities that several reviews share and, where these are common, look for a better rule.

    `verdicts` are rows of `schemas.JUDGED`, `repeated` those of `schemas.DUPLICATE`, of which some are not equal.
    """
    # An item that was only named identifies nothing by the id that was made for it.
    passed = verdicts.where("NOT refused").withColumn("item_id", F.expr(OWN_ITEM))
    counted = repeated.agg(
        F.count("*").alias("n_repeated"),
        F.count_distinct(F.when(~F.col("is_equal"), F.col("review_id"))).alias("n"),
        F.min(F.when(~F.col("is_equal"), F.struct(*POSITION, "of_file_no", "of_record_no"))).alias("first"),
    ).collect()[0]
    n_identities = passed.count() - counted["n_repeated"]
    one, other = _pair(passed, counted["first"])
    differences = tuple(name for name in (*CONTENT, "own_id") if one[name] != other[name])
    better = _better_rule(passed, rule) if is_common(counted["n"], n_identities) else ()
    return SharedIds(counted["n"], n_identities, (_shown(one), _shown(other)), differences, better)


def _pair(passed: DataFrame, first: Row) -> tuple[Row, Row]:
    one, other = (first["of_file_no"], first["of_record_no"]), (first["file_no"], first["record_no"])
    rows = {(row["file_no"], row["record_no"]): row for row in passed.where(is_at((one, other))).collect()}
    return rows[one], rows[other]


def _shown(row: Row) -> str:
    # Neither author nor text: the error is stored where readers see it.
    names = ("own_id", "item_id", "item_title", "review_date", "rating", "polarity")
    values = [f"{name} {str(row[name])[:SHOWN_CHARS]!r}" for name in names if row[name] is not None]
    return f"record {row['record_no']} of file {row['file_no']}: {', '.join(values)}"


def _better_rule(passed: DataFrame, rule: IdentityRule) -> tuple[str, ...]:
    """Return the first of `CANDIDATES` by which shared identities are no more than single mistakes; else nothing."""
    item = F.coalesce("item_id", "item_title").alias("item_id")
    rows = passed.select(item, "own_id", "author", "review_date", F.col("text_hash").alias("text"), "content_hash")
    for columns in CANDIDATES:
        if columns == rule.columns:
            continue
        # Records without an id of their own are identified by other columns then.
        named = rows.where("own_id IS NOT NULL") if "own_id" in columns else rows
        shared = named.groupBy(*columns).agg((F.min("content_hash") != F.max("content_hash")).alias("is_shared"))
        counted = shared.agg(F.count("*").alias("n"), F.count(F.when(F.col("is_shared"), True)).alias("n_shared"))
        row = counted.collect()[0]
        if row["n"] and not is_common(row["n_shared"], row["n"]):
            return columns
    return ()
