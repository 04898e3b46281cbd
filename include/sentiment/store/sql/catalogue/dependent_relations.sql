-- Return every relation whose definition reads a view, or reads one that does.
WITH RECURSIVE dependents AS (
  SELECT to_regclass(:name)::oid AS oid
  UNION
  SELECT r.ev_class
  FROM dependents
  JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = dependents.oid
    AND d.classid = 'pg_rewrite'::regclass
  JOIN pg_rewrite r ON r.oid = d.objid
)
SELECT n.nspname AS schema, c.relname AS name, c.relkind::text AS kind
FROM dependents JOIN pg_class c USING (oid) JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid <> to_regclass(:name)
ORDER BY n.nspname, c.relname
