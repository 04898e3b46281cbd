"""validate: the received records, decoded and judged, parted into accepted, quarantined and duplicate, and checked."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

import pyarrow.compute as pc
from pyspark.sql import functions as F

from sentiment import settings
from sentiment.dump.decoding import to_rows
from sentiment.dump.identity import Identity, numbered
from sentiment.dump.profiles import Profile
from sentiment.errors import DumpRefusedError
from sentiment.jobs.entry import main
from sentiment.quality import batch, expectations, refusals, rules, same_ids, split, unread
from sentiment.quality.batch_check import BatchCheck
from sentiment.quality.language import language
from sentiment.runs import attempts, phases
from sentiment.runs.handoff import JudgedNight, ReceivedDump
from sentiment.runs.model import FIRST_RULE, IdentityRule, Layout, Run
from sentiment.schemas import DECODED, POSITION
from sentiment.scoring import preparation
from sentiment.store import forgetting, refused, sources
from sentiment.workspace import Part, Workspace, run_key

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import date

    from pyspark.sql import DataFrame, SparkSession

    from sentiment.quality.rules import Rule
    from sentiment.quality.same_ids import SharedIds
    from sentiment.quality.unread import Unread

    Decode = Callable[[DataFrame], DataFrame]


def work(spark: SparkSession, run: Run, attempt: attempts.Attempt, workspace: Workspace) -> None:
    """Decode, map and judge each received record once, part accepted, quarantined and duplicate ones, check the batch.

    Reads the part `received` of the run's dump, by the layouts, the source profile and the identity rule that ingest
    recorded, and the suppressed keys. Writes and commits `judged`, `quarantined`, `duplicate`, `unread` where a value
    can't be read, and `accepted`, also where a batch check stops the night, and a Great Expectations page. Counts
    `accepted`, `quarantined` and `duplicate`, in records; together they are the records read. Hands on a JudgedNight.
    Raises DumpRefusedError where a batch check fails that the night was not allowed to fail, where the dump's records
    share identities by the identity rule, or where no review is left; InfrastructureError where the received records
    are gone from the workspace, ParameterError where ingest has not finished.
    """
    config = settings.load()
    dump, table = attempts.received_dump(run.run_id), rules.table(config, run.night)
    parts = Parts(workspace, run_key(run.night, run.run_id), attempt.token)
    identity = identity_of(run.source, dump.identity or FIRST_RULE, run.night)
    received = workspace.read(spark, workspace.committed("received", dump.records_key))
    decode = partial(decoded, source=run.source, layouts=dump.layouts, profile=dump.profile, identity=identity)
    shared = judge(spark, parts, received, decode, config, table, identity.rule)
    verdicts = parts.read(spark, "judged")
    # Before the checks that may refuse the night: a failed attempt stores its handoff, too.
    attempt.handoff = night = split.summary(verdicts, table)
    if night.unread:
        most = split.MAX_UNREAD if sum(night.unread.values()) > split.MAX_UNREAD else None
        parts.write("unread", split.unread(verdicts, most))
    attempt.counts = {name: parts.rows(name) for name in ("accepted", "quarantined", "duplicate")}
    attempt.progress(parts.rows("judged"), parts.rows("judged"))
    verdict = expectations.judge(verdicts, table, run.run_id, _limits(dump, config), config.data_docs)
    night.data_docs, night.expectations_met, night.expectations_failed = (
        str(verdict.page),
        verdict.success,
        verdict.failed,
    )
    # Also of a night that is about to be stopped, so that what it refused can be looked at.
    parts.commit()
    try:
        if shared and shared.is_common:
            raise shared.error(run, sources.described(identity.rule), sources.fixed(run.source) is not None)
        unusual = unread.unusual(verdicts, table, night, config.max_unread_share)
        examples = partial(refusals.examples, workspace, parts.of("quarantined")[0], fault_reasons(night))
        night.allowed = check_batch(run, attempt.counts, night, examples, unusual, config, dump.allow)
    except DumpRefusedError:
        refused.keep(attempt, workspace, parts.of("quarantined"), parts.of("unread"))
        raise
    phases.reached("validated")


def judge(
    spark: SparkSession,
    parts: Parts,
    received: DataFrame,
    decode: Decode,
    config: settings.Settings,
    table: tuple[Rule, ...],
    rule: IdentityRule,
) -> SharedIds | None:
    """Judge the records of `received` by the table, and write `judged`, `duplicate`, `quarantined` and `accepted`.

    Returns what identities several reviews share by the rule, None where none do.
    """
    parts.write("judged", split.verdicts(rules.judged(with_facts(decode(received), config), table), table))
    phases.reached("judged")
    # From the files: each further use of the frame would decode, detect languages and judge again.
    shared = _identify(spark, parts, received, decode, table, rule)
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

    def commit(self) -> None:
        """Make all parts exist."""
        for name, (part, chunk) in self._written.items():
            self._workspace.commit(name, self._key, self._token, part, chunk)


def _identify(
    spark: SparkSession,
    parts: Parts,
    received: DataFrame,
    decode: Decode,
    table: tuple[Rule, ...],
    rule: IdentityRule,
) -> SharedIds | None:
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
    shared, conflicts = same_ids.find(judged, repeated, rule), repeated.where("NOT is_equal")
    records = decode(received.join(conflicts.select(*POSITION), list(POSITION), "left_semi"))
    parts.write("judged", split.with_conflicts(judged, conflicts, records, table))
    parts.write("duplicate", repeated.where("is_equal"))
    return shared


def decoded(
    received: DataFrame, source: str, layouts: list[Layout], profile: Mapping[str, object], identity: Identity
) -> DataFrame:
    """Return the rows of `schemas.DECODED`, one for each received record; `profile` has the fields of a profile."""
    rows = to_rows(received, source, layouts, Profile.model_validate(profile), identity)
    DECODED.check(rows)
    return rows


def identity_of(source: str, rule: IdentityRule, night: date | None = None) -> Identity:
    """Return how a source's records are identified by a rule, with what a person asked to have removed."""
    former = tuple(r for r in sources.rules(source) if r != rule)
    return Identity(rule, night, former, forgetting.suppressed_keys())


def with_facts(rows: DataFrame, config: settings.Settings) -> DataFrame:
    """Add `language`, null where it is not to be checked, and `prepared_blank`: whether the network would see nothing.

    The rule table reads both, and neither follows from the record alone.
    """
    predicted = language(F.col("text")) if config.check_language else F.lit(None).cast("string")
    return rows.withColumns({"language": predicted, "prepared_blank": preparation.leaves_nothing(F.col("text"))})


def _limits(dump: ReceivedDump, config: settings.Settings) -> expectations.Limits:
    low, high = (None, None) if BatchCheck.row_count in dump.allow else dump.record_bounds
    unread_share = 1.0 if BatchCheck.unread_share in dump.allow else config.max_unread_share
    return expectations.Limits(config.max_quarantine_share, unread_share, low, high)


def fault_reasons(night: JudgedNight) -> dict[str, int]:
    """Return rule -> records that failed it, of rules whose records are a fault of the batch."""
    return {name: n for name, n in night.reasons.items() if name not in rules.NO_FAULT}


def check_batch(
    run: Run,
    counts: Mapping[str, int],
    night: JudgedNight,
    examples: Callable[[], Sequence[str]],
    unusual: Sequence[Unread],
    config: settings.Settings,
    allow: Collection[str],
) -> list[str]:
    """Return the batch checks that failed but are allowed, each for people.

    `counts` are `accepted`, `quarantined` and `duplicate` records. Forgotten records and those without text are no
    fault of the batch and don't count. Raises DumpRefusedError where another check failed, or where no review is left.
    """
    reasons = fault_reasons(night)
    n_no_fault = sum(night.reasons.get(name, 0) for name in rules.NO_FAULT)
    counts = {**counts, "quarantined": counts["quarantined"] - n_no_fault}
    broken = dict(batch.check_judged(run, counts, reasons, examples, unusual, config))
    if not night.expectations_met and not any(broken.values()):
        failed = ", ".join(night.expectations_failed)
        broken[BatchCheck.quarantine_share] = f"Great Expectations refuses it: {failed}"
    if counts["accepted"] == 0:
        faults = "; ".join(text for text in broken.values() if text)
        raise DumpRefusedError(f"No review is left to score: {faults}.", f"sentiment run show {run.run_id}")
    return batch.stop_unless_allowed(run, broken, allow)


if __name__ == "__main__":
    sys.exit(main("validate", work, ahead=expectations.load))
