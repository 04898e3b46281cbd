-- List source and model of each current reference that records no band of uncertain probabilities.
SELECT source, model_id
FROM drift.reference
WHERE is_current AND edges_id = :edges_id AND frozen -> 'band' IS NULL
ORDER BY source, model_id
