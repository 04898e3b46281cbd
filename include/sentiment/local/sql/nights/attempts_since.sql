-- List the attempts of all runs that began after a token was drawn, in their order.
SELECT token, step, state, rows_done, rows_total, started_at, finished_at
FROM sentiment.run_step
WHERE token > :token
ORDER BY token
