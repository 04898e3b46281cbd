"""
# Nightly reviews

Takes in the night's dump of French film reviews, validates it, scores its sentiment with Spark NLP, writes
the sentiment tables to Postgres and tracks drift.

`find_dump >> ingest >> validate >> score >> audit >> publish >> track_drift >> report`

**What came of it** is shown by the [pages about nights](/plugin/sentiment), in Airflow's menu *Browse*.

**When.** Every night at 04:00 Europe/Paris for the day that ended; missed nights are not caught up by themselves
(`airflow backfill create --dag-id nightly_reviews --from-date … --to-date …` does it). Of one source one night at a
time is between ingest and publish: the ingest of another waits, and its log names the run that it waits for. A run that
only waits for its dump stands in nobody's way.

**Which night.** A scheduled or backfilled run stands for the Paris date on which its data interval begins. Any other
run stands for its `night`; without one for the Paris date of its logical date, or, where that day was not over when the
run was requested (the form fills in the present moment), for the day that had ended. The log's first line names it.

**Parameters.** All may stay empty; a key that is none of them is refused. `night` is a Paris date; `dump` a file,
a folder or a glob (without it the place in `SENTIMENT_DUMPS` is waited for, until nobody writes its files any more);
`model` one of `sentiment model list`. With `dry_run` everything happens but publishing. With `sentences` each sentence
is scored as well, into `sentiment.sentence_sentiment`; a night that is published already gets none. `supersede`, with a
`reason`, replaces a night that another dump published.
`allow`, with a `reason`, lets a batch pass that one of these rules stops: `dump_date` (its name dates it otherwise),
`same_dump` (another night published it), `schema_change` (a column is gone), `row_count` (far fewer or more than
recent nights had), `quarantine_share` (too many records refused).

```json
{"night": "2026-11-22", "dump": "/data/reviews-2026-11-22.jsonl.gz", "model": "cinema-fr"}
```

**The same again** changes nothing: ingest sees it and the other tasks are skipped.

**When it fails.** Data errors (a broken dump, too many bad rows) are not tried again: the log's last lines say
which file, row and rule, and what to type next. Neither are errors of the program, which name class, file and
line. Infrastructure errors are tried again with back-off; clear the failed task to go on from there. A night that
fails before its run is opened, as where the dump is missing, is listed by `sentiment runs` and
`sentiment.v_unopened_runs`. Nothing is visible before `publish`, and publish is all or nothing.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import Param, dag, get_current_context, task
from airflow.sdk.bases.sensor import PokeReturnValue
from sentiment import settings
from sentiment.orchestration import params
from sentiment.orchestration.connections import sentiment_task
from sentiment.orchestration.dag_defaults import NIGHT_TASK_DEFAULTS, scheduled
from sentiment.orchestration.night_tasks import BEFORE_RUN, INGEST, after_ingest

SETTINGS = settings.load()
MAX_ACTIVE_RUNS = 16
"""A run that waits, for its dump or for its turn, must not be the only one."""

PARAMS = {
    "night": params.day("Night", "empty: the day that ended, or the day of the logical date", optional=True),
    "source": params.source(),
    "dump": Param(
        None,
        type=["null", "string"],
        minLength=1,
        pattern=r"^[^\u0000-\u001f]+$",
        examples=["/data/reviews-2026-11-22.jsonl.gz", "s3://bucket/reviews/2026-11-22/"],
        title="Dump",
        description="file, folder or glob; empty: the dump in SENTIMENT_DUMPS, which is waited for",
    ),
    "profile": params.profile("the one that fits best"),
    "encoding": params.encoding("UTF-8, or what the files' first bytes declare"),
    "model": params.model(),
    "sentences": params.switch(
        "Sentences",
        "score each sentence as well, so that the pages colour reviews by their sentences",
        section=params.SCORING,
    ),
    "dry_run": params.switch("Dry run", "do everything but publish", section=params.OUTCOME),
    "supersede": params.switch(
        "Supersede", "replace a night that another dump has published; needs a reason", section=params.OUTCOME
    ),
    "allow": params.allow("rules for the whole batch that this dump may break once; needs a reason"),
    "reason": params.reason("why the night is replaced, or what is allowed"),
}


@dag(
    **{**scheduled("Nightly reviews", "nights", "0 4 * * *", NIGHT_TASK_DEFAULTS), "max_active_runs": MAX_ACTIVE_RUNS},
    params=PARAMS,
    doc_md=__doc__,
)
def nightly_reviews() -> None:
    """Run one night from its dump to its report."""

    @sentiment_task(
        task.sensor,
        # No worker is held while the night waits.
        mode="reschedule",
        poke_interval=60,
        # An hour more than the night waits: find_dump ends it before, by an error that names the dump.
        timeout=SETTINGS.dump_wait_minutes * 60 + 3600,
        execution_timeout=timedelta(minutes=30),
        **BEFORE_RUN,
    )
    def find_dump() -> PokeReturnValue:
        """Check the parameters, and wait until the night's dump is there and at rest."""
        # Imported by the task, as in all DAG files: the dag-processor parses them over and over, and runs no task.
        from sentiment.orchestration import waiting

        files = waiting.find_dump(get_current_context())
        return PokeReturnValue(is_done=files is not None, xcom_value=files)

    @sentiment_task(task.sensor, **INGEST)
    def ingest(files: list[list[Any]]) -> PokeReturnValue:
        """Receive the night's dump and open its run, once it is the source's turn."""
        from sentiment.orchestration import waiting

        run = waiting.ingest(get_current_context(), files)
        return PokeReturnValue(is_done=run is not None, xcom_value=run)

    after_ingest(ingest(find_dump()))


nightly_reviews()
