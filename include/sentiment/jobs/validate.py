"""validate: accepted, quarantined and duplicate rows, and Great Expectations' verdict on the batch."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sentiment import contract, ledger, settings
from sentiment.errors import DumpRefusedError
from sentiment.jobs.entry import main
from sentiment.lake import Lake, Part, run_key
from sentiment.quality import expectations, rules, split

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


def work(spark: SparkSession, run: ledger.Run, step: ledger.Step, lake: Lake) -> None:
    config, key = settings.load(), run_key(run.night, run.run_id)
    ingested = lake.committed("ingested", key, ledger.done(run.run_id, "ingest").token)
    table = rules.table(config, run.night)
    judged = rules.judged(lake.read(spark, ingested), table).persist()
    told = split.told_apart(judged).persist()
    parts = {
        "accepted": _keep(lake, "accepted", key, step, split.accepted(told)),
        "quarantined": _keep(lake, "quarantined", key, step, split.quarantined(judged)),
        "duplicate": _keep(lake, "duplicate", key, step, split.duplicates(told)),
    }
    step.counts = {name: part.rows for name, part in parts.items()}
    step.detail = {"reasons": _reasons(judged)}
    others = judged.where(F.coalesce(F.col("problem") != contract.FORGOTTEN, F.lit(True)))
    verdict = expectations.judge(others, table, run.run_id, config.max_quarantine_share, config.data_docs)
    step.detail |= {"data_docs": str(verdict.page), "gx_success": verdict.success, "gx_failed": verdict.failed}
    _refuse_bad_batch(run, step, config, verdict)
    for name, part in parts.items():
        lake.commit(name, key, step.token, part)
    ledger.phase("validated")


def _keep(lake: Lake, dataset: str, key: str, step: ledger.Step, frame: DataFrame) -> Part:
    written = lake.write(frame, dataset, key, step.token, 0, "")
    checksum = contract.key_checksum() if "review_id" in frame.columns else F.lit("")
    said = lake.read(frame.sparkSession, [written]).agg(F.count("*").alias("rows"), checksum.alias("checksum")).first()
    assert said is not None
    return Part(written.files, said["rows"], said["checksum"])


def _reasons(judged: DataFrame) -> dict[str, int]:
    counted = judged.select(F.explode("reasons").alias("reason")).groupBy("reason").count()
    return {row["reason"]: row["count"] for row in counted.collect()}


def _refuse_bad_batch(
    run: ledger.Run, step: ledger.Step, config: settings.Settings, verdict: expectations.Verdict
) -> None:
    forgotten = step.detail["reasons"].get(contract.FORGOTTEN, 0)
    read, refused = sum(step.counts.values()) - forgotten, step.counts["quarantined"] - forgotten
    share = refused / max(read, 1)
    if step.counts["accepted"] == 0 or share > config.max_quarantine_share or not verdict.success:
        reasons = ", ".join(f"{name} {n}" for name, n in sorted(step.detail["reasons"].items()))
        raise DumpRefusedError(
            f"{refused:,} of {read:,} records ({share:.0%}) failed a rule, more than "
            f"{config.max_quarantine_share:.0%} allowed: {reasons}. The rules' page: {verdict.page}",
            f"sentiment run show {run.run_id}; to let it pass: SENTIMENT_MAX_QUARANTINE_SHARE=1 make nightly DUMP=…",
        )


if __name__ == "__main__":
    sys.exit(main("validate", work))
