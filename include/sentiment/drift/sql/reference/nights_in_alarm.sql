-- List the nights on which the whole night was in alarm, in any column; an alarm of a slice does not count.
SELECT DISTINCT night
FROM drift.v_drift
WHERE source = :source AND model_id = :model_id AND drift_type = 'BASELINE' AND slice_key = 'all'
  AND status IN ('alarm', 'acknowledged') AND night BETWEEN :first AND :last
