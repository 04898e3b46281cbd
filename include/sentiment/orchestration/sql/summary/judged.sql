-- Of a run: rule -> values that it could not read, records that it refused and those that it only flagged, records by
-- how they are identified, and known reviews that were read anew; nulls of a run that has not come so far.
SELECT validated.detail->'unread' AS unread, validated.detail->'reasons' AS reasons,
  validated.detail->'flagged' AS flagged,
  validated.detail->'n_numbered' AS n_numbered, validated.detail->'n_unnamed' AS n_unnamed,
  (SELECT detail->'n_read_anew' FROM sentiment.run_step
    WHERE run_id = :run_id AND step = 'score' AND state = 'done' ORDER BY token DESC LIMIT 1) AS n_read_anew
FROM (VALUES (1)) AS one
LEFT JOIN LATERAL (
  SELECT detail FROM sentiment.run_step
  WHERE run_id = :run_id AND step = 'validate' AND detail ? 'reasons' ORDER BY token DESC LIMIT 1
) AS validated ON true
