"""validate: the received records, decoded and judged, parted into accepted, quarantined and duplicate, and checked."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

from sentiment import settings
from sentiment.dump.identity import Identity
from sentiment.errors import DumpRefusedError
from sentiment.jobs.entry import main
from sentiment.jobs.judging import Night, Parts, judge_records
from sentiment.quality import batch, expectations, refusals, rules, split, unread
from sentiment.quality.batch_check import BatchCheck
from sentiment.runs import attempts, opening, phases
from sentiment.runs.handoff import JudgedNight, ReceivedDump
from sentiment.runs.model import FIRST_RULE, IdentityRule, Run
from sentiment.store import forgetting, refused, sources
from sentiment.workspace import Workspace, run_key

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import date

    from pyspark.sql import SparkSession

    from sentiment.quality.unread import Unread


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
    night = Night(run.source, dump.layouts, dump.profile, identity, table, config, dump.labels)
    judged = judge_records(spark, parts, received, night)
    verdicts = parts.read(spark, "judged")
    # Before the checks that may refuse the night: a failed attempt stores its handoff, too.
    attempt.handoff = counted = split.summary(verdicts, table)
    counted.labels = judged.labels
    if counted.unread:
        most = split.MAX_UNREAD if sum(counted.unread.values()) > split.MAX_UNREAD else None
        parts.write("unread", split.unread(verdicts, most))
    attempt.counts = {name: parts.rows(name) for name in ("accepted", "quarantined", "duplicate")}
    attempt.progress(parts.rows("judged"), parts.rows("judged"))
    verdict = expectations.judge(verdicts, table, run.run_id, _limits(dump, config), config.data_docs)
    counted.data_docs, counted.expectations_met, counted.expectations_failed = (
        str(verdict.page),
        verdict.success,
        verdict.failed,
    )
    # Also of a night that is about to be stopped, so that what it refused can be looked at.
    parts.commit()
    try:
        if judged.shared and judged.shared.is_common:
            raise judged.shared.error(run, sources.described(identity.rule), sources.fixed(run.source) is not None)
        unusual = unread.unusual(verdicts, table, counted, config.max_unread_share)
        examples = partial(refusals.examples, workspace, parts.of("quarantined")[0], fault_reasons(counted))
        suggested = likely_encoding(dump, counted)
        findings = {BatchCheck.schema_change: judged.other_labels}
        counted.allowed = check_batch(
            run, attempt.counts, counted, examples, unusual, config, dump.allow, findings, suggested
        )
    except DumpRefusedError:
        refused.keep(attempt, workspace, parts.of("quarantined"), parts.of("unread"))
        raise
    phases.reached("validated")


def identity_of(source: str, rule: IdentityRule, night: date | None = None) -> Identity:
    """Return how a source's records are identified by a rule, with what a person asked to have removed."""
    former = tuple(r for r in sources.rules(source) if r != rule)
    return Identity(rule, night, former, forgetting.suppressed_keys())


def _limits(dump: ReceivedDump, config: settings.Settings) -> expectations.Limits:
    low, high = (None, None) if BatchCheck.row_count in dump.allow else dump.record_bounds
    unread_share = 1.0 if BatchCheck.unread_share in dump.allow else config.max_unread_share
    return expectations.Limits(config.max_quarantine_share, unread_share, low, high)


def fault_reasons(night: JudgedNight) -> dict[str, int]:
    """Return rule -> records that failed it, of rules whose records are a fault of the batch."""
    return {name: n for name, n in night.reasons.items() if name not in rules.NO_FAULT}


def of_faults(counts: Mapping[str, int], night: JudgedNight) -> dict[str, int]:
    """Return the counts with only those `quarantined` records that are a fault of the batch."""
    n_no_fault = sum(night.reasons.get(name, 0) for name in rules.NO_FAULT)
    return {**counts, "quarantined": counts["quarantined"] - n_no_fault}


def likely_encoding(dump: ReceivedDump, night: JudgedNight) -> str | None:
    """Return the encoding in which most of what was refused seems to be; None where that is no matter of encoding."""
    reasons = fault_reasons(night)
    suggested = [layout.suggested_encoding for layout in dump.layouts if layout.suggested_encoding]
    is_likely = suggested and 2 * reasons.get("readable", 0) > sum(reasons.values())
    return suggested[0] if is_likely else None


def check_batch(
    run: Run,
    counts: Mapping[str, int],
    night: JudgedNight,
    examples: Callable[[], Sequence[str]],
    unusual: Sequence[Unread],
    config: settings.Settings,
    allow: Collection[str],
    findings: batch.Findings,
    encoding: str | None = None,
) -> list[str]:
    """Return the batch checks that failed but are allowed, each for people.

    `findings` are those of checks that were made before. `counts` are `accepted`, `quarantined` and `duplicate`
    records. Forgotten records and those without text are no fault of the batch and don't count. Raises
    DumpRefusedError where another check failed, or where no review is left; its next line then reads the dump in
    `encoding`, where there is one.
    """
    reasons = fault_reasons(night)
    counts = of_faults(counts, night)
    broken = {**findings, **batch.check_judged(run, counts, reasons, examples, unusual, config)}
    if not night.expectations_met and not any(broken.values()):
        failed = ", ".join(night.expectations_failed)
        broken[BatchCheck.quarantine_share] = f"Great Expectations refuses it: {failed}"
    if counts["accepted"] == 0:
        faults = "; ".join(text for text in broken.values() if text)
        again = opening.rerun_command(run, allow, encoding=encoding) if encoding else ""
        raise DumpRefusedError(f"No review is left to score: {faults}.", again or f"sentiment run show {run.run_id}")
    return batch.stop_unless_allowed(run, broken, allow, encoding)


if __name__ == "__main__":
    sys.exit(main("validate", work, ahead=expectations.load))
