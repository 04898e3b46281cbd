"""
# Acknowledge a drift alarm

Acknowledges an open alarm, with a reason.

**What.** The alarm is followed on until it closes, but reported as `acknowledged` from its newest night on, in
`drift.v_alarm`, `drift.v_drift` and a night's report. Who triggered the run is stored with the reason.
`sentiment drift ack` does the same.

**Parameters.** `alarm` is an id of `sentiment drift show` or of `drift.v_alarm`; one that is closed is refused.

```json
{"alarm": "0123456789abcdef", "reason": "the critics are on strike"}
```

**The same again** keeps the newer reason.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import Param, dag, get_current_context
from sentiment.orchestration import params
from sentiment.orchestration.connections import sentiment_task
from sentiment.orchestration.dag_defaults import on_demand

PARAMS = {
    "alarm": Param(
        type="string",
        pattern="^[0-9a-f]{16}$",
        title="Alarm",
        description="16 characters, as the page Drift and `sentiment drift show` list them",
    ),
    "reason": params.reason("why it needs nothing done", section=None, needed=True),
}


@dag(**on_demand("Acknowledge a drift alarm", "drift"), params=PARAMS, doc_md=__doc__)
def acknowledge_alarm() -> None:
    """Acknowledge one alarm, from its first night on."""

    @sentiment_task(execution_timeout=timedelta(minutes=30))
    def acknowledge() -> str:
        """Return the night from which the alarm is acknowledged."""
        from sentiment.drift import tracking

        context = get_current_context()
        request, who = context["params"], context["dag_run"].triggering_user_name
        return str(tracking.acknowledge(request["alarm"], request["reason"], who or "Airflow").night)

    acknowledge()


acknowledge_alarm()
