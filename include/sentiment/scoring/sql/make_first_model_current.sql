-- Make a model the one that the views show, unless there is one already.
UPDATE sentiment.model SET is_current = true
WHERE model_id = :model_id AND NOT EXISTS (SELECT 1 FROM sentiment.model WHERE is_current)
