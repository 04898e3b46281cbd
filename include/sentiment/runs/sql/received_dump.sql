-- What the newest finished attempt to receive a run's dump left: of ingest, or of find_dump in runs of earlier versions,
-- whose own ingest left nothing of it.
SELECT token, step, detail FROM sentiment.run_step
WHERE run_id = :run_id AND step IN ('find_dump', 'ingest') AND state = 'done' AND detail ? 'layouts'
ORDER BY token DESC
LIMIT 1
