-- Return the band of uncertain probabilities of a model, as the views use it.
SELECT uncertain_low, uncertain_high FROM sentiment.model WHERE model_id = :model_id
