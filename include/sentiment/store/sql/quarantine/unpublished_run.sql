-- A run that was never published, with the fencing token of its newest attempt of validate.
SELECT v.run_id, v.night, v.source, v.status,
  (SELECT max(token) FROM sentiment.run_step s WHERE s.run_id = v.run_id AND s.step = 'validate') AS token
FROM sentiment.v_runs v
WHERE v.run_id = :run_id AND v.published_at IS NULL
