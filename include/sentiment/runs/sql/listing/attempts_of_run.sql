-- List every attempt of a run's steps, the oldest first, with its speed and, while it runs, its remaining time.
SELECT step, token, state, finished_at - started_at AS duration, rows_done, rows_total,
       cast(detail ->> 'rows_per_s' AS double precision) AS rows_per_s,
       CASE WHEN state = 'running' THEN cast(detail ->> 'left_s' AS double precision) END AS remaining_s,
       error, try_next
FROM sentiment.run_step
WHERE run_id = :run_id
ORDER BY token
