-- Labelled reviews of the last nights by bin of the score's logit, and the positive ones among them: bins are those of
-- `drift.watched.LOGIT_EDGES`, the null bin first.
SELECT b.number, sum(b.n) FILTER (WHERE p.column_name = 'labelled_logit')::bigint AS n_labelled,
  sum(b.n) FILTER (WHERE p.column_name = 'positive_logit')::bigint AS n_positive
FROM drift.profile_metrics p JOIN sentiment.model m USING (model_id),
  unnest(p.bin_counts) WITH ORDINALITY AS b(n, number)
WHERE m.is_current AND p.slice_key = 'all' AND p.column_name IN ('labelled_logit', 'positive_logit')
  AND p.edges_id = :edges_id AND p.source = :source
  AND p.night > CAST(:night AS date) - CAST(:days AS integer) AND p.night <= :night
GROUP BY b.number ORDER BY b.number
