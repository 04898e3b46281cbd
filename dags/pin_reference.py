"""
# Pin a drift reference

Freezes a range of published nights, so that later nights are compared with it.

**What.** Weekday effects, dispersion, thresholds for the budget of false alarms and the calibrator of the scores are
fitted to the nights from `first` to `last` and frozen under a new id. Nights in alarm are left out. References are
never edited; a new one takes over from the next night on. To judge nights that are published already against it:
`sentiment drift replay --from …`.

**Parameters.** At least 56 published nights of 30 new reviews are needed, 180 are advised; with too few the task
fails with the number that is missing.

```json
{"first": "2026-05-01", "last": "2026-10-31", "source": "allocine", "model": "cinema-fr", "budget": 1}
```

**The same again** gives the same reference. `sentiment reference list` shows all, `sentiment reference compare` two.
"""

from __future__ import annotations

from datetime import date, timedelta

from airflow.sdk import Param, dag, get_current_context
from sentiment.orchestration import params
from sentiment.orchestration.connections import sentiment_task
from sentiment.orchestration.dag_defaults import on_demand

PARAMS = {
    "first": params.day("First night", "first night of the range"),
    "last": params.day("Last night", "last night of the range"),
    "source": params.source(),
    "model": params.model("whose predictions the reference is of"),
    "budget": Param(
        1.0,
        type="number",
        exclusiveMinimum=0,
        maximum=52,
        section=params.ALARMS,
        title="False alarms",
        description="how many false alarms a year all series together may raise",
    ),
}


@dag(**on_demand("Pin a drift reference", "drift"), params=PARAMS, doc_md=__doc__)
def pin_reference() -> None:
    """Pin a reference that later nights are compared with."""

    @sentiment_task(execution_timeout=timedelta(minutes=30))
    def pin() -> str:
        """Return the new reference's id."""
        from sentiment.drift import reference
        from sentiment.drift.history import Stream

        request = get_current_context()["params"]
        first, last = (date.fromisoformat(request[name]) for name in ("first", "last"))
        stream = Stream(request["source"], request["model"])
        return reference.pin(stream, first, last, float(request["budget"])).reference_id

    pin()


pin_reference()
