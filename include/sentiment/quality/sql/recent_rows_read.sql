-- Return the records read of the latest :n published nights of a source other than :night, the largest run of each.
SELECT max(rows_read) AS n_rows
FROM sentiment.run
WHERE source = :source AND status = 'published' AND night <> :night AND rows_read > 0
GROUP BY night
ORDER BY night DESC
LIMIT :n
