-- Read what the last judged night before a night left of every series, of the highest revision.
SELECT DISTINCT ON (slice_key, slice_value, column_name) slice_key, slice_value, column_name,
  cusum_low, cusum_high, low_effect, low_n, low_since, high_effect, high_n, high_since, alarm_side, alarm_opened
FROM drift.drift_metrics
WHERE granularity = 'day' AND drift_type = 'BASELINE' AND source = :source AND model_id = :model_id
  AND reference_id = :reference_id
  -- Null where the reference does not know the series.
  AND cusum_low IS NOT NULL
  AND night = (
    SELECT max(night) FROM drift.drift_metrics
    WHERE granularity = 'day' AND drift_type = 'BASELINE' AND source = :source AND model_id = :model_id
      AND reference_id = :reference_id AND night < :night)
ORDER BY slice_key, slice_value, column_name, revision DESC
