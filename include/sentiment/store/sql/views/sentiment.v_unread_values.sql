-- How many values of each run no rule of an optional column could read.
CREATE OR REPLACE VIEW sentiment.v_unread_values AS
SELECT v.run_id, v.night, v.source, v.status, unread.key AS rule_name, unread.value::bigint AS n_values
FROM sentiment.v_runs v
CROSS JOIN LATERAL (
  SELECT detail FROM sentiment.run_step s WHERE s.run_id = v.run_id AND s.step = 'validate' AND s.detail ? 'unread'
  ORDER BY token DESC LIMIT 1
) AS judged
CROSS JOIN LATERAL jsonb_each_text(judged.detail->'unread') AS unread(key, value);

COMMENT ON VIEW sentiment.v_unread_values IS
  'How many values of each run could not be read by each rule of an optional column; such a review is published without the value';
COMMENT ON COLUMN sentiment.v_unread_values.run_id IS 'the run';
COMMENT ON COLUMN sentiment.v_unread_values.night IS 'the night';
COMMENT ON COLUMN sentiment.v_unread_values.source IS 'where the reviews come from';
COMMENT ON COLUMN sentiment.v_unread_values.status IS 'what became of the run, as in v_runs';
COMMENT ON COLUMN sentiment.v_unread_values.rule_name IS 'the rule';
COMMENT ON COLUMN sentiment.v_unread_values.n_values IS 'values that it could not read';

GRANT SELECT ON sentiment.v_unread_values TO sentiment_writer, sentiment_reader;
