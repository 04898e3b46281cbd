-- Read the predictions that a model's canary was opened with.
SELECT sentence_no, label, score FROM drift.canary WHERE model_id = :model_id AND fingerprint = :fingerprint
