-- How many series of a night have each drift status against the reference.
SELECT status, count(*) AS n FROM drift.v_drift
WHERE source = :source AND model_id = :model_id AND night = :night AND drift_type = 'BASELINE'
GROUP BY status
