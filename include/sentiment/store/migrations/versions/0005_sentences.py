"""Sentiment of single sentences, for nights that ask for it."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for statement in (*TABLE, *VIEW, *GRANTS):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP VIEW sentiment.v_sentence_sentiment")
    op.execute("DROP TABLE sentiment.sentence_sentiment")


def _comments(relation: str, columns: dict[str, str]) -> list[str]:
    return [f"COMMENT ON COLUMN {relation}.{column} IS '{text}'" for column, text in columns.items()]


TABLE = [
    """
CREATE TABLE sentiment.sentence_sentiment (
  review_id text NOT NULL, model_id text NOT NULL, sentence_no smallint NOT NULL CHECK (sentence_no > 0),
  begin_char integer NOT NULL CHECK (begin_char >= 0), end_char integer NOT NULL, label text NOT NULL,
  score double precision NOT NULL CHECK (score BETWEEN 0 AND 1), CHECK (end_char > begin_char),
  PRIMARY KEY (review_id, model_id, sentence_no))""",
    "COMMENT ON TABLE sentiment.sentence_sentiment IS "
    "'The sentences of a review with their sentiment, of nights that asked for them; of the version that is shown'",
    *_comments(
        "sentiment.sentence_sentiment",
        {
            "review_id": "the review",
            "model_id": "the model that said so",
            "sentence_no": "its place in the review, from 1",
            "begin_char": "characters of the raw text before it",
            "end_char": "characters of the raw text up to its end",
            "label": "the most probable label",
            "score": "probability of that label, 0 to 1",
        },
    ),
]

VIEW = [
    """
CREATE VIEW sentiment.v_sentence_sentiment AS
SELECT s.review_id, s.sentence_no, r.source, r.item_id, r.item_title,
  substr(r.text, s.begin_char + 1, s.end_char - s.begin_char) AS sentence, s.label, s.score, s.begin_char, s.end_char,
  s.model_id
FROM sentiment.sentence_sentiment s
JOIN sentiment.review r USING (review_id)
JOIN sentiment.model m ON m.model_id = s.model_id AND m.is_current""",
    "COMMENT ON VIEW sentiment.v_sentence_sentiment IS 'Each scored sentence with its text, by the current model'",
    *_comments(
        "sentiment.v_sentence_sentiment",
        {
            "review_id": "the review",
            "sentence_no": "its place in the review, from 1",
            "source": "where the review comes from",
            "item_id": "film or series, as the source names it",
            "item_title": "title of the film or series",
            "sentence": "the sentence as it came",
            "label": "the most probable label",
            "score": "probability of that label, 0 to 1",
            "begin_char": "characters of the raw text before it",
            "end_char": "characters of the raw text up to its end",
            "model_id": "the current model",
        },
    ),
]

GRANTS = [
    "GRANT SELECT, INSERT, UPDATE, DELETE ON sentiment.sentence_sentiment TO sentiment_writer",
    "GRANT SELECT ON sentiment.v_sentence_sentiment TO sentiment_writer",
    "GRANT SELECT ON sentiment.sentence_sentiment, sentiment.v_sentence_sentiment TO sentiment_reader",
]
