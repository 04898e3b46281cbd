-- Find the first of the nights, up to the newest, that were compared with a reference in the column uncertain.
SELECT min(night)
FROM drift.v_drift
WHERE source = :source AND model_id = :model_id AND drift_type = 'BASELINE' AND slice_key = 'all'
  AND column_name = 'uncertain' AND reference_id = :reference_id
  AND night > coalesce((
    SELECT max(night) FROM drift.v_drift
    WHERE source = :source AND model_id = :model_id AND drift_type = 'BASELINE' AND slice_key = 'all'
      AND column_name = 'uncertain' AND reference_id <> :reference_id), '-infinity')
