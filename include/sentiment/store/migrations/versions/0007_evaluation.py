"""How good models are on labelled sets: figures, confusion, comparisons; never a text."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for statement in (*TABLES, *VIEW, *GRANTS):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP VIEW sentiment.v_evaluation")
    for table in ("evaluation_comparison", "evaluation_confusion", "evaluation_class", "evaluation"):
        op.execute(f"DROP TABLE sentiment.{table}")


def _table(name: str, comment: str, columns: dict[str, tuple[str, str]], *constraints: str) -> list[str]:
    body = ", ".join([*(f"{column} {kind}" for column, (kind, _) in columns.items()), *constraints])
    said = [f"CREATE TABLE {name} ({body})", f"COMMENT ON TABLE {name} IS '{comment}'"]
    return [*said, *_comments(name, {column: text for column, (_, text) in columns.items()})]


def _comments(relation: str, columns: dict[str, str]) -> list[str]:
    return [f"COMMENT ON COLUMN {relation}.{column} IS '{text}'" for column, text in columns.items()]


NUMBER = "double precision NOT NULL"
AVERAGES = {
    f"{kind}_{name}": (NUMBER, f"mean {name.replace('_', '-')} of the labels, {text}")
    for kind, text in (("macro", "each counted once"), ("weighted", "weighted by support"))
    for name in ("precision", "recall", "f1_score")
}


def _figure(name: str, text: str) -> dict[str, tuple[str, str]]:
    return {
        name: (NUMBER, text),
        f"{name}_low": ("double precision", "lower end of its 95 percent interval, null of no records"),
        f"{name}_high": ("double precision", "upper end of its 95 percent interval"),
    }


OF = "text NOT NULL REFERENCES sentiment.evaluation ON DELETE CASCADE"
TABLES = [
    *_table(
        "sentiment.evaluation",
        "One row an evaluation: a model on a labelled set",
        {
            "evaluation_id": ("text PRIMARY KEY", "the evaluation"),
            "model_id": ("text NOT NULL", "the model; it need not have scored a night"),
            "fingerprint": ("text NOT NULL", "SHA-256 over its weights, vocabulary, labels, length, rules"),
            "set_name": ("text NOT NULL", "name of the labelled set"),
            "set_sha256": ("text NOT NULL", "SHA-256 of its file; of several the hash that names them as a dump"),
            "label_source": ("text NOT NULL", "polarity: labels of its own; rating: weak ones, up to 2 and from 4"),
            "n": ("bigint NOT NULL", "records evaluated"),
            "left_out": ("bigint NOT NULL", "records left out: unreadable, without text or label, or in between"),
            **_figure("accuracy", "share of records with the right label"),
            **AVERAGES,
            "ece": (NUMBER, "expected calibration error, 15 equal-width bins of the predicted label''s probability"),
            "brier": (NUMBER, "mean squared error of the probabilities; of two labels the positive one''s"),
            "spark_nlp_version": ("text NOT NULL", "Spark NLP that scored"),
            "code_version": ("text NOT NULL", "version of this project that ran"),
            "evaluated_at": ("timestamptz NOT NULL DEFAULT now()", "when"),
        },
        "CONSTRAINT evaluation_label_source CHECK (label_source IN ('polarity', 'rating'))",
        "CONSTRAINT evaluation_n CHECK (n > 0)",
    ),
    "CREATE INDEX evaluation_newest ON sentiment.evaluation (model_id, set_sha256, label_source, evaluated_at DESC)",
    *_table(
        "sentiment.evaluation_class",
        "Figures of each label, as on a model card",
        {
            "evaluation_id": (OF, "the evaluation"),
            "label": ("text NOT NULL", "the label"),
            **_figure("precision", "of the records predicted as this label, the share that have it"),
            **_figure("recall", "of the records with this label, the share predicted so"),
            **_figure("f1_score", "harmonic mean of the two"),
            "support": ("bigint NOT NULL", "records with this label"),
        },
        "PRIMARY KEY (evaluation_id, label)",
    ),
    *_table(
        "sentiment.evaluation_confusion",
        "How many records of each label were predicted as which",
        {
            "evaluation_id": (OF, "the evaluation"),
            "label": ("text NOT NULL", "the label"),
            "predicted": ("text NOT NULL", "the label that the model gave"),
            "n": ("bigint NOT NULL", "records"),
        },
        "PRIMARY KEY (evaluation_id, label, predicted)",
    ),
    *_table(
        "sentiment.evaluation_comparison",
        "Two evaluations of the same set, record by record: McNemar''s exact test",
        {
            "first_id": (OF, "the first evaluation"),
            "second_id": (OF, "the second evaluation"),
            "n": ("bigint NOT NULL", "records that both evaluated"),
            "only_first_right": ("bigint NOT NULL", "of these, records that the first alone has right"),
            "only_second_right": ("bigint NOT NULL", "of these, records that the second alone has right"),
            "p_value": (NUMBER, "two-sided; small: one is right more often than chance lets expect"),
            "difference": (NUMBER, "accuracy of the first less that of the second, on these records"),
            "difference_low": (NUMBER, "lower end of its 95 percent interval"),
            "difference_high": (NUMBER, "upper end of its 95 percent interval"),
        },
        "PRIMARY KEY (first_id, second_id)",
    ),
]

VIEW = [
    """
CREATE VIEW sentiment.v_evaluation AS
SELECT e.model_id, e.set_name, e.label_source,
  row_number() OVER (PARTITION BY e.evaluation_id ORDER BY r.part, r.label COLLATE "C")::integer AS row_no,
  r.label, r.precision, r.recall, r.f1_score, r.support, r.precision_low, r.precision_high, r.recall_low,
  r.recall_high, r.f1_score_low, r.f1_score_high, e.left_out, e.ece, e.brier, e.set_sha256, e.evaluation_id,
  e.evaluated_at
FROM (
  SELECT DISTINCT ON (model_id, set_sha256, label_source) * FROM sentiment.evaluation
  ORDER BY model_id, set_sha256, label_source, evaluated_at DESC, evaluation_id DESC) AS e
CROSS JOIN LATERAL (
  SELECT 1 AS part, label, precision, recall, f1_score, support, precision_low, precision_high, recall_low,
    recall_high, f1_score_low, f1_score_high
  FROM sentiment.evaluation_class c WHERE c.evaluation_id = e.evaluation_id
  UNION ALL
  SELECT 2, 'accuracy', NULL, NULL, e.accuracy, e.n, NULL, NULL, NULL, NULL, e.accuracy_low, e.accuracy_high
  UNION ALL
  SELECT 3, 'macro avg', e.macro_precision, e.macro_recall, e.macro_f1_score, e.n, NULL, NULL, NULL, NULL, NULL, NULL
  UNION ALL
  SELECT 4, 'weighted avg', e.weighted_precision, e.weighted_recall, e.weighted_f1_score, e.n, NULL, NULL, NULL, NULL,
    NULL, NULL) AS r""",
    "COMMENT ON VIEW sentiment.v_evaluation IS "
    "'The newest evaluation of each model and labelled set, as the rows of a model card'",
    *_comments(
        "sentiment.v_evaluation",
        {
            "model_id": "the model",
            "set_name": "name of the labelled set",
            "label_source": "polarity: labels of its own; rating: weak ones, up to 2 and from 4",
            "row_no": "the row''s place on the card, from 1",
            "label": "a label, or accuracy, macro avg, weighted avg",
            "precision": "of the records predicted so, the share that are",
            "recall": "of the records that are so, the share predicted so",
            "f1_score": "harmonic mean of the two; of the row accuracy, the accuracy",
            "support": "records with this label; of the other rows, all",
            "precision_low": "lower end of its 95 percent interval",
            "precision_high": "upper end of its 95 percent interval",
            "recall_low": "lower end of its 95 percent interval",
            "recall_high": "upper end of its 95 percent interval",
            "f1_score_low": "lower end of its 95 percent interval",
            "f1_score_high": "upper end of its 95 percent interval",
            "left_out": "records of the set that are not evaluated",
            "ece": "expected calibration error of the whole evaluation",
            "brier": "Brier score of the whole evaluation",
            "set_sha256": "SHA-256 of the set''s file; of several the hash that names them as a dump",
            "evaluation_id": "the evaluation",
            "evaluated_at": "when",
        },
    ),
]

NAMES = (
    "sentiment.evaluation, sentiment.evaluation_class, sentiment.evaluation_confusion, sentiment.evaluation_comparison"
)
GRANTS = [
    f"GRANT SELECT, INSERT, UPDATE, DELETE ON {NAMES} TO sentiment_writer",
    "GRANT SELECT ON sentiment.v_evaluation TO sentiment_writer",
    f"GRANT SELECT ON {NAMES}, sentiment.v_evaluation TO sentiment_reader",
]
