-- Insert one prediction of a newly opened canary.
INSERT INTO drift.canary (model_id, fingerprint, sentence_no, label, score, run_id)
VALUES (:model_id, :fingerprint, :sentence_no, :label, :score, :run_id)
