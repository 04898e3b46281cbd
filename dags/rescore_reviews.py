"""
# Rescore reviews

Scores nights that are published already by another model, beside the scores there are.

`find_nights >> rescore >> report`

**What.** For each night of the range that the model has not published, the newest first: the reviews as that night
had them, from the tables; scores from the cache or the network, chunk by chunk; then one publishing transaction, as
for a night, which adds the model's rows to `review_sentiment`, `film_night` and `drift.profile_metrics`. Each night is
a run of its own (`sentiment runs`), and accepted = scored + reused = published holds for it. Readers go on seeing the
current model until `sentiment model use MODEL`, which refuses one that covers less.

**Parameters.** `model` (one of `sentiment model list`), `first` and `last` night, `source`.
`sentiment rescore --model mine --from 2026-01-01 --to 2026-11-22` does the same.

```json
{"model": "cinema-fr", "first": "2026-11-01", "last": "2026-11-22"}
```

**Left out** are reviews whose version of that night is not kept any more (`SENTIMENT_KEEP_SUPERSEDED_DAYS`) and months
that retention has dropped; the log and the step's `detail` say how many. Drift is not compared again.

**The same again** does the nights that are missing. Stopped anywhere, it goes on with the night it was in, whose
committed chunks are not scored again. A night published or superseded meanwhile makes it try again.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from airflow.sdk import dag, get_current_context
from sentiment.orchestration import params
from sentiment.orchestration.connections import sentiment_task
from sentiment.orchestration.dag_defaults import on_demand
from sentiment.orchestration.spark_tasks import SparkRescore

PARAMS = {
    "model": params.model(),
    "first": params.day("First night", "first published night to score again"),
    "last": params.day("Last night", "last published night to score again"),
    "source": params.source(),
}


@dag(**on_demand("Rescore reviews", "models"), params=PARAMS, doc_md=__doc__)
def rescore_reviews() -> None:
    """Score the published nights of a range by another model."""

    @sentiment_task(execution_timeout=timedelta(minutes=10))
    def find_nights() -> dict[str, Any]:
        """Return the request, checked before any Spark starts, and how many nights it is about."""
        from sentiment.orchestration import rescoring

        values = get_current_context()["params"]
        days = {name: date.fromisoformat(values[name]) for name in ("first", "last")}
        request = rescoring.Request(values["model"], values["source"], **days)
        request_values = {name: values[name] for name in ("model", "source", "first", "last")}
        return {**request_values, "nights": len(rescoring.pending(request))}

    @sentiment_task(trigger_rule="none_failed", execution_timeout=timedelta(minutes=10))
    def report(request: dict[str, Any]) -> str:
        from sentiment.orchestration import rescoring

        days = {name: date.fromisoformat(request[name]) for name in ("first", "last")}
        return rescoring.report(request["model"], request["source"], **days)

    request = find_nights()
    request >> SparkRescore(execution_timeout=timedelta(days=3)) >> report(request)


rescore_reviews()
