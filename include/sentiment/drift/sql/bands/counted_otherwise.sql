-- List the nights whose uncertain reviews were counted by another band; without a recorded one it was 0.35 to 0.65.
SELECT night
FROM drift.profile_metrics
WHERE source = :source AND model_id = :model_id AND slice_key = 'all' AND column_name = 'uncertain'
  AND edges_id = :edges_id AND night >= coalesce(:first, '-infinity'::date)
  AND (coalesce(band_low, 0.35), coalesce(band_high, 0.65)) <> (:low, :high)
