-- The share of a run's published reviews that are positive; null where none is published, or no label is the positive one.
SELECT m.positive_label, s.n_positive::double precision / nullif(s.n, 0) AS share
FROM sentiment.run r
JOIN sentiment.model m USING (model_id)
LEFT JOIN sentiment.source_night s ON r.status = 'published'
  AND s.night = r.night AND s.source = r.source AND s.model_id = r.model_id
WHERE r.run_id = :run_id
