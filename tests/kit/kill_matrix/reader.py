"""A concurrent reader, which looks for partly published nights while others publish."""

from __future__ import annotations

import multiprocessing
import time
from multiprocessing.connection import Connection
from typing import Any

import sqlalchemy as sa
from sentiment import database
from sentiment.errors import SentimentError

LEAST_PAUSE_S = 0.02
PARTLY_PUBLISHED = """
SELECT run.run_id, run.status, run.rows_published, n.n, f.n, s.n
FROM (SELECT * FROM sentiment.run WHERE status IN ('published', 'superseded')) run
LEFT JOIN (SELECT run_id, count(*) AS n FROM sentiment.night_review GROUP BY 1) n USING (run_id)
LEFT JOIN (SELECT run_id, sum(n) AS n FROM sentiment.film_night GROUP BY 1) f USING (run_id)
LEFT JOIN (SELECT n.run_id, count(*) AS n FROM sentiment.night_review n JOIN sentiment.review USING (review_id)
           JOIN sentiment.review_sentiment USING (review_id) GROUP BY 1) s USING (run_id)
WHERE ARRAY[coalesce(n.n, 0), coalesce(f.n, 0), coalesce(s.n, 0)]
  <> array_fill(CASE WHEN run.status = 'published' THEN run.rows_published ELSE 0 END::numeric, ARRAY[3])
UNION ALL
SELECT n.run_id, 'rows of a run not published', count(*), 0, 0, 0 FROM sentiment.night_review n
JOIN sentiment.run USING (run_id) WHERE run.status NOT IN ('published') GROUP BY 1
LIMIT 5
"""
"""Runs whose rows don't add up, in three tables: all rows of a published run, none of any other."""


class ConcurrentReader:
    """A reader in a process of its own; a context manager that starts it and, on leaving, ends it.

    Afterwards `n_snapshots` is how often it looked, and `partly_published` the runs that it ever saw only a part of,
    as rows of PARTLY_PUBLISHED.
    """

    n_snapshots: int
    partly_published: list[tuple[Any, ...]]

    def __init__(self) -> None:
        # Not forked: the parent's connections and Java gateway would come along.
        spawn = multiprocessing.get_context("spawn")
        self._pipe, child_pipe = spawn.Pipe()
        self._process = spawn.Process(target=_read, args=(child_pipe,), daemon=True)

    def __enter__(self) -> ConcurrentReader:
        self._process.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._pipe.send("stop")
        self.n_snapshots, self.partly_published = self._pipe.recv()
        self._process.join()


def _read(pipe: Connection) -> None:
    n_snapshots, partly_published = 0, []
    pause_s = 0.0
    while not pipe.poll(pause_s):
        began = time.monotonic()
        try:
            with database.transaction("owner") as c:
                c.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                partly_published += [tuple(row) for row in c.execute(sa.text(PARTLY_PUBLISHED))]
                n_snapshots += 1
            # Look at most half of the time: the publishers need the processor too.
            pause_s = max(LEAST_PAUSE_S, time.monotonic() - began)
        except SentimentError:
            # One of the faults restarts the server.
            pause_s = 0.1
    pipe.send((n_snapshots, partly_published))
