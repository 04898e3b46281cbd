-- A film's fresh reviews of each night, by the current model.
SELECT f.night, f.n_fresh AS n_reviews, f.n_fresh_positive AS n_positive,
  (f.n_fresh_positive::double precision / f.n_fresh) AS share_positive,
  sentiment.wilson_low(f.n_fresh_positive::double precision, f.n_fresh::double precision) AS share_positive_low,
  sentiment.wilson_high(f.n_fresh_positive::double precision, f.n_fresh::double precision) AS share_positive_high
FROM sentiment.film_night f JOIN sentiment.model m USING (model_id)
WHERE m.is_current AND m.positive_label IS NOT NULL AND f.source = :source AND f.item_id = :item_id AND f.n_fresh > 0
ORDER BY f.night
