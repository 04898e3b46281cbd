-- The share of a run's published reviews that are positive; null where none is published, or no label is the positive one.
SELECT m.positive_label, (
    SELECT sum(n_positive)::float / nullif(sum(n), 0) FROM sentiment.film_night f WHERE f.run_id = r.run_id
  ) AS share
FROM sentiment.run r JOIN sentiment.model m USING (model_id)
WHERE r.run_id = :run_id
