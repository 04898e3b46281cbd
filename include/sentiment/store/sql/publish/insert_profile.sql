-- Insert the night's profile.
INSERT INTO drift.profile_metrics (
  night, source, model_id, slice_key, slice_value, column_name, data_type, n, n_null, avg, stddev, min, max, avg_length,
  edges_id, bin_counts, n_items, sum_item_sq, sum_item_cross, sum_item_n_sq, run_id, band_low, band_high)
SELECT
  :night, :source, :model_id, slice_key, slice_value, column_name, data_type, n, n_null, avg, stddev, min, max,
  avg_length, edges_id, bin_counts, n_items, sum_item_sq, sum_item_cross, sum_item_n_sq, :run_id,
  CASE WHEN column_name = 'uncertain' THEN cast(:band_low AS double precision) END,
  CASE WHEN column_name = 'uncertain' THEN cast(:band_high AS double precision) END
FROM staged_profile
