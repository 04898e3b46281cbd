-- Count an alarm's judged nights; return them with the last night and the mean effect since the alarm began.
SELECT count(*) AS n_nights, max(night) AS last_night, (array_agg(effect ORDER BY night DESC))[1] AS effect
FROM (
  SELECT DISTINCT ON (night) night, effect, alarm_opened, status
  FROM drift.drift_metrics
  WHERE granularity = 'day' AND drift_type = 'BASELINE' AND source = :source AND model_id = :model_id
    AND reference_id = :reference_id AND slice_key = :slice_key AND slice_value = :slice_value
    AND column_name = :column_name AND night >= :opened
  ORDER BY night, revision DESC
) AS newest
WHERE alarm_opened = :opened AND status <> 'insufficient_data'
