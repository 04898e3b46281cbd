-- Return who has which right on a view, by its owner's grant or another's; column is null for the view as a unit.
SELECT NULL::text AS column, coalesce(r.rolname, 'public') AS grantee, r.rolname IS NULL AS is_public,
  a.privilege_type AS privilege, a.is_grantable
FROM pg_class c
CROSS JOIN LATERAL aclexplode(c.relacl) AS a
LEFT JOIN pg_roles r ON r.oid = a.grantee
WHERE c.oid = to_regclass(:name) AND a.grantee <> c.relowner
UNION ALL
SELECT t.attname, coalesce(r.rolname, 'public'), r.rolname IS NULL, a.privilege_type, a.is_grantable
FROM pg_class c
JOIN pg_attribute t ON t.attrelid = c.oid AND t.attnum > 0 AND NOT t.attisdropped
CROSS JOIN LATERAL aclexplode(t.attacl) AS a
LEFT JOIN pg_roles r ON r.oid = a.grantee
WHERE c.oid = to_regclass(:name) AND a.grantee <> c.relowner
