-- The model of a run, where that model is retired.
SELECT model_id FROM sentiment.model
WHERE retired_at IS NOT NULL AND model_id = (SELECT model_id FROM sentiment.run WHERE run_id = :run_id)
