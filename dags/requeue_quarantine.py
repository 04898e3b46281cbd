"""
# Requeue quarantined records

After a rule, a setting or the way a dump is read was mended: lets the records through that a published night had
refused, and that pass now.

`find_dump >> ingest >> validate >> score >> audit >> publish >> track_drift >> report`

**What.** The night is run again as a whole, from its very dump, by today's rules, as a new run that replaces the
published one. So it is all there or not at all, counts add up, and every row leads to its record; texts scored before
are not scored again. Each refused record that passes names the new run in `quarantine.requeued_in`; one that does not
stands in the new run's quarantine.

**Parameters.** `run_id` as `sentiment quarantine list` shows it, and a `reason`, which is stored. It is a **dry run**
unless `dry_run` is switched off: find_dump's log describes what would be run again, and the other tasks are skipped.
Profile, encoding and allowed batch checks are those of the night's own request; `profile` and `encoding` replace them,
`allow` adds to them.

```json
{"run_id": "20261122-1a2b3c4d", "reason": "texts may be 40,000 characters long", "dry_run": false}
```

`sentiment quarantine requeue RUN --reason '…' --replace` does the same.

**Where the records come from.** The run workspace, for `SENTIMENT_KEEP_LAKE_DAYS`; after that the dump's files, which
must be as they were: an error names the one that is gone or another.

**The same again** changes nothing; a failed or killed one is continued. A run that is replaced already, or refused
nothing, is reported as such. The report has the number of records that passed this time and of those refused again.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import Param, dag, get_current_context, task
from airflow.sdk.bases.sensor import PokeReturnValue
from sentiment.orchestration import params
from sentiment.orchestration.connections import sentiment_task
from sentiment.orchestration.dag_defaults import NIGHT_TASK_DEFAULTS, on_demand
from sentiment.orchestration.night_tasks import BEFORE_RUN, INGEST, after_ingest

PARAMS = {
    "run_id": Param(
        type="string",
        pattern=r"^\d{8}-[0-9a-f]{8}$",
        examples=["20261122-1a2b3c4d"],
        title="Run",
        description="the published run, as `sentiment quarantine list` shows it",
    ),
    "profile": params.profile("as the night was asked to"),
    "encoding": params.encoding("as the night was asked to"),
    "dry_run": params.switch(
        "Dry run", "only describe what would be run again; off: run it and replace the night", default=True
    ),
    "allow": params.allow("rules for the whole batch that may be broken, beside those that the night was allowed"),
    "reason": params.reason("what was mended; needed without dry run", section=None),
}


@dag(**on_demand("Requeue quarantined records", "nights", NIGHT_TASK_DEFAULTS), params=PARAMS, doc_md=__doc__)
def requeue_quarantine() -> None:
    """Run a published night again from its dump, after a rule was mended."""

    @sentiment_task(task.short_circuit, execution_timeout=timedelta(hours=2), **BEFORE_RUN)
    def find_dump() -> dict[str, Any] | None:
        """Plan what is run again; end here in a dry run."""
        from sentiment.orchestration import requeueing

        return requeueing.plan_or_preview(get_current_context())

    @sentiment_task(task.sensor, **INGEST)
    def ingest() -> PokeReturnValue:
        """Make the records of the night's dump available and open its run, once it is the source's turn."""
        from sentiment.orchestration import requeueing

        run = requeueing.ingest(get_current_context())
        return PokeReturnValue(is_done=run is not None, xcom_value=run)

    run = ingest()
    find_dump() >> run
    after_ingest(run)


requeue_quarantine()
