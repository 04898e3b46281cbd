-- Mark a run as failed by an attempt, unless a newer attempt of any of its steps has begun.
UPDATE sentiment.run SET status = 'failed', verdict = :error, finished_at = now()
WHERE run_id = :run_id AND status IN ('running', 'audited')
  AND :token = (SELECT max(token) FROM sentiment.run_step WHERE run_id = :run_id)
