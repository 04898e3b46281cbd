-- Insert the night's sums of each film; uncertain as the model's band says, logit at most 12 either way.
INSERT INTO sentiment.film_night (
  night, source, item_id, model_id, n, n_positive, n_uncertain, n_fresh, n_fresh_positive, sum_logit, sum_logit_sq,
  run_id)
SELECT :night, :source, coalesce(item_id, ''), :model_id, count(*), count(*) FILTER (WHERE positive),
  count(*) FILTER (WHERE uncertain), count(*) FILTER (WHERE fresh), count(*) FILTER (WHERE fresh AND positive),
  coalesce(sum(logit) FILTER (WHERE fresh), 0), coalesce(sum(logit * logit) FILTER (WHERE fresh), 0), :run_id
FROM (
  SELECT item_id, novelty IN ('new', 'changed') AS fresh, label = m.positive_label AS positive,
    CASE WHEN p_positive IS NULL THEN score <= m.uncertain_high
      ELSE p_positive BETWEEN m.uncertain_low AND m.uncertain_high END AS uncertain,
    -- contract.LOGIT_SQL, which Spark evaluates to the same values (tests/store/test_contract.py).
    CASE WHEN p_positive IS NOT NULL THEN
      ln(least(greatest(p_positive, 6.144174602214718e-06), 0.9999938558253978)
        / (1 - least(greatest(p_positive, 6.144174602214718e-06), 0.9999938558253978))) END AS logit
  FROM staged_review
  CROSS JOIN (
    SELECT positive_label, uncertain_low, uncertain_high FROM sentiment.model WHERE model_id = :model_id) AS m
) AS s
GROUP BY coalesce(item_id, '')
ON CONFLICT (night, source, item_id, model_id) DO NOTHING
