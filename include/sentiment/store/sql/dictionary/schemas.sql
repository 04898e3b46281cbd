-- Return the named schemas with their comments, in the order of the names.
SELECT nspname AS name, obj_description(oid, 'pg_namespace') AS comment
FROM pg_namespace WHERE nspname = ANY(:schemas) ORDER BY array_position(:schemas, nspname::text)
