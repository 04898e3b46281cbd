-- One watched series over some days, against the reference.
SELECT night, n, effect, z, status, threshold, cusum_low, cusum_high, cusum_threshold, reference_id
FROM drift.v_drift
WHERE source = :source AND model_id = :model_id AND slice_key = :slice_key AND slice_value = :slice_value
  AND column_name = :column_name AND drift_type = 'BASELINE' AND night <= :night
  AND night > CAST(:night AS date) - CAST(:days AS integer)
ORDER BY night
