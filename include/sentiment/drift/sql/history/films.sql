-- Sum fresh reviews, and positive ones among them, of each listed film and of the other films together.
SELECT night, film, sum(n_fresh) AS n, sum(n_fresh_positive) AS k, sum(n_fresh_positive * n_fresh_positive) AS sq,
  sum(n_fresh * n_fresh_positive) AS cross, sum(n_fresh * n_fresh) AS n_sq
FROM (
  SELECT night, n_fresh, n_fresh_positive, CASE WHEN item_id = ANY(:films) THEN item_id ELSE :rest END AS film
  FROM sentiment.film_night
  WHERE source = :source AND model_id = :model_id AND night = ANY(:nights) AND n_fresh > 0
) AS by_film
GROUP BY night, film
