-- Set the band of uncertain probabilities of a model, where it differs.
UPDATE sentiment.model SET uncertain_low = :low, uncertain_high = :high
WHERE model_id = :model_id AND (uncertain_low, uncertain_high) IS DISTINCT FROM (:low, :high)
