"""One night of a source at a time between ingest and publish: novelty is decided against what was published before."""

from __future__ import annotations

from datetime import date

import sqlalchemy as sa

from sentiment.errors import InfrastructureError, NightAtWorkError
from sentiment.sql import statement

RETRY_S = 120
"""Seconds that Airflow waits at most before it tries a failed task again: `dag_defaults.LONGEST_RETRY_DELAY`."""
SILENT_S = 120
"""Seconds without a heartbeat after which an attempt is not waited for; if it lives, publishing refuses its night."""
TRIED_AGAIN = [InfrastructureError.__name__, *(error.__name__ for error in InfrastructureError.__subclasses__())]


def check(c: sa.Connection, source: str, night: date | None = None, run_id: str = "") -> None:
    """Raise NightAtWorkError where another run of the source is between ingest and publish.

    Runs of `night` and the run `run_id` are one's own: a newer attempt of the same night fences the older one off.
    """
    values: dict[str, object] = {"source": source, "night": night, "run_id": run_id}
    values |= {"tried_again": TRIED_AGAIN, "retry_s": RETRY_S, "dead_s": SILENT_S}
    row = c.execute(statement("runs/night_at_work"), values).one_or_none()
    if row is None:
        return
    seen = f"{row.step} {row.state}, last heartbeat {row.silent_s} s ago" if row.step else "it was just opened"
    raise NightAtWorkError(
        f"Run {row.run_id} of night {row.night} is between ingest and publish ({seen}), and {source} takes one night "
        "at a time.",
        f"sentiment run show {row.run_id}",
    )
