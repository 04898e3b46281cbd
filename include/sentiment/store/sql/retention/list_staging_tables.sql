-- List the tables of the schema staging with their size in bytes.
SELECT c.relname, pg_total_relation_size(c.oid) AS n_bytes
FROM pg_class c
WHERE c.relnamespace = 'staging'::regnamespace AND c.relkind = 'r'
ORDER BY c.relname
