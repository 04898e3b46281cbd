-- Read the highest revision of every comparison of nights.
SELECT DISTINCT ON (night, slice_key, slice_value, column_name, drift_type)
  night, slice_key, slice_value, column_name, drift_type, reference_id, revision, js_distance, ks_statistic,
  population_stability_index, wasserstein_distance, chi_squared_statistic, count_delta, avg_delta, percent_null_delta,
  n, n_reference, effect, effect_floor, z, threshold, cusum_threshold, status, cusum_low, cusum_high, low_effect,
  low_n, low_since, high_effect, high_n, high_since, alarm_side, alarm_opened
FROM drift.drift_metrics
WHERE granularity = 'day' AND source = :source AND model_id = :model_id AND night = ANY(:nights)
ORDER BY night, slice_key, slice_value, column_name, drift_type, revision DESC
