"""The identity of a review: which records are the same review, by the identity rule of their source."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from datetime import date
from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from sentiment import contract
from sentiment.dump.profiles import CONTENT, OWN_ID
from sentiment.runs.model import LATEST_RULE, IdentityRule
from sentiment.schemas import POSITION

BEFORE = "before"
"""Struct of the columns that identify reviews, as versions before 3 of the reading read them."""


@dataclass(frozen=True)
class Identity:
    """How the records of a night are identified, and which reviews a person asked to have removed."""

    rule: IdentityRule
    night: date | None = None
    """What `dump` of a rule stands for."""
    former: tuple[IdentityRule, ...] = ()
    """Rules that the source had before: a review that was removed by one of them stays removed."""
    suppressed_keys: Collection[str] = ()
    """`contract.suppressed_key` of removed reviews and authors."""

    @property
    def reads_as_before(self) -> bool:
        """Whether a rule of the source reads columns as versions before 3 of the reading did."""
        return any(rule.version < LATEST_RULE for rule in (self.rule, *self.former))


def with_review_id(rows: DataFrame, identity: Identity) -> DataFrame:
    """Add `review_id`, 32 hex characters, null of a record that can't be read, and `equal_key`.

    Records with an `equal_key` differ from those of the same key by their number alone; their `review_id` is one
    until `numbered` gives each its own. Reads the decoded columns of the contract, with `own_id`, for a rule of an
    earlier version the fields of the column `before` where there is one.
    """
    ids = _ids(identity.rule, identity.night, rows)
    return rows.withColumns({"review_id": ids.review_id, "equal_key": ids.equal_key})


ALIKE = ("item_id", "rating", "polarity", "text")
"""What identifies a record without id, author and date, together with its number among equal ones."""


@dataclass(frozen=True)
class _Ids:
    """The ids of a rule, as Spark SQL."""

    review_id: Column
    """Before `numbered`."""
    equal_key: Column
    """Null of a record that differs from all others in something else."""


def _ids(rule: IdentityRule, night: date | None, rows: DataFrame) -> _Ids:
    """Return the ids of a rule. Where it asks for a record's own id and there is none, a source's without ids hold."""
    is_before = rule.version < LATEST_RULE and BEFORE in rows.columns

    def value(name: str) -> Column:
        return F.col(f"{BEFORE}.{name}" if is_before else name)

    if rule.version == 1:
        return _Ids(_first_version(value), F.lit(None).cast("string"))
    of_dump = [F.lit(night.isoformat())] if night and "dump" in rule.columns else []
    named = tuple(name for name in rule.columns if name != "dump") or CONTENT
    columns = CONTENT if "own_id" in named else named
    readable = F.col("problem").isNull()
    is_alike = F.lit(False)
    if columns == CONTENT:
        missing = [value(name).isNull() for name in ("author", "review_date", *(OWN_ID if "own_id" in named else ()))]
        is_alike = reduce(Column.__and__, missing, readable)

    def of(kind: str, names: Iterable[str]) -> Column:
        of_item = F.coalesce(value("item_id"), value("item_title"))
        return _hashed(kind, [*(of_item if name == "item_id" else value(name) for name in names), *of_dump])

    review_id = F.when(is_alike, of("words", ALIKE))
    if "own_id" in named:
        review_id = review_id.when(value("own_id").isNotNull(), of("id", named))
    review_id = F.when(readable, review_id.otherwise(of("content", columns)))
    return _Ids(review_id, F.when(is_alike, of("equal", ALIKE)))


def _hashed(kind: str, parts: Iterable[Column]) -> Column:
    return F.substring(contract.hashed(F.lit(kind), F.col("source"), *parts), 1, contract.ID_HEX_CHARS)


def _first_version(value: Callable[[str], Column]) -> Column:
    text, own_id = value("text"), value("own_id")
    described = [value(name) for name in ("item_id", "author", "review_date")]
    return (
        F.when(own_id.isNotNull(), _hashed("id", [own_id]))
        .when(
            F.coalesce(*(column.cast("string") for column in described)).isNull(),
            _hashed("place", [text, F.col("file_no"), F.col("record_no")]),
        )
        .otherwise(_hashed("content", [*described, text]))
    )


def numbered(rows: DataFrame) -> DataFrame:
    """Return source, position and own `review_id` of each record with an `equal_key`, and its `number` from 1.

    The first of equal records keeps the id that they share. It makes no difference which of them is which, so a list
    that comes again has the same ids, in whatever order. Records count that were removed on request, whose id is null.
    """
    number = F.row_number().over(Window.partitionBy("equal_key").orderBy(*POSITION)).alias("number")
    counted = rows.where("equal_key IS NOT NULL").select("source", *POSITION, "review_id", number)
    own = _hashed("again", [F.col("review_id"), F.col("number")])
    again = F.expr("review_id IS NOT NULL AND number > 1")
    return counted.withColumn("review_id", F.when(again, own).otherwise(F.col("review_id")))


def is_removed(rows: DataFrame, identity: Identity) -> Column:
    """Return whether each row's review is on the suppression list, by the source's rule or a former one; never null.

    Rows have the decoded columns. Runs a Spark job where ids may be numbered: which of equal records is meant is known
    once all are counted.
    """
    removed = F.lit(False)
    for rule in (identity.rule, *identity.former):
        ids = _ids(rule, identity.night, rows)
        by_id = contract.is_suppressed("review", ids.review_id, identity.suppressed_keys)
        removed |= ids.equal_key.isNull() & by_id
        if rule.version > 1:
            own_ids = numbered(with_review_id(rows, replace(identity, rule=rule)))
            # At most as many as are on the list.
            at = own_ids.where(contract.is_suppressed("review", F.col("review_id"), identity.suppressed_keys))
            removed |= contract.is_at([(row["file_no"], row["record_no"]) for row in at.select(*POSITION).collect()])
    return removed
