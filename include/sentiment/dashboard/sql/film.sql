-- One film or series over all nights.
SELECT i.item_title, i.item_type, f.n_reviews, f.n_positive, f.share_positive, f.share_positive_low,
  f.share_positive_high, f.first_night, f.last_night
FROM sentiment.item i LEFT JOIN sentiment.v_film_sentiment f USING (source, item_id)
WHERE i.source = :source AND i.item_id = :item_id
