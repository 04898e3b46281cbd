"""Keep what a night refused that is not published: of a night that a batch check stopped, and of a dry run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from sentiment.database import transaction
from sentiment.runs import attempts, phases
from sentiment.runs.attempts import Attempt
from sentiment.runs.model import Run
from sentiment.store import loading, merging
from sentiment.store.loading import Rows
from sentiment.store.staging import Staging
from sentiment.workspace import Part, Workspace, run_key

MOST_ROWS, MOST_BYTES = 10_000, 64 << 20
"""Most refused records that are kept of a run, and most bytes of them."""


def keep_judged(attempt: Attempt, run: Run, workspace: Workspace) -> None:
    """Keep what the run's newest finished attempt of validate refused, as `keep` does, for a later step."""
    key, token = run_key(run.night, run.run_id), attempts.finished(run.run_id, "validate").token
    quarantined, unread = (workspace.committed(name, key, token) for name in ("quarantined", "unread"))
    keep(attempt, workspace, quarantined, unread)


def keep(attempt: Attempt, workspace: Workspace, quarantined: list[Part], unread: list[Part]) -> None:
    """Write refused records and values that can't be read to their tables, in place of what the run has there.

    Of refused records at most MOST_ROWS and MOST_BYTES are kept, spread over the rules; all are in the parts. A run
    that is published or superseded keeps what it has. Raises StaleAttemptError for an older attempt,
    InfrastructureError where a part can't be read.
    """
    staging = Staging(attempt.run_id, attempt.token)
    tables = {
        "quarantine": Rows(quarantined, chosen=Spread(_by_rule(workspace, quarantined), MOST_ROWS, MOST_BYTES)),
        "unread": Rows(unread),
    }
    loading.stage(attempt, workspace, tables)
    with transaction() as c:
        query = sa.text("SELECT status FROM sentiment.run WHERE run_id = :run_id FOR UPDATE")
        status = c.execute(query, {"run_id": attempt.run_id}).scalar_one()
        attempt.check_token(c)
        if status not in ("published", "superseded"):
            staging.open_views(c)
            merging.write_refused(c, attempt.run_id)
            staging.close_views(c)
    staging.drop()
    phases.reached("stopped")


def _by_rule(workspace: Workspace, parts: list[Part]) -> Counter[str]:
    """Count refused records by the first rule that each fails."""
    counted: Counter[str] = Counter()
    files = workspace.files_of(parts) if parts else []
    for batch in workspace.batches(files, ["reasons"]):
        counted.update(reasons[0] for reasons in batch.column(0).to_pylist())
    return counted


class Spread:
    """Chooses refused records, each rule's first ones, so that no rule takes the place of another."""

    def __init__(self, by_rule: Mapping[str, int], most_rows: int, most_bytes: int) -> None:
        self._rows = shares(by_rule, most_rows)
        self._bytes = dict.fromkeys(by_rule, most_bytes // max(len(by_rule), 1))

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the chosen rows of the next batch; it has the columns reasons and raw."""
        lengths = pc.binary_length(batch.column("raw")).to_pylist()
        chosen = map(self._take, batch.column("reasons").to_pylist(), lengths)
        return batch.filter(pa.array(chosen, pa.bool_()))

    def _take(self, reasons: list[str], n_bytes: int) -> bool:
        rule = reasons[0]
        if not self._rows[rule] or self._bytes[rule] < n_bytes:
            return False
        self._rows[rule] -= 1
        self._bytes[rule] -= n_bytes
        return True


def shares(by_rule: Mapping[str, int], most: int) -> dict[str, int]:
    """Return how many rows of each rule to choose, at most `most` in all; what one rule leaves the others get."""
    shared: dict[str, int] = {}
    remaining = most
    # The rarest first: it leaves the most.
    for n_before, (rule, n) in enumerate(sorted(by_rule.items(), key=lambda pair: pair[1])):
        shared[rule] = min(n, remaining // (len(by_rule) - n_before))
        remaining -= shared[rule]
    return shared
