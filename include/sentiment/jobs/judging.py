"""Decode and judge received records, and part them: what `validate` does of a night, and a look at a sample."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import pyarrow.compute as pc
from pyspark.sql import functions as F

from sentiment import settings
from sentiment.dump import labels
from sentiment.dump.decoding import to_rows
from sentiment.dump.identity import Identity, numbered
from sentiment.dump.profiles import Profile
from sentiment.quality import prose, rules, same_ids, split
from sentiment.quality.language import language
from sentiment.runs import phases
from sentiment.runs.model import Layout
from sentiment.schemas import DECODED, POSITION
from sentiment.scoring import preparation
from sentiment.workspace import Part, Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pyspark.sql import DataFrame, SparkSession

    from sentiment.quality.rules import Rule
    from sentiment.quality.same_ids import SharedIds

    Decode = Callable[[DataFrame], DataFrame]


@dataclass(frozen=True)
class Night:
    """How a night's records are decoded and judged."""

    source: str
    layouts: list[Layout]
    """One for each file, by `file_no`."""
    profile: Mapping[str, object]
    """Fields of the source profile (`dump.profiles.Profile`)."""
    identity: Identity
    table: tuple[Rule, ...]
    """The rule table."""
    config: settings.Settings
    labels: labels.LabelSets | None = None
    """What the source's first night fixed of labels (`dump.labels`); None before it."""


@dataclass(frozen=True)
class Judged:
    """What was seen when all records were judged."""

    shared: SharedIds | None
    """What identities several reviews share; None where none do."""
    labels: labels.LabelSets
    """Words of labels by which the records are read, where these differ from the profile's."""
    other_labels: str
    """What is wrong where labels would be read otherwise than the source's first night fixed; else empty."""


def judge_records(spark: SparkSession, parts: Parts, received: DataFrame, night: Night) -> Judged:
    """Judge the records of `received`, and write the parts `judged`, `duplicate`, `quarantined` and `accepted`.

    Where labels mean something else together than alone, and nothing is fixed yet, all are decoded again.
    """
    shared = _judge(spark, parts, received, night)
    seen = parts.values("judged", "label_text", labels.MOST)
    meant = labels.inferred(Profile.model_validate(night.profile), seen)
    if night.labels is not None:
        return Judged(shared, {}, labels.otherwise(seen, meant))
    if meant:
        shared = _judge(spark, parts, received, replace(night, profile={**night.profile, **meant}))
    return Judged(shared, meant, "")


def _judge(spark: SparkSession, parts: Parts, received: DataFrame, night: Night) -> SharedIds | None:
    decode = partial(
        decoded, source=night.source, layouts=night.layouts, profile=night.profile, identity=night.identity
    )
    judged = rules.judged(with_facts(decode(received), night.config), night.table)
    parts.write("judged", split.verdicts(judged, night.table))
    phases.reached("judged")
    # From the files: each further use of the frame would decode, detect languages and judge again.
    shared = _identify(spark, parts, received, decode, night)
    verdicts = parts.read(spark, "judged")
    parts.write("quarantined", split.quarantined(verdicts))
    parts.write("accepted", split.accepted(verdicts, parts.read(spark, "duplicate")))
    return shared


class Parts:
    """The parts of one attempt, each written once, or once more in place of what was written before."""

    def __init__(self, workspace: Workspace, key: str, token: int) -> None:
        self._workspace, self._key, self._token = workspace, key, token
        self._written: dict[str, tuple[Part, int]] = {}

    def write(self, name: str, frame: DataFrame) -> None:
        """Write a part and count its rows; what the attempt wrote of it before is removed."""
        before = self._written.get(name)
        chunk = before[1] + 1 if before else 0
        part = self._workspace.write(frame, name, self._key, self._token, 0, "", chunk)
        self._written[name] = self._workspace.counted(part), chunk
        if before:
            self._workspace.discard(self._workspace.folder(name, self._key, self._token, before[1]))

    def read(self, spark: SparkSession, name: str) -> DataFrame:
        """Return the rows of a part, from its files."""
        return self._workspace.read(spark, [self._written[name][0]])

    def of(self, name: str) -> list[Part]:
        """Return a part as committed; nothing where it was not written."""
        return [self._written[name][0]] if name in self._written else []

    def rows(self, name: str) -> int:
        """Return how many rows a part has."""
        return self._written[name][0].rows

    def has(self, name: str, column: str, value: bool | None) -> bool:
        """Return whether a row of the part has that value, or with None any value; no Spark job is started."""
        batches = self._workspace.batches(self._written[name][0].files, [column])
        columns = (batch.column(0) for batch in batches)
        if value is None:
            return any(c.null_count < len(c) for c in columns)
        return any(pc.any(pc.equal(c, value)).as_py() for c in columns)

    def values(self, name: str, column: str, most: int) -> set[str]:
        """Return the values of a text column, or some more than `most` of them; no Spark job is started."""
        seen: set[str] = set()
        for batch in self._workspace.batches(self._written[name][0].files, [column]):
            seen.update(pc.unique(batch.column(0)).drop_null().to_pylist())
            if len(seen) > most:
                break
        return seen

    def commit(self) -> None:
        """Make all parts exist."""
        for name, (part, chunk) in self._written.items():
            self._workspace.commit(name, self._key, self._token, part, chunk)


def _identify(spark: SparkSession, parts: Parts, received: DataFrame, decode: Decode, night: Night) -> SharedIds | None:
    """Give equal records ids of their own, and refuse those of another review's identity; write `duplicate`.

    Returns what is shared, None where nothing is. `judged` is written anew where it changes, which it seldom does.
    """
    if parts.has("judged", "equal_key", None):
        judged = parts.read(spark, "judged")
        parts.write("judged", split.with_own_ids(judged, numbered(judged).where("number > 1")))
    judged = parts.read(spark, "judged")
    parts.write("duplicate", split.repeated(judged))
    if not parts.has("duplicate", "is_equal", False):
        return None
    repeated = parts.read(spark, "duplicate")
    shared, conflicts = same_ids.find(judged, repeated, night.identity.rule), repeated.where("NOT is_equal")
    records = decode(received.join(conflicts.select(*POSITION), list(POSITION), "left_semi"))
    parts.write("judged", split.with_conflicts(judged, conflicts, records, night.table))
    parts.write("duplicate", repeated.where("is_equal"))
    return shared


def decoded(
    received: DataFrame, source: str, layouts: list[Layout], profile: Mapping[str, object], identity: Identity
) -> DataFrame:
    """Return the rows of `schemas.DECODED`, one for each received record; `profile` has the fields of a profile."""
    rows = to_rows(received, source, layouts, Profile.model_validate(profile), identity)
    DECODED.check(rows)
    return rows


def with_facts(rows: DataFrame, config: settings.Settings) -> DataFrame:
    """Add what several rules read, or what follows not from the record alone.

    `language` is null where it is not to be checked; `prepared_blank`: whether the network would see nothing;
    `n_damaged`: damaged sequences of all texts.
    """
    written = F.expr(prose.language_part("text"))
    return rows.withColumns(
        {
            "language": language(written) if config.check_language else F.lit(None).cast("string"),
            "prepared_blank": preparation.leaves_nothing(F.col("text")),
            "n_damaged": F.expr(prose.N_DAMAGED),
        }
    )
