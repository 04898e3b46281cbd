-- List the partitions of night_review whose month began more than some months before this one.
SELECT to_date(right(c.relname, 6), 'YYYYMM') AS month, pg_total_relation_size(c.oid) AS n_bytes, c.reltuples
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'sentiment.night_review'::regclass
  AND to_date(right(c.relname, 6), 'YYYYMM') < date_trunc('month', current_date) - make_interval(months => :keep)
ORDER BY month
