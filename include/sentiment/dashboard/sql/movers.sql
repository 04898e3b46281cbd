-- Films whose fresh reviews of the last 7 days are most unlike those of the 28 days before, with 95 percent intervals by
-- Newcombe's method from the two Wilson intervals (Statistics in Medicine 17, 1998, method 10).
WITH fresh AS NOT MATERIALIZED (
  SELECT f.item_id, f.night, f.n_fresh, f.n_fresh_positive
  FROM sentiment.film_night f JOIN sentiment.model m USING (model_id)
  WHERE m.is_current AND m.positive_label IS NOT NULL AND f.source = :source
    AND f.night <= :night AND f.night > CAST(:night AS date) - 35 AND f.item_id <> ''
), now AS MATERIALIZED (
  SELECT item_id, sum(n_fresh)::double precision AS n, sum(n_fresh_positive)::double precision AS k
  FROM fresh WHERE night > CAST(:night AS date) - 7 GROUP BY item_id HAVING sum(n_fresh) >= 5
), earlier AS (
  -- Of those films alone: nine in ten have fewer reviews in seven days.
  SELECT item_id, sum(n_fresh)::double precision AS n, sum(n_fresh_positive)::double precision AS k
  FROM fresh JOIN now USING (item_id)
  WHERE night <= CAST(:night AS date) - 7 GROUP BY item_id HAVING sum(n_fresh) >= 5
), shares AS (
  SELECT item_id, now.n::bigint AS n_now, earlier.n::bigint AS n_then, now.k / now.n AS share_now,
    earlier.k / earlier.n AS share_then, sentiment.wilson_low(now.k, now.n) AS low_now,
    sentiment.wilson_high(now.k, now.n) AS high_now, sentiment.wilson_low(earlier.k, earlier.n) AS low_then,
    sentiment.wilson_high(earlier.k, earlier.n) AS high_then
  FROM now JOIN earlier USING (item_id)
), moved AS (
  SELECT *, share_now - share_then AS change,
    share_now - share_then - sqrt((share_now - low_now) ^ 2 + (high_then - share_then) ^ 2) AS change_low,
    share_now - share_then + sqrt((high_now - share_now) ^ 2 + (share_then - low_then) ^ 2) AS change_high
  FROM shares
)
SELECT moved.*, i.item_title, change_low > 0 OR change_high < 0 AS is_sure
FROM moved LEFT JOIN sentiment.item i ON i.source = :source AND i.item_id = moved.item_id
ORDER BY is_sure DESC, abs(change) DESC, moved.item_id LIMIT :most
