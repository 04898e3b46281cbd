-- Read the profiles of nights, all slices but films, whose counts come from sentiment.film_night, and whether they
-- count uncertain reviews by another band; without a recorded one it was 0.35 to 0.65.
SELECT night, slice_key, slice_value, column_name, n, n_null, coalesce(avg, 0) AS avg, coalesce(stddev, 0) AS stddev,
  sum_item_sq, sum_item_cross, sum_item_n_sq, bin_counts,
  column_name = 'uncertain' AND (coalesce(band_low, 0.35), coalesce(band_high, 0.65)) <> (:low, :high) AS other_band
FROM drift.profile_metrics
WHERE source = :source AND model_id = :model_id AND night = ANY(:nights) AND edges_id = :edges_id
  AND slice_key <> 'film'
