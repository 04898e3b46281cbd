-- Return tables, views and sequences of the named schemas but partitions and staging tables: views first.
SELECT n.nspname AS schema, c.oid, c.relname AS name, c.relkind::text AS kind,
  obj_description(c.oid, 'pg_class') AS comment
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY(:schemas) AND n.nspname <> 'staging' AND c.relkind = ANY(:kinds) AND NOT c.relispartition
ORDER BY c.relkind = 'S', c.relkind <> 'v', c.relname
