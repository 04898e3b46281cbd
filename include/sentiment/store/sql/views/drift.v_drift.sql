-- The current state of every comparison: the highest revision.
CREATE OR REPLACE VIEW drift.v_drift AS
SELECT DISTINCT ON (night, granularity, source, model_id, slice_key, slice_value, column_name, drift_type)
  night, source, model_id, slice_key, slice_value, column_name, drift_type, reference_id, n, effect, z, status,
  cusum_low, cusum_high, threshold, cusum_threshold, effect_floor, avg_delta, percent_null_delta, js_distance,
  ks_statistic, population_stability_index, wasserstein_distance, chi_squared_statistic
FROM drift.drift_metrics
ORDER BY night, granularity, source, model_id, slice_key, slice_value, column_name, drift_type, revision DESC;

COMMENT ON VIEW drift.v_drift IS
  'The current state of every comparison: the highest revision';
COMMENT ON COLUMN drift.v_drift.night IS 'the night';
COMMENT ON COLUMN drift.v_drift.source IS 'where the reviews come from';
COMMENT ON COLUMN drift.v_drift.model_id IS 'the model';
COMMENT ON COLUMN drift.v_drift.slice_key IS 'what the slice is cut by';
COMMENT ON COLUMN drift.v_drift.slice_value IS 'which slice';
COMMENT ON COLUMN drift.v_drift.column_name IS 'the watched column';
COMMENT ON COLUMN drift.v_drift.drift_type IS 'BASELINE or CONSECUTIVE';
COMMENT ON COLUMN drift.v_drift.reference_id IS 'the reference, or the night compared with';
COMMENT ON COLUMN drift.v_drift.n IS 'fresh reviews that night';
COMMENT ON COLUMN drift.v_drift.effect IS 'difference in the column''s own unit';
COMMENT ON COLUMN drift.v_drift.z IS 'effect in standard errors, clustered by film';
COMMENT ON COLUMN drift.v_drift.status IS 'ok, watch, alarm, acknowledged or insufficient_data';
COMMENT ON COLUMN drift.v_drift.cusum_low IS 'downward cumulated sum';
COMMENT ON COLUMN drift.v_drift.cusum_high IS 'upward cumulated sum';
COMMENT ON COLUMN drift.v_drift.threshold IS 'z of one night that alarms';
COMMENT ON COLUMN drift.v_drift.cusum_threshold IS 'cumulated sum that alarms';
COMMENT ON COLUMN drift.v_drift.effect_floor IS 'smallest effect that may alarm';
COMMENT ON COLUMN drift.v_drift.avg_delta IS 'mean less the reference''s';
COMMENT ON COLUMN drift.v_drift.percent_null_delta IS 'points of nulls more than the reference, 0 to 100';
COMMENT ON COLUMN drift.v_drift.js_distance IS 'Jensen-Shannon distance in base 2, 0 to 1';
COMMENT ON COLUMN drift.v_drift.ks_statistic IS 'largest distance of the cumulated bins, 0 to 1';
COMMENT ON COLUMN drift.v_drift.population_stability_index IS 'PSI with half a count added to every bin';
COMMENT ON COLUMN drift.v_drift.wasserstein_distance IS 'in the column''s unit, on bin middles';
COMMENT ON COLUMN drift.v_drift.chi_squared_statistic IS 'Pearson''s, on the bins';

GRANT SELECT ON drift.v_drift TO sentiment_writer, sentiment_reader;
