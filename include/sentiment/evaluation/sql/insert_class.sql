-- Insert the figures of one label in an evaluation.
INSERT INTO sentiment.evaluation_class (
  evaluation_id, label, precision, precision_low, precision_high, recall, recall_low, recall_high,
  f1_score, f1_score_low, f1_score_high, support)
VALUES (
  :evaluation_id, :label, :precision, :precision_low, :precision_high, :recall, :recall_low, :recall_high,
  :f1_score, :f1_score_low, :f1_score_high, :support)
