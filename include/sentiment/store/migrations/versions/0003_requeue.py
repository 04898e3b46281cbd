"""Requeueing: a run of the same night, dump and model beside the published one that it replaces."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # First what can't be in a transaction: killed anywhere here, it is done again from the top.
    with op.get_context().autocommit_block():
        for statement in IDENTITY:
            op.execute(statement)
    op.execute("ALTER INDEX sentiment.run_identity_wider RENAME TO run_identity")
    for view, (query, column, comment) in VIEWS.items():
        op.execute(f"CREATE OR REPLACE VIEW {view} AS {query}")
        op.execute(f"COMMENT ON COLUMN {view}.{column} IS '{comment}'")


def downgrade() -> None:
    raise NotImplementedError("requeued runs would not fit the narrower identity: restore a backup instead")


IDENTITY = (
    "DROP INDEX CONCURRENTLY IF EXISTS sentiment.run_identity_wider",
    """
CREATE UNIQUE INDEX CONCURRENTLY run_identity_wider ON sentiment.run
  (night, source, dump_id, model_id, coalesce(supersedes, '')) WHERE status <> 'superseded'""",
    "DROP INDEX CONCURRENTLY IF EXISTS sentiment.run_identity",
)

LAST_GOOD = """(SELECT max(l.night) FROM sentiment.run l
    WHERE l.source = r.source AND l.model_id = r.model_id AND l.status = 'published')"""

VIEWS = {
    "sentiment.v_runs": (
        f"""
SELECT r.run_id, r.night, r.source, r.model_id, d.uri AS dump_uri, r.status, r.rows_read, r.rows_accepted,
  r.rows_quarantined, r.rows_duplicate, r.rows_scored, r.rows_reused, r.rows_published, r.verdict, r.reason,
  r.airflow_run_id, r.code_version, r.started_at, r.finished_at, r.published_at, r.supersedes,
  coalesce(r.status = 'published' AND r.night = {LAST_GOOD}, false) AS is_last_good,
  (SELECT o.run_id FROM sentiment.run o WHERE o.run_id = r.supersedes AND o.dump_id = r.dump_id) AS requeue_of
FROM sentiment.run r JOIN sentiment.dump d USING (dump_id)""",
        "requeue_of",
        "the run of the same dump whose refused records it took up again",
    ),
    "sentiment.v_quarantine_reasons": (
        """
SELECT q.run_id, r.night, r.source, reason.rule_name, count(*) AS n_records, count(q.requeued_in) AS n_requeued
FROM sentiment.quarantine q JOIN sentiment.run r USING (run_id)
CROSS JOIN LATERAL unnest(q.reasons) AS reason(rule_name)
GROUP BY q.run_id, r.night, r.source, reason.rule_name""",
        "n_requeued",
        "of these, records that a requeue let pass",
    ),
}
