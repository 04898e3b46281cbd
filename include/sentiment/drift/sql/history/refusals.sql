-- Read how many records each night's run read and refused, by rule as its validate step counted them.
SELECT night, rows_read, rows_quarantined, judged.detail -> 'rules' AS rules, judged.detail -> 'reasons' AS reasons
FROM sentiment.run r
LEFT JOIN LATERAL (
  SELECT detail FROM sentiment.run_step s
  WHERE s.run_id = r.run_id AND step = 'validate' AND state = 'done'
  ORDER BY token DESC LIMIT 1
) AS judged ON true
WHERE source = :source AND model_id = :model_id AND night = ANY(:nights) AND status = 'published'
