-- Insert a night's estimated and realised performance, or renew it where any figure differs.
INSERT INTO drift.performance AS p (
  night, source, model_id, reference_id, n_scored, n_labelled, run_id,
  estimated_accuracy, estimated_accuracy_error, estimated_f1, estimated_f1_error,
  realised_accuracy, realised_accuracy_error, realised_f1, realised_f1_error)
VALUES (
  :night, :source, :model_id, :reference_id, :n_scored, :n_labelled, :run_id,
  :estimated_accuracy, :estimated_accuracy_error, :estimated_f1, :estimated_f1_error,
  :realised_accuracy, :realised_accuracy_error, :realised_f1, :realised_f1_error)
ON CONFLICT (night, source, model_id) DO UPDATE SET
  reference_id = excluded.reference_id, n_scored = excluded.n_scored, n_labelled = excluded.n_labelled,
  run_id = excluded.run_id,
  estimated_accuracy = excluded.estimated_accuracy, estimated_accuracy_error = excluded.estimated_accuracy_error,
  estimated_f1 = excluded.estimated_f1, estimated_f1_error = excluded.estimated_f1_error,
  realised_accuracy = excluded.realised_accuracy, realised_accuracy_error = excluded.realised_accuracy_error,
  realised_f1 = excluded.realised_f1, realised_f1_error = excluded.realised_f1_error
WHERE (p.reference_id, p.n_scored, p.n_labelled, p.estimated_accuracy, p.estimated_accuracy_error, p.estimated_f1,
    p.estimated_f1_error, p.realised_accuracy, p.realised_accuracy_error, p.realised_f1, p.realised_f1_error)
  IS DISTINCT FROM (
    excluded.reference_id, excluded.n_scored, excluded.n_labelled, excluded.estimated_accuracy,
    excluded.estimated_accuracy_error, excluded.estimated_f1, excluded.estimated_f1_error,
    excluded.realised_accuracy, excluded.realised_accuracy_error, excluded.realised_f1, excluded.realised_f1_error)
