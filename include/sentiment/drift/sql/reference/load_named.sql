-- Read a reference of a source and model by its name.
SELECT reference_id, nights, frozen, edges_id
FROM drift.reference
WHERE source = :source AND model_id = :model_id AND reference_id = :reference_id
