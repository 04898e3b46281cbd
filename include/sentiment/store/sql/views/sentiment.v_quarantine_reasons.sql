-- How many records of each run failed each rule.
CREATE OR REPLACE VIEW sentiment.v_quarantine_reasons AS
SELECT v.run_id, v.night, v.source, failed.rule_name, failed.n_records, failed.n_requeued, v.status
FROM sentiment.v_runs v
CROSS JOIN LATERAL (
  SELECT reason.rule_name, count(*) AS n_records, count(q.requeued_in) AS n_requeued
  FROM sentiment.quarantine q CROSS JOIN LATERAL unnest(q.reasons) AS reason(rule_name)
  WHERE q.run_id = v.run_id AND v.published_at IS NOT NULL
  GROUP BY reason.rule_name
  UNION ALL
  -- Of a run that was never published not every record need be stored; its counts are whole.
  SELECT reason.key, reason.value::bigint, 0
  FROM (
    SELECT detail->'reasons' AS reasons FROM sentiment.run_step s
    WHERE s.run_id = v.run_id AND s.step = 'validate' AND s.detail ? 'reasons'
    ORDER BY token DESC LIMIT 1
  ) AS judged
  CROSS JOIN LATERAL jsonb_each_text(judged.reasons) AS reason(key, value)
  WHERE v.published_at IS NULL
) AS failed;

COMMENT ON VIEW sentiment.v_quarantine_reasons IS
  'How many records of each run failed each rule, also of runs that a batch check stopped';
COMMENT ON COLUMN sentiment.v_quarantine_reasons.run_id IS 'the run';
COMMENT ON COLUMN sentiment.v_quarantine_reasons.night IS 'the night';
COMMENT ON COLUMN sentiment.v_quarantine_reasons.source IS 'where the records come from';
COMMENT ON COLUMN sentiment.v_quarantine_reasons.rule_name IS 'the rule';
COMMENT ON COLUMN sentiment.v_quarantine_reasons.n_records IS 'records that failed it';
COMMENT ON COLUMN sentiment.v_quarantine_reasons.n_requeued IS 'of these, records that a requeue let pass';
COMMENT ON COLUMN sentiment.v_quarantine_reasons.status IS 'what became of the run, as in v_runs';

GRANT SELECT ON sentiment.v_quarantine_reasons TO sentiment_writer, sentiment_reader;
