-- Sum fresh reviews, and positive ones among them, of every film over nights.
SELECT item_id, sum(n_fresh)::bigint AS n, sum(n_fresh_positive)::bigint AS k
FROM sentiment.film_night
WHERE source = :source AND model_id = :model_id AND night = ANY(:nights) AND n_fresh > 0
GROUP BY item_id
ORDER BY item_id
