-- Films whose fresh reviews of the last 7 days are most unlike those of the 28 days before, with intervals by Newcombe's
-- method from two Wilson intervals (Statistics in Medicine 17, 1998, method 10). All of them hold at once with 95 percent
-- certainty (Bonferroni): of thousands of films, a twentieth of those that did not move would else be sure to have moved.
WITH fresh AS NOT MATERIALIZED (
  SELECT f.item_id, f.night > CAST(:night AS date) - 7 AS is_now, f.n_fresh, f.n_fresh_positive
  FROM sentiment.film_night f JOIN sentiment.model m USING (model_id)
  WHERE m.is_current AND m.positive_label IS NOT NULL AND f.source = :source
    AND f.night <= :night AND f.night > CAST(:night AS date) - 35 AND f.item_id <> ''
), now AS MATERIALIZED (
  SELECT item_id FROM fresh WHERE is_now GROUP BY item_id HAVING sum(n_fresh) >= 5
), compared AS MATERIALIZED (
  -- Of those films alone: nine in ten have fewer reviews in seven days. No join, which without statistics may be a loop.
  SELECT item_id,
    sum(n_fresh) FILTER (WHERE is_now)::double precision AS n_now,
    sum(n_fresh_positive) FILTER (WHERE is_now)::double precision AS k_now,
    sum(n_fresh) FILTER (WHERE NOT is_now)::double precision AS n_then,
    sum(n_fresh_positive) FILTER (WHERE NOT is_now)::double precision AS k_then
  FROM fresh WHERE item_id = ANY(ARRAY(SELECT item_id FROM now))
  GROUP BY item_id HAVING sum(n_fresh) FILTER (WHERE NOT is_now) >= 5
), level AS (
  -- The quantile for as many intervals as there are films, their number rounded up to a power of 2.
  SELECT count(*) AS n_compared,
    (CAST(:z_of_films AS double precision[]))[1 + ceil(log(2, greatest(count(*), 1)))::int] AS z
  FROM compared
), shares AS (
  SELECT item_id, n_compared, n_now::bigint AS n_now, n_then::bigint AS n_then, k_now / n_now AS share_now,
    k_then / n_then AS share_then,
    (k_now + z ^ 2 / 2) / (n_now + z ^ 2) AS middle_now, (k_then + z ^ 2 / 2) / (n_then + z ^ 2) AS middle_then,
    z * sqrt(k_now * (n_now - k_now) / n_now + z ^ 2 / 4) / (n_now + z ^ 2) AS half_now,
    z * sqrt(k_then * (n_then - k_then) / n_then + z ^ 2 / 4) / (n_then + z ^ 2) AS half_then
  FROM compared CROSS JOIN level
), moved AS (
  SELECT item_id, n_compared, n_now, n_then, share_now, share_then, share_now - share_then AS change,
    share_now - share_then - sqrt((share_now - middle_now + half_now) ^ 2 + (middle_then + half_then - share_then) ^ 2)
      AS change_low,
    share_now - share_then + sqrt((middle_now + half_now - share_now) ^ 2 + (share_then - middle_then + half_then) ^ 2)
      AS change_high
  FROM shares
)
SELECT m.*, i.item_title
FROM (
  SELECT *, change_low > 0 OR change_high < 0 AS is_sure
  FROM moved ORDER BY is_sure DESC, abs(change) DESC, item_id LIMIT :most
) AS m LEFT JOIN sentiment.item i ON i.source = :source AND i.item_id = m.item_id
ORDER BY is_sure DESC, abs(change) DESC, m.item_id
