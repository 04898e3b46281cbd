-- One run, with the error that ended it.
SELECT v.*, failed.error, failed.try_next,
  extract(epoch FROM coalesce(v.published_at, v.finished_at, now()) - v.started_at)::double precision AS took_s
FROM sentiment.v_runs v
LEFT JOIN LATERAL (
  SELECT s.error, s.try_next FROM sentiment.run_step s
  WHERE s.run_id = v.run_id AND s.state = 'failed' ORDER BY s.token DESC LIMIT 1
) AS failed ON v.status NOT IN ('published', 'superseded')
WHERE v.run_id = :run_id
