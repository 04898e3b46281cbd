-- How many records of each run failed each rule.
CREATE OR REPLACE VIEW sentiment.v_quarantine_reasons AS
SELECT q.run_id, r.night, r.source, reason.rule_name, count(*) AS n_records, count(q.requeued_in) AS n_requeued
FROM sentiment.quarantine q JOIN sentiment.run r USING (run_id)
CROSS JOIN LATERAL unnest(q.reasons) AS reason(rule_name)
GROUP BY q.run_id, r.night, r.source, reason.rule_name;

COMMENT ON VIEW sentiment.v_quarantine_reasons IS
  'How many records of each run failed each rule';
COMMENT ON COLUMN sentiment.v_quarantine_reasons.run_id IS 'the run';
COMMENT ON COLUMN sentiment.v_quarantine_reasons.night IS 'the night';
COMMENT ON COLUMN sentiment.v_quarantine_reasons.source IS 'where the records come from';
COMMENT ON COLUMN sentiment.v_quarantine_reasons.rule_name IS 'the rule';
COMMENT ON COLUMN sentiment.v_quarantine_reasons.n_records IS 'records that failed it';
COMMENT ON COLUMN sentiment.v_quarantine_reasons.n_requeued IS 'of these, records that a requeue let pass';

GRANT SELECT ON sentiment.v_quarantine_reasons TO sentiment_writer, sentiment_reader;
