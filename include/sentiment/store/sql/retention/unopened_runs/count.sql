-- Count nights that failed some days ago before their run was opened.
SELECT count(*) AS n, coalesce(sum(0), 0) AS n_bytes
FROM sentiment.unopened_run
WHERE failed_at < now() - make_interval(days => :days)
