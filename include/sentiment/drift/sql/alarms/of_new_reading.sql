-- Alarms of refused and of missing values that began with the first night of this version after the last of an earlier
-- one; not those that are acknowledged.
SELECT v.slice_key, v.slice_value, v.column_name, v.opened AS night
FROM drift.v_alarm v
JOIN (
  SELECT min(night) FILTER (WHERE reading_version = :reading_version AND night > last_before) AS night
  FROM sentiment.run, (
    SELECT max(night) AS last_before FROM sentiment.run
    WHERE source = :source AND model_id = :model_id AND status = 'published' AND reading_version < :reading_version
  ) AS before
  WHERE source = :source AND model_id = :model_id AND status = 'published'
) AS reading ON v.began BETWEEN reading.night - 1 AND reading.night + 1
WHERE v.source = :source AND v.model_id = :model_id AND v.status = 'alarm'
  AND (v.column_name IN ('quarantined', 'rating_missing')
    OR (v.column_name = 'refused' AND v.slice_value = ANY(:rules)))
