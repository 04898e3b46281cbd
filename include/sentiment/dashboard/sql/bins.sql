-- The bins of one series, added up over nights: null values, below the first edge, between edges, from the last edge on.
SELECT b.number, sum(b.n)::bigint AS n
FROM drift.profile_metrics p, unnest(p.bin_counts) WITH ORDINALITY AS b(n, number)
WHERE p.source = :source AND p.model_id = :model_id AND p.slice_key = :slice_key AND p.slice_value = :slice_value
  AND p.column_name = :column_name AND p.night = ANY(:nights) AND p.edges_id = :edges_id
GROUP BY b.number ORDER BY b.number
