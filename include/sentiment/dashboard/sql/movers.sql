-- Films whose fresh reviews of the last 7 days are most unlike those of the 28 days before, with 95 percent intervals by
-- Newcombe's method from the two Wilson intervals (Statistics in Medicine 17, 1998, method 10).
WITH summed AS (
  SELECT f.item_id,
    sum(f.n_fresh) FILTER (WHERE f.night > CAST(:night AS date) - 7) AS n_now,
    sum(f.n_fresh_positive) FILTER (WHERE f.night > CAST(:night AS date) - 7) AS k_now,
    sum(f.n_fresh) FILTER (WHERE f.night <= CAST(:night AS date) - 7) AS n_then,
    sum(f.n_fresh_positive) FILTER (WHERE f.night <= CAST(:night AS date) - 7) AS k_then
  FROM sentiment.film_night f JOIN sentiment.model m USING (model_id)
  WHERE m.is_current AND m.positive_label IS NOT NULL AND f.source = :source
    AND f.night <= :night AND f.night > CAST(:night AS date) - 35 AND f.item_id <> ''
  GROUP BY f.item_id
), shares AS (
  SELECT item_id, n_now::bigint, n_then::bigint, (k_now / n_now)::double precision AS share_now,
    (k_then / n_then)::double precision AS share_then,
    sentiment.wilson_low(k_now::double precision, n_now::double precision) AS low_now,
    sentiment.wilson_high(k_now::double precision, n_now::double precision) AS high_now,
    sentiment.wilson_low(k_then::double precision, n_then::double precision) AS low_then,
    sentiment.wilson_high(k_then::double precision, n_then::double precision) AS high_then
  FROM summed WHERE n_now >= 5 AND n_then >= 5
), moved AS (
  SELECT *, share_now - share_then AS change,
    share_now - share_then - sqrt((share_now - low_now) ^ 2 + (high_then - share_then) ^ 2) AS change_low,
    share_now - share_then + sqrt((high_now - share_now) ^ 2 + (share_then - low_then) ^ 2) AS change_high
  FROM shares
)
SELECT moved.*, i.item_title, change_low > 0 OR change_high < 0 AS is_sure
FROM moved LEFT JOIN sentiment.item i ON i.source = :source AND i.item_id = moved.item_id
ORDER BY is_sure DESC, abs(change) DESC, moved.item_id LIMIT :most
