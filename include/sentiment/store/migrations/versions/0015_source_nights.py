"""The sums of each night over all its films, which the database itself keeps true to `film_night`.

The positive share of 90 nights was read from half a million rows of films; it is read from 90 now.
"""

from __future__ import annotations

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Each statement, and each earlier night's sums, in a transaction of its own, so that no publisher waits for all of
    # them; killed anywhere here, it is done again from the top.
    with op.get_context().autocommit_block():
        for statement in (*TABLE, *FUNCTION, *TRIGGERS):
            op.execute(statement)
        for night in op.get_bind().exec_driver_sql("SELECT DISTINCT night, source, model_id FROM sentiment.run").all():
            op.get_bind().exec_driver_sql(SUM_EARLIER_NIGHT, tuple(night))


def downgrade() -> None:
    for event in EVENTS:
        op.execute(f"DROP TRIGGER sum_after_{event.lower()} ON sentiment.film_night")
    op.execute("DROP FUNCTION sentiment.sum_changed_nights()")
    op.execute("DROP TABLE sentiment.source_night")


COLUMNS = {
    "night": "the night",
    "source": "where the reviews come from",
    "model_id": "the model",
    "n": "reviews in that night''s dump",
    "n_positive": "of these, labelled positive",
    "n_uncertain": "of these, with p_positive in the uncertain band",
    "n_fresh": "reviews new or changed that night",
    "n_fresh_positive": "of the fresh, labelled positive",
    "n_items": "films and series; reviews whose dump names none count as one",
}
TABLE = (
    """
CREATE TABLE IF NOT EXISTS sentiment.source_night (
  night date NOT NULL, source text NOT NULL, model_id text NOT NULL REFERENCES sentiment.model (model_id),
  n bigint NOT NULL, n_positive bigint NOT NULL, n_uncertain bigint NOT NULL, n_fresh bigint NOT NULL,
  n_fresh_positive bigint NOT NULL, n_items bigint NOT NULL, PRIMARY KEY (source, model_id, night))""",
    "COMMENT ON TABLE sentiment.source_night IS 'One row a night and model: the sums of film_night, by its triggers'",
    *(f"COMMENT ON COLUMN sentiment.source_night.{name} IS '{comment}'" for name, comment in COLUMNS.items()),
    "GRANT SELECT, INSERT, UPDATE, DELETE ON sentiment.source_night TO sentiment_writer",
    "GRANT SELECT ON sentiment.source_night TO sentiment_reader",
)
SUM = """
  INSERT INTO sentiment.source_night (
    night, source, model_id, n, n_positive, n_uncertain, n_fresh, n_fresh_positive, n_items)
  SELECT night, source, model_id, sum(n), sum(n_positive), sum(n_uncertain), sum(n_fresh), sum(n_fresh_positive),
    count(*)
  FROM sentiment.film_night
  WHERE (night, source, model_id) IN ({nights})
  GROUP BY night, source, model_id"""
CHANGED = "SELECT night, source, model_id FROM changed"
LOCK = "pg_advisory_xact_lock(hashtext('sentiment.source_night'))"
"""One at a time: of two that sum the same night, each would miss what the other has not committed."""
FUNCTION = (
    f"""
CREATE OR REPLACE FUNCTION sentiment.sum_changed_nights() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM {LOCK};
  DELETE FROM sentiment.source_night WHERE (night, source, model_id) IN ({CHANGED});{SUM.format(nights=CHANGED)};
  RETURN NULL;
END $$""",
    "COMMENT ON FUNCTION sentiment.sum_changed_nights IS 'Sum the nights again whose films a statement has changed'",
)
# A night that is published meanwhile has its sums by the triggers.
SUM_EARLIER_NIGHT = f"""
WITH alone AS MATERIALIZED (SELECT {LOCK})
{SUM.format(nights="SELECT %s, %s, %s FROM alone")}
ON CONFLICT DO NOTHING"""
EVENTS = {"INSERT": "NEW", "UPDATE": "NEW", "DELETE": "OLD"}
"""What changes films' sums -> the rows by which the triggers know whose."""
TRIGGERS = [
    f"CREATE OR REPLACE TRIGGER sum_after_{event.lower()} AFTER {event} ON sentiment.film_night "
    f"REFERENCING {rows} TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION sentiment.sum_changed_nights()"
    for event, rows in EVENTS.items()
]
