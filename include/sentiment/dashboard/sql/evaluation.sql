-- The newest evaluation of each model and labelled set, a row for each label and average.
SELECT model_id, set_name, row_no, label, precision, recall, f1_score, support, f1_score_low, f1_score_high, left_out, ece,
  brier, evaluated_at
FROM sentiment.v_evaluation ORDER BY model_id, set_name, row_no
