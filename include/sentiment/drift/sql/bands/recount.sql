-- Count the uncertain reviews of nights anew, by another band, where every score that the night counted is still kept.
-- A version that is shown has its score in review_sentiment, any other with the kept version.
WITH scored AS (
  SELECT n.night, coalesce(r.item_id, v.item_id, '') AS item_id,
    CASE WHEN coalesce(s.p_positive, k.p_positive) BETWEEN :low AND :high THEN 1
      WHEN coalesce(s.p_positive, k.p_positive) IS NOT NULL THEN 0 END::double precision AS uncertain
  FROM sentiment.night_review n
  LEFT JOIN sentiment.review r ON r.review_id = n.review_id AND r.content_hash = n.content_hash
  LEFT JOIN sentiment.review_sentiment s
    ON s.review_id = r.review_id AND s.model_id = :model_id AND s.text_hash = r.text_hash
  LEFT JOIN sentiment.review_version v
    ON r.review_id IS NULL AND v.review_id = n.review_id AND v.content_hash = n.content_hash
  LEFT JOIN LATERAL (
    SELECT e ->> 'model_id' AS model_id, (e ->> 'p_positive')::double precision AS p_positive
    FROM jsonb_array_elements(v.sentiments) AS e
    WHERE e ->> 'model_id' = :model_id
    LIMIT 1) AS k ON true
  WHERE n.source = :source AND n.night = ANY(:nights) AND n.novelty <> 'known'
    AND coalesce(s.model_id, k.model_id) IS NOT NULL
), by_item AS (
  SELECT night, item_id, count(*) AS n, count(uncertain)::double precision AS n_f, coalesce(sum(uncertain), 0) AS s_f,
    min(uncertain) AS lowest, max(uncertain) AS highest
  FROM scored
  GROUP BY night, item_id
), counted AS (
  SELECT night, sum(n)::bigint AS n, sum(n_f) AS n_values, sum(s_f) AS total, count(*) AS n_items,
    sum(s_f * s_f) AS item_sq, sum(s_f * n_f) AS item_cross, sum(n_f * n_f) AS item_n_sq,
    min(lowest) AS lowest, max(highest) AS highest
  FROM by_item
  GROUP BY night
), moments AS (
  SELECT *, total / nullif(n_values, 0) AS mean FROM counted
)
UPDATE drift.profile_metrics u SET
  n_null = m.n - m.n_values, avg = m.mean, stddev = sqrt(greatest(m.mean - m.mean * m.mean, 0)),
  min = m.lowest, max = m.highest,
  bin_counts = ARRAY[m.n - m.n_values, m.n_values - m.total, m.total]::bigint[], n_items = m.n_items,
  sum_item_sq = m.item_sq, sum_item_cross = m.item_cross, sum_item_n_sq = m.item_n_sq,
  band_low = :low, band_high = :high
FROM moments m
WHERE u.night = m.night AND u.n = m.n AND u.source = :source AND u.model_id = :model_id AND u.slice_key = 'all'
  AND u.column_name = 'uncertain' AND u.edges_id = :edges_id
RETURNING u.night
