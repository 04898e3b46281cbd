-- Return whether a model's nights count as published while retention has removed their scores.
SELECT EXISTS (
    SELECT 1 FROM sentiment.run WHERE model_id = :model_id AND status = 'published' AND rows_published > 0)
  AND NOT EXISTS (SELECT 1 FROM sentiment.film_night WHERE model_id = :model_id)
