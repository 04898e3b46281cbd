-- A run of a source that is between ingest and publish, other than :run_id and, where :night is given, of another night;
-- the earliest of them. One that failed for reasons of the infrastructure is about to be tried again for :retry_s; one
-- whose attempt has been silent for :dead_s was killed.
-- Rescored nights decide no novelty, so they stand in nobody's way.
SELECT r.run_id, r.night, s.step, s.state, extract(epoch FROM now() - s.heartbeat_at)::int AS silent_s
FROM sentiment.v_runs r
LEFT JOIN LATERAL (
  SELECT step, state, error_kind, heartbeat_at FROM sentiment.run_step WHERE run_id = r.run_id
  ORDER BY token DESC LIMIT 1
) s ON true
WHERE r.source = :source AND r.run_id <> :run_id AND (cast(:night AS date) IS NULL OR r.night <> :night)
  AND s.step IS DISTINCT FROM 'rescore'
  AND (s.state IS DISTINCT FROM 'running' OR s.heartbeat_at > now() - make_interval(secs => :dead_s))
  AND (r.status = 'running' OR (r.status = 'audited' AND r.verdict IS NULL)
    OR (r.status = 'failed' AND s.error_kind = ANY(:tried_again) AND s.heartbeat_at > now() - make_interval(secs => :retry_s)))
ORDER BY r.started_at
LIMIT 1
