-- End the currency of every other reference of a source and model.
UPDATE drift.reference SET is_current = false
WHERE source = :source AND model_id = :model_id AND is_current AND reference_id <> :reference_id
