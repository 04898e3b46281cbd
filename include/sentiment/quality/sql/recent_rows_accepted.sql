-- Return the reviews accepted of the latest :n published nights of a source other than :night, the largest run of each.
SELECT max(rows_accepted) AS n_rows
FROM sentiment.run
WHERE source = :source AND status = 'published' AND night <> :night AND rows_accepted > 0
GROUP BY night
ORDER BY night DESC
LIMIT :n
