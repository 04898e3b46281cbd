-- Return the latest other night that was published from the dump :dump_id, and its run.
SELECT night, run_id
FROM sentiment.run
WHERE source = :source AND dump_id = :dump_id AND status = 'published' AND night <> :night
ORDER BY night DESC
LIMIT 1
