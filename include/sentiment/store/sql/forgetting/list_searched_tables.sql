-- List every table that may hold text, with its columns of text; the salt is random and can't be read.
-- The catalogue knows all tables, so that none of a later migration is missing here.
SELECT n.nspname AS schema, c.relname AS name, bool_or(a.attname = 'review_id') AS has_review_id,
  array_agg(a.attname::text) AS columns
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid
WHERE n.nspname IN ('sentiment', 'drift', 'staging') AND c.relkind IN ('r', 'p') AND NOT c.relispartition
  AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid::regtype::text IN ('text', 'text[]', 'jsonb')
  AND has_table_privilege(c.oid, 'SELECT')
GROUP BY n.nspname, c.relname
ORDER BY n.nspname, c.relname
