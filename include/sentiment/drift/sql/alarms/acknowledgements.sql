-- Read every acknowledgement of a source and model, in the order of nights.
SELECT slice_key, slice_value, column_name, night
FROM drift.acknowledgement
WHERE source = :source AND model_id = :model_id
ORDER BY night
