-- List the films with most fresh reviews over nights, the most reviewed first.
SELECT item_id
FROM sentiment.film_night
WHERE source = :source AND model_id = :model_id AND night = ANY(:nights) AND item_id <> ''
GROUP BY item_id
ORDER BY sum(n_fresh) DESC, item_id
LIMIT :n
