-- One film or series over all nights, with the mean rating of its newest reviews.
SELECT i.item_title, i.item_type, f.n_reviews, f.n_positive, f.share_positive, f.share_positive_low,
  f.share_positive_high, f.first_night, f.last_night, r.mean_rating, r.n_ratings
FROM sentiment.item i
LEFT JOIN sentiment.v_film_sentiment f USING (source, item_id)
CROSS JOIN LATERAL (
  SELECT avg(n.rating)::double precision AS mean_rating, count(n.rating) AS n_ratings
  FROM (
    SELECT v.rating FROM sentiment.v_review_sentiment v WHERE v.source = i.source AND v.item_id = i.item_id
    ORDER BY v.first_night DESC LIMIT :newest
  ) AS n
) AS r
WHERE i.source = :source AND i.item_id = :item_id
