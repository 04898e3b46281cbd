-- Every watched series of the whole night over some days, against the reference.
SELECT night, column_name, n, effect, z, status, threshold
FROM drift.v_drift
WHERE source = :source AND slice_key = 'all' AND drift_type = 'BASELINE' AND night <= :night
  AND night > CAST(:night AS date) - CAST(:days AS integer)
  AND model_id = (SELECT model_id FROM sentiment.model WHERE is_current)
ORDER BY column_name, night
