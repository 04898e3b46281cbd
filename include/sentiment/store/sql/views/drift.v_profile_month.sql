-- Profiles added up over months.
CREATE OR REPLACE VIEW drift.v_profile_month AS
SELECT p.month AS month, p.source, p.model_id, p.slice_key, p.slice_value, p.column_name, p.edges_id,
  count(*) AS n_nights, sum(p.n)::bigint AS n, sum(p.n_null)::bigint AS n_null,
  sum(coalesce(p.avg, 0) * (p.n - p.n_null)) / nullif(sum(p.n - p.n_null), 0) AS avg,
  (SELECT array_agg(total ORDER BY bin) FROM (
    SELECT b.bin, sum(b.n)::bigint AS total FROM (
      SELECT unnest(q.bin_counts) AS n, generate_subscripts(q.bin_counts, 1) AS bin
      FROM drift.profile_metrics q
      WHERE date_trunc('month', q.night)::date = p.month AND q.source = p.source AND q.model_id = p.model_id
        AND q.slice_key = p.slice_key AND q.slice_value = p.slice_value AND q.column_name = p.column_name
        AND q.edges_id = p.edges_id) AS b GROUP BY b.bin) AS added) AS bin_counts
FROM (SELECT date_trunc('month', night)::date AS month, m.* FROM drift.profile_metrics m) AS p
GROUP BY 1, 2, 3, 4, 5, 6, 7;

COMMENT ON VIEW drift.v_profile_month IS
  'Profiles added up over months';
COMMENT ON COLUMN drift.v_profile_month.month IS 'its first day';
COMMENT ON COLUMN drift.v_profile_month.source IS 'where the reviews come from';
COMMENT ON COLUMN drift.v_profile_month.model_id IS 'the model';
COMMENT ON COLUMN drift.v_profile_month.slice_key IS 'what the slice is cut by';
COMMENT ON COLUMN drift.v_profile_month.slice_value IS 'which slice';
COMMENT ON COLUMN drift.v_profile_month.column_name IS 'the watched column';
COMMENT ON COLUMN drift.v_profile_month.edges_id IS 'the bin edges that were counted on';
COMMENT ON COLUMN drift.v_profile_month.n_nights IS 'nights in it';
COMMENT ON COLUMN drift.v_profile_month.n IS 'fresh reviews';
COMMENT ON COLUMN drift.v_profile_month.n_null IS 'of these, without a value';
COMMENT ON COLUMN drift.v_profile_month.avg IS 'mean';
COMMENT ON COLUMN drift.v_profile_month.bin_counts IS 'null, underflow, the bins, overflow or unseen, added up';

GRANT SELECT ON drift.v_profile_month TO sentiment_writer, sentiment_reader;
