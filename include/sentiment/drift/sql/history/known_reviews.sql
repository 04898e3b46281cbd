-- Sum all reviews, and known ones among them, of each night, with the sums by film that a clustered variance needs.
SELECT night, sum(n) AS n, sum(n - n_fresh) AS k, sum((n - n_fresh) * (n - n_fresh)) AS sq,
  sum(n * (n - n_fresh)) AS cross, sum(n * n) AS n_sq
FROM sentiment.film_night
WHERE source = :source AND model_id = :model_id AND night = ANY(:nights)
GROUP BY night
