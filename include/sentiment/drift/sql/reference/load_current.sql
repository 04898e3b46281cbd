-- Read the current reference of a source and model.
SELECT reference_id, nights, frozen, edges_id
FROM drift.reference
WHERE source = :source AND model_id = :model_id AND is_current
