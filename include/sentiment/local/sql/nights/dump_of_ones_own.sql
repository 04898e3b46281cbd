-- Return the address of a published dump of the source whose address is not like the made-up ones, if there is one.
SELECT d.uri
FROM sentiment.run r JOIN sentiment.dump d USING (dump_id)
WHERE r.source = :source AND r.status = 'published' AND d.uri NOT LIKE :samples
LIMIT 1
