"""validate: accepted, quarantined and duplicate rows, and the verdicts on the batch."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from sentiment import contract, settings
from sentiment.errors import DumpRefusedError
from sentiment.jobs.entry import main
from sentiment.quality import batch, expectations, rules, split
from sentiment.quality.language import language
from sentiment.runs import attempts, phases
from sentiment.runs.model import Run
from sentiment.scoring import preparation
from sentiment.workspace import Part, Workspace, run_key

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


def work(spark: SparkSession, run: Run, step: attempts.Attempt, workspace: Workspace) -> None:
    config, key = settings.load(), run_key(run.night, run.run_id)
    arrival = attempts.finished(run.run_id, "find_dump").detail
    rows = workspace.read(spark, workspace.committed("ingested", key, attempts.finished(run.run_id, "ingest").token))
    table = rules.table(config, run.night)
    judged = rules.judged(with_facts(rows, config), table)
    parts = {"judged": workspace.write(split.verdicts(judged, table), "judged", key, step.token, 0, "")}
    verdicts = workspace.read(spark, list(parts.values()))
    for name, split_off in (("quarantined", split.quarantined), ("duplicate", split.duplicates)):
        parts[name] = _keep(workspace, name, key, step, split_off(verdicts))
    others = (workspace.read(spark, [parts[name]]) for name in ("quarantined", "duplicate"))
    parts["accepted"] = _keep(workspace, "accepted", key, step, split.accepted(rows, *others))
    step.counts = {name: parts[name].rows for name in ("accepted", "quarantined", "duplicate")}
    step.detail = split.summary(verdicts, table)
    verdict = expectations.judge(verdicts, table, run.run_id, _limits(arrival, config), config.data_docs)
    step.detail |= {"data_docs": str(verdict.page), "gx_success": verdict.success, "gx_failed": verdict.failed}
    refuse_bad_batch(run, step, config, verdict, arrival["allow"])
    for name, part in parts.items():
        workspace.commit(name, key, step.token, part)
    phases.reached("validated")


def with_facts(rows: DataFrame, config: settings.Settings) -> DataFrame:
    """Add what rules ask of other rooms, or of a model: the language, and whether the network would see nothing."""
    told = language(F.col("text")) if config.check_language else F.lit(None).cast("string")
    return rows.withColumns({"language": told, "prepared_blank": preparation.leaves_nothing(F.col("text"))})


def _keep(workspace: Workspace, dataset: str, key: str, step: attempts.Attempt, frame: DataFrame) -> Part:
    """Write, and count what was written."""
    written = workspace.write(frame, dataset, key, step.token, 0, "")
    checksum = contract.key_checksum() if "review_id" in frame.columns else F.lit("")
    said = (
        workspace.read(frame.sparkSession, [written])
        .agg(F.count("*").alias("rows"), checksum.alias("checksum"))
        .first()
    )
    assert said is not None
    return Part(written.files, said["rows"], said["checksum"])


def _limits(arrival: dict[str, Any], config: settings.Settings) -> expectations.Limits:
    low, high = (None, None) if batch.BatchCheck.row_count in arrival["allow"] else arrival["bounds"]
    return expectations.Limits(config.max_quarantine_share, low, high)


def refuse_bad_batch(
    run: Run, step: attempts.Attempt, config: settings.Settings, verdict: expectations.Verdict, allow: list[str]
) -> None:
    """Stop before anything is scored, by the batch checks; forgotten records are no data error."""
    reasons = {name: n for name, n in step.detail["reasons"].items() if name != contract.FORGOTTEN}
    forgotten = step.detail["reasons"].get(contract.FORGOTTEN, 0)
    counts = step.counts | {"quarantined": step.counts["quarantined"] - forgotten}
    broken = dict(batch.check_judged(run, counts, reasons, config))
    if not verdict.success and not any(broken.values()):
        broken[batch.BatchCheck.quarantine_share] = f"Great Expectations refuses it: {', '.join(verdict.failed)}"
    if counts["accepted"] == 0:
        told = "; ".join(words for words in broken.values() if words)
        raise DumpRefusedError(f"No review is left to score: {told}.", f"sentiment run show {run.run_id}")
    step.detail["allowed"] = batch.stop_unless_allowed(run, broken, allow)


if __name__ == "__main__":
    sys.exit(main("validate", work))
