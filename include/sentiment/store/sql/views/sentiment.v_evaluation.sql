-- The newest evaluation of each model and labelled set, as the rows of a model card.
CREATE OR REPLACE VIEW sentiment.v_evaluation AS
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
    NULL, NULL) AS r;

COMMENT ON VIEW sentiment.v_evaluation IS
  'The newest evaluation of each model and labelled set, as the rows of a model card';
COMMENT ON COLUMN sentiment.v_evaluation.model_id IS 'the model';
COMMENT ON COLUMN sentiment.v_evaluation.set_name IS 'name of the labelled set';
COMMENT ON COLUMN sentiment.v_evaluation.label_source IS
  'polarity: labels of its own; rating: weak ones, up to 2 and from 4';
COMMENT ON COLUMN sentiment.v_evaluation.row_no IS 'the row''s place on the card, from 1';
COMMENT ON COLUMN sentiment.v_evaluation.label IS 'a label, or accuracy, macro avg, weighted avg';
COMMENT ON COLUMN sentiment.v_evaluation.precision IS 'of the records predicted so, the share that are';
COMMENT ON COLUMN sentiment.v_evaluation.recall IS 'of the records that are so, the share predicted so';
COMMENT ON COLUMN sentiment.v_evaluation.f1_score IS 'harmonic mean of the two; of the row accuracy, the accuracy';
COMMENT ON COLUMN sentiment.v_evaluation.support IS 'records with this label; of the other rows, all';
COMMENT ON COLUMN sentiment.v_evaluation.precision_low IS 'lower end of its 95 percent interval';
COMMENT ON COLUMN sentiment.v_evaluation.precision_high IS 'upper end of its 95 percent interval';
COMMENT ON COLUMN sentiment.v_evaluation.recall_low IS 'lower end of its 95 percent interval';
COMMENT ON COLUMN sentiment.v_evaluation.recall_high IS 'upper end of its 95 percent interval';
COMMENT ON COLUMN sentiment.v_evaluation.f1_score_low IS 'lower end of its 95 percent interval';
COMMENT ON COLUMN sentiment.v_evaluation.f1_score_high IS 'upper end of its 95 percent interval';
COMMENT ON COLUMN sentiment.v_evaluation.left_out IS 'records of the set that are not evaluated';
COMMENT ON COLUMN sentiment.v_evaluation.ece IS 'expected calibration error of the whole evaluation';
COMMENT ON COLUMN sentiment.v_evaluation.brier IS 'Brier score of the whole evaluation';
COMMENT ON COLUMN sentiment.v_evaluation.set_sha256 IS
  'SHA-256 of the set''s file; of several the hash that names them as a dump';
COMMENT ON COLUMN sentiment.v_evaluation.evaluation_id IS 'the evaluation';
COMMENT ON COLUMN sentiment.v_evaluation.evaluated_at IS 'when';

GRANT SELECT ON sentiment.v_evaluation TO sentiment_writer, sentiment_reader;
