-- The newest run of a source's newest night up to a day, with the error that ended it and the Airflow run to look at.
SELECT v.*, failed.error, failed.try_next,
  extract(epoch FROM coalesce(v.published_at, v.finished_at, now()) - v.started_at)::double precision AS took_s
FROM sentiment.v_runs v
LEFT JOIN LATERAL (
  SELECT s.error, s.try_next FROM sentiment.run_step s
  WHERE s.run_id = v.run_id AND s.state = 'failed' ORDER BY s.token DESC LIMIT 1
) AS failed ON v.status NOT IN ('published', 'superseded')
WHERE v.source = :source AND v.night <= :night
ORDER BY v.night DESC, v.status = 'published' DESC, v.started_at DESC LIMIT 1
