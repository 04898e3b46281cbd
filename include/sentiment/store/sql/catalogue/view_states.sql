-- Return a hash of each named view as it is in the database: its definition, columns and comments.
SELECT n.nspname || '.' || c.relname AS name,
  encode(sha256(convert_to(
    pg_get_viewdef(c.oid) || coalesce(obj_description(c.oid, 'pg_class'), '') || (
      SELECT string_agg(concat_ws(' ', a.attname, col_description(c.oid, a.attnum)), chr(10) ORDER BY a.attnum)
      FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0), 'UTF8')), 'hex') AS state_sha256
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'v' AND n.nspname || '.' || c.relname = ANY(:names)
