"""validate: the received records, decoded and judged, parted into accepted, quarantined and duplicate, and checked."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sentiment import contract, settings
from sentiment.dump.decoding import to_rows
from sentiment.dump.profiles import Profile
from sentiment.errors import DumpRefusedError
from sentiment.jobs.entry import main
from sentiment.quality import batch, expectations, rules, split
from sentiment.quality.batch_check import BatchCheck
from sentiment.quality.language import language
from sentiment.runs import attempts, phases
from sentiment.runs.handoff import JudgedNight, ReceivedDump
from sentiment.runs.model import Layout, Run
from sentiment.schemas import DECODED
from sentiment.scoring import preparation
from sentiment.store import forgetting
from sentiment.workspace import Workspace, run_key

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pyspark.sql import DataFrame, SparkSession


def work(spark: SparkSession, run: Run, attempt: attempts.Attempt, workspace: Workspace) -> None:
    """Decode, map and judge each received record once, part accepted, quarantined and duplicate ones, check the batch.

    Reads the part `received` of the run's dump, by the layouts and the source profile that ingest recorded, and the
    suppressed keys. Writes `judged`, `quarantined`, `duplicate` and `accepted`, committed together once the batch
    checks are passed, and a Great Expectations page. Counts `accepted`, `quarantined` and `duplicate`, in records;
    together they are the records read. Hands on a JudgedNight. Raises DumpRefusedError where a batch check fails that
    the night was not allowed to fail, or where no review is left; InfrastructureError where the received records are
    gone from the workspace, ParameterError where ingest has not finished.
    """
    config, key = settings.load(), run_key(run.night, run.run_id)
    dump, table = attempts.received_dump(run.run_id), rules.table(config, run.night)
    rows = decoded(spark, run.source, dump.records_key, dump.layouts, dump.profile, workspace)
    judged = rules.judged(with_facts(rows, config), table)
    parts = {"judged": workspace.write(split.verdicts(judged, table), "judged", key, attempt.token, 0, "")}
    phases.reached("judged")
    # From the files: each further use of the frame would decode, detect languages and judge again.
    verdicts = workspace.read(spark, list(parts.values()))
    for name, split_off in (("quarantined", split.quarantined), ("duplicate", split.duplicates)):
        parts[name] = workspace.write(split_off(verdicts), name, key, attempt.token, 0, "")
    reviews = split.accepted(verdicts, workspace.read(spark, [parts["duplicate"]]))
    parts["accepted"] = workspace.write(reviews, "accepted", key, attempt.token, 0, "")
    parts = {name: workspace.counted(part) for name, part in parts.items()}
    attempt.counts = {name: parts[name].rows for name in ("accepted", "quarantined", "duplicate")}
    attempt.progress(parts["judged"].rows, parts["judged"].rows)
    # Before the checks that may refuse the night: a failed attempt stores its handoff, too.
    attempt.handoff = night = split.summary(verdicts, table)
    verdict = expectations.judge(verdicts, table, run.run_id, _limits(dump, config), config.data_docs)
    night.data_docs, night.expectations_met, night.expectations_failed = (
        str(verdict.page),
        verdict.success,
        verdict.failed,
    )
    night.allowed = check_batch(run, attempt.counts, night, config, dump.allow)
    for name, part in parts.items():
        workspace.commit(name, key, attempt.token, part)
    phases.reached("validated")


def decoded(
    spark: SparkSession,
    source: str,
    key: str,
    layouts: list[Layout],
    profile: Mapping[str, object],
    workspace: Workspace,
) -> DataFrame:
    """Return the rows of `schemas.DECODED`, one for each record of the part `received` of this key.

    `profile` has the fields of a source profile. Raises InfrastructureError where the records are gone.
    """
    received = workspace.read(spark, workspace.committed("received", key))
    rows = to_rows(received, source, layouts, Profile.model_validate(profile), forgetting.suppressed_keys())
    DECODED.check(rows)
    return rows


def with_facts(rows: DataFrame, config: settings.Settings) -> DataFrame:
    """Add `language`, null where it is not to be checked, and `prepared_blank`: whether the network would see nothing.

    The rule table reads both, and neither follows from the record alone.
    """
    predicted = language(F.col("text")) if config.check_language else F.lit(None).cast("string")
    return rows.withColumns({"language": predicted, "prepared_blank": preparation.leaves_nothing(F.col("text"))})


def _limits(dump: ReceivedDump, config: settings.Settings) -> expectations.Limits:
    low, high = (None, None) if BatchCheck.row_count in dump.allow else dump.record_bounds
    return expectations.Limits(config.max_quarantine_share, low, high)


def check_batch(
    run: Run, counts: Mapping[str, int], night: JudgedNight, config: settings.Settings, allow: Collection[str]
) -> list[str]:
    """Return the batch checks that failed but are allowed, each for people.

    `counts` are `accepted`, `quarantined` and `duplicate` records. Forgotten records are no fault of the batch and
    don't count. Raises DumpRefusedError where another check failed, or where no review is left.
    """
    reasons = {name: n for name, n in night.reasons.items() if name != contract.FORGOTTEN}
    n_forgotten = night.reasons.get(contract.FORGOTTEN, 0)
    counts = {**counts, "quarantined": counts["quarantined"] - n_forgotten}
    broken = dict(batch.check_judged(run, counts, reasons, config))
    if not night.expectations_met and not any(broken.values()):
        failed = ", ".join(night.expectations_failed)
        broken[BatchCheck.quarantine_share] = f"Great Expectations refuses it: {failed}"
    if counts["accepted"] == 0:
        faults = "; ".join(text for text in broken.values() if text)
        raise DumpRefusedError(f"No review is left to score: {faults}.", f"sentiment run show {run.run_id}")
    return batch.stop_unless_allowed(run, broken, allow)


if __name__ == "__main__":
    sys.exit(main("validate", work, ahead=expectations.load))
