-- Return the columns, and how they were mapped, of the latest night before :night that was published.
SELECT detail -> 'schema' AS schema
FROM sentiment.run JOIN sentiment.run_step USING (run_id)
WHERE source = :source AND status = 'published' AND night < :night AND state = 'done' AND detail ? 'schema'
ORDER BY night DESC, token DESC
LIMIT 1
