-- Mark the run as published.
UPDATE sentiment.run
SET status = 'published', published_at = clock_timestamp(), finished_at = clock_timestamp()
WHERE run_id = :run_id
