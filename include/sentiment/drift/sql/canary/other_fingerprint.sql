-- Find whether a canary was opened for this model with another fingerprint.
SELECT 1 FROM drift.canary WHERE model_id = :model_id AND fingerprint <> :fingerprint LIMIT 1
