-- Insert the figures of one model on one labelled set.
INSERT INTO sentiment.evaluation (
  evaluation_id, model_id, fingerprint, set_name, set_sha256, label_source, n, left_out,
  accuracy, accuracy_low, accuracy_high, macro_precision, macro_recall, macro_f1_score,
  weighted_precision, weighted_recall, weighted_f1_score, ece, brier, spark_nlp_version, code_version)
VALUES (
  :evaluation_id, :model_id, :fingerprint, :set_name, :set_sha256, :label_source, :n, :left_out,
  :accuracy, :accuracy_low, :accuracy_high, :macro_precision, :macro_recall, :macro_f1_score,
  :weighted_precision, :weighted_recall, :weighted_f1_score, :ece, :brier, :spark_nlp_version, :code_version)
