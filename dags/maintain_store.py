"""
# Maintain the store

Lists what is stored longer than it must be, and removes it when asked to.

**What.** Staging tables of dead attempts; refused records of superseded runs, versions that no review shows any more
and nights that failed without a run (`SENTIMENT_KEEP_SUPERSEDED_DAYS`); payloads of quarantined records
(`SENTIMENT_KEEP_QUARANTINE_DAYS`; the rows with reasons, size and hash stay); Parquet of nights that are over,
published or not, of killed attempts and of runs the ledger does not know (`SENTIMENT_KEEP_LAKE_DAYS`); scores of
retired models (`sentiment model retire`, `SENTIMENT_KEEP_RETIRED_DAYS`); months of `night_review`
(`SENTIMENT_KEEP_NIGHT_MONTHS`).
Never what a live attempt works on. The partitions of this month and the next two are made.

**When.** Sundays at 12:00 Europe/Paris. It is a **dry run** unless `dry_run` is switched off: for scheduled runs by
`SENTIMENT_MAINTAIN_REMOVES=true`, in the form by the switch. `sentiment maintain [--remove]` does the same.

**The same again** finds nothing. Stopped anywhere, it is run again.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import dag, get_current_context
from sentiment import settings
from sentiment.orchestration import params
from sentiment.orchestration.connections import sentiment_task
from sentiment.orchestration.dag_defaults import scheduled

SETTINGS = settings.load()
PARAMS = {
    "dry_run": params.switch(
        "Dry run", "only list what would be removed; off: remove it", default=not SETTINGS.maintain_removes
    )
}


@dag(**scheduled("Maintain the store", "store", "0 12 * * 0"), params=PARAMS, doc_md=__doc__)
def maintain_store() -> None:
    """List what is past its retention time, and remove it where that is requested."""

    @sentiment_task(execution_timeout=timedelta(hours=2))
    def maintain() -> dict[str, int]:
        """Counts by kind, of what was or would be removed."""
        from collections import Counter

        from sentiment.orchestration import maintenance

        counts: Counter[str] = Counter()
        for leftover in maintenance.maintain(bool(get_current_context()["params"]["dry_run"])):
            counts[leftover.kind] += leftover.amount
        return dict(counts)

    maintain()


maintain_store()
