-- Move a run to a status; what is published or superseded stays so, and only its summary changes.
UPDATE sentiment.run SET
  status = CASE WHEN status IN ('published', 'superseded') THEN status ELSE :status END,
  verdict = coalesce(:verdict, verdict),
  finished_at = now()
WHERE run_id = :run_id
